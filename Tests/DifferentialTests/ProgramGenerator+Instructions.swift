import SCode
import SCodeTestSupport

extension ProgramGenerator {
    mutating func appendRandom() {
        switch Int.random(in: 0..<100, using: &random) {
        case 0..<8: appendAccess(Self.accesses.randomElement(using: &random) ?? Opcode(.load))
        case 8..<13:
            appendMacro(
                ["s_sub", "h_mix", "h_void", "h_many", "h_half"].randomElement(using: &random) ?? "s_sub")
        case 13..<16: appendHostCall()
        case 16..<18:
            append(
                Instruction(Opcode(.set, .p, .symbol), rd: register(), index: region(), immediate: offset()))
        case 18..<22: appendCall()
        case 22..<24: appendKeptAcrossCall()
        case 24..<28: appendSafe()
        case 28..<50: appendOpcode(Self.floats.randomElement(using: &random) ?? Opcode(.add, .d))
        default: appendOpcode(Self.others.randomElement(using: &random) ?? Opcode(.add))
        }
    }

    static let accesses = Opcode.all.filter(\.shape.isAccess)
    /// What works on floating-point numbers, or makes or takes them.
    static let floats = Opcode.all.filter {
        !$0.shape.isAccess && ($0.type.isFloat || $0.sourceType.isFloat)
    }
    /// Everything that stands for itself.
    static let others = Opcode.all.filter {
        $0.operation != .call && $0.operation != .return && $0.operation != .hostCall && !$0.shape.isAccess
    }

    mutating func appendOpcode(_ opcode: Opcode) {
        var instruction = Instruction(opcode)
        for operand in opcode.operands {
            switch operand {
            case .destination, .value, .exchanged: instruction.rd = register(opcode.type)
            case .source: instruction.rs1 = register(opcode.sourceType)
            case .source2: instruction.rs2 = register(opcode.sourceType)
            case .immediate: instruction.immediate = constant(opcode.type)
            case .symbol:
                instruction.index = region()
                instruction.immediate = offset()
            case .label: instruction.index = label()
            case .table:
                if tables.isEmpty { return }
                instruction.index = UInt32(Int.random(in: tables, using: &random))
            case .procedure: return
            }
        }
        if opcode.operation == .jumpTable, random.oneIn(2) {
            append(mask(instruction.rs1, 3))
        }
        append(instruction)
    }

    private func mask(_ register: Register, _ bits: Int64) -> Instruction {
        Instruction(Opcode(.and, .ul, .immediate), rd: register, rs1: register, immediate: bits)
    }

    // MARK: Memory

    /// An access whose address has a chance of being good: a wild one ends the program too early.
    mutating func appendAccess(_ opcode: Opcode) {
        let isWild = random.oneIn(20)
        let isAligned = opcode.isAtomic && !random.oneIn(8)
        var base = register()
        let start = code.instructions.count
        var place = offset()
        if isAligned { place &= ~7 }
        let region = region()
        let isPointer = random.oneIn(2)
        if isWild {
            base = register()
        } else if isPointer {
            append(Instruction(Opcode(.set, .p, .symbol), rd: base, index: region, immediate: place))
        } else {
            let pages: [Int64] = [
                0, 0x1000, 0x2000, 0x3000, 0x4000, 0x40_0000, 0x3f_f000, 0xffff_f000, 0x1_0000_0000,
            ]
            let address = (pages.randomElement(using: &random) ?? 0) &+ place
            append(Instruction(Opcode(.set, .ul, .immediate), rd: base, immediate: address))
        }
        var instruction = Instruction(opcode, rd: register(opcode.type), rs1: base)
        if opcode.form == .immediate {
            let distances: [Int64] = isAligned ? [0, 8, -8, 16] : [0, 1, 4, 8, -8, -1, 16]
            instruction.immediate = distances.randomElement(using: &random) ?? 0
            if opcode.operation == .compareExchange { instruction.rs2 = register() }
            if isAligned, isPointer, !isWild { noteSafe(from: start) }
        } else {
            instruction.rs2 = register()
            append(mask(instruction.rs2, isAligned ? 8 : 15))
        }
        append(instruction)
    }

    // MARK: Calls

