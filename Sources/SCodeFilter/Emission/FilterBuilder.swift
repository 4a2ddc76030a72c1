import SCode

/// A place in the code that is being made, before it is known where it lies.
struct CodeLabel: Hashable {
    fileprivate let number: Int
}

/// Puts a fragment for the acceptor `filter` together, instruction by instruction.
///
/// *Invariant*: no more instructions are kept than a fragment may have, however many are added.
struct FilterBuilder {
    private var instructions: [Instruction] = []
    private var macroCalls: [MacroCall] = []
    /// Per label: where it was placed, or -1, and its name.
    private var labels: [(position: Int, name: String)] = []

    /// Where the packet lies, how many bytes of it are there, how many there were on the wire.
    static let base = Register(0)
    static let length = Register(1)
    static let wireLength = Register(2)
    /// Registers for values: what else the acceptor maps.
    static let values: [Register] = Array(3...15).map { Register($0) } + Array(24...31).map { Register($0) }

    /// Whether the code has outgrown a fragment.
    var isFull: Bool { instructions.count >= ProgramLimits.instructionsPerFragment }

    // MARK: Labels

    mutating func label(_ name: String = "") -> CodeLabel {
        labels.append((-1, name))
        return CodeLabel(number: labels.count - 1)
    }

    /// Makes the label mean the next instruction.
    mutating func place(_ label: CodeLabel) { labels[label.number].position = instructions.count }

    // MARK: Instructions

    private mutating func append(_ instruction: Instruction) {
        if !isFull { instructions.append(instruction) }
    }

    mutating func set(_ register: Register, _ value: UInt64, _ type: ValueType = .u) {
        append(
            Instruction(Opcode(.set, type, .immediate), rd: register, immediate: Self.immediate(value, type)))
    }

    /// The address of the packet's buffer, which is the program's only region.
    mutating func setPacketBase() {
        append(Instruction(Opcode(.set, .p, .symbol), rd: Self.base, index: 0))
    }

    mutating func unary(_ operation: Operation, _ type: ValueType, _ register: Register, _ source: Register) {
        append(Instruction(Opcode(operation, type), rd: register, rs1: source))
    }

    mutating func binary(
        _ operation: Operation, _ type: ValueType, _ register: Register, _ left: Register, _ right: Register
    ) {
        append(Instruction(Opcode(operation, type), rd: register, rs1: left, rs2: right))
    }

    mutating func binary(
        _ operation: Operation, _ type: ValueType, _ register: Register, _ left: Register, _ right: UInt64
    ) {
        append(
            Instruction(
                Opcode(operation, type, .immediate), rd: register, rs1: left,
                immediate: Self.immediate(right, type)))
    }

    /// A number in network byte order at an address and a constant offset below 2^31.
    mutating func load(_ size: ClassicSize, _ register: Register, _ address: Register, _ offset: UInt64) {
        let type: ValueType =
            switch size {
            case .word: .u
            case .half: .us
            case .byte: .uc
            }
        append(
            Instruction(
                Opcode(.load, type, .immediate), rd: register, rs1: address,
                immediate: Int64(truncatingIfNeeded: offset)))
        if size != .byte { unary(.byteSwap, type, register, register) }
    }

    mutating func branch(
        _ operation: Operation, _ type: ValueType, _ left: Register, _ right: UInt64, _ label: CodeLabel
    ) {
        append(
            Instruction(
                Opcode(operation, type, .immediate), rs1: left, index: UInt32(label.number),
                immediate: Self.immediate(right, type)))
    }

    mutating func branch(
        _ operation: Operation, _ type: ValueType, _ left: Register, _ right: Register, _ label: CodeLabel
    ) {
        append(Instruction(Opcode(operation, type), rs1: left, rs2: right, index: UInt32(label.number)))
    }

    mutating func jump(_ label: CodeLabel) {
        append(Instruction(Opcode(.jump), index: UInt32(label.number)))
    }

    mutating func jump(through register: Register, to targets: [CodeLabel]) {
        append(Instruction(Opcode(.jumpTable), rs1: register, index: UInt32(tables.count)))
        tables.append(targets)
    }
    private var tables: [[CodeLabel]] = []

    mutating func accept(_ value: UInt64) { leave("f_accept", [.immediate(Int64(bitPattern: value))]) }
    mutating func accept(_ value: Register) { leave("f_accept", [.register(value)]) }
    mutating func refuse() { leave("f_refuse", []) }

    private mutating func leave(_ name: String, _ operands: [MacroOperand]) {
        guard !isFull else { return }
        append(Instruction(Opcode(.macro), index: UInt32(macroCalls.count)))
        macroCalls.append(MacroCall(name: name, operands: operands))
    }

    private static func immediate(_ value: UInt64, _ type: ValueType) -> Int64 {
        type.immediate(Int64(bitPattern: value))
    }

    // MARK: The program

    /// The program: one fragment, and the buffer that packets are put into.
    ///
    /// *Requires* that every label was placed. Labels are listed by position, as in text.
    /// - Throws: when the code has outgrown a fragment.
    func program(called name: String) throws(FilterFailure) -> Program {
        guard !isFull else { throw .tooLarge(limit: ProgramLimits.instructionsPerFragment) }
        let order = labels.indices.sorted { (labels[$0].position, $0) < (labels[$1].position, $1) }
        var numbers = [UInt32](repeating: 0, count: labels.count)
        for (place, label) in order.enumerated() { numbers[label] = UInt32(place) }
        var code = FragmentCode(
            name: name,
            parameters: [
                Parameter(name: "base", register: Self.base, type: .p),
                Parameter(name: "length", register: Self.length, type: .ul),
                Parameter(name: "wire", register: Self.wireLength, type: .u),
            ])
        code.instructions = instructions.map {
            var instruction = $0
            if [.branch, .jump].contains($0.opcode.shape) { instruction.index = numbers[Int($0.index)] }
            return instruction
        }
        code.labels = order.map { Label(name: labels[$0].name, position: UInt32(labels[$0].position)) }
        code.tables = tables.enumerated().map { number, targets in
            JumpTable(name: "cases_\(number)", labels: targets.map { numbers[$0.number] })
        }
        code.macroCalls = macroCalls
        return Program(
            acceptorName: "filter", acceptorVersion: 2,
            regions: [
                Region(name: "packet", policy: .physical, isWritable: false, size: UInt64(PacketLimits.bytes))
            ], fragments: [code])
    }
}

/// Limits of packets.
public enum PacketLimits {
    /// Bytes of one packet, as captured: what libpcap takes for the longest, MAXIMUM_SNAPLEN.
    public static let bytes = 262_144
}

/// Why filters make no fragment.
public enum FilterFailure: Error, Hashable, Sendable, CustomStringConvertible {
    /// The code has more instructions than a fragment may have.
    case tooLarge(limit: Int)
    /// A set has this many filters at most.
    case tooManyFilters(limit: Int)
    /// Another filter of the set has this number.
    case numberTaken(UInt64)

    public var description: String {
        switch self {
        case .tooLarge(let limit):
            "the filters need more than the \(limit) instructions that a fragment may have"
        case .tooManyFilters(let limit): "more than \(limit) filters"
        case .numberTaken(let number): "there is a filter of number \(number) already"
        }
    }
}
