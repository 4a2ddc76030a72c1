import SCodeIR

/// Puts the acceptor's own code into a fragment: templates for macro-instructions, and guards before jumps, loads and
/// stores. What comes out is SCODE like any other, so verifier, interpreter and compiler know nothing about it.
///
/// *Requires* the structural rules. *Produces* a fragment that keeps them, but for the registers that it names: the
/// acceptor's scratch registers are its own.
struct Expansion {
    private(set) var code: FragmentCode
    private(set) var macros: [MacroInstruction]
    /// Per instruction: the provider's instruction that it serves.
    private(set) var origin: [UInt32] = []
    private(set) var diagnostics: [Diagnostic] = []

    private let provider: FragmentCode
    private let acceptor: Acceptor
    /// The acceptor's regions come after the program's.
    private let firstRegion: UInt32
    /// Scratch registers that the instruction at hand has not used yet.
    private var free: RegisterSet = []

    /// Whether the acceptor adds code at all.
    static func isNeeded(_ macros: [MacroInstruction], _ acceptor: Acceptor) -> Bool {
        acceptor.guards.hasTemplates
            || macros.contains { if case .template = $0.expansion { true } else { false } }
    }

    init(_ code: FragmentCode, _ macros: [MacroInstruction], _ acceptor: Acceptor, programRegions: Int) {
        provider = code
        self.macros = macros
        self.acceptor = acceptor
        firstRegion = UInt32(truncatingIfNeeded: programRegions)
        self.code = code
        self.code.instructions = []
        self.code.sourceRanges = []
    }

    mutating func run() {
        var start: [UInt32] = []
        start.reserveCapacity(provider.instructions.count)
        for (index, instruction) in provider.instructions.enumerated() where diagnostics.isEmpty {
            start.append(UInt32(truncatingIfNeeded: code.instructions.count))
            free = acceptor.scratch
            if let guardCode = acceptor.guards.jump,
                provider.isBackward(instruction, at: index, instruction.opcode.shape)
            {
                expand(guardCode, [], [], index)
            }
            expand(instruction, index)
            checkSize(index)
        }
        guard diagnostics.isEmpty else { return }
        for label in provider.labels.indices {
            code.labels[label].position = start[Int(provider.labels[label].position)]
        }
        for procedure in provider.procedures.indices {
            code.procedures[procedure].start = start[Int(provider.procedures[procedure].start)]
        }
    }

    private mutating func expand(_ instruction: Instruction, _ index: Int) {
        if instruction.opcode.shape.isAccess,
            let template = instruction.opcode.isStore ? acceptor.guards.store : acceptor.guards.load
        {
            return expandAccess(instruction, template, index)
        }
        if instruction.opcode.operation == .macro,
            case .template(let template) = macros[Int(instruction.index)].expansion
        {
            let call = provider.macroCalls[Int(instruction.index)]
            return expand(template, call.operands, macros[Int(instruction.index)].operands, index)
        }
        append(instruction, index)
    }

    /// The address in a register of the acceptor's, the guard, then the access there.
    private mutating func expandAccess(_ instruction: Instruction, _ template: CodeTemplate, _ index: Int) {
        guard let address = takeRegister(.integer, index) else { return }
        append(
            Instruction(
                Opcode(.add, .p, instruction.opcode.form), rd: address, rs1: instruction.rs1,
                rs2: instruction.opcode.form == .register ? instruction.rs2 : Register(0),
                immediate: instruction.immediate), index)
        let size = Int64(instruction.opcode.type.size)
        let operands: [MacroOperand] = [.register(address), .immediate(size)]
        let kinds: [MacroOperandKind] = [.result(.p), .value(.ul)]
        let count = min(template.code.parameters.count, operands.count)
        expand(template, Array(operands.prefix(count)), Array(kinds.prefix(count)), index)
        var access = instruction
        access.rs1 = address
        if instruction.opcode.form == .register {
            access.opcode.form = .immediate
            access.rs2 = Register(0)
        }
        access.immediate = 0
        append(access, index)
    }

    // MARK: Templates

    private mutating func expand(
        _ template: CodeTemplate, _ operands: [MacroOperand], _ kinds: [MacroOperandKind], _ index: Int
    ) {
        guard template.code.parameters.count == operands.count else {
            return report(
                index,
                "takes \(template.code.parameters.count) operands in its template, not \(operands.count)")
        }
        var registers: [UInt8: Register] = [:]
        let results = zip(operands, kinds).compactMap { operand, kind -> Register? in
            if case .register(let register) = operand, case .result = kind { register } else { nil }
        }
        for (parameter, (operand, kind)) in zip(template.code.parameters, zip(operands, kinds)) {
            let isWritten = template.written.contains(parameter.register)
            guard let register = place(operand, kind, isWritten: isWritten, results, index) else { return }
            registers[parameter.register.number] = register
        }
        let labels = UInt32(truncatingIfNeeded: code.labels.count)
        let start = UInt32(truncatingIfNeeded: code.instructions.count)
        for label in template.code.labels {
            code.labels.append(
                Label(name: "\(label.name)__\(code.labels.count)", position: start + label.position))
        }
        for instruction in template.code.instructions {
            guard let copy = adapted(instruction, template, labels, &registers, index) else { return }
            append(copy, index)
        }
    }

