import SCode

/// Environments whose program is SCODE: they run natively, are interrupted by the timer, and are told by upcalls.
extension Machine {
    /// Ticks that a program has to yield in when the processor is taken from it; then it is killed.
    static let graceTicks: UInt64 = 5
    /// Backward jumps and calls that a wake-up predicate may make.
    static let predicateBudget: UInt64 = 1000

    // MARK: Beginning

    /// Gives an environment, which has begun, its program.
    func load(_ source: Scenario.Program, into id: Int) throws(MachineError) {
        let path = source.source.path
        guard let table = environments[id].pageTable else {
            throw .outOfMemory(pages: 1, free: pages.freeCount)
        }
        let code = try programTexts.code(source.source)
        let declared = code[.main]?.regions ?? []
        try check(source.data, against: declared, path: path)
        let allocator = RegionAllocator(physical: pages, pageTable: table, owner: id, path: path)
        var regions: [RegionStorage] = []
        // Should one fail, what the others hold goes with the environment's page table.
        for region in declared {
            let storage: RegionStorage
            if let shown = exposed.shown(region.name) {
                storage = try allocator.kernelRegion(
                    region, frame: shown.frame, bytes: shown.bytes, besides: regions)
            } else {
                storage = try allocator.ownRegion(region, besides: regions)
                pages.release(storage.frame, count: storage.pages)  // from here on the page table holds them
                if !region.contents.isEmpty { allocator.fill(storage, with: region.contents) }
            }
            if let bytes = source.data.first(where: { $0.region == region.name })?.bytes {
                allocator.fill(storage, with: bytes)
            }
            regions.append(storage)
        }
        do throws(InstallFailure) {
            let program = try Program(
                code, regions: regions, memory: pages.memory, space: table.space, environment: id,
                engine: engine, codes: codes, own: ownCapability(of: id))
            guard let program else { throw .compile(.outOfMemory) }
            programs[id] = program
        } catch {
            throw .installation(path: path, error)
        }
    }

    /// Takes away what an environment's program leaves besides its address space.
    func unload(_ id: Int) {
        guard let program = programs.removeValue(forKey: id) else { return }
        for page in program.pages { releasePage(page) }
        bindings[id] = nil
        for target in bindings.keys { bindings[target]?.removeAll { $0.client == id } }
        accessOfEnvironments[id] = nil
        waiting.removeAll { $0 == id }
    }

    // MARK: Running

    /// Lets the program that has the processor go on, until it needs time to pass or gives the processor up.
    func continueProgram(_ id: Int, _ program: Program) {
        guard mayGoOn(id, program) else { return }
        if program.hasLostProcessor {
            program.hasLostProcessor = false
            _ = begin(.init(entry: .prologue), of: id, program)
        }
        while mayGoOn(id, program), !program.hasYielded, !isStopped, environments[id].burst == 0 {
            countStep()
            if let since = program.revokedSince, clock.ticks - min(clock.ticks, since) > Self.graceTicks {
                kill(id, "did not yield within \(Self.graceTicks) ticks")
            } else if let event = program.running.last?.event {
                program.running[program.running.count - 1].event = nil
                handle(event, of: id, program)
            } else if let upcall = program.takeUpcall() {
                guard begin(upcall, of: id, program) else {
                    kill(id, "no room for upcall '\(upcall.entry.rawValue)'")
                    return
                }
            } else if (timeouts.next ?? .max) <= clock.now {
                // What is due now may take the processor: until that is known nothing is done for the time after.
                return
            } else {
                resume(id, program)
            }
        }
    }

    /// Whether it has a processor, and has been told if that is to be taken.
    private func mayGoOn(_ id: Int, _ program: Program) -> Bool {
        guard let processor = environments[id].processor else { return false }
        return !processors[processor].isRevoked || program.revokedSince != nil
    }

    /// Begins a handler above whatever is active, which keeps what it still needs of the processor for later.
    /// - Returns: whether there is such a handler, it is not active, and the stack has room.
    private func begin(_ upcall: Program.Upcall, of id: Int, _ program: Program) -> Bool {
        guard program.push(upcall, burst: environments[id].burst) else { return false }
        environments[id].burst = 0
        return true
    }

    /// Runs the innermost activation until the next timer interrupt at the latest. What it did counts from when the
    /// time for it has passed.
    private func resume(_ id: Int, _ program: Program) {
        guard let top = program.running.last else { return endTask(id) }
        let costs = scenario.machine.costs
        let tickEnd = (clock.ticks + 1).multipliedReportingOverflow(by: clock.tick).partialValue
        let until = min(tickEnd, timeouts.next ?? .max)
        let jump = max(1, costs.jump)
        let (whole, rest) = (until - min(until, clock.now)).quotientAndRemainder(dividingBy: jump)
        let budget = max(1, whole + (rest == 0 ? 0 : 1))
        let event = top.activation.resume(budget: budget, answer: top.answer)
        let used = budget - min(budget, top.activation.remainingBudget)
        let (product, overflow) = used.multipliedReportingOverflow(by: jump)
        var time = overflow ? .max : product
        switch event {
        case .systemCall, .pageFault: time = time.adding(max(1, costs.call))
        case .interrupted, .left: break
        }
        environments[id].burst = time
        program.running[program.running.count - 1].stop(at: event)
    }

