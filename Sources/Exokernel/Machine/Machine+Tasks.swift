/// What tasks do with the processor, and with one another.
extension Machine {
    /// Begins a task later than at the start. Without memory for it there is an incident, and no task.
    func beginTask(_ id: Int) {
        guard !environments[id].hasEnded else { return }
        do throws(MachineError) {
            try begin(id)
            grantCapabilities(to: id)
        } catch {
            report("cannot begin: \(error)", id)
            cancel(id)
        }
    }

    func begin(_ id: Int) throws(MachineError) {
        try environments.begin(id, at: clock.now)
        do throws(MachineError) {
            try tree.add(application: environments[id])
            showListed(to: environments[id].parent)
        } catch {
            environments.end(id, at: clock.now)
            throw error
        }
        if let source = tasks[id]?.cursor.task.program {
            do throws(MachineError) {
                try load(source, into: id)
            } catch {
                tree.remove(application: environments[id])
                showListed(to: environments[id].parent)
                environments.end(id, at: clock.now)
                throw error
            }
            environments.exposePages(id)
        }
        recorder.begin(environments[id].node, .runnable, at: clock.now)
        raise(.begin, about: id)
    }

    /// Ends a task, wherever it is; others go on with what it held.
    func endTask(_ id: Int) {
        guard let task = tasks[id] else { return }
        let effect = applications[task.application].synchronisation.end(id, task.cursor.task)
        leave(id)
        apply(effect, to: id)
    }

    /// Ends what is left of an application.
    func endApplication(_ index: Int) {
        for id in applications[index].environments where !environments[id].hasEnded {
            if environments[id].hasBegun {
                leave(id)
            } else {
                cancel(id)
            }
        }
    }

    private func cancel(_ id: Int) {
        environments.end(id, at: clock.now)
        recorder.cancel(environments[id].node, at: clock.now)
        unfinished -= 1
    }

    private func leave(_ id: Int) {
        let processor = environments[id].processor
        stopRunning(id)
        raise(.end, about: id, on: processor)
        tree.remove(application: environments[id])
        showListed(to: environments[id].parent)
        unload(id)
        environments.end(id, at: clock.now)
        recorder.end(environments[id].node, at: clock.now)
        unfinished -= 1
    }

    /// A sleep is over, unless something else has ended it.
    func wakeSleeper(_ id: Int) {
        if let program = programs[id] {
            guard program.wakeTime == clock.now else { return }
            program.wakeTime = nil
        }
        wake(id)
    }

    func wake(_ id: Int) {
        guard environments[id].status == .sleeping || environments[id].status == .blocked else { return }
        environments.setStatus(id, .runnable, at: clock.now)
        recorder.change(environments[id].node, to: .runnable, at: clock.now)
        recorder.wakeup(environments[id].node, at: clock.now)
        raise(.wake, about: id)
    }

    /// An environment gives the processor back, if it has one; a decision follows.
    private func stopRunning(_ id: Int) {
        guard let processor = environments[id].processor else { return }
        assign(processor, to: 0)
        processors[processor].isRevoked = false
    }

    /// An environment that has a processor begins to wait.
    private func wait(_ id: Int, _ status: Environment.Status, _ state: Timeline.State) {
        let processor = environments[id].processor
        environments.setStatus(id, status, at: clock.now)
        recorder.change(environments[id].node, to: state, at: clock.now)
        stopRunning(id)
        raise(.sleep, about: id, on: processor)
    }

    /// - Parameter time: nil: until somebody wakes it.
    func sleep(_ id: Int, until time: UInt64?) {
        if let time { timeouts.add(.wake(environment: id), at: time) }
        wait(id, .sleeping, .sleeping)
    }

    private func apply(_ effect: Synchronisation.Effect, to id: Int) {
        if let complaint = effect.complaint { report(complaint, id) }
        if effect.blocks { wait(id, .blocked, .blocked) }
        for other in effect.woken { wake(other) }
    }

    /// Lets the running environment do what takes no time, until it needs the processor or gives it up.
    func continueTask(_ id: Int) {
        if let program = programs[id] { return continueProgram(id, program) }
        guard let task = tasks[id] else { return }
        if task.instant != clock.now {
            task.instant = clock.now
            task.stepsAtInstant = 0
        }
        while let processor = environments[id].processor, processors[processor].isAtWork,
            !processors[processor].isRevoked, !isStopped, environments[id].burst == 0
        {
            countStep()
            task.stepsAtInstant += 1
            if task.stepsAtInstant > limits.actionsPerInstant {
                report("ended: \(limits.actionsPerInstant) actions without any time passing", id)
                endTask(id)
                break
            }
            switch task.cursor.next() {
            case .turn: continue
            case .finished: endTask(id)
            case .action(let action): perform(action, by: id, of: task.application)
            }
        }
    }

    func revokeProcessor(of id: Int) {
        if let processor = environments[id].processor { processors[processor].isRevoked = true }
    }

    /// An environment gives its processor back, though it could go on.
    func giveBackProcessor(_ id: Int) {
        recorder.announce(.yielded, by: environments[id].node)
        revokeProcessor(of: id)
    }

    /// Hands the processor over; to the schedulers, if the other one cannot have it.
    private func yield(_ id: Int, of application: Int, to name: String) {
        let other = environment(named: name, seenFrom: application)
        if other == nil { report("yields to '\(name)', which does not exist", id) }
        if other.map({ directedYield(from: id, to: $0) }) != true { giveBackProcessor(id) }
    }

    /// A task of the application, or else any environment of that name.
    private func environment(named name: String, seenFrom application: Int) -> Int? {
        let own = applications[application].workload.tasks.firstIndex { $0.name == name }
        return own.map { applications[application].environments[$0] }
            ?? environments.id(named: name)
    }

    private func perform(_ action: Workload.Action, by id: Int, of application: Int) {
        switch action {
        case .run(let time): environments[id].burst = time
        case .sleep(let time): if time > 0 { sleep(id, until: clock.now.adding(time)) }
        case .timer(let name, let period):
            let end = applications[application].synchronisation.period(
                name, of: period, by: id, now: clock.now)
            // What is done from now on is to be done before the next period ends.
            environments.setDeadline(id, end.adding(period))
            if end > clock.now { sleep(id, until: end) }
        case .yield: giveBackProcessor(id)
        case .yieldTo(let name): yield(id, of: application, to: name)
        case .lock(let name): apply(applications[application].synchronisation.lock(name, by: id), to: id)
        case .unlock(let name): apply(applications[application].synchronisation.unlock(name, by: id), to: id)
        case .wait(let condition, let mutex):
            apply(applications[application].synchronisation.wait(condition, mutex: mutex, by: id), to: id)
        case .signal(let name):
            apply(applications[application].synchronisation.signal(name, all: false), to: id)
        case .broadcast(let name):
            apply(applications[application].synchronisation.signal(name, all: true), to: id)
        case .suspend(let name):
            apply(applications[application].synchronisation.suspend(name, by: id), to: id)
        case .resume(let name): apply(applications[application].synchronisation.resume(name), to: id)
        case .barrier(let name):
            apply(applications[application].synchronisation.arrive(at: name, by: id), to: id)
        }
    }
}
