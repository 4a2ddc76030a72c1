/// Why bytes are not a module. Each says where, in bytes from the start.
public enum DecodingFailure: Error, Hashable, Sendable {
    /// The module ends inside a field.
    case truncated(at: Int)
    /// The first four bytes are not `SCOD`.
    case notAModule
    /// A version that this decoder does not read.
    case unknownVersion(UInt16, at: Int)
    /// A list longer than `ProgramLimits` allows, or than the bytes that are left could hold.
    case tooMany(DecodedList, UInt32, at: Int)
    /// Not UTF-8, or with control characters in it.
    case badName(at: Int)
    /// A byte that none of the field's meanings has.
    case badByte(DecodedField, UInt8, at: Int)
    /// Bytes follow the program.
    case trailingBytes(at: Int)

    /// The lists of a module.
    public enum DecodedList: String, Hashable, Sendable {
        case regions, fragments, parameters, labels, tables, tableEntries, macroCalls, macroOperands
        case instructions
    }

    /// The fields of a module in which not every byte means something.
    public enum DecodedField: String, Hashable, Sendable {
        case optional, policy, access, register, type, parameterDefault, macroOperand, operation, sourceType
        case form, padding, positions
    }

    /// Where in the module, in bytes from its start.
    public var offset: Int {
        switch self {
        case .notAModule: 0
        case .truncated(let at), .unknownVersion(_, let at), .tooMany(_, _, let at), .badName(let at),
            .badByte(_, _, let at), .trailingBytes(let at):
            at
        }
    }
}

extension DecodingFailure: CustomStringConvertible {
    public var description: String {
        switch self {
        case .truncated(let at): "byte \(at): the module ends in the middle"
        case .notAModule: "byte 0: not a module: it does not begin with SCOD"
        case .unknownVersion(let version, let at): "byte \(at): version \(version) is not known"
        case .tooMany(let list, let count, let at):
            "byte \(at): \(count) \(list.rawValue) are more than can be"
        case .badName(let at): "byte \(at): the name is not plain UTF-8"
        case .badByte(let field, let byte, let at): "byte \(at): \(byte) means nothing as \(field.rawValue)"
        case .trailingBytes(let at): "byte \(at): bytes follow the program"
        }
    }
}

extension Program {
    /// Reads a module. What comes out has the shape of a program and no more: the verifier judges it.
    public init(decoding bytes: [UInt8]) throws(DecodingFailure) {
        var reader = ModuleReader(bytes)
        guard bytes.starts(with: ModuleFormat.magic) else { throw .notAModule }
        reader.offset = ModuleFormat.magic.count
        let versionOffset = reader.offset
        let version: UInt16 = try reader.integer()
        guard version == ModuleFormat.version else { throw .unknownVersion(version, at: versionOffset) }
        self.init()
        if try reader.flag(.optional) { acceptorName = try reader.name() }
        for _ in 0..<(try reader.count(.regions, atMost: ProgramLimits.regions, elementSize: 11)) {
            regions.append(try reader.region())
        }
        for _ in 0..<(try reader.count(.fragments, atMost: ProgramLimits.fragments, elementSize: 54)) {
            fragments.append(try reader.fragment())
        }
        guard reader.offset == bytes.count else { throw .trailingBytes(at: reader.offset) }
    }
}

/// Takes fields off the front. Never reads past the end, and never allocates for more than there are bytes.
private struct ModuleReader {
    private let bytes: [UInt8]
    /// At most `bytes.count`.
    var offset = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    private var remaining: Int { bytes.count - offset }

    mutating func byte() throws(DecodingFailure) -> UInt8 {
        guard offset < bytes.count else { throw .truncated(at: offset) }
        defer { offset += 1 }
        return bytes[offset]
    }

    mutating func integer<Value: FixedWidthInteger & UnsignedInteger>() throws(DecodingFailure) -> Value {
        let size = Value.bitWidth / 8
        guard remaining >= size else { throw .truncated(at: offset) }
        var value: Value = 0
        for index in (offset..<offset + size).reversed() {
            value = value << 8 | Value(truncatingIfNeeded: bytes[index])
        }
        offset += size
        return value
    }

    mutating func signed() throws(DecodingFailure) -> Int64 {
        let bits: UInt64 = try integer()
        return Int64(bitPattern: bits)
    }

    /// A byte that `meaning` understands.
    mutating func coded<Value>(
        _ field: DecodingFailure.DecodedField, _ meaning: (UInt8) -> Value?
    ) throws(DecodingFailure) -> Value {
        let at = offset
        let byte = try byte()
        guard let value = meaning(byte) else { throw .badByte(field, byte, at: at) }
        return value
    }

    mutating func flag(_ field: DecodingFailure.DecodedField) throws(DecodingFailure) -> Bool {
        try coded(field) { $0 < 2 ? $0 == 1 : nil }
    }

    mutating func register() throws(DecodingFailure) -> Register {
        try coded(.register) { Int($0) < Register.count ? Register($0) : nil }
    }

