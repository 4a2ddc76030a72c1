/// What an instruction does, apart from the type it does it on. One row of `Opcode.table` each.
public enum Operation: UInt8, CaseIterable, Sendable, BitwiseCopyable {
    case add, sub, mul, div, mod, and, or, xor, lsh, rsh
    case com, not, mov, neg
    case byteSwap, countLeadingZeros, countTrailingZeros, populationCount
    case set, convert
    case load, store
    case atomicAdd, atomicAnd, atomicOr, atomicXor
    case fetchAdd, fetchAnd, fetchOr, fetchXor, exchange, compareExchange
    case blt, ble, bgt, bge, beq, bne
    case jump, jumpTable
    case call, `return`
    case hostCall, macro
}

/// Where the last source operand comes from.
public enum OperandForm: UInt8, CaseIterable, Sendable, BitwiseCopyable {
    /// A register: `addu r1, r2, r3`. Also the form of instructions with no choice (`j`, `movu`).
    case register
    /// A constant in the instruction: `addui r1, r2, 7`.
    case immediate
    /// The base address of a declared region plus a constant: `setp r1, queue`.
    case symbol
}

/// One operand of an instruction, in the order of the text form.
@frozen public enum OperandKind: Sendable {
    /// A register that is written: `rd`.
    case destination
    /// A register that is read, in the place of `rd`: what a store stores.
    case value
    /// A register that is read and then written: `rd` of an atomic that fetches.
    case exchanged
    /// A register that is read; the second one is `rs2`.
    case source, source2
    /// A constant: an integer, or of `setf` and `setd` a number.
    case immediate
    /// The name of a declared region, with an optional constant.
    case symbol
    /// A label of the same fragment.
    case label
    /// A declared jump table of the same fragment.
    case table
    /// A local procedure of the same fragment.
    case procedure
}

/// The operand lists that instructions share.
@frozen public enum OperandShape: Sendable, BitwiseCopyable {
    case binary, unary, constant, convert, load, store, fetch, compareExchange, branch, jump, jumpTable
    case call, `return`, hostCall, macro

    /// The operands in the order in which the text form writes them. Those of calls of host functions and of
    /// macro-instructions stand in their `MacroCall`.
    public func operands(_ form: OperandForm) -> [OperandKind] {
        let last: OperandKind =
            switch form {
            case .register: .source2
            case .immediate: .immediate
            case .symbol: .symbol
            }
        return switch self {
        case .binary, .load: [.destination, .source, last]
        case .unary, .convert: [.destination, .source]
        case .constant: [.destination, last]
        case .store: [.value, .source, last]
        case .fetch: [.exchanged, .source, last]
        case .compareExchange: [.exchanged, .source2, .source, .immediate]
        case .branch: [.source, last, .label]
        case .jump: [.label]
        case .jumpTable: [.source, .table]
        case .call: [.procedure]
        case .return, .hostCall, .macro: []
        }
    }

    /// Whether it reads or writes memory at `rs1` plus an offset.
    @inlinable public var isAccess: Bool {
        switch self {
        case .load, .store, .fetch, .compareExchange: true
        case .binary, .unary, .constant, .convert, .branch, .jump, .jumpTable, .call, .return, .hostCall,
            .macro:
            false
        }
    }

    /// Whether its operands stand in a `MacroCall`.
    @inlinable public var isExpanded: Bool { self == .macro || self == .hostCall }
    fileprivate var isPlain: Bool { !isExpanded && self != .convert && self != .jumpTable }
}

/// The fields of an instruction that mean something, and how: one for each `OperandKind`.
public struct OperandFields: OptionSet, Sendable, BitwiseCopyable {
    public let rawValue: UInt16
    @inlinable public init(rawValue: UInt16) { self.rawValue = rawValue }

