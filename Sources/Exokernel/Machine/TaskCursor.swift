/// How far a task has come.
struct TaskCursor {
    enum Step: Hashable {
        case action(Workload.Action)
        /// A loop has gone round, or a phase is over: no action, but work for whoever simulates it.
        case turn
        case finished
    }

    let task: Workload.Task
    private var loop: UInt64 = 0
    private var phase = 0
    private var phaseLoop: UInt64 = 0
    private var action = 0

    init(_ task: Workload.Task) { self.task = task }

    /// Goes on by one step.
    mutating func next() -> Step {
        if let loops = task.loops, loop >= loops { return .finished }
        guard phase < task.phases.count else {
            // A task without any action has nothing to repeat.
            if task.phases.isEmpty, task.loops != nil { return .finished }
            phase = 0
            loop = loop.adding(1)
            return .turn
        }
        // Looked at where it lies: a copy of a phase would count references.
        let loops = task.phases[phase].loops
        let count = task.phases[phase].actions.count
        let isOver = loops.map { phaseLoop >= $0 } ?? false
        if isOver || (count == 0 && loops != nil) {
            phase += 1
            phaseLoop = 0
            return .turn
        }
        guard action < count else {
            action = 0
            phaseLoop = phaseLoop.adding(1)
            return .turn
        }
        defer { action += 1 }
        return .action(task.phases[phase].actions[action])
    }
}
