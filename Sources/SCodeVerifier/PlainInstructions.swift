import SCodeIR

/// Instructions of which one look tells that they obey the rules V1 to V5: those without floating-point numbers, jumps
/// through tables, macro-instructions and mistakes. `StructuralRules` says what is wrong with others, if anything is.
struct PlainInstructions: BitwiseCopyable {
    /// The registers, as bits, that may be named, and that may be written.
    private let named: UInt32
    private let writable: UInt32
    /// Per kind of index: those that may be named are below this.
    private let limits: Table<UInt32>
    private let constants = PlainRow.allConstants

    init(
        labels: Int, procedures: Int, regions: Int, mapped: RegisterSet, readOnly: RegisterSet, _ arena: Arena
    ) {
        named = UInt32(truncatingIfNeeded: mapped.rawValue)
        writable = named & ~UInt32(truncatingIfNeeded: readOnly.rawValue)
        limits = arena.uninitialised(PlainRow.IndexKind.allCases.count)
        for kind in PlainRow.IndexKind.allCases {
            limits[Int(kind.rawValue)] =
                switch kind {
                case .none: 1
                case .label: UInt32(clamping: labels)
                case .procedure: UInt32(clamping: procedures)
                case .region: UInt32(clamping: regions)
                }
        }
    }

    /// The registers, as bits, that an instruction reads and writes; nil when it is none of these.
    @inline(__always)
    func registers(
        _ instructionPlace: UnsafePointer<Instruction>, _ rowPlace: UnsafePointer<PlainRow>
    ) -> (reads: UInt32, writes: UInt32)? {
        // Copies of these would go to the stack.
        var instruction: Instruction { _read { yield instructionPlace.pointee } }
        var row: PlainRow { _read { yield rowPlace.pointee } }
        let (rd, rs1, rs2) = (instruction.rd.number, instruction.rs1.number, instruction.rs2.number)
        let numbers = UInt32(rd) | UInt32(rs1) << 8 | UInt32(rs2) << 16
        guard numbers & row.forbidden == 0, row.has(instruction.opcode) else { return nil }
        let first: UInt32 = 1 &<< UInt32(rd)
        let writes = first & row.writesRd
        let reads =
            first & row.readsRd | 1 &<< UInt32(rs1) & row.readsRs1 | 1 &<< UInt32(rs2) & row.readsRs2
        guard (reads | writes) & ~named | writes & ~writable == 0,
            instruction.index < limits[Int(row.index.rawValue)],
            constants[row.constant, instruction.opcode.type].contains(instruction.immediate)
        else { return nil }
        return (reads, writes)
    }
}

/// What the rules and the passes behind them ask of plain instructions, for one operation and form: masks, worked out
/// from the table of opcodes once, instead of questions that are asked of each instruction.
struct PlainRow: BitwiseCopyable {
    enum IndexKind: UInt8, CaseIterable, BitwiseCopyable { case none, label, procedure, region }

    enum ConstantKind: UInt8, CaseIterable, BitwiseCopyable { case none, offset, ofType, any }

    /// Bits of rd, rs1 and rs2, a byte each, that are zero: all of those not meant, and of the others what numbers of
    /// integer registers do not reach.
    let forbidden: UInt32
    /// The types, as bits by their raw value; of conversions none.
    private let types: UInt32
    // All bits are set, or none.
    let readsRd: UInt32
    let readsRs1: UInt32
    let readsRs2: UInt32
    let writesRd: UInt32
    let concernsReads: UInt32
    let sourcesAreReads: UInt32
    let needsRs1: UInt32
    let needsRs2: UInt32
    let index: IndexKind
    let constant: ConstantKind
    let shape: OperandShape
    let properties: InstructionUse.Properties