    private func handle(_ event: Activation.Event, of id: Int, _ program: Program) {
        switch event {
        case .interrupted: break
        case .systemCall(let number): perform(systemCall: number, by: id, program)
        case .pageFault(let address, let isStore, let reason):
            environments.countFault(of: id)
            raise(.fault, about: id, on: environments[id].processor)
            let detail: UInt64 = (isStore ? 1 : 0) | (reason == .pageProtection ? 2 : 0)
            let upcall = Program.Upcall(entry: .fault, subject: address, detail: detail)
            // Without a handler, or in it, the access fails, and with it the program.
            if !begin(upcall, of: id, program) { answer(0, to: program) }
        case .left(let invocation): leave(invocation, id, program)
        }
    }

    /// Sets with what the innermost activation goes on.
    func answer(_ value: UInt64, to program: Program) {
        guard !program.running.isEmpty else { return }
        program.running[program.running.count - 1].answer = value
    }

    /// An activation is over: what is below it goes on, if anything is.
    private func leave(_ invocation: Invocation, _ id: Int, _ program: Program) {
        guard let over = program.running.popLast() else { return }
        environments[id].burst = over.burstBelow
        if case .abort(let abort) = invocation.exit {
            let failure = SchedulerFragment.Failure(abort, in: invocation.leftIn)
            return kill(id, "'\(over.entry.rawValue)': \(failure.message)", registers: failure.registers)
        }
        if over.entry == .main {
            if case .accept(let value) = invocation.exit { recorder.exit(environments[id].node, with: value) }
            return endTask(id)
        }
        if over.entry == .fault {
            if case .accept = invocation.exit { answer(1, to: program) } else { answer(0, to: program) }
        }
        if over.entry == .reclaim { takeWantedPages(from: id, program) }
    }

    func kill(_ id: Int, _ reason: String, registers: String? = nil) {
        report("killed: \(reason)", id, always: true, registers: registers)
        endTask(id)
    }

    // MARK: Losing the processor

    /// Tells a program that is to lose the processor, by its epilogue.
    /// - Returns: whether the processor can be taken now.
    func isReadyToLoseProcessor(_ id: Int) -> Bool {
        guard let program = programs[id], !program.hasYielded else { return true }
        if program.revokedSince == nil { program.revokedSince = clock.ticks }
        if program.isCritical || program.isTold { return false }
        guard program.handles(.epilogue) else { return true }
        program.isTold = true
        saveRegisters(id, program)
        // Without room for it the processor is taken as if there were none.
        return !begin(.init(entry: .epilogue), of: id, program)
    }

    /// Shows the interrupted registers in the environment's own page: `struct saved { valid: ul, line: ul, r: 32 × ul }`.
    private func saveRegisters(_ id: Int, _ program: Program) {
        guard let table = environments[id].pageTable, let activation = program.running.last?.activation,
            program.running.last?.isInterrupted == true,
            let own = table.translation(of: EnvironmentTable.ownPage)
        else { return }
        let site = activation.interruptionSite
        let place = pages.address(own.frame)
        let integers = site.registers.valid.registers.filter { $0.bank == .integer }
        let valid = integers.reduce(UInt64(0)) { $0 | 1 << UInt64($1.number & 31) }
        place.storeBytes(of: valid.littleEndian, as: UInt64.self)
        place.storeBytes(of: UInt64(site.line).littleEndian, toByteOffset: 8, as: UInt64.self)
        for register in integers {
            let number = Int(register.number & 31)
            place.storeBytes(
                of: site.registers.values[number].littleEndian, toByteOffset: 16 + number * 8, as: UInt64.self
            )
        }
    }

    // MARK: Waking

    /// Looks at what sleepers wait for (thesis section 3.3: wake-up predicates). While somebody waits, every tick does.
    func checkPredicates() {
        for id in waiting {
            guard let program = programs[id], program.waits, let predicate = program.fragments[.predicate]
            else {
                continue
            }
            countStep()
            switch predicate.invoke(budget: Self.predicateBudget).exit {
            case .refuse: continue
            case .accept(let value): answer(value, to: program)
            case .abort(let abort):
                report("predicate: \(SchedulerFragment.Failure(abort, in: predicate).message)", id)
                answer(UInt64.max, to: program)
            }
            program.waits = false
            waiting.removeAll { $0 == id }
            wake(id)
        }
        if !waiting.isEmpty { timeouts.addPoll(after: clock.now) }
    }

    /// Posts an upcall, and wakes the environment if it sleeps.
    @discardableResult
    func post(_ upcall: Program.Upcall, to id: Int) -> Bool {
        guard let program = programs[id], program.post(upcall) else { return false }
        guard environments[id].status == .sleeping else { return true }
        // The sleep tells how much of it was left; the wait, that its predicate is not true.
        answer(
            program.waits ? UInt64.max : program.wakeTime.map { $0 - min($0, clock.now) } ?? 0, to: program)
        program.waits = false
        program.wakeTime = nil
        waiting.removeAll { $0 == id }
        wake(id)
        return true
    }
}
