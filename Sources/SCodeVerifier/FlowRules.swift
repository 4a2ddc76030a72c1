import SCodeIR

/// Rules that follow values along the control flow: V8, V9 and V10.
///
/// *Requires* the structural rules. *Produces* the facts that the engines rely on.
struct FlowRules {
    private let view: FragmentView
    private var code: FragmentCode { _read { yield view.code } }
    let regions: [Region]
    private let shared: SharedAcceptor
    private var acceptor: Acceptor { _read { yield shared.acceptor } }
    private let sourceFiles: [String]
    let procedures: ProcedureFacts
    let flow: FlowGraph
    /// Per instruction: the provider's, when the acceptor has put in code of its own.
    private let origin: [UInt32]?
    private(set) var diagnostics: [Diagnostic] = []
    /// What is written before each instruction, when V8 could not do without.
    private var written: [WrittenBefore]?

    init(
        _ view: FragmentView, _ program: Program, _ acceptor: SharedAcceptor, _ procedures: ProcedureFacts,
        origin: [UInt32]?
    ) {
        self.view = view
        let own = acceptor.acceptor.regions
        regions = own.isEmpty ? program.regions : program.regions + own
        sourceFiles = program.sourceFiles
        shared = acceptor
        self.procedures = procedures
        self.origin = origin
        flow = FlowGraph(view)
    }

    /// - Parameters:
    ///   - number, fragments: where the code is that the fragment will keep.
    ///   - keepsStates: whether what is known of every value stays with the fragment, for people and tests.
    /// - Returns: nil when a rule was broken.
    mutating func check(
        _ number: Int, of fragments: [FragmentCode], keepsStates: Bool
    ) -> VerifiedFragment? {
        let predecessors = flow.predecessors(view.arena)
        let liveness = Liveness(view, flow, predecessors)
        checkInitialisation(liveness)
        guard !hasErrors else { return nil }
        let loops =
            view.hasLoops ? view.arena.place(LoopStructure(view, flow, predecessors, procedures)) : nil
        let demand = Demand(view, flow, predecessors)
        let regionFacts: Table<RegionFacts> = view.arena.uninitialised(regions.count)
        for region in regions.indices { regionFacts[region] = RegionFacts(regions[region]) }
        var interpreter = AbstractInterpreter(
            view, regionFacts, procedures, flow, demand,
            loops.map { Inductions(view, flow, $0.pointee, demand) })
        enter(interpreter.values)
        interpreter.run()
        checkAccesses(interpreter)
        guard !hasErrors else { return nil }
        let costsBudget =
            acceptor.guards.chargesBudget ? view.backward : view.arena.table(view.uses.count, false)
        let budget = loops.map { self.budget($0, interpreter, costsBudget) } ?? BudgetFacts()
        for cost in budget.costs where cost.isPrepaid { costsBudget[Int(cost.instruction)] = false }
        return VerifiedFragment(
            number, of: fragments, regions: regions, acceptor: shared, flow: ControlFlow(flow),
            macros: view.macros, procedureLevels: procedures.levels.array(),
            facts: facts(liveness, interpreter, costsBudget), written: written, budget: budget,
            origin: origin, sourceFiles: sourceFiles,
            states: keepsStates
                ? KnownValues(
                    interpreter.states, followed: demand.before(view, flow),
                    written: written ?? initialisation().beforeInstructions(flow)) : nil)
    }

    private func facts(
        _ liveness: Liveness, _ interpreter: borrowing AbstractInterpreter, _ costsBudget: Table<Bool>
    ) -> [InstructionFacts] {
        let (accesses, isSafe) = (interpreter.accesses, interpreter.isSafe)
        let facts: Table<InstructionFacts> = view.arena.uninitialised(view.uses.count)
        for index in 0..<facts.count {
            facts[index] = InstructionFacts(
                liveBefore: liveness.before[index], access: accesses[index], isSafe: isSafe[index],
                costsBudget: costsBudget[index], block: flow.blockOfInstruction[index])
        }
        return facts.array()
    }

    private func budget(
        _ loops: UnsafePointer<LoopStructure>, _ interpreter: borrowing AbstractInterpreter,
        _ backward: Table<Bool>
    ) -> BudgetFacts {
        LoopBounds(
            view, procedures, flow, loops, interpreter, costsBudget: backward,
            prepayable: acceptor.isInterruptible ? 0 : acceptor.prepayable
        ).facts
    }

    private var hasErrors: Bool { diagnostics.contains { $0.severity == .error } }

    /// What the registers hold when the fragment is entered.
    private func enter(_ values: RegisterValues) {
        for entry in acceptor.entryRegisters where entry.register.bank == .integer {
            values[entry.register] =
                entry.range.map { AbstractValue(Numeric($0)) } ?? AbstractValue(unknownOf: entry.type)
        }
        for (index, parameter) in code.parameters.enumerated() where parameter.register.bank == .integer {
            var value = AbstractValue(unknownOf: parameter.type)
            // A default is certain only where the caller never passes an argument of his own.
            let isCertain = index >= acceptor.suppliedArguments
            switch parameter.defaultValue {
            case .region(let region):
                let number = UInt8(truncatingIfNeeded: region)
                value = .pointer(number, offset: 0)
                if !isCertain { value.wide = .top }
            case .constant(let constant) where isCertain:
                value = AbstractValue(constant: parameter.type.canonical(UInt64(bitPattern: constant)))
            case .constant, nil:
                break
            }
            values[parameter.register] = value
        }
    }

