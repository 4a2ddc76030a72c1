/// What the tasks of one application wait for one another with. Names are the application's own.
///
/// Everybody is served in the order in which they came. What a task does against the rules has a defined
/// result and a complaint, and never harms the others.
struct Synchronisation {
    /// What an operation came to.
    struct Effect: Equatable {
        /// Whether whoever did it now waits.
        var blocks = false
        /// Who no longer waits, in the order of waking.
        var woken: [Int] = []
        /// What was against the rules.
        var complaint: String?
    }

    private struct Waiter {
        var task: Int
        var mutex: Int
    }
    /// All that goes by one name: a mutex, a condition, a barrier and a timer of that name do not disturb one another.
    private struct Named {
        let name: String
        var holder: Int?
        /// Who waits for the mutex, for the condition, to be resumed, and for the barrier to open.
        var lockers: [Int] = []
        var waiters: [Waiter] = []
        var suspended: [Int] = []
        var arrived: [Int] = []
        /// Tasks that name the barrier and have not ended.
        var parties = 0
        /// When the timer's period ends.
        var periodEnd: UInt64?
    }
    /// What a task waits in, to take it out when it ends.
    private enum Wait {
        case lock(Int), condition(Int), suspend(Int), barrier(Int)
    }
    private struct Task {
        var wait: Wait?
        /// What it holds, in the order in which it was taken.
        var held: [Int] = []
        /// When the period of its timer called `unique` ends, of which each task has its own.
        var periodEnd: UInt64?
    }

    private var indices: [String: Int] = [:]
    private var named: [Named] = []
    /// By the number of the task.
    private var tasks: [Task]
    /// The id of the first task's environment; the others' follow it.
    private let first: Int

    init(_ workload: Workload, first: Int) {
        self.first = first
        tasks = Array(repeating: Task(), count: workload.tasks.count)
        for task in workload.tasks {
            for name in Self.barriers(of: task) { named[index(name)].parties += 1 }
        }
    }

    /// The barriers that a task names.
    private static func barriers(of task: Workload.Task) -> Set<String> {
        var names: Set<String> = []
        for action in task.phases.lazy.flatMap(\.actions) {
            if case .barrier(let name) = action { names.insert(name) }
        }
        return names
    }

    /// What an environment of the application waits for and holds.
    private subscript(id: Int) -> Task {
        _read { yield tasks[id - first] }
        _modify { yield &tasks[id - first] }
    }

    /// The place of a name, which it gets when it is first used.
    private mutating func index(_ name: String) -> Int {
        if let known = indices[name] { return known }
        indices[name] = named.count
        named.append(Named(name: name))
        return named.count - 1
    }

    // MARK: Mutexes

    /// Takes the mutex, or waits for it. A task that has it already goes on, and still has it once.
    mutating func lock(_ name: String, by task: Int) -> Effect { lock(index(name), by: task) }

    private mutating func lock(_ mutex: Int, by task: Int) -> Effect {
        switch named[mutex].holder {
        case nil:
            give(mutex, to: task)
            return Effect()
        case task: return Effect(complaint: "locks '\(named[mutex].name)', which it already holds")
        default:
            named[mutex].lockers.append(task)
            self[task].wait = .lock(mutex)
            return Effect(blocks: true)
        }
    }

    /// Hands the mutex on to whoever has waited longest. Without effect when somebody else has it, or nobody.
    mutating func unlock(_ name: String, by task: Int) -> Effect {
        let mutex = index(name)
        guard named[mutex].holder == task else {
            return Effect(complaint: "unlocks '\(name)', which it does not hold")
        }
        return Effect(woken: release(mutex))
    }

    private mutating func give(_ mutex: Int, to task: Int) {
        named[mutex].holder = task
        self[task].held.append(mutex)
    }

    private mutating func release(_ mutex: Int) -> [Int] {
        if let holder = named[mutex].holder { self[holder].held.removeAll { $0 == mutex } }
        named[mutex].holder = nil
        guard let next = named[mutex].lockers.first else { return [] }
        named[mutex].lockers.removeFirst()
        self[next].wait = nil
        give(mutex, to: next)
        return [next]
    }