    @inlinable public static var destination: OperandFields { OperandFields(rawValue: 1) }
    @inlinable public static var value: OperandFields { OperandFields(rawValue: 2) }
    @inlinable public static var exchanged: OperandFields { OperandFields(rawValue: 4) }
    @inlinable public static var source: OperandFields { OperandFields(rawValue: 8) }
    @inlinable public static var source2: OperandFields { OperandFields(rawValue: 16) }
    @inlinable public static var immediate: OperandFields { OperandFields(rawValue: 32) }
    @inlinable public static var symbol: OperandFields { OperandFields(rawValue: 64) }
    @inlinable public static var label: OperandFields { OperandFields(rawValue: 128) }
    @inlinable public static var table: OperandFields { OperandFields(rawValue: 256) }
    @inlinable public static var procedure: OperandFields { OperandFields(rawValue: 512) }

    /// `rd` is written; is read.
    @inlinable public static var writesRd: OperandFields { [.destination, .exchanged] }
    @inlinable public static var readsRd: OperandFields { [.value, .exchanged] }
    /// `rd` means something.
    @inlinable public static var rd: OperandFields { [.destination, .value, .exchanged] }
    @inlinable public static var index: OperandFields { [.symbol, .label, .table, .procedure] }

    init(_ kind: OperandKind) {
        switch kind {
        case .destination: self = .destination
        case .value: self = .value
        case .exchanged: self = .exchanged
        case .source: self = .source
        case .source2: self = .source2
        case .immediate: self = .immediate
        case .symbol: self = .symbol
        case .label: self = .label
        case .table: self = .table
        case .procedure: self = .procedure
        }
    }
}

/// What an instruction may do besides computing.
public struct OpcodeEffects: OptionSet, Sendable, BitwiseCopyable {
    public let rawValue: UInt8
    @inlinable public init(rawValue: UInt8) { self.rawValue = rawValue }

    /// May end the fragment with an abort.
    @inlinable public static var canAbort: OpcodeEffects { OpcodeEffects(rawValue: 1) }
    /// Ends a basic block.
    @inlinable public static var endsBlock: OpcodeEffects { OpcodeEffects(rawValue: 2) }
    /// Never continues with the next instruction.
    @inlinable public static var noFallThrough: OpcodeEffects { OpcodeEffects(rawValue: 4) }
}

/// One row of the table: everything that is true of an operation for all its types.
public struct OpcodeRow: Sendable {
    public let operation: Operation
    /// The mnemonic without type and form: `add`.
    public let mnemonic: String
    public let shape: OperandShape
    public let types: [ValueType]
    public let forms: [OperandForm]
    public let effects: OpcodeEffects
    /// What it does, in register-transfer notation; the manual's first line about it.
    public let meaning: String

    init(
        _ operation: Operation, _ mnemonic: String, _ shape: OperandShape, _ types: [ValueType],
        _ forms: [OperandForm], _ effects: OpcodeEffects, _ meaning: String
    ) {
        self.operation = operation
        self.mnemonic = mnemonic
        self.shape = shape
        self.types = types
        self.forms = forms
        self.effects = effects
        self.meaning = meaning
    }
}

/// An operation at a type and in a form: what a mnemonic names.
public struct Opcode: Hashable, Sendable, BitwiseCopyable {
    public var operation: Operation
    /// The type worked on; of a conversion, the type converted *to*.
    public var type: ValueType
    /// Of a conversion, the type converted *from*; else equal to `type`.
    public var sourceType: ValueType
    public var form: OperandForm

    public init(
        _ operation: Operation, _ type: ValueType = .ul, _ form: OperandForm = .register,
        from sourceType: ValueType? = nil
    ) {
        self.operation = operation
        self.type = type
        self.sourceType = sourceType ?? type
        self.form = form
    }

    public var row: OpcodeRow { Opcode.table[Int(operation.rawValue)] }
    @inlinable public var shape: OperandShape { facts.shape }
    /// As the row says; arithmetic on floating-point numbers does not abort.
    @inlinable public var effects: OpcodeEffects { effects(Opcode.allFacts) }
    /// The same, for those who have the table at hand.
    @inlinable public func effects(_ table: FactTable) -> OpcodeEffects {
        let facts = table[self]
        return type.isFloat && facts.shape == .binary ? facts.effects.subtracting(.canAbort) : facts.effects
    }
    public var operands: [OperandKind] { row.shape.operands(form) }
    /// The same, as a set of the fields of `Instruction` that mean something.
    @inlinable public var fields: OperandFields { facts.fields }