    // MARK: V8

    private var entry: WrittenRegisters { WrittenRegisters(acceptor.entryRegisters, code.parameters) }

    private func initialisation() -> Initialisation { Initialisation(view, flow, procedures, entry: entry) }

    private mutating func checkInitialisation(_ liveness: Liveness) {
        // A register of integers that some path reads before it writes it is one that is live at the entry. It takes
        // more to know what floating-point registers hold, and what holds for every caller of a procedure.
        let isWritten = liveness.atStart[0].isSubset(of: entry.all)
        guard view.usesFloats || view.procedureStarts.count > 0 || !isWritten else {
            // The order has the reachable ones.
            if flow.order.count < flow.blocks.count {
                for block in 0..<flow.blocks.count where !flow.blocks[block].isReachable {
                    warnUnreachable(block)
                }
            }
            return
        }
        let solution = initialisation()
        for block in 0..<flow.codeBlockCount {
            guard flow.blocks[block].isReachable else {
                warnUnreachable(block)
                continue
            }
            var state = solution.atStart[block]
            for index in flow.instructions(block) {
                let reads = view.uses[index].reads
                if reads.subtracting(state.all) != [] || reads.rawValue >> UInt64(Register.bankSize) != 0 {
                    checkReads(index, block, state)
                }
                solution.step(index, &state)
            }
        }
        written = solution.beforeInstructions(flow)
    }

    private mutating func checkReads(_ index: Int, _ block: Int, _ state: WrittenRegisters) {
        var missing: [(Register, ValueType)] = []
        view.instruction(index).forEachRead(code, view.macros) { register, type in
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
            let isEverWritten = (0..<view.uses.count).contains { view.uses[$0].writes.contains(register) }
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
                view.uses[$0].writes.contains(register)
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

    private mutating func checkAccesses(_ interpreter: borrowing AbstractInterpreter) {
        let isAllStatic = acceptor.policies.count == 1 && acceptor.policies.contains(.static)
        guard isAllStatic || regions.contains(where: { $0.policy == .static || !$0.isWritable }) else {
            return
        }
        var broken: [Int] = []
        for index in 0..<view.uses.count where view.uses[index].shape.isAccess {
            guard breaksRule(index, interpreter.accesses[index], isAllStatic),
                interpreter.states.isReached(Int(flow.blockOfInstruction[index]))
            else { continue }
            broken.append(index)
            if broken.count == StructuralRules.reportLimit { break }
        }
        guard !broken.isEmpty else { return }
        var next = 0
        var addresses: [(Int, AbstractValue)] = []
        interpreter.forEachInstruction { index, instruction, values in
            guard next < broken.count, broken[next] == index else { return }
            addresses.append((index, values.address(of: instruction)))
            next += 1
        }
        for (index, address) in addresses { reportAccess(index, address, interpreter) }
    }

    private func breaksRule(_ index: Int, _ fact: AccessFact, _ isAllStatic: Bool) -> Bool {
        switch fact {
        case .unknown: isAllStatic
        case .based(let region): regions[Int(region)].policy == .static
        case .inside(let region), .proved(let region, _):
            view.instruction(index).opcode.isStore && !regions[Int(region)].isWritable
        }
    }

    private mutating func reportAccess(
        _ index: Int, _ address: AbstractValue, _ interpreter: borrowing AbstractInterpreter
    ) {
        let instruction = code.instructions[index]
        let origin = ValueOrigin(view, flow)
        guard !address.isNumber, Int(address.region) < regions.count else {
            return report(
                .staticAccess, index, "the address is not known at download",
                "compute it from the base of a static region and constants",
                notes: origin.notes(instruction.rs1, before: index))
        }
        let region = regions[Int(address.region)]
        if interpreter.accesses[index].isProved {
            return report(
                .regions, index, "stores to region '\(region.name)', which is declared read-only",
                "declare it rw: region \(region.name): \(region.policy.name) rw, \(region.size)")
        }
        var notes = origin.notes(instruction.rs1, before: index)
        if instruction.opcode.form == .register { notes += origin.notes(instruction.rs2, before: index) }
        let size = instruction.opcode.type.size
        if address.wide.isConstant {
            report(
                .staticAccess, index,
                "reaches offset \(address.wide.smin) of static region '\(region.name)', which has \(region.size) bytes",
                "offsets are 0 to \(Int64(clamping: region.size) - Int64(size)) for \(size) byte\(size == 1 ? "" : "s")",
                notes: notes)
        } else {
            report(
                .staticAccess, index,
                "the address is computed from static region '\(region.name)' and is not proved to lie in its \(region.size) bytes: \(address.text(regions))",
                "compare the offset with the region's size first, or declare the region physical",
                notes: notes)
        }
    }

    private mutating func report(
        _ rule: VerifierRule, _ index: Int, _ message: String, _ suggestion: String? = nil,
        notes: [Diagnostic.Note] = []
    ) {
        guard diagnostics.count < StructuralRules.reportLimit else { return }
        diagnostics.append(
            Diagnostic(
                .error, code.sourceRange(at: index), message, rule: rule, notes: notes, suggestion: suggestion
            ))
    }
}
