import SCodeIR

/// Rules that hold for each instruction by itself, reachable or not: V1 to V7, V11 and V13.
struct StructuralRules {
    private let place: UnsafePointer<FragmentCode>
    private var code: FragmentCode { _read { yield place.pointee } }
    let regions: [Region]
    let hostFunctions: [HostDeclaration]
    private let sharedAcceptor: SharedAcceptor
    private var acceptor: Acceptor { _read { yield sharedAcceptor.acceptor } }
    private let mapped: RegisterSet
    private let readOnly: RegisterSet
    /// Produces: what the acceptor makes of each macro call; valid when there are no diagnostics.
    private(set) var macros: [MacroInstruction] = []
    private(set) var diagnostics: [Diagnostic] = []
    /// A hostile module can break a rule in every instruction: enough is enough.
    static let reportLimit = 100

    /// - Parameter code: a place that outlives the rules.
    init(code: UnsafePointer<FragmentCode>, program: Program, acceptor: SharedAcceptor) {
        place = code
        regions = program.regions
        hostFunctions = program.hostFunctions
        sharedAcceptor = acceptor
        mapped = acceptor.acceptor.registers
        readOnly = acceptor.acceptor.readOnlyRegisters
    }

    /// Returns the instructions as the passes behind this one see them; nil when a rule was broken.
    mutating func check(isComplete: Bool, _ arena: Arena) -> InstructionTables? {
        checkLimits()
        checkParameters()
        checkLabels(arena)
        if !code.macroCalls.isEmpty { resolveMacros() }
        if !code.tables.isEmpty { checkTableEdges() }
        var tables = InstructionTables(count: code.instructions.count, labels: code.labels, arena)
        let plain = PlainInstructions(
            labels: code.labels.count, procedures: code.procedures.count, regions: regions.count,
            mapped: mapped, readOnly: readOnly, arena)
        place.pointee.instructions.withUnsafeBufferPointer { instructions in
            var next = 0
            while next < instructions.count, diagnostics.count < Self.reportLimit {
                next = tables.add(instructions, from: next, while: plain)
                guard next < instructions.count else { break }
                checkInstruction(instructions[next], instructions[next].opcode.facts, at: next)
                if diagnostics.isEmpty { tables.add(instructions[next], at: next, place, macros) }
                next += 1
            }
        }
        if isComplete { checkEnd() }
        return diagnostics.isEmpty ? tables : nil
    }

    @inline(never)
    private mutating func report(
        _ rule: VerifierRule, at index: Int?, _ message: String, _ suggestion: String? = nil
    ) {
        guard diagnostics.count < Self.reportLimit else { return }
        let range = index.map { code.sourceRange(at: $0) } ?? code.range
        let place = range.line == 0 ? index.map { "instruction \($0): " } ?? "" : ""
        diagnostics.append(
            Diagnostic(.error, range, "\(place)\(message)", rule: rule, suggestion: suggestion))
    }

    // MARK: The fragment as a whole

    private mutating func checkLimits() {
        let limit = min(acceptor.instructionLimit, ProgramLimits.instructionsPerFragment)
        if code.instructions.count > limit {
            report(.limits, at: nil, "\(code.instructions.count) instructions; \(limit) are allowed")
        }
        if code.procedures.count > ProgramLimits.procedures {
            report(
                .limits, at: nil,
                "\(code.procedures.count) procedures; \(ProgramLimits.procedures) are allowed")
        }
        if !code.sourceRanges.isEmpty, code.sourceRanges.count != code.instructions.count {
            report(.limits, at: nil, "source positions are there for some instructions only")
        }
        for table in code.tables {
            if table.labels.isEmpty { report(.limits, at: nil, "table '\(table.name)' is empty") }
            if table.labels.count > ProgramLimits.tableEntries {
                report(
                    .limits, at: nil,
                    "table '\(table.name)' has \(table.labels.count) entries; \(ProgramLimits.tableEntries) are allowed"
                )
            }
        }
    }

    /// Many jumps through one large table are many edges, though the module is small.
    private mutating func checkTableEdges() {
        var edges = 0
        for instruction in code.instructions where instruction.opcode.operation == .jumpTable {
            guard Int(instruction.index) < code.tables.count else { continue }
            edges += code.tables[Int(instruction.index)].labels.count
        }
        if edges > ProgramLimits.tableEdges {
            report(
                .limits, at: nil,
                "its jumps through tables have \(edges) targets; \(ProgramLimits.tableEdges) are allowed")
        }
    }

