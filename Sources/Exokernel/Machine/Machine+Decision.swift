import SCode

/// Who gets the processor.
extension Machine {
    /// How a scheduler's fragment answered.
    private enum Verdict {
        /// A runnable environment below whoever accepted.
        case environment(Int, by: Int)
        case refused
        /// The fragment of `scheduler` was aborted.
        case aborted(scheduler: Int, SchedulerFragment.Failure)
        /// It named an environment that cannot have the processor.
        case misled(scheduler: Int, message: String)
    }

    private struct Choice {
        var environment: Int
        var byDefault: Bool
    }

    /// Takes a processor from whoever has it, and gives it to whom the schedulers choose. Somebody can have it.
    func decide(_ processor: Int) {
        processors[processor].isRevoked = false
        show(processor)
        exposed.setMachine(ExposedState.MachineField.time, clock.now)
        for fragment in downloaded.readTicks { fragment.setTick(clock.ticks) }
        for fragment in defaults.readTicks { fragment.setTick(clock.ticks) }

        var budgetUsed: UInt64 = 0
        spend(scenario.machine.costs.decision, on: processor)
        lookForStarvation()
        let choice = choose(&budgetUsed)
        if !programs.isEmpty { programs[processors[processor].running]?.endSlice() }
        exchange(processor, for: choice?.environment ?? 0, beginsQuantum: true)
        recorder.decision(
            Timeline.Decision(
                time: clock.now, processor: UInt8(processor),
                chosen: choice.map { environments[$0.environment].node },
                byDefault: choice?.byDefault ?? true, budgetUsed: budgetUsed))
    }

    /// A directed yield: hands the processor that an environment has to another one. No scheduler is asked, and the
    /// quantum goes on as the first one's; processor time is counted for whoever runs.
    /// - Parameter kind: what the timeline calls it.
    /// - Returns: whether that was possible. The other one has to be able to run, to have no processor, and to lie
    ///   below the scheduler at the top too.
    @discardableResult
    func directedYield(from: Int, to: Int, as kind: Timeline.HandOver.Kind = .directed) -> Bool {
        guard let processor = environments[from].processor, environments.contains(UInt64(max(0, to))),
            environments[to].isWaiting, environments.isBelow(from, tree.root),
            environments.isBelow(to, tree.root)
        else { return false }
        recorder.announce(kind, by: environments[from].node)
        exchange(processor, for: to, beginsQuantum: false)
        return true
    }

    /// Whether the processor that is shown can be given to an environment.
    private func canRunHere(_ id: Int) -> Bool {
        environments[id].status == .runnable
            && environments[id].processor ?? environments.shownProcessor == environments.shownProcessor
    }

    private func choose(_ budgetUsed: inout UInt64) -> Choice? {
        let root = tree.root
        if isUnderDefault { return firstRunnable(below: root) }
        guard let fragment = activeFragment(of: root) else { return firstRunnable(below: root) }
        switch ask(fragment, &budgetUsed) {
        case .environment(let id, let scheduler):
            return Choice(environment: id, byDefault: !downloaded.contains(scheduler))
        case .aborted(let scheduler, let failure):
            if failure.reason == .budgetExhausted {
                return chooseWithoutBudget(scheduler, failure, &budgetUsed)
            }
            report(failure.message, scheduler, registers: failure.registers)
            return chooseAfterFailure(of: scheduler, &budgetUsed)
        case .misled(let scheduler, let message):
            report(message, scheduler)
            return chooseAfterFailure(of: scheduler, &budgetUsed)
        case .refused:
            // The root is to blame if the default, asking the same schedulers below, finds somebody.
            if downloaded[root] != nil, let choice = chooseByDefault(below: root, asking: true, &budgetUsed) {
                report("refused although somebody could run", root)
                countFailure(of: root)
                return choice
            }
            report("refused by everyone", root)
            return firstRunnable(below: root)
        }
    }

    private func chooseAfterFailure(of scheduler: Int, _ budgetUsed: inout UInt64) -> Choice? {
        let choice = chooseByDefault(below: scheduler, &budgetUsed) ?? firstRunnable(below: tree.root)
        countFailure(of: scheduler)
        return choice
    }

    /// The budget is everybody's: whoever had it when it ended need not be who wasted it. A scheduler below the root is
    /// asked again, with a budget of its own. If it can do with that, others are looked at; if it cannot, those below it
    /// are, before it is to blame itself.
    private func chooseWithoutBudget(
        _ scheduler: Int, _ failure: SchedulerFragment.Failure, _ budgetUsed: inout UInt64
    ) -> Choice? {
        let root = tree.root
        if scheduler != root, let fragment = activeFragment(of: scheduler) {
            let before = budgetUsed
            switch ask(fragment, &budgetUsed) {
            case .environment(let id, let by):
                return Choice(environment: id, byDefault: !downloaded.contains(by))
            case .refused:
                let alone = (scheduler: scheduler, used: budgetUsed - before)
                return askEachAlone(below: root, besides: alone, &budgetUsed).choice
                    ?? firstRunnable(below: root)
            case .aborted, .misled: break
            }
        }
        let below = askEachAlone(below: scheduler, &budgetUsed)
        if below.hasSpendthrift { return below.choice ?? firstRunnable(below: root) }
        report(failure.message, scheduler, registers: failure.registers)
        guard below.used > scenario.machine.budget / 2 else {
            return chooseAfterFailure(of: scheduler, &budgetUsed)
        }
        // Together they take too much, which is nobody's fault alone.
        return below.choice ?? chooseByDefault(below: scheduler, &budgetUsed) ?? firstRunnable(below: root)
    }