    /// What every stage asks of each instruction, worked out from the table once. One look-up answers all.
    @frozen public struct Facts: Sendable, BitwiseCopyable {
        public let shape: OperandShape
        public let effects: OpcodeEffects
        public let fields: OperandFields
        /// The types, as bits by their raw value, for which the table has the operation in this form; conversions,
        /// which have two, apart.
        @usableFromInline let types: UInt16
        /// Of these, the types of integers, where it is plain: no conversion, macro-instruction or jump through a table.
        @usableFromInline let plainTypes: UInt16
    }
    @inlinable public var facts: Facts { Opcode.allFacts[self] }

    /// The facts of every opcode. Who asks for those of many instructions takes it once.
    @frozen public struct FactTable: BitwiseCopyable {
        @usableFromInline let columns: UnsafePointer<Facts>
        @usableFromInline init(columns: UnsafePointer<Facts>) { self.columns = columns }
        @inlinable @inline(__always) public subscript(opcode: Opcode) -> Facts { columns[opcode.column] }
    }
    @inlinable public static var allFacts: FactTable { FactTable(columns: columns) }

    /// Per operation and form; never changed and never freed.
    @usableFromInline nonisolated(unsafe) static let columns: UnsafePointer<Facts> = {
        let columns = UnsafeMutablePointer<Facts>.allocate(capacity: columnCount)
        for (number, row) in table.enumerated() {
            for place in 0..<4 {
                let form = OperandForm(rawValue: UInt8(place))
                let operands = row.shape.operands(form ?? .register)
                let types = ValueType.allCases.filter { type in
                    form.map { Opcode(row.operation, type, $0).isDefined } ?? false
                }
                (columns + number * 4 + place).initialize(
                    to: Facts(
                        shape: row.shape, effects: row.effects,
                        fields: operands.reduce(into: []) { $0.formUnion(OperandFields($1)) },
                        types: types.reduce(0) { $0 | 1 << UInt16($1.rawValue) },
                        plainTypes: row.shape.isPlain
                            ? types.reduce(0) { $0 | ($1.isFloat ? 0 : 1 << UInt16($1.rawValue)) } : 0))
            }
        }
        return UnsafePointer(columns)
    }()

    /// Its operation and form as one number, below `columnCount`: its place in tables of what does not depend on types.
    @inlinable @inline(__always) public var column: Int { Int(operation.rawValue) << 2 | Int(form.rawValue) }
    public static var columnCount: Int { table.count << 2 }

    /// Which kind of register an operand is.
    @inlinable public func bank(_ operand: OperandKind) -> RegisterBank {
        switch operand {
        case .destination, .value, .exchanged: return type.isFloat ? .float : .integer
        case .source, .source2:
            // Addresses and offsets are integers, whatever is loaded or stored.
            return sourceType.isFloat && !shape.isAccess ? .float : .integer
        case .immediate, .symbol, .label, .table, .procedure: return .integer
        }
    }

    /// Whether it reads or writes memory atomically; its address is a multiple of its size.
    public var isAtomic: Bool {
        switch operation {
        case .atomicAdd, .atomicAnd, .atomicOr, .atomicXor, .fetchAdd, .fetchAnd, .fetchOr, .fetchXor,
            .exchange,
            .compareExchange:
            true
        default: false
        }
    }

    /// Whether it writes memory.
    public var isStore: Bool { shape.isAccess && operation != .load }

