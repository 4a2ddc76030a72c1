import SCodeIR

/// Rules that follow values along the control flow: V8, V9 and V10.
///
/// *Requires* the structural rules. *Produces* the facts that the engines rely on.
struct FlowRules {
    let code: FragmentCode
    let regions: [Region]
    let acceptor: Acceptor
    let macros: [MacroInstruction]
    let procedures: ProcedureFacts
    let flow: ControlFlow
    private(set) var diagnostics: [Diagnostic] = []
    private var initialised: [RegisterSet]
    private var doubles: [RegisterSet]
    private var accesses: [AccessFact]

    init(code: FragmentCode, regions: [Region], acceptor: Acceptor, structure: StructuralRules) {
        self.code = code
        self.regions = regions
        self.acceptor = acceptor
        macros = structure.macros
        procedures = structure.procedures
        flow = ControlFlow(code, macros: macros)
        initialised = Array(repeating: .all, count: code.instructions.count)
        doubles = Array(repeating: .floats, count: code.instructions.count)
        accesses = Array(repeating: .unknown, count: code.instructions.count)
    }

    mutating func check() {
        checkInitialisation()
        let states = solve()
        for block in 0..<flow.codeBlockCount {
            guard var state = states[block] else { continue }
            for index in Int(flow.blocks[block].start)..<Int(flow.blocks[block].end) {
                let instruction = code.instructions[index]
                if instruction.opcode.shape.isAccess { checkAccess(instruction, index, state) }
                state.step(instruction, code, macros)
            }
        }
    }

    private mutating func checkInitialisation() {
        var entry = WrittenRegisters(all: [])
        for register in acceptor.entryRegisters { entry.write(register.register, register.type) }
        for parameter in code.parameters { entry.write(parameter.register, parameter.type) }
        let solution = Initialisation(code, macros, flow, procedures, entry: entry)
        for block in 0..<flow.codeBlockCount {
            guard var state = solution.atStart[block] else {
                warnUnreachable(block)
                continue
            }
            for index in Int(flow.blocks[block].start)..<Int(flow.blocks[block].end) {
                let instruction = code.instructions[index]
                initialised[index] = state.all
                doubles[index] = state.doubles
                checkReads(instruction, index, block, state)
                solution.step(instruction, &state)
            }
        }
    }

    func verified() -> VerifiedFragment {
        VerifiedFragment(
            code: code, regions: regions, acceptor: acceptor, flow: flow, macros: macros, procedures: procedures,
            initialised: initialised, doubles: doubles, liveBefore: Liveness.solve(code, macros, flow),
            accesses: accesses)
    }

    // MARK: The fixed point

    private var entryState: FlowState {
        var state = FlowState(values: Array(repeating: .unknown, count: Register.count))
        for (index, parameter) in code.parameters.enumerated() {
            // A default is certain only where the caller never passes an argument of his own.
            let isCertain = index >= acceptor.suppliedArguments
            switch parameter.defaultValue {
            case .region(let region):
                let number = UInt8(truncatingIfNeeded: region)
                state[parameter.register] = isCertain ? .pointer(number, 0) : .based(number)
            case .constant(let value) where isCertain:
                state[parameter.register] = .constant(value)
            case .constant, nil:
                break
            }
        }
        return state
    }

    /// The state at the start of each reachable block. A block is looked at again only when its state has
    /// lost something, which can happen about a hundred times at most, so the work is linear.
    private func solve() -> [FlowState?] {
        var states = [FlowState?](repeating: nil, count: flow.blocks.count)
        guard !states.isEmpty else { return states }
        states[0] = entryState
        var queue = flow.order
        var isQueued = flow.blocks.map(\.isReachable)
        var head = 0
        while head < queue.count {
            let block = Int(queue[head])
            head += 1
            isQueued[block] = false
            guard var state = states[block] else { continue }
            for index in Int(flow.blocks[block].start)..<Int(flow.blocks[block].end) {
                state.step(code.instructions[index], code, macros)
            }
            for successor in flow.successors(block) {
                let target = Int(successor)
                let changed: Bool
                if states[target] == nil {
                    states[target] = state
                    changed = true
                } else {
                    changed = states[target]?.join(state) ?? false
                }
                if changed, !isQueued[target] {
                    isQueued[target] = true
                    queue.append(successor)
                }
            }
        }
        return states
    }

    // MARK: V8

