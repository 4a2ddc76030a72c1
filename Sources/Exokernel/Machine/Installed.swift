/// A fragment of a scheduler, with the memory behind its regions.
struct Installed {
    let fragment: SchedulerFragment
    let regions: [RegionStorage]
    /// Decisions that it failed to take.
    var failures = 0
}
