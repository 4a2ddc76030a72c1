import SCode

/// Schedulers learn what happens to those below them.
extension Machine {
    /// Calls the handlers of the schedulers above an environment, the nearest first. The kernel's state is consistent:
    /// what the event says has happened already, `end` apart.
    ///
    /// A handler may ask for a new decision. It has its way when whoever runs is below its scheduler too, which then
    /// disposes of its own time only; otherwise the scheduler above it has to ask as well. Who runs is the one on the
    /// processor that is shown: see `processorToOffer`.
    /// - Parameter processor: the one that the environment has just had; nil: it had none.
    func raise(_ point: EventPoint, about id: Int, on processor: Int? = nil) {
        notify(point, about: id)
        let processor = processor ?? processorToOffer
        var isAsked = point.canAskForDecision && processors[processor].running != 0
        var scheduler = environments[id].parent
        while scheduler != 0 {
            let asks = handle(point, about: id, scheduler, on: processor)
            if isAsked, asks, environments.isBelow(processors[processor].running, scheduler) {
                processors[processor].isRevoked = true
                isAsked = false
            }
            isAsked = isAsked && asks
            scheduler = environments[scheduler].parent
        }
    }

    /// - Returns: whether the scheduler wants a new decision.
    private func handle(
        _ point: EventPoint, about id: Int, _ scheduler: Int, on processor: Int
    ) -> Bool {
        guard let handler = downloaded.handler(of: point, scheduler) else { return false }
        countStep()
        show(processor)
        exposed.setMachine(ExposedState.MachineField.time, clock.now)
        handler.setTick(clock.ticks)
        handler.setSubject(id)
        let answer = invoke(handler)
        handler.setSubject(0)
        spendBudget(answer.budgetUsed, on: processor, of: scheduler)
        switch answer.way {
        case .accepted: return true
        case .refused: return false
        case .aborted:
            let failure = handler.takeFailure()
            report(
                "handler '\(point.rawValue)': \(failure.message)", scheduler, registers: failure.registers)
            countFailure(of: scheduler)
            return false
        }
    }
}
