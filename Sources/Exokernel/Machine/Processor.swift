/// One of the machine's processors, and who has it.
struct Processor {
    /// The environment that has it; 0: nobody.
    fileprivate(set) var running = 0
    /// Whether whoever has it is to lose it: a decision follows.
    var isRevoked = false
    /// Whether it is idle, and that is recorded.
    var isIdle = false
    /// When the quantum of whoever has it began.
    var quantumStart: UInt64 = 0
    /// Whether whoever has it is at work. Else it waits for what is left of the overhead.
    fileprivate(set) var isAtWork = false
    /// Whether whoever has it is to begin a quantum.
    fileprivate var beginsQuantum = false
    /// The environment that was the last to be at work.
    fileprivate var last = 0
    /// What the processor has to do before it can do anything else, the first thing first.
    fileprivate(set) var overhead: [Overhead] = []
}

/// Time that a processor spends on nobody's task.
struct Overhead {
    /// The scheduler whose fragment it is; 0: the kernel.
    var payer: Int
    /// What is left of it, in nanoseconds; not 0.
    var time: UInt64
}

extension Machine {
    /// Gives a processor to an environment that can run and has none, or to nobody (0). Whoever had it has it no longer.
    func assign(_ processor: Int, to id: Int) {
        let previous = processors[processor].running
        guard previous != id else { return }
        processors[processor].running = id
        processors[processor].isAtWork = false
        if previous != 0 {
            environments.setProcessor(previous, nil)
            if !programs.isEmpty { programs[previous]?.loseProcessor() }
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
    /// could run on it. The kernel and fragments are not interrupted.
    func needsDecision(_ processor: Int) -> Bool {
        guard processors[processor].overhead.isEmpty else { return false }
        return processors[processor].running == 0
            ? environments.waitingCount > 0 : processors[processor].isRevoked
    }

    // MARK: Time

    /// Makes a processor spend time in the kernel (`payer` 0), or in the fragment of a scheduler. Whoever has it has to
    /// wait for that.
    func spend(_ time: UInt64, on processor: Int, payer: Int = 0) {
        guard time > 0 else { return }
        let last = processors[processor].overhead.count - 1
        if last >= 0, processors[processor].overhead[last].payer == payer {
            processors[processor].overhead[last].time.add(time)
        } else {
            processors[processor].overhead.append(Overhead(payer: payer, time: time))
        }
        stopWork(on: processor)
    }

    /// The time that a processor spends in the fragment of a scheduler that used so much of its budget.
    func spendBudget(_ used: UInt64, on processor: Int, of scheduler: Int) {
        let (time, overflow) = used.multipliedReportingOverflow(by: scenario.machine.costs.fragment)
        spend(overflow ? .max : time, on: processor, payer: scheduler)
    }

    /// Gives a processor to an environment that has been chosen, or handed it (0: to nobody). Whoever had it could go on.
    /// - Parameter beginsQuantum: when it is at work.
    func exchange(_ processor: Int, for id: Int, beginsQuantum: Bool) {
        let previous = processors[processor].running
        if previous != 0, previous != id {
            environments.noteStop(previous, at: clock.now)
            stopWork(on: processor)
        }
        assign(processor, to: id)
        if id != 0, id != processors[processor].last { spend(scenario.machine.costs.change, on: processor) }
        processors[processor].beginsQuantum = beginsQuantum
        // What is left of the last quantum is nobody's business any more.
        if beginsQuantum, !processors[processor].overhead.isEmpty { timeouts.disarmQuantum(of: processor) }
        startWork(on: processor)
    }

    /// Whoever has the processor begins, or goes on, when there is nothing else to be done.
    func startWork(on processor: Int) {
        let id = processors[processor].running
        guard id != 0, processors[processor].overhead.isEmpty else { return }
        processors[processor].isAtWork = true
        processors[processor].last = id
        recorder.change(environments[id].node, to: .running, at: clock.now, on: UInt8(processor))
        guard processors[processor].beginsQuantum else { return }
        processors[processor].beginsQuantum = false
        processors[processor].quantumStart = clock.now
        timeouts.armQuantum(of: processor, end: clock.now.adding(quantum))
    }

    private func stopWork(on processor: Int) {
        guard processors[processor].isAtWork else { return }
        processors[processor].isAtWork = false
        let node = environments[processors[processor].running].node
        recorder.change(node, to: .runnable, at: clock.now)
    }

    /// How long it takes until a processor has to be looked after; nil: there is no such moment.
    func timeToNextStep(of processor: Int) -> UInt64? {
        if let overhead = processors[processor].overhead.first { return overhead.time }
        let id = processors[processor].running
        return id == 0 ? nil : environments[id].burst
    }

    /// Lets time pass that ends at `now`, not more than `timeToNextStep`. Every nanosecond has one payer: the environment
    /// that was at work, a scheduler whose fragment was, or entry 0.
    func pass(_ time: UInt64, ticks: UInt64, on processor: Int) {
        guard time > 0 else { return }
        if let overhead = processors[processor].overhead.first {
            environments.charge(time, ticks: ticks, to: overhead.payer)
            recorder.overhead(
                Timeline.Overhead(
                    processor: UInt8(processor),
                    scheduler: overhead.payer == 0 ? nil : environments[overhead.payer].node,
                    start: clock.now - min(time, clock.now), end: clock.now))
            processors[processor].overhead[0].time -= min(time, overhead.time)
            if processors[processor].overhead[0].time == 0 { processors[processor].overhead.removeFirst() }
        } else {
            let id = processors[processor].running
            if id != 0 { environments[id].burst -= min(environments[id].burst, time) }
            environments.charge(time, ticks: ticks, to: id)
        }
    }

    // MARK: Events

    /// The processor that an environment which has just become runnable could have: an idle one, if there are enough
    /// for all who wait; else the one that somebody has had for the longest time, of those that nobody is to lose yet.
    var processorToOffer: Int {
        var idle = 0
        var firstIdle: Int?
        var longest: Int?
        for index in processors.indices {
            if processors[index].running == 0 {
                idle += 1
                firstIdle = firstIdle ?? index
            } else if !processors[index].isRevoked,
                longest.map({ processors[index].quantumStart < processors[$0].quantumStart }) ?? true
            {
                longest = index
            }
        }
        if let firstIdle, idle >= environments.waitingCount { return firstIdle }
        return longest ?? firstIdle ?? 0
    }
}
