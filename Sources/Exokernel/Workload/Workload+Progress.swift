extension Workload.Task {
    /// The name of a loop in the task that goes on for ever, or more than 65,536 times, without an action that
    /// takes time or waits: whoever simulates it would never get on.
    var idleLoop: String? {
        let manyRounds: UInt64 = 65_536
        var rounds: UInt64 = 0
        for phase in phases {
            let loops = phase.loops ?? .max
            if loops > 0, phase.actions.contains(where: \.passesTime) { continue }
            guard loops <= manyRounds else { return phase.name }
            rounds += loops
        }
        let passesTime = phases.contains { $0.loops != 0 && $0.actions.contains(where: \.passesTime) }
        let (total, overflow) = (loops ?? .max).multipliedReportingOverflow(by: max(1, rounds))
        return !passesTime && (overflow || total > manyRounds) ? name : nil
    }
}

extension Workload.Action {
    /// Whether the action uses or waits for time, as a rule. Yielding does not: alone, it comes back at once.
    fileprivate var passesTime: Bool {
        switch self {
        case .run(let time), .sleep(let time), .timer(_, let time): time > 0
        case .suspend, .wait, .barrier: true
        case .resume, .lock, .unlock, .signal, .broadcast, .yield, .yieldTo: false
        }
    }
}
