import SCode
import SCodeAcceptors

/// What programs ask of the kernel. A call that names an object names the capability for it, too.
extension Machine {
    /// Does what the system call says, whose operands are in the innermost activation.
    func perform(systemCall number: UInt32, by id: Int, _ program: Program) {
        guard let call = SystemCall(rawValue: number), let activation = program.running.last?.activation
        else {
            return answer(UInt64(bitPattern: SystemCallError.invalidArgument.rawValue), to: program)
        }
        let operands = (0..<8).map(activation.operand)
        do throws(SystemCallError) {
            let result = try result(of: call, operands, id, program)
            // A program that is no more needs no answer, and one that has been given one in the meantime no other.
            if let result { answer(result, to: program) }
        } catch {
            answer(UInt64(bitPattern: error.rawValue), to: program)
        }
    }

    /// - Returns: nil when the answer comes later, or is there already.
    private func result(
        of call: SystemCall, _ operands: [UInt64], _ id: Int, _ program: Program
    ) throws(SystemCallError) -> UInt64? {
        switch call {
        case .time: return clock.now
        case .yield:
            program.hasYielded = true
            if program.revokedSince == nil { giveBackProcessor(id) } else { revokeProcessor(of: id) }
        case .yieldTo: try handOver(from: id, to: environment(operands[0]), as: .directed)
        case .sleep: return sleepProgram(id, program, operands[0])
        case .wait: return try wait(id, program)
        case .critical: setCritical(operands[0] != 0, id, program)
        case .revokeProcessor:
            let target = try environment(operands[0], operands[1], .processor, program)
            guard environments[target].processor != nil else { throw .invalidArgument }
            revokeProcessor(of: target)
        case .grantProcessor:
            try handOver(
                from: id, to: environment(operands[0], operands[1], .processor, program), as: .granted)
        case .setQuantum:
            try authorise(program, operands[1], .write, accessOfQuantum)
            let longest: UInt64 = 60_000_000_000
            guard (scenario.machine.tick...max(longest, scenario.machine.tick)).contains(operands[0]) else {
                throw .invalidArgument
            }
            quantum = operands[0]
            exposed.setMachine(ExposedState.MachineField.quantum, quantum)
        case .allocatePage: return UInt64(try allocatePage(guardedBy: operands[0], id, program))
        case .freePage: try freePage(operands[0], operands[1], id, program)
        case .map: try map(operands, program)
        case .unmap: try unmap(operands, program)
        case .protect: try protect(operands, id)
        case .setTimeout: return try setTimeout(operands, id, program)
        case .cancelTimeout: try cancelTimeout(operands, program)
        case .bind: try bind(operands, id, program)
        case .deriveCapability: try derive(operands, program)
        case .giveCapability: try give(operands, program)
        case .dropCapability:
            guard operands[0] < UInt64(Program.slotCount) else { throw .invalidArgument }
            program.slots[Int(operands[0])] = nil
        case .setAccess: try setAccess(operands, program)
        }
        return 0
    }

    // MARK: Authority

    /// Whether the capability in a slot allows something with an object.
    func authorise(
        _ program: Program, _ slot: UInt64, _ rights: Capability.Rights, _ list: AccessList
    ) throws(SystemCallError) {
        guard let capability = program.slot(slot), list.allows(rights, to: capability) else { throw .denied }
    }

    /// An environment that has begun and not ended.
    private func environment(_ id: UInt64) throws(SystemCallError) -> Int {
        guard environments.contains(id), environments[Int(id)].status != .free else { throw .noSuchObject }
        return Int(id)
    }

    func environment(
        _ id: UInt64, _ slot: UInt64, _ rights: Capability.Rights, _ program: Program
    ) throws(SystemCallError) -> Int {
        let target = try environment(id)
        try authorise(program, slot, rights, access(of: target))
        return target
    }

    func ownCapability(of id: Int) -> Capability {
        Capability(name: CapabilityName(environment: id), rights: .all)
    }

    func access(of environment: Int) -> AccessList {
        accessOfEnvironments[environment] ?? AccessList(owner: ownCapability(of: environment))
    }

    /// Gives a program what the scenario gives it, in slots from 1 on. *Requires* that every environment has its id.
    func grantCapabilities(to id: Int) {
        guard let program = programs[id], let source = tasks[id]?.cursor.task.program else { return }
        for (index, grant) in source.capabilities.prefix(Program.slotCount - 1).enumerated() {
            program.slots[index + 1] = capability(of: grant)
        }
    }

    private func capability(of grant: Scenario.Grant) -> Capability? {
        switch grant.object {
        case .everything: return .root
        case .environment(let name):
            return environments.id(named: name).map {
                Capability(
                    name: CapabilityName(environment: $0), rights: Capability.Rights(rawValue: grant.rights))
            }
        }
    }

    private func derive(_ operands: [UInt64], _ program: Program) throws(SystemCallError) {
        guard let from = program.slot(operands[0]) else { throw .denied }
        guard operands[1] < UInt64(Program.slotCount), let byte = UInt8(exactly: operands[2]),
            let rights = UInt8(exactly: operands[3]),
            let derived = from.derived(adding: byte, rights: Capability.Rights(rawValue: rights))
        else { throw .invalidArgument }
        program.slots[Int(operands[1])] = derived
    }

    private func give(_ operands: [UInt64], _ program: Program) throws(SystemCallError) {
        let target = try environment(operands[0], operands[1], .manage, program)
        guard let capability = program.slot(operands[2]) else { throw .denied }
        guard let receiver = programs[target], operands[3] < UInt64(Program.slotCount) else {
            throw .invalidArgument
        }
        receiver.slots[Int(operands[3])] = capability
    }

