/// What an instruction does, apart from the type it does it on. One row of `Opcode.table` each.
public enum Operation: UInt8, CaseIterable, Sendable, BitwiseCopyable {
    case add, sub, mul, div, mod, and, or, xor, lsh, rsh
    case com, not, mov, neg
    case set, convert
    case load, store
    case blt, ble, bgt, bge, beq, bne
    case jump, jumpTable
    case macro
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
public enum OperandKind: Sendable {
    /// A register that is written.
    case destination
    /// A register that is read; the second one is `rs2`.
    case source, source2
    /// An integer constant.
    case immediate
    /// The name of a declared region, with an optional constant.
    case symbol
    /// A label of the same fragment.
    case label
    /// A declared jump table of the same fragment.
    case table
}

/// The operand lists that instructions share.
public enum OperandShape: Sendable {
    case binary, unary, constant, convert, load, store, branch, jump, jumpTable, macro

    /// The operands in the order in which the text form writes them.
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
        case .store: [.destination, .source, last]  // see `Instruction.value`: read, not written
        case .branch: [.source, last, .label]
        case .jump: [.label]
        case .jumpTable: [.source, .table]
        case .macro: []
        }
    }
}

/// What an instruction may do besides computing.
public struct OpcodeEffects: OptionSet, Sendable {
    public let rawValue: UInt8
    public init(rawValue: UInt8) { self.rawValue = rawValue }

    /// May end the fragment with an abort.
    public static let canAbort = OpcodeEffects(rawValue: 1)
    /// Ends a basic block.
    public static let endsBlock = OpcodeEffects(rawValue: 2)
    /// Never continues with the next instruction.
    public static let noFallThrough = OpcodeEffects(rawValue: 4)
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
    public var shape: OperandShape { row.shape }
    public var effects: OpcodeEffects { row.effects }
    public var operands: [OperandKind] { row.shape.operands(form) }

    /// Whether the table has this combination of operation, type and form.
    public var isDefined: Bool {
        let row = self.row
        guard row.forms.contains(form) else { return false }
        switch row.shape {
        case .convert: return type != sourceType && row.types.contains(type) && row.types.contains(sourceType)
        case .jump, .jumpTable, .macro: return type == .ul && sourceType == .ul
        case .constant:
            return sourceType == type && (form != .symbol || type == .p) && row.types.contains(type)
        case .binary, .unary, .load, .store, .branch: return sourceType == type && row.types.contains(type)
        }
    }

    /// The mnemonic of the text form, as VCODE spells it: operation, type, `i` for an immediate.
    public var mnemonic: String {
        switch row.shape {
        case .convert: "cv\(sourceType.suffix)2\(type.suffix)"
        case .jump, .jumpTable, .macro: row.mnemonic
        case .constant, .unary: row.mnemonic + type.suffix
        case .binary, .load, .store, .branch:
            row.mnemonic + type.suffix + (form == .immediate ? "i" : "")
        }
    }

    private static let v = ValueType.self
    private static let both: [OperandForm] = [.register, .immediate]
    private static let only: [OperandForm] = [.register]
    private static let constant: [OperandForm] = [.immediate, .symbol]
    private static let pointerArithmetic = v.integersAndPointer
    private static let jumpEffects: OpcodeEffects = [.canAbort, .endsBlock]
    private static let noReturn: OpcodeEffects = [.canAbort, .endsBlock, .noFallThrough]