    private mutating func checkParameters() {
        if code.parameters.count > ProgramLimits.parameters {
            report(
                .limits, at: nil,
                "\(code.parameters.count) parameters; \(ProgramLimits.parameters) are allowed")
        }
        var taken: RegisterSet = []
        for register in acceptor.entryRegisters { taken.insert(register.register) }
        for (index, parameter) in code.parameters.enumerated() {
            checkMapped(parameter.register, at: nil)
            if parameter.type.isFloat != (parameter.register.bank == .float) {
                report(
                    .parameters, at: nil,
                    "parameter '\(parameter.name)' of type '\(parameter.type.suffix)' cannot be in register \(parameter.register.name)"
                )
            }
            if taken.contains(parameter.register) {
                report(
                    .parameters, at: nil,
                    "parameter '\(parameter.name)' shares register \(parameter.register.name) with another value"
                )
            }
            taken.insert(parameter.register)
            switch parameter.defaultValue {
            case .region(let region) where Int(region) >= regions.count:
                report(.parameters, at: nil, "the default of parameter '\(parameter.name)' is no region")
            case nil where index >= acceptor.suppliedArguments:
                report(
                    .parameters, at: nil,
                    "parameter '\(parameter.name)' has no value: acceptor '\(acceptor.name)' supplies \(acceptor.suppliedArguments)",
                    "give it a default: \(parameter.name): \(parameter.type.suffix) = 0")
            case .region, .constant, nil:
                break
            }
        }
    }

    private mutating func checkLabels(_ arena: Arena) {
        var names = RepeatedNames(arena)
        for (index, label) in code.labels.enumerated() {
            if Int(label.position) >= code.instructions.count {
                report(
                    .labels, at: nil, "label '\(label.name)' stands after the last instruction",
                    "put an instruction behind it")
            }
            // A stripped program has labels without names.
            if code.labels.count > 1, !label.name.isEmpty, names.isRepeated(index, code.labels) {
                report(.labels, at: nil, "label '\(label.name)' is placed twice")
            }
        }
        for table in code.tables {
            for label in table.labels where Int(label) >= code.labels.count {
                report(.labels, at: nil, "table '\(table.name)' lists a label that is placed nowhere")
                break
            }
        }
    }

    /// What each call stands for: the acceptor's macro-instruction or, of `callh`, its host function. What cannot be
    /// found is reported where it is used; meanwhile something harmless keeps the indices in step.
    private mutating func resolveMacros() {
        // A program that declares no host function cannot call any.
        var hostCalls: Set<UInt32> = []
        if !hostFunctions.isEmpty {
            for instruction in code.instructions where instruction.opcode.operation == .hostCall {
                hostCalls.insert(instruction.index)
            }
        }
        macros.reserveCapacity(code.macroCalls.count)
        for (index, call) in code.macroCalls.enumerated() {
            let known =
                hostCalls.contains(UInt32(truncatingIfNeeded: index))
                ? acceptor.hostFunctions.first { $0.declaration.name == call.name }?.asMacro
                : acceptor.macro(named: call.name)
            macros.append(known ?? MacroInstruction(call.name, [], .refuse, meaning: ""))
        }
    }

    private mutating func checkEnd() {
        guard let last = code.instructions.last else {
            report(.endOfFragment, at: nil, "fragment '\(code.name)' has no instruction")
            return
        }
        if last.opcode.operation == .macro && Int(last.index) >= macros.count
            || last.fallsThrough(macros)
        {
            let exits = acceptor.macros.filter { !$0.expansion.fallsThrough }.map(\.name)
            report(
                .endOfFragment, at: code.instructions.count - 1,
                "control can run off the end of fragment '\(code.name)'",
                exits.isEmpty ? nil : "end it with \(exits.joined(separator: " or "))")
        }
    }

    // MARK: One instruction