    mutating func appendMacro(_ name: String) {
        guard let macro = acceptor.macro(named: name) else { return }
        var operands: [MacroOperand] = []
        for kind in macro.operands {
            switch kind {
            case .result(let type): operands.append(.register(register(type)))
            case .value where name == "s_sub" && !random.oneIn(8):
                operands.append(.immediate(Int64.random(in: 0...4, using: &random)))
            case .value(let type):
                operands.append(
                    type.isFloat || random.oneIn(2) ? .register(register(type)) : .immediate(constant(type)))
            }
        }
        append(Instruction(Opcode(.macro), index: UInt32(code.macroCalls.count)))
        code.macroCalls.append(MacroCall(name: name, operands: operands))
    }

    mutating func appendHostCall() {
        guard let declaration = acceptor.hostFunctions.randomElement(using: &random)?.declaration else {
            return
        }
        var operands: [MacroOperand] = []
        if let result = declaration.result { operands.append(.register(register(result))) }
        for type in declaration.parameters {
            operands.append(
                type.isFloat || random.oneIn(2) ? .register(register(type)) : .immediate(constant(type)))
        }
        append(Instruction(Opcode(.hostCall), index: UInt32(code.macroCalls.count)))
        code.macroCalls.append(MacroCall(name: declaration.name, operands: operands))
    }

    mutating func appendCall() {
        if callees.isEmpty { return }
        append(Instruction(Opcode(.call), index: UInt32(Int.random(in: callees, using: &random))))
    }

    /// A register that only this caller has written keeps its value across a call: of a procedure, of a
    /// sub-fragment or of the host.
    mutating func appendKeptAcrossCall() {
        guard let kept = late.randomElement(using: &random) else { return }
        let type: ValueType = kept.bank == .integer ? .ul : random.oneIn(2) ? .f : .d
        append(Instruction(Opcode(.set, type, .immediate), rd: kept, immediate: constant(type)))
        switch Int.random(in: 0..<6, using: &random) {
        case 0: appendMacro("s_sub")
        case 1: appendHostCall()
        default: appendCall()
        }
        let other = register(type)
        if type == .ul {
            append(Instruction(Opcode(.xor, .ul), rd: other, rs1: other, rs2: kept))
        } else {
            append(Instruction(Opcode(.mov, type), rd: other, rs1: kept))
        }
    }

    // MARK: What is known to be safe

    /// A division, table jump or access that cannot abort, if control comes by way of what stands before it.
    mutating func appendSafe() {
        let start = code.instructions.count
        switch Int.random(in: 0..<3, using: &random) {
        case 0:
            let divisor = register()
            append(Instruction(Opcode(.or, .ul, .immediate), rd: divisor, rs1: divisor, immediate: 1))
            let type = ValueType.integers.randomElement(using: &random) ?? .ul
            noteSafe(from: start)
            append(
                Instruction(
                    Opcode(random.oneIn(2) ? .div : .mod, type), rd: register(), rs1: register(), rs2: divisor
                ))
        case 1:
            guard let table = tables.randomElement(using: &random) else { return }
            let count = code.tables[table].labels.count
            let index = register()
            append(mask(index, count >= 4 ? 3 : count >= 2 ? 1 : 0))
            noteSafe(from: start)
            append(Instruction(Opcode(.jumpTable), rs1: index, index: UInt32(table)))
        default:
            // In the first region, 64 bytes that may be written.
            let base = register()
            let index = register()
            if base == index { return }
            append(Instruction(Opcode(.set, .p, .symbol), rd: base, index: 0, immediate: 8))
            append(mask(index, 0x28))
            facts.append(ForcedFact(start: start, instruction: start + 2, kind: .inside(region: 0)))
            noteSafe(from: start)
            let registerForms = Self.accesses.filter { $0.form == .register }
            let opcode = registerForms.randomElement(using: &random) ?? Opcode(.load)
            append(Instruction(opcode, rd: register(opcode.type), rs1: base, rs2: index))
        }
    }

    /// The next instruction is safe when control comes by way of `start`.
    private mutating func noteSafe(from start: Int) {
        facts.append(ForcedFact(start: start, instruction: code.instructions.count, kind: .safe))
    }
}
