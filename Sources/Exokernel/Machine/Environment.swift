/// What the machine runs: something that has pages and, when it is an application's task, gets the processor.
/// Schedulers are environments too; their fragments run in their address spaces.
struct Environment {
    /// Exposed to fragments, by raw value.
    enum Status: UInt32 {
        /// Nobody: has not begun yet, or has ended.
        case free = 0
        /// Wants the processor, or has it.
        case runnable = 1
        /// Waits for time to pass.
        case sleeping = 2
        /// Waits for another environment. Also schedulers, which have nothing to run in this machine.
        case blocked = 3
    }

    /// Position in the table, from 1. The node of the timeline has the number before: `node`.
    let id: Int
    let name: String
    let isScheduler: Bool
    /// The id of the scheduler above; 0: none.
    var parent: Int
    let priority: Int
    /// What it is entitled to, in thousandths of its parent's time; 0: not stated.
    let weight: UInt32

    fileprivate(set) var status = Status.free
    /// The processor that it has.
    fileprivate(set) var processor: Int?
    /// Whether it has another processor than the one that is shown.
    fileprivate var runsElsewhere = false
    /// How many environments below it are runnable, and how many of them run elsewhere.
    fileprivate var runnableBelow = 0
    fileprivate var elsewhereBelow = 0
    fileprivate(set) var ticks: UInt64 = 0
    /// Nanoseconds of processor time; of a scheduler, of everything below it.
    fileprivate(set) var ran: UInt64 = 0
    /// Nanoseconds that it slept or was blocked, and when its status last changed.
    fileprivate var waited: UInt64 = 0
    fileprivate var since: UInt64 = 0
    /// When it last lost the processor.
    fileprivate var stopped: UInt64 = 0
    fileprivate(set) var hasBegun = false
    fileprivate(set) var hasEnded = false
    fileprivate(set) var faults: UInt32 = 0
    fileprivate(set) var pageTable: PageTable?

    /// Nanoseconds of processor time until its next action.
    var burst: UInt64 = 0

    init(id: Int, name: String, isScheduler: Bool, parent: Int, priority: Int = 0, weight: UInt32 = 0) {
        self.id = id
        self.name = name
        self.isScheduler = isScheduler
        self.parent = parent
        self.priority = priority
        self.weight = weight
    }

    /// The index in `Timeline.nodes`.
    var node: Int { id - 1 }
    /// Whether it could run and has no processor.
    var isWaiting: Bool { status == .runnable && processor == nil }
}

/// All environments, by id, and what is exposed of them.
struct EnvironmentTable {
    /// The virtual page at which every environment finds the one page of its own.
    static let ownPage = 1

    let all = Table([Environment(id: 0, name: "idle", isScheduler: false, parent: 0)])
    /// How many could run and have no processor.
    private(set) var waitingCount = 0
    /// The processor as seen from which the exposed state shows who runs elsewhere.
    private(set) var shownProcessor = 0
    private let pages: PhysicalPages
    private let exposed: ExposedState

    init(pages: PhysicalPages, exposed: ExposedState) {
        self.pages = pages
        self.exposed = exposed
    }

    subscript(id: Int) -> Environment {
        _read { yield all[id] }
        nonmutating _modify { yield &all[id] }
    }

    /// The application's environment of that name.
    func id(named name: String) -> Int? {
        all.first { $0.name == name && !$0.isScheduler && $0.id != 0 }?.id
    }

    /// Whether there is such an id, besides that of idle.
    func contains(_ id: UInt64) -> Bool { id > 0 && id < UInt64(all.count) }

    /// Gives the next id to an environment that is to begin later.
    mutating func add(name: String, isScheduler: Bool, parent: Int, priority: Int = 0, weight: UInt32 = 0)
        -> Int
    {
        let id = all.count
        all.append(
            Environment(
                id: id, name: name, isScheduler: isScheduler, parent: parent, priority: priority,
                weight: weight))
        exposed.setMachine(ExposedState.MachineField.environments, UInt32(truncatingIfNeeded: all.count))
        return id
    }

    /// Brings an environment to life: an address space and a page of its own. Nothing is left of it when
    /// there is no memory for that.
    mutating func begin(_ id: Int, at now: UInt64) throws(MachineError) {
        let table = try PageTable(pages: pages, owner: id)
        do throws(MachineError) {
            let own = try pages.allocate(owner: id)
            defer { pages.release(own) }  // from here on the page table holds it
            try table.map(Self.ownPage, to: own, writable: true)
        } catch {
            table.destroy()
            throw error
        }
        all[id].pageTable = table
        all[id].hasBegun = true
        exposed.set(id, ExposedState.EnvironmentField.id, UInt32(truncatingIfNeeded: id))
        exposed.set(id, ExposedState.EnvironmentField.priority, Int32(truncatingIfNeeded: all[id].priority))
        setParent(id, all[id].parent)
        setStatus(id, all[id].isScheduler ? .blocked : .runnable, at: now)
        exposePages(id)
    }

    /// Ends an environment, and frees its pages. Its ticks stay to be read; its id is not used again.
    mutating func end(_ id: Int, at now: UInt64) {
        setStatus(id, .free, at: now)
        all[id].pageTable?.destroy()
        all[id].pageTable = nil
        all[id].hasEnded = true
        all[id].burst = 0
        exposePages(id)
    }

