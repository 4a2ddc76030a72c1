/// A fragment of a scheduler, with the memory behind its regions.
struct Installed {
    let fragment: SchedulerFragment
    /// What it wants to be called for besides.
    let handlers: [EventPoint: SchedulerFragment]
    let regions: [RegionStorage]
    /// The ticks of the last decisions that it failed to take and events that it failed to handle.
    var failures: [UInt64] = []
}