    /// The length of a list whose elements take at least `elementSize` bytes each.
    mutating func count(
        _ list: DecodingFailure.DecodedList, atMost limit: Int, elementSize: Int
    ) throws(DecodingFailure) -> Int {
        let at = offset
        let count: UInt32 = try integer()
        guard count <= limit, Int(count) <= remaining / elementSize else {
            throw .tooMany(list, count, at: at)
        }
        return Int(count)
    }

    mutating func name() throws(DecodingFailure) -> String {
        let at = offset
        let length = Int(try byte())
        guard remaining >= length else { throw .truncated(at: bytes.count) }
        let utf8 = bytes[offset..<offset + length]
        guard let name = String(validating: utf8, as: UTF8.self),
            !name.unicodeScalars.contains(where: { $0.properties.generalCategory == .control })
        else { throw .badName(at: at) }
        offset += length
        return name
    }

    mutating func region() throws(DecodingFailure) -> Region {
        Region(
            name: try name(), policy: try coded(.policy) { MemoryPolicy(rawValue: $0) },
            isWritable: try flag(.access), size: try integer())
    }

    mutating func fragment() throws(DecodingFailure) -> FragmentCode {
        var fragment = FragmentCode(name: try name())
        for _ in 0..<(try count(.parameters, atMost: ProgramLimits.parameters, elementSize: 4)) {
            fragment.parameters.append(try parameter())
        }
        for number in 0..<Register.count where try flag(.optional) {
            fragment.registerNames[number] = try name()
        }
        for _ in 0..<(try count(.labels, atMost: ProgramLimits.labels, elementSize: 5)) {
            fragment.labels.append(Label(name: try name(), position: try integer()))
        }
        for _ in 0..<(try count(.tables, atMost: ProgramLimits.tables, elementSize: 5)) {
            fragment.tables.append(try table())
        }
        let calls = try count(.macroCalls, atMost: ProgramLimits.instructionsPerFragment, elementSize: 5)
        for _ in 0..<calls { fragment.macroCalls.append(try macroCall()) }
        let instructions = try count(
            .instructions, atMost: ProgramLimits.instructionsPerFragment,
            elementSize: ModuleFormat.instructionSize)
        fragment.instructions.reserveCapacity(instructions)
        for _ in 0..<instructions { fragment.instructions.append(try instruction()) }
        let known = ModuleFormat.hasHeadingRange | ModuleFormat.hasSourceRanges
        let positions = try coded(.positions) { $0 & ~known == 0 ? $0 : nil }
        if positions & ModuleFormat.hasHeadingRange != 0 { fragment.range = try range() }
        if positions & ModuleFormat.hasSourceRanges != 0 {
            guard instructions <= remaining / ModuleFormat.rangeSize else {
                throw .truncated(at: bytes.count)
            }
            fragment.sourceRanges.reserveCapacity(instructions)
            for _ in 0..<instructions { fragment.sourceRanges.append(try range()) }
        }
        return fragment
    }

    private mutating func parameter() throws(DecodingFailure) -> Parameter {
        var parameter = Parameter(name: try name(), register: try register(), type: try type(.type))
        switch try coded(.parameterDefault, { $0 < 3 ? $0 : nil }) {
        case 1: parameter.defaultValue = .constant(try signed())
        case 2: parameter.defaultValue = .region(try integer())
        default: break
        }
        return parameter
    }

    private mutating func table() throws(DecodingFailure) -> JumpTable {
        var table = JumpTable(name: try name(), labels: [])
        let entries = try count(.tableEntries, atMost: ProgramLimits.tableEntries, elementSize: 4)
        table.labels.reserveCapacity(entries)
        for _ in 0..<entries { table.labels.append(try integer()) }
        return table
    }

    private mutating func macroCall() throws(DecodingFailure) -> MacroCall {
        var call = MacroCall(name: try name(), operands: [])
        for _ in 0..<(try count(.macroOperands, atMost: ProgramLimits.macroOperands, elementSize: 2)) {
            let isImmediate = try flag(.macroOperand)
            call.operands.append(isImmediate ? .immediate(try signed()) : .register(try register()))
        }
        return call
    }

    private mutating func type(
        _ field: DecodingFailure.DecodedField
    ) throws(DecodingFailure) -> ValueType {
        try coded(field) { ValueType(rawValue: $0) }
    }

    private mutating func instruction() throws(DecodingFailure) -> Instruction {
        let operation = try coded(.operation) { Operation(rawValue: $0) }
        let type = try type(.type)
        let source = try self.type(.sourceType)
        let form = try coded(.form) { OperandForm(rawValue: $0) }
        let rd = try register()
        let rs1 = try register()
        let rs2 = try register()
        try coded(.padding) { $0 == 0 ? () : nil }
        return Instruction(
            Opcode(operation, type, form, from: source), rd: rd, rs1: rs1, rs2: rs2, index: try integer(),
            immediate: try signed())
    }

    private mutating func range() throws(DecodingFailure) -> SourceRange {
        SourceRange(line: try integer(), column: try integer(), length: try integer())
    }
}
