import SCode

/// Schedulers learn what happens to those below them.
extension Machine {
    /// Calls the handlers of the schedulers above an environment, the nearest first. The kernel's state is consistent:
    /// what the event says has happened already, `end` apart.
    ///
    /// A handler may ask for a new decision. It has its way when whoever runs is below its scheduler too, which then
    /// disposes of its own time only; otherwise the scheduler above it has to ask as well.
    func raise(_ point: EventPoint, about id: Int) {
        var isAsked = point.makesRunnable && running != nil
        var scheduler = environments[id].parent
        while scheduler != 0 {
            let asks = handle(point, about: id, scheduler)
            if isAsked, asks, let running, environments.isBelow(running, scheduler) {
                isRevoked = true
                isAsked = false
            }
            isAsked = isAsked && asks
            scheduler = environments[scheduler].parent
        }
    }

    /// - Returns: whether the scheduler wants a new decision.
    private func handle(_ point: EventPoint, about id: Int, _ scheduler: Int) -> Bool {
        guard let handler = downloaded[scheduler]?.handlers[point] else { return false }
        countStep()
        exposed.setMachine(ExposedState.MachineField.time, clock.now)
        handler.setTick(clock.ticks)
        handler.setSubject(id)
        let answer = invoke(handler)
        handler.setSubject(0)
        switch answer.outcome {
        case .accept: return true
        case .refuse: return false
        case .abort(let failure):
            report(
                "handler '\(point.rawValue)': \(failure.message)", scheduler, registers: failure.registers)
            countFailure(of: scheduler)
            return false
        }
    }
}