    @inline(__always)
    private mutating func checkInstruction(
        _ instruction: Instruction, _ facts: Opcode.Facts, at index: Int
    ) {
        let opcode = instruction.opcode
        let fields = facts.fields
        guard opcode.isKnown(facts) else {
            report(.operands, at: index, "'\(opcode.mnemonic)' is not in the opcode table")
            return
        }
        if facts.shape.isExpanded {
            checkMacro(instruction, at: index)
            return
        }
        checkUnusedFields(instruction, fields, at: index)
        let isFloat = opcode.type.isFloat
        // Addresses and offsets are integers, whatever is loaded or stored.
        let takesFloats = opcode.sourceType.isFloat && !facts.shape.isAccess
        if !fields.isDisjoint(with: .rd) { checkRegister(instruction.rd, isFloat, at: index) }
        if !fields.isDisjoint(with: .writesRd) { checkWritable(instruction.rd, at: index) }
        if fields.contains(.source) { checkRegister(instruction.rs1, takesFloats, at: index) }
        if fields.contains(.source2) { checkRegister(instruction.rs2, takesFloats, at: index) }
        if fields.contains(.immediate) { checkImmediate(instruction, facts.shape, at: index) }
        if !fields.isDisjoint(with: .index) { checkIndex(instruction, fields, at: index) }
    }

    /// What is named by its place in a list is there.
    @inline(__always)
    private mutating func checkIndex(_ instruction: Instruction, _ fields: OperandFields, at index: Int) {
        let number = Int(instruction.index)
        if fields.contains(.label), number >= code.labels.count {
            report(.labels, at: index, "jumps to a label that is placed nowhere")
        }
        if fields.contains(.table), number >= code.tables.count {
            report(.labels, at: index, "jumps through a table that is not declared")
        }
        if fields.contains(.procedure), number >= code.procedures.count {
            report(.labels, at: index, "calls a procedure that is not there")
        }
        if fields.contains(.symbol), number >= regions.count {
            report(.operands, at: index, "region \(instruction.index) is not declared")
        }
    }

    /// Fields that the opcode does not use are zero: no operand hides, and equal meaning is equal bytes.
    @inline(__always)
    private mutating func checkUnusedFields(
        _ instruction: Instruction, _ fields: OperandFields, at index: Int
    ) {
        let isClean =
            (!fields.isDisjoint(with: .rd) || instruction.rd.number == 0)
            && (fields.contains(.source) || instruction.rs1.number == 0)
            && (fields.contains(.source2) || instruction.rs2.number == 0)
            && (!fields.isDisjoint(with: .index) || instruction.index == 0)
            && (!fields.isDisjoint(with: [.immediate, .symbol]) || instruction.immediate == 0)
        if !isClean {
            report(
                .operands, at: index, "'\(instruction.opcode.mnemonic)' has an operand that it does not take")
        }
    }

    @inline(__always)
    private mutating func checkImmediate(_ instruction: Instruction, _ shape: OperandShape, at index: Int) {
        let value = instruction.immediate
        switch shape {
        case .load, .store, .fetch, .compareExchange:
            if Int32(exactly: value) == nil {
                report(.operands, at: index, "offset \(value) does not fit 32 bits")
            }
        case .binary, .constant, .branch:
            let type = instruction.opcode.type
            if type.immediate(value) != value { reportConstant(value, type, at: index) }
        case .unary, .convert, .jump, .jumpTable, .call, .return, .hostCall, .macro:
            break
        }
    }

    @inline(never)
    private mutating func reportConstant(_ value: Int64, _ type: ValueType, at index: Int) {
        report(.operands, at: index, "constant \(value) does not fit type '\(type.suffix)'")
    }

    /// A register that the acceptor maps, of the kind that the operand is.
    @inline(__always)
    private mutating func checkRegister(_ register: Register, _ isFloat: Bool, at index: Int) {
        checkMapped(register, at: index)
        checkBank(register, isFloat, at: index)
    }

    @inline(__always)
    private mutating func checkBank(_ register: Register, _ isFloat: Bool, at index: Int) {
        if (register.bank == .float) != isFloat { reportBank(register, at: index) }
    }

    @inline(never)
    private mutating func reportBank(_ register: Register, at index: Int) {
        report(
            .operands, at: index,
            register.bank == .integer
                ? "register \(name(register)) holds integers, and this operand is a floating-point number"
                : "register \(name(register)) holds floating-point numbers, and this operand is an integer")
    }

    @inline(__always)
    private mutating func checkMapped(_ register: Register, at index: Int?) {
        if !mapped.contains(register) { reportUnmapped(register, at: index) }
    }

    @inline(never)
    private mutating func reportUnmapped(_ register: Register, at index: Int?) {
        report(
            .registersMapped, at: index,
            "register \(name(register)) is not mapped by acceptor '\(acceptor.name)'")
    }