    /// The register in which the template finds an operand, or leaves it. A value is copied where the template would
    /// change it, or read it after a result has been written to the same register, or where its type cuts it.
    private mutating func place(
        _ operand: MacroOperand, _ kind: MacroOperandKind, isWritten: Bool, _ results: [Register],
        _ index: Int
    ) -> Register? {
        switch (operand, kind) {
        case (.register(let register), .result): return register
        case (.register(let register), .value(let type)):
            if type.size == 8, !isWritten, !results.contains(register) { return register }
            guard let copy = takeRegister(register.bank, index) else { return nil }
            let opcode =
                type.size < 4 ? Opcode(.convert, type, from: .ul) : Opcode(.mov, type == .i ? .u : type)
            append(Instruction(opcode, rd: copy, rs1: register), index)
            return copy
        case (.immediate(let value), .value(let type)), (.immediate(let value), .result(let type)):
            guard let copy = takeRegister(.integer, index) else { return nil }
            append(
                Instruction(Opcode(.set, type, .immediate), rd: copy, immediate: type.immediate(value)), index
            )
            return copy
        }
    }

    private mutating func adapted(
        _ instruction: Instruction, _ template: CodeTemplate, _ labels: UInt32,
        _ registers: inout [UInt8: Register],
        _ index: Int
    ) -> Instruction? {
        var copy = instruction
        for operand in instruction.opcode.operands {
            switch operand {
            case .destination, .value, .exchanged:
                guard let register = mapped(instruction.rd, &registers, index) else { return nil }
                copy.rd = register
            case .source:
                guard let register = mapped(instruction.rs1, &registers, index) else { return nil }
                copy.rs1 = register
            case .source2:
                guard let register = mapped(instruction.rs2, &registers, index) else { return nil }
                copy.rs2 = register
            case .label: copy.index += labels
            case .symbol:
                guard let region = region(Int(instruction.index), template, index) else { return nil }
                copy.index = region
            case .immediate, .table, .procedure: break
            }
        }
        if instruction.opcode.operation == .macro {
            return exit(template.code.macroCalls[Int(instruction.index)], &registers, index)
        }
        return copy
    }

    private mutating func exit(
        _ call: MacroCall, _ registers: inout [UInt8: Register], _ index: Int
    ) -> Instruction? {
        var call = call
        for operand in call.operands.indices {
            guard case .register(let register) = call.operands[operand] else { continue }
            guard let mapped = mapped(register, &registers, index) else { return nil }
            call.operands[operand] = .register(mapped)
        }
        guard let macro = CodeTemplate.exits.first(where: { $0.name == call.name }) else { return nil }
        code.macroCalls.append(call)
        macros.append(macro)
        return Instruction(Opcode(.macro), index: UInt32(truncatingIfNeeded: code.macroCalls.count - 1))
    }

    /// A template's register that is no operand is a temporary.
    private mutating func mapped(
        _ register: Register, _ registers: inout [UInt8: Register], _ index: Int
    ) -> Register? {
        if let known = registers[register.number] { return known }
        let temporary = takeRegister(register.bank, index)
        registers[register.number] = temporary
        return temporary
    }

    private mutating func region(_ number: Int, _ template: CodeTemplate, _ index: Int) -> UInt32? {
        let name = template.regions[number].name
        guard let place = acceptor.regions.firstIndex(where: { $0.name == name }) else {
            report(index, "names region '\(name)', which acceptor '\(acceptor.name)' does not have")
            return nil
        }
        return firstRegion + UInt32(truncatingIfNeeded: place)
    }

    private mutating func takeRegister(_ bank: RegisterBank, _ index: Int) -> Register? {
        let choices = free.intersection(bank == .integer ? .integers : .floats)
        guard choices != [] else {
            report(index, "needs more scratch registers than acceptor '\(acceptor.name)' sets aside")
            return nil
        }
        let register = Register(choices.rawValue.trailingZeroBitCount)
        free.remove(register)
        return register
    }

    // MARK: Output

    private mutating func append(_ instruction: Instruction, _ index: Int) {
        code.instructions.append(instruction)
        origin.append(UInt32(truncatingIfNeeded: index))
        if !provider.sourceRanges.isEmpty { code.sourceRanges.append(provider.sourceRange(at: index)) }
    }

    private mutating func checkSize(_ index: Int) {
        if code.instructions.count > ProgramLimits.instructionsPerFragment {
            diagnostics.append(
                Diagnostic(
                    .error, provider.sourceRange(at: index),
                    "with the acceptor's own code the fragment has more than \(ProgramLimits.instructionsPerFragment) instructions",
                    rule: .limits))
        }
    }

    private mutating func report(_ index: Int, _ problem: String) {
        let instruction = provider.instructions[index]
        let name =
            instruction.opcode.operation == .macro
            ? provider.macroCalls[Int(instruction.index)].name : instruction.opcode.mnemonic
        diagnostics.append(
            Diagnostic(
                .error, provider.sourceRange(at: index), "the acceptor's code for '\(name)' \(problem)",
                rule: .macros))
    }
}
