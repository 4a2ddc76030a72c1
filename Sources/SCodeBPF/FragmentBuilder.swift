import SCodeIR

/// A fragment in the making: instructions, and labels that are placed when their place is known.
struct FragmentBuilder {
    private(set) var code: FragmentCode
    /// Positions of labels by number; nil while a label is not placed.
    private var positions: [UInt32?] = []
    /// The position in the source that instructions from here on have.
    var position = SourceRange.none

    init(name: String) { code = FragmentCode(name: name) }

    var count: Int { code.instructions.count }

    mutating func setHeading(_ range: SourceRange) { code.range = range }

    mutating func setParameters(_ parameters: [Parameter]) {
        code.parameters = parameters
        for parameter in parameters where parameter.name != parameter.register.name {
            code.registerNames[Int(parameter.register.number)] = parameter.name
        }
    }

    mutating func beginProcedure(_ name: String) {
        code.procedures.append(Procedure(name: name, start: UInt32(truncatingIfNeeded: count)))
    }

    mutating func emit(_ instruction: Instruction) {
        code.instructions.append(instruction)
        code.sourceRanges.append(position)
    }

    mutating func emit(
        _ operation: Operation, _ type: ValueType, _ rd: Register, _ rs1: Register, _ rs2: Register
    ) {
        emit(Instruction(Opcode(operation, type), rd: rd, rs1: rs1, rs2: rs2))
    }

    mutating func emit(
        _ operation: Operation, _ type: ValueType, _ rd: Register, _ rs1: Register, constant: Int64
    ) {
        emit(
            Instruction(
                Opcode(operation, type, .immediate), rd: rd, rs1: rs1, immediate: type.immediate(constant)))
    }

    mutating func emit(_ opcode: Opcode, _ rd: Register, _ rs1: Register) {
        emit(Instruction(opcode, rd: rd, rs1: rs1))
    }

    mutating func set(_ rd: Register, _ type: ValueType = .ul, to constant: Int64) {
        emit(Instruction(Opcode(.set, type, .immediate), rd: rd, immediate: type.immediate(constant)))
    }

    /// rd := the address of a byte of a region
    mutating func set(_ rd: Register, toRegion region: Int, offset: Int64) {
        emit(
            Instruction(
                Opcode(.set, .p, .symbol), rd: rd, index: UInt32(truncatingIfNeeded: region),
                immediate: offset))
    }

    mutating func access(
        _ operation: Operation, _ type: ValueType, _ rd: Register, at base: Register, offset: Int64
    ) {
        emit(Instruction(Opcode(operation, type, .immediate), rd: rd, rs1: base, immediate: offset))
    }

    mutating func call(_ operation: Operation, _ name: String, _ operands: [MacroOperand]) {
        emit(Instruction(Opcode(operation), index: UInt32(truncatingIfNeeded: code.macroCalls.count)))
        code.macroCalls.append(MacroCall(name: name, operands: operands))
    }

    // MARK: Labels

    mutating func label() -> UInt32 {
        positions.append(nil)
        return UInt32(truncatingIfNeeded: positions.count - 1)
    }

    mutating func place(_ label: UInt32) {
        positions[Int(label)] = UInt32(truncatingIfNeeded: count)
    }

    mutating func jump(to label: UInt32) { emit(Instruction(Opcode(.jump), index: label)) }

    mutating func branch(
        _ operation: Operation, _ type: ValueType, _ left: Register, constant: Int64, to label: UInt32
    ) {
        emit(
            Instruction(
                Opcode(operation, type, .immediate), rs1: left, index: label,
                immediate: type.immediate(constant)))
    }

    mutating func branch(
        _ operation: Operation, _ type: ValueType, _ left: Register, _ right: Register, to label: UInt32
    ) {
        emit(Instruction(Opcode(operation, type), rs1: left, rs2: right, index: label))
    }

    /// Goes on nowhere: a table with one entry, asked for another.
    mutating func trap(_ scratch: Register) {
        let here = label()
        place(here)
        set(scratch, to: -1)
        emit(
            Instruction(
                Opcode(.jumpTable), rs1: scratch, index: UInt32(truncatingIfNeeded: code.tables.count)))
        code.tables.append(JumpTable(name: "none_\(code.tables.count)", labels: [here]))
    }

    /// The fragment, its labels in the order of their positions, as the text form lists them.
    func finished(hasPositions: Bool) -> FragmentCode {
        var code = code
        if !hasPositions { code.sourceRanges = [] }
        let order = positions.indices.sorted { (positions[$0] ?? 0, $0) < (positions[$1] ?? 0, $1) }
        var numbers = [UInt32](repeating: 0, count: positions.count)
        let taken = Set(code.procedures.map(\.name))
        var next = 0
        for (number, label) in order.enumerated() {
            while taken.contains("L\(next)") { next += 1 }
            code.labels.append(Label(name: "L\(next)", position: positions[label] ?? 0))
            numbers[label] = UInt32(truncatingIfNeeded: number)
            next += 1
        }
        for index in code.instructions.indices where code.instructions[index].opcode.fields.contains(.label) {
            code.instructions[index].index = numbers[Int(code.instructions[index].index)]
        }
        for table in code.tables.indices {
            code.tables[table].labels = code.tables[table].labels.map { numbers[Int($0)] }
        }
        return code
    }
}