    mutating func setStatus(_ id: Int, _ status: Environment.Status, at now: UInt64) {
        if all[id].status == .sleeping || all[id].status == .blocked {
            all[id].waited = all[id].waited.adding(now - min(now, all[id].since))
            exposed.setUsage(id, ExposedState.UsageField.waited, all[id].waited)
        }
        all[id].since = now
        exposed.setUsage(id, ExposedState.UsageField.since, now)
        let change = (status == .runnable ? 1 : 0) - (all[id].status == .runnable ? 1 : 0)
        if all[id].processor == nil { waitingCount += change }
        all[id].status = status
        showStatus(id)
        count(runnable: change, above: id)
    }

    /// A scheduler is shown as runnable while anything below it could have the processor that is shown.
    private func showStatus(_ id: Int) {
        var shown = all[id].status.rawValue
        if all[id].runsElsewhere {
            shown = ExposedState.runsElsewhere
        } else if all[id].runnableBelow > 0, all[id].status == .blocked {
            shown =
                all[id].runnableBelow > all[id].elsewhereBelow
                ? Environment.Status.runnable.rawValue : ExposedState.runsElsewhere
        }
        exposed.set(id, ExposedState.EnvironmentField.status, shown)
    }

    private mutating func count(runnable: Int = 0, elsewhere: Int = 0, above id: Int) {
        guard runnable != 0 || elsewhere != 0 else { return }
        var next = all[id].parent
        while next != 0 {
            all[next].runnableBelow += runnable
            all[next].elsewhereBelow += elsewhere
            showStatus(next)
            next = all[next].parent
        }
    }

    mutating func setParent(_ id: Int, _ parent: Int) {
        let runnable = all[id].runnableBelow + (all[id].status == .runnable ? 1 : 0)
        let elsewhere = all[id].elsewhereBelow + (all[id].runsElsewhere ? 1 : 0)
        count(runnable: -runnable, elsewhere: -elsewhere, above: id)
        all[id].parent = parent
        count(runnable: runnable, elsewhere: elsewhere, above: id)
        exposed.set(id, ExposedState.EnvironmentField.owner, UInt32(truncatingIfNeeded: parent))
    }

    /// Charges time, and the timer interrupts in it, to the environment that was running and to the schedulers above
    /// it; to entry 0 when nobody was.
    mutating func charge(_ time: UInt64, ticks: UInt64, to id: Int) {
        guard time > 0 else { return }
        var next = id
        repeat {
            all[next].ran = all[next].ran.adding(time)
            exposed.setUsage(next, ExposedState.UsageField.ran, all[next].ran)
            if ticks > 0 {
                all[next].ticks = all[next].ticks.adding(ticks)
                exposed.set(next, ExposedState.EnvironmentField.ticks, all[next].ticks)
            }
            next = all[next].parent
        } while next != 0
    }

    // MARK: Processors

    /// An environment gets a processor, or gives up the one that it has (nil).
    mutating func setProcessor(_ id: Int, _ processor: Int?) {
        if all[id].status == .runnable {
            waitingCount += (processor == nil ? 1 : 0) - (all[id].processor == nil ? 1 : 0)
        }
        all[id].processor = processor
        notePlace(id)
    }

    /// From now on the exposed state is that of another processor: what runs on the two is to be noted anew.
    mutating func show(_ processor: Int) { shownProcessor = processor }

    /// Brings up to date whether an environment runs elsewhere.
    mutating func notePlace(_ id: Int) {
        let runsElsewhere = all[id].processor.map { $0 != shownProcessor } ?? false
        guard all[id].runsElsewhere != runsElsewhere else { return }
        all[id].runsElsewhere = runsElsewhere
        showStatus(id)
        count(elsewhere: runsElsewhere ? 1 : -1, above: id)
    }

    /// Notes that an environment, which can go on, has lost the processor.
    mutating func noteStop(_ id: Int, at now: UInt64) { all[id].stopped = now }

    /// Who has been able to run for the longest time without a processor, and since when.
    func longestWaiting() -> (id: Int, since: UInt64)? {
        var longest: (id: Int, since: UInt64)?
        for id in all.indices where all[id].isWaiting {
            let since = max(all[id].since, all[id].stopped)
            if longest.map({ since < $0.since }) ?? true { longest = (id, since) }
        }
        return longest
    }

    /// Counts a page fault.
    mutating func countFault(of id: Int) {
        all[id].faults &+= 1
        exposed.set(id, ExposedState.EnvironmentField.pageFaults, all[id].faults)
    }

    /// Shows when the period of an environment's timer ends.
    func setDeadline(_ id: Int, _ time: UInt64) {
        exposed.setUsage(id, ExposedState.UsageField.deadline, time)
    }

    /// Brings the exposed count of an environment's pages up to date.
    func exposePages(_ id: Int) {
        exposed.set(
            id, ExposedState.EnvironmentField.pages, UInt32(truncatingIfNeeded: pages.ownedCount(id)))
    }

    /// Whether an environment lies below a scheduler, at whatever depth.
    func isBelow(_ id: Int, _ scheduler: Int) -> Bool {
        var next = all[id].parent
        while next != 0 {
            if next == scheduler { return true }
            next = all[next].parent
        }
        return false
    }
}
