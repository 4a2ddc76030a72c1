/// A fragment in the making: instructions, and labels that are placed when their place is known. For those who translate
/// to SCODE.
///
/// *Invariant*: of more instructions than a fragment may have only the first that is too many is kept: see `isTooLong`.
public struct FragmentBuilder: Sendable {
    /// A place in the code, before it is known where it lies.
    public struct Place: Hashable, Sendable {
        fileprivate let number: UInt32
    }

    public private(set) var code: FragmentCode
    /// Per place: its position, nil while it has none, and its name.
    private var places: [(position: UInt32?, name: String)] = []
    /// The position in the source that instructions from here on have.
    public var position = SourceRange.none

    public init(name: String) { code = FragmentCode(name: name) }

    public var count: Int { code.instructions.count }

    public mutating func setHeading(_ range: SourceRange) { code.range = range }

    public mutating func setParameters(_ parameters: [Parameter]) {
        code.parameters = parameters
        for parameter in parameters where parameter.name != parameter.register.name {
            code.registerNames[Int(parameter.register.number)] = parameter.name
        }
    }

    public mutating func beginProcedure(_ name: String) {
        code.procedures.append(Procedure(name: name, start: UInt32(truncatingIfNeeded: count)))
    }

    /// Whether there are more instructions than a fragment may have.
    public var isTooLong: Bool { count > ProgramLimits.instructionsPerFragment }

    /// Adds an instruction, unless there are too many. An index of a label in it is a `Place`'s.
    public mutating func emit(_ instruction: Instruction) {
        guard !isTooLong else { return }
        code.instructions.append(instruction)
        code.sourceRanges.append(position)
    }

    public mutating func emit(
        _ operation: Operation, _ type: ValueType, _ rd: Register, _ rs1: Register, _ rs2: Register
    ) {
        emit(Instruction(Opcode(operation, type), rd: rd, rs1: rs1, rs2: rs2))
    }

    public mutating func emit(
        _ operation: Operation, _ type: ValueType, _ rd: Register, _ rs1: Register, constant: Int64
    ) {
        emit(
            Instruction(
                Opcode(operation, type, .immediate), rd: rd, rs1: rs1, immediate: type.immediate(constant)))
    }

    public mutating func emit(_ opcode: Opcode, _ rd: Register, _ rs1: Register) {
        emit(Instruction(opcode, rd: rd, rs1: rs1))
    }

    public mutating func set(_ rd: Register, _ type: ValueType = .ul, to constant: Int64) {
        emit(Instruction(Opcode(.set, type, .immediate), rd: rd, immediate: type.immediate(constant)))
    }

    /// rd := the address of a byte of a region
    public mutating func set(_ rd: Register, toRegion region: Int, offset: Int64) {
        emit(
            Instruction(
                Opcode(.set, .p, .symbol), rd: rd, index: UInt32(truncatingIfNeeded: region),
                immediate: offset))
    }

    public mutating func access(
        _ operation: Operation, _ type: ValueType, _ rd: Register, at base: Register, offset: Int64
    ) {
        emit(Instruction(Opcode(operation, type, .immediate), rd: rd, rs1: base, immediate: offset))
    }

    public mutating func call(_ operation: Operation, _ name: String, _ operands: [MacroOperand]) {
        guard !isTooLong else { return }
        emit(Instruction(Opcode(operation), index: UInt32(truncatingIfNeeded: code.macroCalls.count)))
        code.macroCalls.append(MacroCall(name: name, operands: operands))
    }

    // MARK: Labels

    /// A label, to be placed later.
    /// - Parameter name: for people; an empty one is made up by `finished`, or by whoever prints the code.
    public mutating func label(_ name: String = "") -> Place {
        places.append((nil, name))
        return Place(number: UInt32(truncatingIfNeeded: places.count - 1))
    }

    /// Makes the label mean the next instruction.
    public mutating func place(_ label: Place) {
        places[Int(label.number)].position = UInt32(truncatingIfNeeded: count)
    }

    public mutating func jump(to label: Place) { emit(Instruction(Opcode(.jump), index: label.number)) }

    public mutating func branch(
        _ operation: Operation, _ type: ValueType, _ left: Register, constant: Int64, to label: Place
    ) {
        emit(
            Instruction(
                Opcode(operation, type, .immediate), rs1: left, index: label.number,
                immediate: type.immediate(constant)))
    }

    public mutating func branch(
        _ operation: Operation, _ type: ValueType, _ left: Register, _ right: Register, to label: Place
    ) {
        emit(Instruction(Opcode(operation, type), rs1: left, rs2: right, index: label.number))
    }

    /// Goes on nowhere: a table with one entry, asked for another.
    public mutating func trap(_ scratch: Register) {
        let here = label()
        place(here)
        set(scratch, to: -1)
        jump(through: scratch, to: [here], table: "none")
    }

    /// goto targets[rs]
    /// - Parameter name: of the table, with its number behind it.
    public mutating func jump(through register: Register, to targets: [Place], table name: String) {
        let number = code.tables.count
        emit(Instruction(Opcode(.jumpTable), rs1: register, index: UInt32(truncatingIfNeeded: number)))
        code.tables.append(JumpTable(name: "\(name)_\(number)", labels: targets.map(\.number)))
    }

    /// The fragment, its labels in the order of their positions, as the text form lists them.
    /// - Parameters:
    ///   - hasPositions: whether instructions say where they stand in a source.
    ///   - namesLabels: whether labels without names get some.
    public func finished(hasPositions: Bool = false, namesLabels: Bool = false) -> FragmentCode {
        var code = code
        if !hasPositions { code.sourceRanges = [] }
        let order = places.indices.sorted { (places[$0].position ?? 0, $0) < (places[$1].position ?? 0, $1) }
        var numbers = [UInt32](repeating: 0, count: places.count)
        let taken = Set(code.procedures.map(\.name)).union(places.map(\.name))
        var next = 0
        for (number, place) in order.enumerated() {
            var name = places[place].name
            if name.isEmpty, namesLabels {
                while taken.contains("L\(next)") { next += 1 }
                name = "L\(next)"
                next += 1
            }
            code.labels.append(Label(name: name, position: places[place].position ?? 0))
            numbers[place] = UInt32(truncatingIfNeeded: number)
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