    private mutating func checkReads(
        _ instruction: Instruction, _ index: Int, _ block: Int, _ state: WrittenRegisters
    ) {
        var missing: [(Register, ValueType)] = []
        instruction.forEachRead(code, macros) { register, type in
            if !state.canRead(register, type) { missing.append((register, type)) }
        }
        for (register, type) in missing where diagnostics.count < StructuralRules.reportLimit {
            let name = code.name(of: register)
            if state.all.contains(register) {
                report(
                    .initialisation, index,
                    "register '\(name)' is read as '\(type.suffix)', and may hold \(type == .f ? "a 'd'" : "an 'f'")",
                    "convert it: cv\(type == .f ? "d2f" : "f2d")")
                continue
            }
            let isEverWritten = code.instructions.contains { $0.writes(code, macros).contains(register) }
            let set = register.bank == .float ? "set\(type.suffix)" : "setul"
            diagnostics.append(
                Diagnostic(
                    .error, code.sourceRange(at: index),
                    isEverWritten
                        ? "register '\(name)' may be read here before anything has written it"
                        : "register '\(name)' is read here but nothing ever writes it",
                    rule: .initialisation, notes: isEverWritten ? path(to: block, without: register) : [],
                    suggestion: "set it at the head of the fragment: \(set) \(name), 0"))
        }
    }

    /// A shortest path from the entry to a block on which nothing writes the register.
    private func path(to target: Int, without register: Register) -> [Diagnostic.Note] {
        var cameFrom = [Int](repeating: -1, count: flow.blocks.count)
        var queue = [0]
        cameFrom[0] = 0
        var head = 0
        while head < queue.count, cameFrom[target] < 0 {
            let block = queue[head]
            head += 1
            let writes = (Int(flow.blocks[block].start)..<Int(flow.blocks[block].end)).contains {
                code.instructions[$0].writes(code, macros).contains(register)
            }
            if writes { continue }
            for successor in flow.successors(block) where cameFrom[Int(successor)] < 0 {
                cameFrom[Int(successor)] = block
                queue.append(Int(successor))
            }
        }
        guard cameFrom[target] >= 0 else { return [] }
        var blocks = [target]
        while let first = blocks.last, first != 0 { blocks.append(cameFrom[first]) }
        blocks.reverse()
        var notes = [Diagnostic.Note(code.range, "on the path that enters here")]
        for (from, to) in zip(blocks, blocks.dropFirst()) where flow.blocks[to].start != flow.blocks[from].end
        {
            if from >= flow.codeBlockCount { continue }
            let last = Int(flow.blocks[from].end) - 1
            if to >= flow.codeBlockCount {
                notes.append(Diagnostic.Note(code.sourceRange(at: last), "returns here"))
                continue
            }
            let next = code.sourceRange(at: Int(flow.blocks[to].start)).line
            notes.append(Diagnostic.Note(code.sourceRange(at: last), "jumps here to line \(next)"))
        }
        // A path through thousands of blocks explains nothing: its start and its end do.
        return notes.count <= 8 ? notes : Array(notes.prefix(4) + notes.suffix(4))
    }

    private mutating func warnUnreachable(_ block: Int) {
        let isContinued = block > 0 && !flow.blocks[block - 1].isReachable
        guard !isContinued, diagnostics.count < StructuralRules.reportLimit else { return }
        diagnostics.append(
            Diagnostic(
                .warning, code.sourceRange(at: Int(flow.blocks[block].start)), "no path leads here"))
    }

    // MARK: V9 and V10

    private mutating func checkAccess(_ instruction: Instruction, _ index: Int, _ state: FlowState) {
        let address = state.address(of: instruction)
        let isStore = instruction.opcode.isStore
        let number = address.region
        guard address.kind == .pointer || address.kind == .based, Int(number) < regions.count else {
            if acceptor.policies == [.static] {
                report(
                    .staticAccess, index, "the address is not known at download",
                    "compute it from the base of a static region and constants")
            }
            return
        }
        let region = regions[Int(number)]
        let isInside =
            address.kind == .pointer && address.offset >= 0
            && UInt64(bitPattern: address.offset) <= region.size
            && region.size - UInt64(bitPattern: address.offset) >= UInt64(instruction.opcode.type.size)
        switch region.policy {
        case .static where address.kind == .based:
            report(
                .staticAccess, index,
                "the address is computed from static region '\(region.name)' in a way that is not known at download",
                "use a constant offset, or declare the region physical")
        case .static where !isInside:
            report(
                .staticAccess, index,
                "reaches offset \(address.offset) of static region '\(region.name)', which has \(region.size) bytes"
            )
        case .static where isStore && !region.isWritable,
            .physical where isInside && isStore && !region.isWritable:
            report(
                .regions, index, "stores to region '\(region.name)', which is declared read-only",
                "declare it rw: region \(region.name): \(region.policy.name) rw, \(region.size)")
        case .static,
            .physical where isInside:
            accesses[index] = .proved(region: number, offset: address.offset)
        case .physical, .virtual:
            accesses[index] = .based(region: number)
        }
    }

    private mutating func report(
        _ rule: VerifierRule, _ index: Int, _ message: String, _ suggestion: String? = nil
    ) {
        guard diagnostics.count < StructuralRules.reportLimit else { return }
        diagnostics.append(
            Diagnostic(.error, code.sourceRange(at: index), message, rule: rule, suggestion: suggestion))
    }
}