    @inline(__always)
    private mutating func checkWritable(_ register: Register, at index: Int) {
        if readOnly.contains(register) { reportReadOnly(register, at: index) }
    }

    @inline(never)
    private mutating func reportReadOnly(_ register: Register, at index: Int) {
        report(
            .readOnlyRegisters, at: index,
            "register \(name(register)) is read-only for fragments of acceptor '\(acceptor.name)'",
            "copy it to another register first")
    }

    private func name(_ register: Register) -> String {
        let name = code.name(of: register)
        return name == register.name ? name : "'\(name)' (\(register.name))"
    }

    // MARK: Macro-instructions

    private mutating func checkMacro(_ instruction: Instruction, at index: Int) {
        guard Int(instruction.index) < code.macroCalls.count else {
            report(.macros, at: index, "macro call \(instruction.index) is not there")
            return
        }
        if instruction != Instruction(instruction.opcode, index: instruction.index) {
            report(.operands, at: index, "a macro-instruction has an operand that it does not take")
        }
        let call = code.macroCalls[Int(instruction.index)]
        let isHostCall = instruction.opcode.shape == .hostCall
        guard isHostCall ? checkHostFunction(call.name, at: index) : checkMacroName(call.name, at: index)
        else {
            return
        }
        if case .hostCall = macros[Int(instruction.index)].expansion {
        } else if isHostCall {
            report(.macros, at: index, "one call is both a macro-instruction's and a host function's")
        }
        let kinds = macros[Int(instruction.index)].operands
        guard call.operands.count == kinds.count else {
            report(
                .macros, at: index,
                "'\(call.name)' takes \(kinds.count) operands, not \(call.operands.count)")
            return
        }
        for (operand, kind) in zip(call.operands, kinds) {
            switch (operand, kind) {
            case (.register(let register), .value(let type)):
                checkMapped(register, at: index)
                checkBank(register, type.isFloat, at: index)
            case (.register(let register), .result(let type)):
                checkMapped(register, at: index)
                checkWritable(register, at: index)
                checkBank(register, type.isFloat, at: index)
            case (.immediate, .value(let type)) where type.isFloat:
                report(
                    .macros, at: index, "'\(call.name)' takes a floating-point register here",
                    "put the number in a register with set\(type.suffix)")
            case (.immediate(let value), .value(let type)):
                if type.immediate(value) != value {
                    report(.macros, at: index, "constant \(value) does not fit type '\(type.suffix)'")
                }
            case (.immediate, .result):
                report(
                    .macros, at: index, "'\(call.name)' writes to this operand; a constant cannot be written")
            }
        }
    }

    private mutating func checkMacroName(_ name: String, at index: Int) -> Bool {
        if acceptor.macros.contains(where: { $0.name == name }) { return true }
        let known = Array(Opcode.byMnemonic.keys) + acceptor.macros.map(\.name)
        let near = Spelling.nearest(to: name, in: known).map { "did you mean '\($0)'?" }
        let all = acceptor.macros.map(\.name).joined(separator: ", ")
        report(
            .macros, at: index,
            "'\(name)' is neither an opcode nor a macro-instruction of acceptor '\(acceptor.name)'",
            near ?? "the macro-instructions of '\(acceptor.name)' are: \(all)")
        return false
    }

    /// V13: declared by the program, and offered by the acceptor under the same signature.
    private mutating func checkHostFunction(_ name: String, at index: Int) -> Bool {
        guard let declared = hostFunctions.first(where: { $0.name == name }) else {
            report(
                .hostFunctions, at: index, "host function '\(name)' is not declared",
                "declare it: host \(name)(…)")
            return false
        }
        guard let offered = acceptor.hostFunctions.first(where: { $0.declaration.name == name }) else {
            let all = acceptor.hostFunctions.map(\.declaration.name)
            let near = Spelling.nearest(to: name, in: all).map { "did you mean '\($0)'?" }
            report(
                .hostFunctions, at: index, "acceptor '\(acceptor.name)' has no host function '\(name)'",
                near ?? (all.isEmpty ? "it has none" : "it has: \(all.joined(separator: ", "))"))
            return false
        }
        guard declared == offered.declaration else {
            report(
                .hostFunctions, at: index,
                "host function '\(name)' is declared otherwise than acceptor '\(acceptor.name)' has it",
                "declare it: \(offered.declaration.text)")
            return false
        }
        return true
    }
}
