/// A fragment of a scheduler, with the memory behind its regions.
struct Installed {
    let fragment: SchedulerFragment
    /// What it wants to be called for besides.
    let handlers: [EventPoint: SchedulerFragment]
    let regions: [RegionStorage]
    /// Decisions that it failed to take, and events that it failed to handle:
    /// Ticks at which it did, the last few.
    var failures: [UInt64] = []
}
