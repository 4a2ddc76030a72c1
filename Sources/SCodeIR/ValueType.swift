/// The types of VCODE that an instruction can work on (VCODE, table 1).
///
/// A register holds 64 bits. How a value of a narrower type fills it is fixed (`canonical`):
/// `i`, `u`, `uc` and `us` are zero-extended, `c` and `s` are sign-extended to 64 bits. `f` and `d` are IEEE 754
/// binary32 and binary64, in floating-point registers; of an `f` only the low 32 bits mean something.
public enum ValueType: UInt8, CaseIterable, Sendable, BitwiseCopyable {
    case c, uc, s, us, i, u, l, ul, p, f, d

    /// The suffix that mnemonics carry: `addu` is `add` of type `u`.
    public var suffix: String {
        switch self {
        case .c: "c"
        case .uc: "uc"
        case .s: "s"
        case .us: "us"
        case .i: "i"
        case .u: "u"
        case .l: "l"
        case .ul: "ul"
        case .p: "p"
        case .f: "f"
        case .d: "d"
        }
    }

    /// Width in bytes: 1, 2, 4 or 8.
    @inlinable public var size: Int {
        switch self {
        case .c, .uc: 1
        case .s, .us: 2
        case .i, .u, .f: 4
        case .l, .ul, .p, .d: 8
        }
    }

    /// Width in bits: 8, 16, 32 or 64.
    public var bits: Int { size * 8 }

    /// Whether it is an integer type with a sign.
    @inlinable public var isSigned: Bool {
        switch self {
        case .c, .s, .i, .l: true
        case .uc, .us, .u, .ul, .p, .f, .d: false
        }
    }

    /// Whether values of the type live in floating-point registers.
    @inlinable @inline(__always) public var isFloat: Bool { self == .f || self == .d }

    /// The low bits of `value` as a register holds a value of this type.
    @inlinable public func canonical(_ value: UInt64) -> UInt64 {
        switch self {
        case .c: UInt64(bitPattern: Int64(Int8(truncatingIfNeeded: value)))
        case .uc: UInt64(UInt8(truncatingIfNeeded: value))
        case .s: UInt64(bitPattern: Int64(Int16(truncatingIfNeeded: value)))
        case .us: UInt64(UInt16(truncatingIfNeeded: value))
        case .i, .u, .f: UInt64(UInt32(truncatingIfNeeded: value))
        case .l, .ul, .p, .d: value
        }
    }

    /// An immediate of this type as an `Instruction` stores it: the low bits, sign-extended when the type
    /// is signed and zero-extended when it is not. Of `f` and `d`, the bit pattern.
    @inlinable public func immediate(_ value: Int64) -> Int64 {
        switch self {
        case .i: Int64(Int32(truncatingIfNeeded: value))
        case .c, .uc, .s, .us, .u, .l, .ul, .p, .f, .d:
            Int64(bitPattern: canonical(UInt64(bitPattern: value)))
        }
    }

    public static let integers: [ValueType] = [.i, .u, .l, .ul]
    public static let integersAndPointer: [ValueType] = [.i, .u, .l, .ul, .p]
    public static let floats: [ValueType] = [.f, .d]
    /// What `mov` and `neg` of both kinds of register take.
    public static let arithmetic: [ValueType] = integers + floats
    public static let words: [ValueType] = integersAndPointer + floats
    /// What conversions between integers take.
    public static let convertible: [ValueType] = [.c, .uc, .s, .us, .i, .u, .l, .ul]
}
