/// Why bytes are not a module. Each says where, in bytes from the start.
public enum DecodingFailure: Error, Hashable, Sendable {
    /// The first four bytes are not `SCOD`.
    case notAModule
    /// A version that this decoder does not read.
    case unknownVersion(UInt64, at: Int)
    /// The module ends inside a field.
    case truncated(at: Int)
    /// A number spelled with more bytes than it needs.
    case notMinimal(at: Int)
    /// A number of more than 64 bits.
    case tooLarge(at: Int)
    /// A value that none of the field's meanings has.
    case badValue(DecodedField, UInt64, at: Int)
    /// A list longer than `ProgramLimits` allows, or than the bytes that are left could hold.
    case tooMany(DecodedList, UInt64, at: Int)
    /// A part that says nothing: the one encoding of such a program leaves it out.
    case empty(DecodedList, at: Int)
    /// Not UTF-8, or with control characters in it.
    case badName(at: Int)
    /// A number that no section has.
    case unknownSection(UInt8, at: Int)
    /// A section that was there already, or that belongs before one that was.
    case sectionOrder(UInt8, at: Int)
    /// Bytes follow the end of the module.
    case trailingBytes(at: Int)

    /// The lists of a module, names and the sections that hold nothing but optional parts among them.
    public enum DecodedList: String, Hashable, Sendable {
        case hostFunctions, hostParameters, regions, fragments, parameters, labels, tables, tableEntries
        case procedures, macroCalls, macroOperands, instructions, nameBytes, regionContents
        case names, parameterNames, registerNames, labelNames, tableNames, procedureNames
        case positions, sourceFiles, headingPosition, instructionPositions
    }

    /// The fields of a module in which not every value means something.
    public enum DecodedField: String, Hashable, Sendable {
        case acceptorVersion, regionFlags, type, parameterFlags, parameterRegion, labelPosition, tableEntry
        case procedureStart, macroOperand, opcode, register, index, constant
        case nameFlags, namedRegister, positionFlags, line, column, length, file
    }

    /// Where in the module, in bytes from its start.
    public var offset: Int {
        switch self {
        case .notAModule: 0
        case .unknownVersion(_, let at), .truncated(let at), .notMinimal(let at), .tooLarge(let at),
            .badValue(_, _, let at), .tooMany(_, _, let at), .empty(_, let at), .badName(let at),
            .unknownSection(_, let at), .sectionOrder(_, let at), .trailingBytes(let at):
            at
        }
    }
}

extension DecodingFailure: CustomStringConvertible {
    public var description: String { "byte \(offset): \(reason)" }

    private var reason: String {
        switch self {
        case .notAModule: "not a module: it does not begin with SCOD"
        case .unknownVersion(let version, _):
            "version \(version) is not known; this decoder reads version \(ModuleFormat.version)"
        case .truncated: "the module ends in the middle"
        case .notMinimal: "the number is longer than it needs to be"
        case .tooLarge: "the number has more than 64 bits"
        case .badValue(let field, let value, _): "\(value) means nothing as \(field.rawValue)"
        case .tooMany(let list, let count, _): "\(count) \(list.rawValue) are more than can be"
        case .empty(let list, _): "\(list.rawValue) are announced, but there are none"
        case .badName: "the name is not UTF-8 without control characters"
        case .unknownSection(let section, _): "there is no section \(section)"
        case .sectionOrder(let section, _): "section \(section) comes too late, or for the second time"
        case .trailingBytes: "bytes follow the end of the module"
        }
    }
}