    /// By trying what the passes make of an example, whose operands are registers 0, 1 and 2.
    private init(_ operation: Operation, _ form: OperandForm) {
        let opcode = Opcode(operation, .ul, form)
        let facts = opcode.facts
        let fields = facts.fields
        let example = Instruction(opcode, rd: Register(0), rs1: Register(1), rs2: Register(2))
        let registers = facts.shape.isExpanded ? ([], []) : example.registers(facts)
        let use = InstructionUse(example, facts, reads: registers.0, writes: registers.1)
        let dependences = Dependences(use)
        func mask(_ bits: UInt32, _ operand: UInt32) -> UInt32 { bits >> operand & 1 == 0 ? 0 : .max }
        let reads = UInt32(truncatingIfNeeded: use.reads.rawValue)
        readsRd = mask(reads, 0)
        readsRs1 = mask(reads, 1)
        readsRs2 = mask(reads, 2)
        writesRd = mask(UInt32(truncatingIfNeeded: use.writes.rawValue), 0)
        concernsReads = dependences.concerns == dependences.changed ? 0 : .max
        sourcesAreReads = dependences.sources == 0 ? 0 : .max
        needsRs1 = mask(dependences.needed, 1)
        needsRs2 = mask(dependences.needed, 2)
        forbidden =
            (fields.isDisjoint(with: .rd) ? 0xff : 0xe0) | (fields.contains(.source) ? 0xe0 : 0xff) << 8
            | (fields.contains(.source2) ? 0xe0 : 0xff) << 16
        types = ValueType.allCases.reduce(0) { types, type in
            let opcode = Opcode(operation, type, form)
            return types | (opcode.isPlain(facts) && facts.shape != .convert ? 1 << UInt32(type.rawValue) : 0)
        }
        index =
            fields.contains(.label)
            ? .label : fields.contains(.symbol) ? .region : fields.contains(.procedure) ? .procedure : .none
        constant =
            fields.contains(.symbol)
            ? .any : !fields.contains(.immediate) ? .none : facts.shape.isAccess ? .offset : .ofType
        shape = facts.shape
        properties = use.properties
    }

    /// Whether the opcode is plain. *Requires* that this is its row.
    @inline(__always)
    func has(_ opcode: Opcode) -> Bool {
        opcode.type == opcode.sourceType && types >> UInt32(opcode.type.rawValue) & 1 != 0
            || opcode.isPlain(opcode.facts)
    }

    /// The constants that instructions take: `span` and one, from `low` up.
    struct ConstantRange: BitwiseCopyable {
        private let low: Int64
        private let span: UInt64

        fileprivate init(_ kind: ConstantKind, _ type: ValueType) {
            switch kind {
            case .none: (low, span) = (0, 0)
            case .offset: (low, span) = (Int64(Int32.min), UInt64(UInt32.max))
            case .ofType where type.size < 8:
                // Where the type has a sign and its constants are stored with it.
                let isSigned = type.immediate(-1) < 0
                (low, span) = (isSigned ? -1 << Int64(type.bits - 1) : 0, 1 << UInt64(type.bits) - 1)
            case .ofType, .any: (low, span) = (0, .max)
            }
        }

        @inline(__always)
        func contains(_ value: Int64) -> Bool { UInt64(bitPattern: value &- low) <= span }
    }

    /// Per kind of constant and type: what instructions take. Who asks of many instructions takes it once.
    struct Constants: BitwiseCopyable {
        fileprivate let ranges: UnsafePointer<ConstantRange>
        @inline(__always) subscript(kind: ConstantKind, type: ValueType) -> ConstantRange {
            ranges[Int(kind.rawValue) << 4 | Int(type.rawValue)]
        }
    }
    static var allConstants: Constants { Constants(ranges: ranges) }

    /// Never changed and never freed.
    private nonisolated(unsafe) static let ranges: UnsafePointer<ConstantRange> = {
        let ranges = UnsafeMutablePointer<ConstantRange>.allocate(capacity: ConstantKind.allCases.count << 4)
        for kind in ConstantKind.allCases {
            for place in 0..<16 {
                let type = ValueType(rawValue: UInt8(place)) ?? .ul
                (ranges + (Int(kind.rawValue) << 4 | place)).initialize(to: ConstantRange(kind, type))
            }
        }
        return UnsafePointer(ranges)
    }()

    /// The rows of all opcodes. Who asks for those of many instructions takes it once.
    struct Rows: BitwiseCopyable {
        fileprivate let columns: UnsafePointer<PlainRow>
        @inline(__always) subscript(opcode: Opcode) -> UnsafePointer<PlainRow> { columns + opcode.column }
    }
    static var all: Rows { Rows(columns: columns) }

    /// Per operation and form; never changed and never freed.
    private nonisolated(unsafe) static let columns: UnsafePointer<PlainRow> = {
        let columns = UnsafeMutablePointer<PlainRow>.allocate(capacity: Opcode.columnCount)
        for operation in Operation.allCases {
            for form in OperandForm.allCases {
                let column = Opcode(operation, .ul, form).column
                (columns + column).initialize(to: PlainRow(operation, form))
            }
        }
        return UnsafePointer(columns)
    }()
}