    /// Whether the table has this combination of operation, type and form.
    public var isDefined: Bool {
        let row = self.row
        guard row.forms.contains(form) else { return false }
        switch row.shape {
        case .convert:
            guard type != sourceType, row.types.contains(type), row.types.contains(sourceType) else {
                return false
            }
            // Between a number and an integer: 32 or 64 bits.
            if type.isFloat { return sourceType.isFloat || ValueType.integers.contains(sourceType) }
            return !sourceType.isFloat || ValueType.integers.contains(type)
        case .jump, .jumpTable, .call, .return, .hostCall, .macro: return type == .ul && sourceType == .ul
        case .constant:
            return sourceType == type && (form != .symbol || type == .p) && row.types.contains(type)
        case .binary, .branch:
            return sourceType == type && row.types.contains(type) && (!type.isFloat || form == .register)
        case .unary, .load, .store, .fetch, .compareExchange:
            return sourceType == type && row.types.contains(type)
        }
    }

    /// The mnemonic of the text form, as VCODE spells it: operation, type, `i` for an immediate.
    public var mnemonic: String {
        switch row.shape {
        case .convert: "cv\(sourceType.suffix)2\(type.suffix)"
        case .jump, .jumpTable, .call, .return, .hostCall, .macro: row.mnemonic
        case .constant, .unary, .compareExchange: row.mnemonic + type.suffix
        case .binary, .load, .store, .fetch, .branch:
            row.mnemonic + type.suffix + (form == .immediate ? "i" : "")
        }
    }

    private static let v = ValueType.self
    private static let both: [OperandForm] = [.register, .immediate]
    private static let only: [OperandForm] = [.register]
    private static let constant: [OperandForm] = [.immediate, .symbol]
    private static let offset: [OperandForm] = [.immediate]
    private static let numbers = v.arithmetic
    private static let swapped: [ValueType] = [.us, .u, .ul]
    private static let unsigned: [ValueType] = [.u, .ul]
    private static let converted = v.convertible + v.floats
    private static let jumpEffects: OpcodeEffects = [.canAbort, .endsBlock]
    private static let noReturn: OpcodeEffects = [.canAbort, .endsBlock, .noFallThrough]