    // MARK: Conditions

    /// Gives up the mutex and waits for the condition. A task that does not hold the mutex waits too, and has
    /// it afterwards.
    mutating func wait(_ condition: String, mutex: String, by task: Int) -> Effect {
        let (place, lock) = (index(condition), index(mutex))
        var effect = Effect(blocks: true)
        if named[lock].holder == task {
            effect.woken = release(lock)
        } else {
            effect.complaint = "waits for '\(condition)' without holding '\(mutex)'"
        }
        named[place].waiters.append(Waiter(task: task, mutex: lock))
        self[task].wait = .condition(place)
        return effect
    }

    /// Ends the wait of one task, or of all. Each goes on as soon as it has its mutex again.
    mutating func signal(_ condition: String, all: Bool) -> Effect {
        let place = index(condition)
        var effect = Effect()
        guard !named[place].waiters.isEmpty else { return effect }
        let woken = Array(named[place].waiters.prefix(all ? .max : 1))
        named[place].waiters.removeFirst(woken.count)
        for waiter in woken {
            self[waiter.task].wait = nil
            if !lock(waiter.mutex, by: waiter.task).blocks { effect.woken.append(waiter.task) }
        }
        return effect
    }

    // MARK: Suspend and resume, barriers, timers

    mutating func suspend(_ name: String, by task: Int) -> Effect {
        let place = index(name)
        named[place].suspended.append(task)
        self[task].wait = .suspend(place)
        return Effect(blocks: true)
    }

    mutating func resume(_ name: String) -> Effect {
        let place = index(name)
        let woken = named[place].suspended
        named[place].suspended = []
        for task in woken { self[task].wait = nil }
        return Effect(woken: woken)
    }

    /// Waits, unless this is the last task that was missing.
    mutating func arrive(at name: String, by task: Int) -> Effect {
        let barrier = index(name)
        named[barrier].arrived.append(task)
        let woken = openBarrier(barrier)
        guard woken.isEmpty else { return Effect(woken: woken.filter { $0 != task }) }
        self[task].wait = .barrier(barrier)
        return Effect(blocks: true)
    }

    /// Lets everybody through when nobody is missing.
    private mutating func openBarrier(_ barrier: Int) -> [Int] {
        let arrived = named[barrier].arrived
        guard arrived.count >= named[barrier].parties else { return [] }
        named[barrier].arrived = []
        for task in arrived { self[task].wait = nil }
        return arrived
    }

    /// The end of a timer's period, from which the next one counts. A timer starts with its first use.
    mutating func period(_ name: String, of period: UInt64, by task: Int, now: UInt64) -> UInt64 {
        if name == "unique" {
            let end = (self[task].periodEnd ?? now).adding(period)
            self[task].periodEnd = end
            return end
        }
        let timer = index(name)
        let end = (named[timer].periodEnd ?? now).adding(period)
        named[timer].periodEnd = end
        return end
    }

    // MARK: The end of a task

    /// A task ends, wherever it is: it waits for nothing, its mutexes go to whoever waits for them, and
    /// barriers no longer expect it.
    mutating func end(_ id: Int, _ task: Workload.Task) -> Effect {
        let state = self[id]
        self[id] = Task()
        switch state.wait {
        case .lock(let place): named[place].lockers.removeAll { $0 == id }
        case .condition(let place): named[place].waiters.removeAll { $0.task == id }
        case .suspend(let place): named[place].suspended.removeAll { $0 == id }
        case .barrier(let place): named[place].arrived.removeAll { $0 == id }
        case nil: break
        }
        var effect = Effect()
        if let first = state.held.first { effect.complaint = "ends while it holds '\(named[first].name)'" }
        for mutex in state.held { effect.woken += release(mutex) }
        for name in Self.barriers(of: task).sorted() {
            let barrier = index(name)
            named[barrier].parties -= 1
            effect.woken += openBarrier(barrier)
        }
        return effect
    }
}
