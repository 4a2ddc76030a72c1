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

    private struct Mutex {
        var holder: Int?
        var waiters: [Int] = []
    }
    private struct Waiter {
        var task: Int
        var mutex: String
    }
    private struct Barrier {
        /// Tasks that name it and have not ended.
        var parties: Int
        var waiters: [Int] = []
    }

    private var mutexes: [String: Mutex] = [:]
    private var conditions: [String: [Waiter]] = [:]
    private var suspended: [String: [Int]] = [:]
    private var barriers: [String: Barrier] = [:]
    /// When a timer's period ends.
    private var timers: [String: UInt64] = [:]
    /// The same for the timers called `unique`, of which each task has its own.
    private var ownTimers: [Int: UInt64] = [:]
    /// What each task holds, in the order in which it was taken.
    private var held: [Int: [String]] = [:]
    /// What each blocked task waits in, to take it out when it ends.
    private var waitsFor: [Int: Workload.Action] = [:]

    init(_ workload: Workload) {
        for task in workload.tasks {
            for name in Self.barriers(of: task) { barriers[name, default: Barrier(parties: 0)].parties += 1 }
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

    // MARK: Mutexes

    /// Takes the mutex, or waits for it. A task that has it already goes on, and still has it once.
    mutating func lock(_ name: String, by task: Int) -> Effect {
        switch mutexes[name, default: Mutex()].holder {
        case nil:
            give(name, to: task)
            return Effect()
        case task: return Effect(complaint: "locks '\(name)', which it already holds")
        default:
            mutexes[name]?.waiters.append(task)
            waitsFor[task] = .lock(name)
            return Effect(blocks: true)
        }
    }

    /// Hands the mutex on to whoever has waited longest. Without effect when somebody else has it, or nobody.
    mutating func unlock(_ name: String, by task: Int) -> Effect {
        guard mutexes[name]?.holder == task else {
            return Effect(complaint: "unlocks '\(name)', which it does not hold")
        }
        return Effect(woken: release(name))
    }

    private mutating func give(_ name: String, to task: Int) {
        mutexes[name, default: Mutex()].holder = task
        held[task, default: []].append(name)
    }

    private mutating func release(_ name: String) -> [Int] {
        if let holder = mutexes[name]?.holder { held[holder]?.removeAll { $0 == name } }
        mutexes[name]?.holder = nil
        guard let next = mutexes[name]?.waiters.first else { return [] }
        mutexes[name]?.waiters.removeFirst()
        waitsFor[next] = nil
        give(name, to: next)
        return [next]
    }

    // MARK: Conditions

    /// Gives up the mutex and waits for the condition. A task that does not hold the mutex waits too, and has
    /// it afterwards.
    mutating func wait(_ condition: String, mutex: String, by task: Int) -> Effect {
        var effect = Effect(blocks: true)
        if mutexes[mutex]?.holder == task {
            effect.woken = release(mutex)
        } else {
            effect.complaint = "waits for '\(condition)' without holding '\(mutex)'"
        }
        conditions[condition, default: []].append(Waiter(task: task, mutex: mutex))
        waitsFor[task] = .wait(condition: condition, mutex: mutex)
        return effect
    }

    /// Ends the wait of one task, or of all. Each goes on as soon as it has its mutex again.
    mutating func signal(_ condition: String, all: Bool) -> Effect {
        var effect = Effect()
        let waiting = conditions[condition] ?? []
        let woken = all ? waiting[...] : waiting.prefix(1)
        conditions[condition]?.removeFirst(woken.count)
        for waiter in woken {
            waitsFor[waiter.task] = nil
            if !lock(waiter.mutex, by: waiter.task).blocks { effect.woken.append(waiter.task) }
        }
        return effect
    }

    // MARK: Suspend and resume, barriers, timers

    mutating func suspend(_ name: String, by task: Int) -> Effect {
        suspended[name, default: []].append(task)
        waitsFor[task] = .suspend(name)
        return Effect(blocks: true)
    }

    mutating func resume(_ name: String) -> Effect {
        let woken = suspended.removeValue(forKey: name) ?? []
        for task in woken { waitsFor[task] = nil }
        return Effect(woken: woken)
    }

    /// Waits, unless this is the last task that was missing.
    mutating func arrive(at name: String, by task: Int) -> Effect {
        barriers[name, default: Barrier(parties: 1)].waiters.append(task)
        let woken = openBarrier(name)
        guard woken.isEmpty else { return Effect(woken: woken.filter { $0 != task }) }
        waitsFor[task] = .barrier(name)
        return Effect(blocks: true)
    }

    /// Lets everybody through when nobody is missing.
    private mutating func openBarrier(_ name: String) -> [Int] {
        guard let barrier = barriers[name], barrier.waiters.count >= barrier.parties else { return [] }
        barriers[name]?.waiters = []
        for task in barrier.waiters { waitsFor[task] = nil }
        return barrier.waiters
    }

    /// The end of a timer's period, from which the next one counts. A timer starts with its first use.
    mutating func period(_ name: String, of period: UInt64, by task: Int, now: UInt64) -> UInt64 {
        if name == "unique" {
            let end = ownTimers[task, default: now].adding(period)
            ownTimers[task] = end
            return end
        }
        let end = timers[name, default: now].adding(period)
        timers[name] = end
        return end
    }

    // MARK: The end of a task

    /// A task ends, wherever it is: it waits for nothing, its mutexes go to whoever waits for them, and
    /// barriers no longer expect it.
    mutating func end(_ id: Int, _ task: Workload.Task) -> Effect {
        switch waitsFor.removeValue(forKey: id) {
        case .lock(let name): mutexes[name]?.waiters.removeAll { $0 == id }
        case .wait(let condition, _): conditions[condition]?.removeAll { $0.task == id }
        case .suspend(let name): suspended[name]?.removeAll { $0 == id }
        case .barrier(let name): barriers[name]?.waiters.removeAll { $0 == id }
        default: break
        }
        var effect = Effect()
        let left = held.removeValue(forKey: id) ?? []
        if let name = left.first { effect.complaint = "ends while it holds '\(name)'" }
        for name in left { effect.woken += release(name) }
        for name in Self.barriers(of: task).sorted() {
            barriers[name]?.parties -= 1
            effect.woken += openBarrier(name)
        }
        return effect
    }
}
