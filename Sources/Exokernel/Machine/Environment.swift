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
    /// How many environments below it are runnable.
    fileprivate var runnableBelow = 0
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
}

/// All environments, by id, and what is exposed of them.
struct EnvironmentTable {
    /// The virtual page at which every environment finds the one page of its own.
    static let ownPage = 1

    private(set) var all: [Environment] = [
        Environment(id: 0, name: "idle", isScheduler: false, parent: 0)
    ]
    private(set) var runnableCount = 0
    private let pages: PhysicalPages
    private let exposed: ExposedState

    init(pages: PhysicalPages, exposed: ExposedState) {
        self.pages = pages
        self.exposed = exposed
    }

    subscript(id: Int) -> Environment {
        _read { yield all[id] }
        _modify { yield &all[id] }
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
        runnableCount += change
        all[id].status = status
        showStatus(id)
        countRunnable(change, above: id)
    }

    /// A scheduler is shown as runnable while anything below it is.
    private func showStatus(_ id: Int) {
        let isShown = all[id].runnableBelow > 0 && all[id].status == .blocked
        let status = isShown ? Environment.Status.runnable : all[id].status
        exposed.set(id, ExposedState.EnvironmentField.status, status.rawValue)
    }

    private mutating func countRunnable(_ change: Int, above id: Int) {
        guard change != 0 else { return }
        var next = all[id].parent
        while next != 0 {
            all[next].runnableBelow += change
            showStatus(next)
            next = all[next].parent
        }
    }

    mutating func setParent(_ id: Int, _ parent: Int) {
        let runnable = all[id].runnableBelow + (all[id].status == .runnable ? 1 : 0)
        countRunnable(-runnable, above: id)
        all[id].parent = parent
        countRunnable(runnable, above: id)
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

    /// Notes that an environment, which can go on, has lost the processor.
    mutating func noteStop(_ id: Int, at now: UInt64) { all[id].stopped = now }

    /// Who has been able to run for the longest time without the processor, and since when.
    /// - Parameter running: who has it.
    func longestWaiting(besides running: Int?) -> (id: Int, since: UInt64)? {
        var longest: (id: Int, since: UInt64)?
        for environment in all where environment.status == .runnable && environment.id != running {
            let since = max(environment.since, environment.stopped)
            if longest.map({ since < $0.since }) ?? true { longest = (environment.id, since) }
        }
        return longest
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