    // swift-format-ignore
    /// The table. w is the width of the type; 32-bit operations read the low halves of registers and
    /// zero-extend what they write. [rs + offset] is memory. Rows stand in the order of `Operation`; a test pins it.
    public static let table: [OpcodeRow] = [
        //        operation   name   operands    types               forms     effects         meaning
        OpcodeRow(.add,       "add", .binary,    v.words,            both,     [],             "rd := rs1 + rs2 (mod 2^w)"),
        OpcodeRow(.sub,       "sub", .binary,    v.words,            both,     [],             "rd := rs1 - rs2 (mod 2^w)"),
        OpcodeRow(.mul,       "mul", .binary,    numbers,            both,     [],             "rd := rs1 * rs2 (mod 2^w)"),
        OpcodeRow(.div,       "div", .binary,    numbers,            both,     [.canAbort],    "rd := rs1 / rs2, truncated; abort if rs2 = 0; min / -1 = min"),
        OpcodeRow(.mod,       "mod", .binary,    v.integers,         both,     [.canAbort],    "rd := rs1 - (rs1 / rs2) * rs2; abort if rs2 = 0; min mod -1 = 0"),
        OpcodeRow(.and,       "and", .binary,    v.integers,         both,     [],             "rd := rs1 & rs2"),
        OpcodeRow(.or,        "or",  .binary,    v.integers,         both,     [],             "rd := rs1 | rs2"),
        OpcodeRow(.xor,       "xor", .binary,    v.integers,         both,     [],             "rd := rs1 ^ rs2"),
        OpcodeRow(.lsh,       "lsh", .binary,    v.integers,         both,     [],             "rd := rs1 << (rs2 mod w)"),
        OpcodeRow(.rsh,       "rsh", .binary,    v.integers,         both,     [],             "rd := rs1 >> (rs2 mod w); copies the sign when the type is signed"),
        OpcodeRow(.com,       "com", .unary,     v.integers,         only,     [],             "rd := ~rs"),
        OpcodeRow(.not,       "not", .unary,     v.integers,         only,     [],             "rd := rs = 0 ? 1 : 0"),
        OpcodeRow(.mov,       "mov", .unary,     v.words,            only,     [],             "rd := rs"),
        OpcodeRow(.neg,       "neg", .unary,     numbers,            only,     [],             "rd := -rs (mod 2^w)"),
        OpcodeRow(.byteSwap,  "bswap", .unary,   swapped,            only,     [],             "rd := the bytes of rs in reverse order"),
        OpcodeRow(.countLeadingZeros, "clz", .unary, unsigned,       only,     [],             "rd := zero bits above the highest one of rs; w if rs = 0"),
        OpcodeRow(.countTrailingZeros, "ctz", .unary, unsigned,      only,     [],             "rd := zero bits below the lowest one of rs; w if rs = 0"),
        OpcodeRow(.populationCount, "popcnt", .unary, unsigned,      only,     [],             "rd := one bits of rs"),
        OpcodeRow(.set,       "set", .constant,  v.allCases,         constant, [],             "rd := constant, extended as the type is"),
        OpcodeRow(.convert,   "cv",  .convert,   converted,          only,     [],             "rd := rs, read as the source type, as a value of the target type"),
        OpcodeRow(.load,      "ld",  .load,      v.allCases,         both,     [.canAbort],    "rd := [rs + offset], extended as the type is"),
        OpcodeRow(.store,     "st",  .store,     v.allCases,         both,     [.canAbort],    "[rs + offset] := low bits of rv"),
        OpcodeRow(.atomicAdd, "atomadd", .store, unsigned,           both,     [.canAbort],    "[rs + offset] := [rs + offset] + rv, at once"),
        OpcodeRow(.atomicAnd, "atomand", .store, unsigned,           both,     [.canAbort],    "[rs + offset] := [rs + offset] & rv, at once"),
        OpcodeRow(.atomicOr,  "atomor",  .store, unsigned,           both,     [.canAbort],    "[rs + offset] := [rs + offset] | rv, at once"),
        OpcodeRow(.atomicXor, "atomxor", .store, unsigned,           both,     [.canAbort],    "[rs + offset] := [rs + offset] ^ rv, at once"),
        OpcodeRow(.fetchAdd,  "fetchadd", .fetch, unsigned,          both,     [.canAbort],    "rd, [rs + offset] := [rs + offset], [rs + offset] + rd, at once"),
        OpcodeRow(.fetchAnd,  "fetchand", .fetch, unsigned,          both,     [.canAbort],    "rd, [rs + offset] := [rs + offset], [rs + offset] & rd, at once"),
        OpcodeRow(.fetchOr,   "fetchor",  .fetch, unsigned,          both,     [.canAbort],    "rd, [rs + offset] := [rs + offset], [rs + offset] | rd, at once"),
        OpcodeRow(.fetchXor,  "fetchxor", .fetch, unsigned,          both,     [.canAbort],    "rd, [rs + offset] := [rs + offset], [rs + offset] ^ rd, at once"),
        OpcodeRow(.exchange,  "xchg", .fetch,    unsigned,           both,     [.canAbort],    "rd, [rs + offset] := [rs + offset], rd, at once"),
        OpcodeRow(.compareExchange, "cmpxchg", .compareExchange, unsigned, offset, [.canAbort], "if [rs + offset] = rd then [rs + offset] := rs2; rd := the old [rs + offset]; at once"),
        OpcodeRow(.blt,       "blt", .branch,    v.words,            both,     jumpEffects,    "if rs1 < rs2 goto label"),
        OpcodeRow(.ble,       "ble", .branch,    v.words,            both,     jumpEffects,    "if rs1 <= rs2 goto label"),
        OpcodeRow(.bgt,       "bgt", .branch,    v.words,            both,     jumpEffects,    "if rs1 > rs2 goto label"),
        OpcodeRow(.bge,       "bge", .branch,    v.words,            both,     jumpEffects,    "if rs1 >= rs2 goto label"),
        OpcodeRow(.beq,       "beq", .branch,    v.words,            both,     jumpEffects,    "if rs1 = rs2 goto label"),
        OpcodeRow(.bne,       "bne", .branch,    v.words,            both,     jumpEffects,    "if rs1 != rs2 goto label"),
        OpcodeRow(.jump,      "j",   .jump,      [],                 only,     noReturn,       "goto label"),
        OpcodeRow(.jumpTable, "jt",  .jumpTable, [],                 only,     noReturn,       "goto table[rs]; abort if rs is not below the table's size"),
        OpcodeRow(.call,      "call", .call,     [],                 only,     jumpEffects,    "run the procedure, then go on behind the call"),
        OpcodeRow(.return,    "ret", .return,    [],                 only,     [.endsBlock, .noFallThrough], "go on behind the call of this procedure"),
        OpcodeRow(.hostCall,  "callh", .hostCall, [],                only,     [.canAbort],    "result := host function(arguments)"),
        OpcodeRow(.macro,     "",    .macro,     [],                 only,     [.canAbort],    "what the acceptor says"),
    ]

