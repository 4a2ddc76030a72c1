/// One of the machine's processors, and who has it.
struct Processor {
    /// The environment that has it; 0: nobody.
    fileprivate(set) var running = 0
    /// Whether whoever has it is to lose it: a decision follows.
    var isRevoked = false
    /// Whether it is idle, and that is recorded.
    var isIdle = false
    /// When whoever has it was chosen.
    var chosenAt: UInt64 = 0
}

extension Machine {
    /// Gives a processor to an environment that can run and has none, or to nobody (0). Whoever had it has it no longer.
    func assign(_ processor: Int, to id: Int) {
        let previous = processors[processor].running
        guard previous != id else { return }
        processors[processor].running = id
        if previous != 0 {
            environments.setProcessor(previous, nil)
            programs[previous]?.loseProcessor()
        }
        if id != 0 { environments.setProcessor(id, processor) }
        exposed.setRunning(on: processor, UInt32(truncatingIfNeeded: id))
        if processor == environments.shownProcessor {
            exposed.setMachine(ExposedState.MachineField.running, UInt32(truncatingIfNeeded: id))
        }
    }

    /// Shows fragments the machine as one of its processors sees it: who runs on it, and who runs elsewhere.
    func show(_ processor: Int) {
        let before = environments.shownProcessor
        guard before != processor else { return }
        environments.show(processor)
        for changed in [before, processor] where processors[changed].running != 0 {
            environments.notePlace(processors[changed].running)
        }
        exposed.setMachine(ExposedState.MachineField.processor, UInt32(truncatingIfNeeded: processor))
        exposed.setMachine(
            ExposedState.MachineField.running, UInt32(truncatingIfNeeded: processors[processor].running))
    }

    /// Whether it is to be decided who gets the processor: nobody has it, or whoever has it is to lose it, and somebody
    /// could run on it.
    func needsDecision(_ processor: Int) -> Bool {
        processors[processor].running == 0
            ? environments.waitingCount > 0 : processors[processor].isRevoked
    }

    /// The processor that an environment which has just become runnable could have: an idle one, if there are enough
    /// for all who wait; else the one that somebody has had for the longest time, of those that nobody is to lose yet.
    var processorToOffer: Int {
        var idle = 0
        var firstIdle: Int?
        var longest: Int?
        for (index, processor) in processors.enumerated() {
            if processor.running == 0 {
                idle += 1
                firstIdle = firstIdle ?? index
            } else if !processor.isRevoked,
                longest.map({ processor.chosenAt < processors[$0].chosenAt }) ?? true
            {
                longest = index
            }
        }
        if let firstIdle, idle >= environments.waitingCount { return firstIdle }
        return longest ?? firstIdle ?? 0
    }
}