    /// Asks the schedulers right below one, each with a budget of its own, until one of them has somebody to run. Of
    /// those that have not, the one that spent the most, and more than a quarter of the whole, has failed.
    /// - Parameter asked: one that has been asked already, what it spent, and that it has nobody.
    private func askEachAlone(
        below scheduler: Int, besides asked: (scheduler: Int, used: UInt64) = (0, 0),
        _ budgetUsed: inout UInt64
    ) -> (choice: Choice?, used: UInt64, hasSpendthrift: Bool) {
        let budget = scenario.machine.budget
        let start = budgetUsed
        var worst: (scheduler: Int, used: UInt64)?
        func note(_ id: Int, _ used: UInt64) {
            if downloaded.contains(id), used > worst?.used ?? budget / 4 { worst = (id, used) }
        }
        note(asked.scheduler, asked.used)
        var choice: Choice?
        for id in tree[scheduler]?.slots ?? [] where id != 0 && id != asked.scheduler && choice == nil {
            guard let fragment = activeFragment(of: id) else { continue }
            let before = budgetUsed
            if case .environment(let chosen, let by) = ask(fragment, &budgetUsed) {
                choice = Choice(environment: chosen, byDefault: !downloaded.contains(by))
            } else {
                note(id, budgetUsed - before)
            }
        }
        if let worst {
            report(
                "has nobody to run, and takes \(worst.used) of the budget of \(budget) to say so",
                worst.scheduler)
            countFailure(of: worst.scheduler)
        }
        return (choice, budgetUsed - start, worst != nil)
    }

    /// The default's choice among what lies below a scheduler whose fragment failed.
    /// - Parameter asking: only what comes of asking the schedulers below.
    private func chooseByDefault(
        below scheduler: Int, asking: Bool = false, _ budgetUsed: inout UInt64
    ) -> Choice? {
        if downloaded[scheduler] != nil, let fragment = defaultFragment(of: scheduler) {
            fragment.setTick(clock.ticks)
            if case .environment(let id, _) = ask(fragment, &budgetUsed) {
                return Choice(environment: id, byDefault: true)
            }
        }
        return asking ? nil : firstRunnable(below: scheduler)
    }

    /// Asks no fragment: the next runnable environment by id, in turns, whatever scheduler it is below.
    private func firstRunnable(below scheduler: Int) -> Choice? {
        let cursor = defaultCursors[scheduler, default: 0]
        let count = environments.all.count
        for step in 1...max(1, count) {
            let id = (cursor + step) % max(1, count)
            guard canRunHere(id), environments.isBelow(id, scheduler) else { continue }
            defaultCursors[scheduler] = id
            return Choice(environment: id, byDefault: true)
        }
        return nil
    }

    /// Runs a fragment and what it calls.
    func invoke(_ fragment: SchedulerFragment) -> SchedulerFragment.Answer {
        invocations += 1
        guard measuresInvocations else { return fragment.invoke(budget: scenario.machine.budget) }
        let start = ContinuousClock.now
        defer { invocationTime += ContinuousClock.now - start }
        return fragment.invoke(budget: scenario.machine.budget)
    }

    /// Invokes a chain of fragments, and checks its answer.
    private func ask(_ fragment: SchedulerFragment, _ budgetUsed: inout UInt64) -> Verdict {
        let answer = invoke(fragment)
        budgetUsed = budgetUsed.adding(answer.budgetUsed)
        let scheduler = answer.scheduler
        spendBudget(answer.budgetUsed, on: environments.shownProcessor, of: scheduler)

        func misled(_ message: String) -> Verdict { .misled(scheduler: scheduler, message: message) }
        switch answer.way {
        case .refused: return .refused
        case .aborted: return .aborted(scheduler: scheduler, fragment.takeFailure())
        case .accepted:
            guard environments.contains(answer.value) else {
                return misled("accepted for \(answer.value), which does not exist")
            }
            let id = Int(answer.value)
            guard environments.isBelow(id, scheduler) else {
                return misled("accepted for '\(environments[id].name)', which is not below it")
            }
            guard environments[id].status == .runnable else {
                return misled("accepted for '\(environments[id].name)', which is not runnable")
            }
            guard canRunHere(id) else {
                return misled("accepted for '\(environments[id].name)', which has another processor")
            }
            return .environment(id, by: scheduler)
        }
    }

    /// A fragment that fails again and again goes, and the default takes its place for good.
    func countFailure(of scheduler: Int) {
        guard var installed = downloaded[scheduler] else { return }
        let now = clock.ticks
        installed.failures.removeAll { now - $0 >= limits.failureWindow }
        installed.failures.append(now)
        downloaded[scheduler] = installed
        guard installed.failures.count >= limits.failures else { return }
        report(
            "detached after \(installed.failures.count) failures within \(limits.failureWindow) ticks",
            scheduler,
            always: true)
        remove(scheduler)
    }

    /// An environment that can run, and that nobody gives the processor to for too long, is a sign that the schedulers
    /// do not do their duty: then the kernel takes turns itself, until the root has another fragment.
    private func lookForStarvation() {
        let patience = scenario.machine.starvation
        guard patience > 0, !isUnderDefault, clock.now >= nextStarvationCheck else { return }
        nextStarvationCheck = clock.now.adding(max(1, patience / 8))
        guard let victim = environments.longestWaiting(),
            clock.now - victim.since >= patience
        else { return }
        isUnderDefault = true
        let ticks = (clock.now - victim.since) / clock.tick
        report(
            "'\(environments[victim.id].name)' could run and was not chosen for \(ticks) ticks: all are under the default until the fragment of '\(environments[tree.root].name)' is replaced",
            tree.root, always: true)
    }
}