    // swift-format-ignore
    /// The table. w is the width of the type; 32-bit operations read the low halves of registers and
    /// zero-extend what they write. Rows stand in the order of `Operation`; a test pins it.
    public static let table: [OpcodeRow] = [
        //        operation   name   operands    types               forms     effects         meaning
        OpcodeRow(.add,       "add", .binary,    pointerArithmetic,  both,     [],             "rd := rs1 + rs2 (mod 2^w)"),
        OpcodeRow(.sub,       "sub", .binary,    pointerArithmetic,  both,     [],             "rd := rs1 - rs2 (mod 2^w)"),
        OpcodeRow(.mul,       "mul", .binary,    v.integers,         both,     [],             "rd := rs1 * rs2 (mod 2^w)"),
        OpcodeRow(.div,       "div", .binary,    v.integers,         both,     [.canAbort],    "rd := rs1 / rs2, truncated; abort if rs2 = 0; min / -1 = min"),
        OpcodeRow(.mod,       "mod", .binary,    v.integers,         both,     [.canAbort],    "rd := rs1 - (rs1 / rs2) * rs2; abort if rs2 = 0; min mod -1 = 0"),
        OpcodeRow(.and,       "and", .binary,    v.integers,         both,     [],             "rd := rs1 & rs2"),
        OpcodeRow(.or,        "or",  .binary,    v.integers,         both,     [],             "rd := rs1 | rs2"),
        OpcodeRow(.xor,       "xor", .binary,    v.integers,         both,     [],             "rd := rs1 ^ rs2"),
        OpcodeRow(.lsh,       "lsh", .binary,    v.integers,         both,     [],             "rd := rs1 << (rs2 mod w)"),
        OpcodeRow(.rsh,       "rsh", .binary,    v.integers,         both,     [],             "rd := rs1 >> (rs2 mod w); copies the sign when the type is signed"),
        OpcodeRow(.com,       "com", .unary,     v.integers,         only,     [],             "rd := ~rs"),
        OpcodeRow(.not,       "not", .unary,     v.integers,         only,     [],             "rd := rs = 0 ? 1 : 0"),
        OpcodeRow(.mov,       "mov", .unary,     pointerArithmetic,  only,     [],             "rd := rs"),
        OpcodeRow(.neg,       "neg", .unary,     v.integers,         only,     [],             "rd := -rs (mod 2^w)"),
        OpcodeRow(.set,       "set", .constant,  v.allCases,         constant, [],             "rd := constant, extended as the type is"),
        OpcodeRow(.convert,   "cv",  .convert,   v.convertible,      only,     [],             "rd := low bits of rs as the source type, extended, then as the target type"),
        OpcodeRow(.load,      "ld",  .load,      v.allCases,         both,     [.canAbort],    "rd := memory[rs + offset], extended as the type is"),
        OpcodeRow(.store,     "st",  .store,     v.allCases,         both,     [.canAbort],    "memory[rs + offset] := low bits of rv"),
        OpcodeRow(.blt,       "blt", .branch,    pointerArithmetic,  both,     jumpEffects,    "if rs1 < rs2 goto label"),
        OpcodeRow(.ble,       "ble", .branch,    pointerArithmetic,  both,     jumpEffects,    "if rs1 <= rs2 goto label"),
        OpcodeRow(.bgt,       "bgt", .branch,    pointerArithmetic,  both,     jumpEffects,    "if rs1 > rs2 goto label"),
        OpcodeRow(.bge,       "bge", .branch,    pointerArithmetic,  both,     jumpEffects,    "if rs1 >= rs2 goto label"),
        OpcodeRow(.beq,       "beq", .branch,    pointerArithmetic,  both,     jumpEffects,    "if rs1 = rs2 goto label"),
        OpcodeRow(.bne,       "bne", .branch,    pointerArithmetic,  both,     jumpEffects,    "if rs1 != rs2 goto label"),
        OpcodeRow(.jump,      "j",   .jump,      [],                 only,     noReturn,       "goto label"),
        OpcodeRow(.jumpTable, "jt",  .jumpTable, [],                 only,     noReturn,       "goto table[rs]; abort if rs is not below the table's size"),
        OpcodeRow(.macro,     "",    .macro,     [],                 only,     [.canAbort],    "what the acceptor says"),
    ]

    /// Every opcode that the table defines, macro-instructions apart.
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

    /// The same operation with an immediate as its last source, if the table has it: `addu` gives `addui`.
    public var withImmediate: Opcode? {
        var other = self
        other.form = .immediate
        return other.isDefined ? other : nil
    }
}
