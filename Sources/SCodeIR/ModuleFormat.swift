/// The module format, `.sco`: a program as bytes, for passing code through memory buffers and files.
///
/// `docs/module-format.md` describes it byte by byte. Every program has exactly one encoding, so that equal
/// programs are equal bytes; what a second spelling would be, the decoder refuses. `ModuleWriter` and
/// `ModuleReader` are read side by side: each method of one has its twin in the other.
enum ModuleFormat {
    static let magic: [UInt8] = [0x53, 0x43, 0x4F, 0x44]  // "SCOD"
    /// Counts up whenever the same bytes would mean something else, so also when `Opcode.numbered` changes.
    static let version: UInt64 = 2

    /// The sections, in the order in which they stand. One with nothing to say is left out.
    enum Section: UInt8 {
        /// Ends the module.
        case end
        case acceptor, hostFunctions, regions, fragments, names, positions
    }

    /// A region's flags: its policy in two bits, then these.
    static let regionIsWritable: UInt64 = 1 << 2
    static let regionHasContents: UInt64 = 1 << 3

    /// A parameter's flags: its type in four bits, then where its default comes from.
    static let parameterTypeBits: UInt64 = 4
    enum DefaultKind: UInt64 { case none, constant, region }

    /// In the place of a register among a macro-instruction's operands: a constant follows.
    static let constantOperand = UInt64(Register.count)

    /// Which of a fragment's names are there.
    struct NameFlags: OptionSet {
        let rawValue: UInt64
        static let parameters = NameFlags(rawValue: 1)
        static let registers = NameFlags(rawValue: 2)
        static let labels = NameFlags(rawValue: 4)
        static let tables = NameFlags(rawValue: 8)
        static let procedures = NameFlags(rawValue: 16)
        static let all: NameFlags = [.parameters, .registers, .labels, .tables, .procedures]
    }

    /// Which of a fragment's source positions are there.
    struct PositionFlags: OptionSet {
        let rawValue: UInt64
        static let heading = PositionFlags(rawValue: 1)
        static let instructions = PositionFlags(rawValue: 2)
        static let all: PositionFlags = [.heading, .instructions]
    }

    /// A source range begins with the line's distance from the range before, and two bits below it: whether
    /// column and file differ from those of the range before, and so follow.
    static let columnDiffers: UInt64 = 2
    static let fileDiffers: UInt64 = 1

    /// The fewest bytes that one of these takes. A count that the bytes left cannot hold is a lie.
    enum LeastBytes {
        static let name = 1
        static let hostFunction = 3
        static let region = 3
        static let fragment = 7
        static let parameter = 2
        static let label = 1
        static let table = 1
        static let tableEntry = 1
        static let procedure = 1
        static let macroCall = 2
        static let macroOperand = 1
        static let instruction = 2
        static let namedRegister = 2
        static let fragmentFlags = 1
        static let range = 2
    }

    /// Small numbers of either sign as small numbers without: 0, -1, 1, -2, … are 0, 1, 2, 3, …
    @inline(__always) static func zigzag(_ value: Int64) -> UInt64 {
        UInt64(bitPattern: value &<< 1 ^ value &>> 63)
    }

    @inline(__always) static func unzigzag(_ value: UInt64) -> Int64 {
        Int64(bitPattern: value &>> 1) ^ -Int64(bitPattern: value & 1)
    }
}

/// How an instruction is laid out in a module: which fields follow the number of its opcode. Registers come
/// first, in the order of the text form, then the index, then the constant.
struct OperandLayout: BitwiseCopyable, Sendable {
    let opcode: Opcode
    /// Registers that follow, a byte each.
    private(set) var registerCount: UInt8 = 0
    /// Whether an index follows: of a label, table, procedure, region or call.
    private(set) var hasIndex = false
    /// Width of the constant that follows, 0 when there is none.
    private(set) var constantBits: UInt8 = 0
    /// For each register that follows the bit at which `fields` has it, a byte each.
    private var places: UInt32 = 0
    /// The bits of a sign-extended constant that `Instruction.immediate` keeps: `ValueType.immediate`, as a mask.
    private(set) var constantMask: UInt64 = .max

    /// The layouts of all opcodes, by their number in a module.
    static let all: [OperandLayout] = Opcode.numbered.map { OperandLayout($0) }

    /// What follows from the opcode's operands.
    init(_ opcode: Opcode) {
        self.opcode = opcode
        hasIndex = opcode.shape.isExpanded
        for operand in opcode.operands {
            switch operand {
            case .destination, .value, .exchanged: addRegister(at: 0)
            case .source: addRegister(at: 8)
            case .source2: addRegister(at: 16)
            case .immediate:
                // Offsets have 32 bits with a sign, whatever the type of what lies there.
                constantBits = opcode.shape.isAccess ? 32 : UInt8(opcode.type.bits)
                constantMask = opcode.shape.isAccess ? .max : UInt64(bitPattern: opcode.type.immediate(-1))
            case .symbol:
                hasIndex = true
                constantBits = 64
            case .label, .table, .procedure: hasIndex = true
            }
        }
    }

    private mutating func addRegister(at bit: UInt32) {
        places |= bit << (8 * UInt32(registerCount))
        registerCount += 1
    }

    /// Where `fields` has the register that follows as number `index`: rd at bit 0, rs1 at 8, rs2 at 16.
    @inline(__always) func place(_ index: UInt32) -> UInt32 { places &>> (8 &* index) & 0xff }
}