    /// Says who else may use an object. Whoever could until now can no more, from this moment on.
    private func setAccess(_ operands: [UInt64], _ program: Program) throws(SystemCallError) {
        guard let rights = UInt8(exactly: operands[4]) else { throw .invalidArgument }
        var other: Capability?
        if rights != 0 {
            guard let holder = program.slot(operands[3]) else { throw .denied }
            other = Capability(name: holder.name, rights: Capability.Rights(rawValue: rights))
        }
        switch operands[0] {
        case 0:
            let target = try environment(operands[1], operands[2], .access, program)
            var list = access(of: target)
            list.other = other
            accessOfEnvironments[target] = list
        case 1:
            guard let page = Int(exactly: operands[1]), var list = accessOfPages[page] else {
                throw .noSuchObject
            }
            try authorise(program, operands[2], .access, list)
            list.other = other
            accessOfPages[page] = list
            unmapForeign(page)
        case 2:
            guard let index = Int(exactly: operands[1]), program.timeouts.indices.contains(index),
                var list = program.timeouts[index]
            else { throw .noSuchObject }
            try authorise(program, operands[2], .access, list)
            list.other = other
            program.timeouts[index] = list
        case 3:
            try authorise(program, operands[2], .access, accessOfQuantum)
            accessOfQuantum.other = other
        default: throw .invalidArgument
        }
    }

    // MARK: The processor

    private func handOver(
        from id: Int, to target: Int, as kind: Timeline.HandOver.Kind
    ) throws(SystemCallError) {
        guard target == id || directedYield(from: id, to: target, as: kind) else { throw .invalidArgument }
    }

    // MARK: Time

    private func sleepProgram(_ id: Int, _ program: Program, _ time: UInt64) -> UInt64? {
        guard time > 0 else { return 0 }
        let end = clock.now.adding(time)
        program.wakeTime = end
        answer(0, to: program)
        sleep(id, until: end)
        return nil
    }

    private func wait(_ id: Int, _ program: Program) throws(SystemCallError) -> UInt64? {
        guard program.handles(.predicate) else { throw .invalidArgument }
        program.waits = true
        waiting.append(id)
        sleep(id, until: nil)
        // Looked at before anything else happens: it may be true already.
        checkPredicates()
        return nil
    }

    private func setCritical(_ isCritical: Bool, _ id: Int, _ program: Program) {
        program.isCritical = isCritical
        guard !isCritical, program.revokedSince != nil, !program.handles(.epilogue) else { return }
        program.hasYielded = true
    }

    private func setTimeout(
        _ operands: [UInt64], _ id: Int, _ program: Program
    ) throws(SystemCallError) -> UInt64 {
        guard let capability = program.slot(operands[1]) else { throw .denied }
        guard program.handles(.timeout), operands[0] > 0 else { throw .invalidArgument }
        guard let index = program.timeouts.firstIndex(where: { $0 == nil }) else { throw .tooMany }
        program.timeouts[index] = AccessList(owner: Capability(name: capability.name, rights: .all))
        program.timeoutSerials[index] &+= 1
        timeouts.add(
            .upcall(environment: id, timeout: index, serial: program.timeoutSerials[index]),
            at: clock.now.adding(operands[0]))
        return UInt64(index)
    }

    private func cancelTimeout(_ operands: [UInt64], _ program: Program) throws(SystemCallError) {
        guard let index = Int(exactly: operands[0]), program.timeouts.indices.contains(index),
            let list = program.timeouts[index]
        else { throw .noSuchObject }
        try authorise(program, operands[1], .write, list)
        program.timeouts[index] = nil
    }

    /// A timeout has expired, unless it was cancelled.
    func expire(_ index: Int, serial: UInt32, of id: Int) {
        guard let program = programs[id], program.timeouts.indices.contains(index),
            program.timeouts[index] != nil,
            program.timeoutSerials[index] == serial
        else { return }
        program.timeouts[index] = nil
        post(.init(entry: .timeout, subject: UInt64(index)), to: id)
    }

    // MARK: Events

    private static let points: [UInt64: EventPoint] = [1: .begin, 2: .end, 3: .sleep, 4: .wake]

    private func bind(_ operands: [UInt64], _ id: Int, _ program: Program) throws(SystemCallError) {
        // One that has not begun can be watched, too.
        guard environments.contains(operands[0]), !environments[Int(operands[0])].hasEnded else {
            throw .noSuchObject
        }
        let target = Int(operands[0])
        try authorise(program, operands[1], .watch, access(of: target))
        if operands[2] == 0 {
            bindings[target]?.removeAll { $0.client == id }
            return
        }
        guard let point = Self.points[operands[2]], program.handles(.event) else { throw .invalidArgument }
        let binding = Binding(point: point, client: id)
        guard !(bindings[target] ?? []).contains(binding) else { return }
        guard (bindings[target]?.count ?? 0) < Program.upcallLimit else { throw .tooMany }
        bindings[target, default: []].append(binding)
    }

    /// Tells the programs that watch an environment.
    func notify(_ point: EventPoint, about id: Int) {
        guard let list = bindings[id] else { return }
        let number = Self.points.first { $0.value == point }?.key ?? 0
        for binding in list where binding.point == point {
            post(.init(entry: .event, subject: UInt64(id), detail: number), to: binding.client)
        }
    }
}

/// A program that wants to know when something happens to an environment.
struct Binding: Hashable {
    var point: EventPoint
    var client: Int
}
