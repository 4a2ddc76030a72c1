import SCode

/// Puts a fragment for the acceptor `filter` together: a `FragmentBuilder` with the words of filters, whose constants have no
/// sign.
struct FilterBuilder {
    typealias Place = FragmentBuilder.Place

    private var builder = FragmentBuilder(name: "")

    /// Where the packet lies, how many bytes of it are there, how many there were on the wire.
    static let base = Register(0)
    static let length = Register(1)
    static let wireLength = Register(2)
    /// Registers for values: what else the acceptor maps.
    static let values: [Register] = Array(3...15).map { Register($0) } + Array(24...31).map { Register($0) }

    /// Whether the code has outgrown a fragment.
    var isFull: Bool { builder.isTooLong }

    mutating func label(_ name: String = "") -> Place { builder.label(name) }

    /// Makes the label mean the next instruction.
    mutating func place(_ label: Place) { builder.place(label) }

    // MARK: Instructions

    mutating func set(_ register: Register, _ value: UInt64, _ type: ValueType = .u) {
        builder.set(register, type, to: Int64(bitPattern: value))
    }

    /// The address of the packet's buffer, which is the program's only region.
    mutating func setPacketBase() { builder.set(Self.base, toRegion: 0, offset: 0) }

    mutating func unary(_ operation: Operation, _ type: ValueType, _ register: Register, _ source: Register) {
        builder.emit(Opcode(operation, type), register, source)
    }

    mutating func binary(
        _ operation: Operation, _ type: ValueType, _ register: Register, _ left: Register, _ right: Register
    ) {
        builder.emit(operation, type, register, left, right)
    }

    mutating func binary(
        _ operation: Operation, _ type: ValueType, _ register: Register, _ left: Register, _ right: UInt64
    ) {
        builder.emit(operation, type, register, left, constant: Int64(bitPattern: right))
    }

    /// A number in network byte order at an address and a constant offset below 2^31.
    mutating func load(_ size: ClassicSize, _ register: Register, _ address: Register, _ offset: UInt64) {
        let type: ValueType =
            switch size {
            case .word: .u
            case .half: .us
            case .byte: .uc
            }
        builder.access(.load, type, register, at: address, offset: Int64(truncatingIfNeeded: offset))
        if size != .byte { unary(.byteSwap, type, register, register) }
    }

    mutating func branch(
        _ operation: Operation, _ type: ValueType, _ left: Register, _ right: UInt64, _ label: Place
    ) {
        builder.branch(operation, type, left, constant: Int64(bitPattern: right), to: label)
    }

    mutating func branch(
        _ operation: Operation, _ type: ValueType, _ left: Register, _ right: Register, _ label: Place
    ) {
        builder.branch(operation, type, left, right, to: label)
    }

    mutating func jump(_ label: Place) { builder.jump(to: label) }

    mutating func jump(through register: Register, to targets: [Place]) {
        builder.jump(through: register, to: targets, table: "cases")
    }

    mutating func accept(_ value: UInt64) {
        builder.call(.macro, "f_accept", [.immediate(Int64(bitPattern: value))])
    }
    mutating func accept(_ value: Register) { builder.call(.macro, "f_accept", [.register(value)]) }
    mutating func refuse() { builder.call(.macro, "f_refuse", []) }

    // MARK: The program

    /// The program: one fragment, and the buffer that packets are put into.
    ///
    /// *Requires* that every label was placed. Labels are listed by position, as in text.
    /// - Throws: when the code has outgrown a fragment.
    func program(called name: String) throws(FilterFailure) -> Program {
        guard !isFull else { throw .tooLarge(limit: ProgramLimits.instructionsPerFragment) }
        var code = builder.finished()
        code.name = name
        code.parameters = [
            Parameter(name: "base", register: Self.base, type: .p),
            Parameter(name: "length", register: Self.length, type: .ul),
            Parameter(name: "wire", register: Self.wireLength, type: .u),
        ]
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
