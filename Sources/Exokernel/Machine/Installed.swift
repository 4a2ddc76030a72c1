/// A fragment of a scheduler, with the memory behind its regions.
struct Installed {
    let fragment: SchedulerFragment
    /// What it wants to be called for besides.
    let handlers: [EventPoint: SchedulerFragment]
    let regions: [RegionStorage]
    /// The ticks of the last decisions that it failed to take and events that it failed to handle.
    var failures: [UInt64] = []

    /// How many places of the scheduler's list of children are in use.
    func setListed(_ places: Int) {
        fragment.setListed(places)
        for handler in handlers.values { handler.setListed(places) }
    }
}

/// Fragments of schedulers, by the scheduler's id.
struct InstalledFragments {
    private var entries = ByID<Installed>()
    /// The fragments that decide, apart from what comes with them.
    private var deciding = ByID<SchedulerFragment>()
    /// Those of them that handle events.
    private var handling = ByID<[EventPoint: SchedulerFragment]>()
    /// Those of the schedulers' fragments that read the number of timer interrupts.
    private(set) var readTicks: [SchedulerFragment] = []

    var keys: some Sequence<Int> { entries.keys }
    func contains(_ id: Int) -> Bool { entries.contains(id) }

    func fragment(of id: Int) -> SchedulerFragment? { deciding[id] }
    func handler(of point: EventPoint, _ id: Int) -> SchedulerFragment? {
        handling.contains(id) ? handling[id]?[point] : nil
    }

    subscript(id: Int) -> Installed? {
        get { entries[id] }
        set {
            if let old = entries[id]?.fragment { readTicks.removeAll { $0 === old } }
            entries[id] = newValue
            deciding[id] = newValue?.fragment
            handling[id] = newValue.flatMap { $0.handlers.isEmpty ? nil : $0.handlers }
            if let fragment = newValue?.fragment, fragment.readsTick { readTicks.append(fragment) }
        }
    }

    mutating func removeValue(forKey id: Int) -> Installed? {
        defer { self[id] = nil }
        return entries[id]
    }
}