    /// Every opcode that the table defines, macro-instructions apart. What has no type has `ul`.
    public static let all: [Opcode] = {
        var all: [Opcode] = []
        for row in table where row.shape != .macro {
            for form in row.forms {
                for type in row.types.isEmpty ? [.ul] : row.types {
                    for source in row.shape == .convert ? row.types : [type] {
                        let opcode = Opcode(row.operation, type, form, from: source)
                        if opcode.isDefined { all.append(opcode) }
                    }
                }
            }
        }
        return all
    }()

    /// Opcodes by mnemonic. `set` appears once, in its immediate form; the operand says which form is meant.
    public static let byMnemonic: [String: Opcode] = {
        var names: [String: Opcode] = [:]
        for opcode in all where opcode.form != .symbol { names[opcode.mnemonic] = opcode }
        return names
    }()

    /// The number of each opcode in a module, by `denseIndex`; `noNumber` where the table has none.
    private static let moduleNumbers: [UInt16] = {
        var numbers = [UInt16](repeating: noNumber, count: Operation.allCases.count << 10)
        for (number, opcode) in numbered.enumerated() { numbers[opcode.denseIndex] = UInt16(number) }
        return numbers
    }()
    private static let noNumber = UInt16.max

    /// A small number, different for each combination.
    private var denseIndex: Int {
        Int(operation.rawValue) << 10 | Int(type.rawValue) << 6 | Int(sourceType.rawValue) << 2
            | Int(form.rawValue)
    }

    /// `isDefined`, looked up instead of worked out.
    @inlinable public var isKnown: Bool { isKnown(facts) }

    /// The same, for those who have looked up the opcode already.
    @inlinable @inline(__always) public func isKnown(_ facts: Facts) -> Bool {
        facts.shape == .convert
            ? isKnownConversion : type == sourceType && facts.types >> UInt16(type.rawValue) & 1 != 0
    }
    /// Whether it is known, deals with integers only, and is no macro-instruction or jump through a table.
    @inlinable @inline(__always) public func isPlain(_ facts: Facts) -> Bool {
        facts.shape == .convert
            ? !type.isFloat && !sourceType.isFloat && isKnownConversion
            : type == sourceType && facts.plainTypes >> UInt16(type.rawValue) & 1 != 0
    }
    @usableFromInline var isKnownConversion: Bool { Opcode.moduleNumbers[denseIndex] != Opcode.noNumber }

    /// The opcodes by their number in a module. The order is part of the format: a test pins it, and whoever
    /// changes it makes a new version.
    static let numbered: [Opcode] = all + [Opcode(.macro)]

    /// Its place in `numbered`; nil when the table does not have it.
    var number: Int? {
        let number = Opcode.moduleNumbers[denseIndex]
        return number == Opcode.noNumber ? nil : Int(number)
    }

    /// The same operation with an immediate as its last source, if the table has it: `addu` gives `addui`.
    public var withImmediate: Opcode? {
        var other = self
        other.form = .immediate
        return other.isDefined ? other : nil
    }
}
