/// The types of VCODE that an instruction can work on (VCODE, table 1).
///
/// A register holds 64 bits. How a value of a narrower type fills it is fixed (`canonical`):
/// `i`, `u`, `uc` and `us` are zero-extended, `c` and `s` are sign-extended to 64 bits.
public enum ValueType: UInt8, CaseIterable, Sendable, BitwiseCopyable {
    case c, uc, s, us, i, u, l, ul, p

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
        }
    }

    /// Width in bytes: 1, 2, 4 or 8.
    public var size: Int {
        switch self {
        case .c, .uc: 1
        case .s, .us: 2
        case .i, .u: 4
        case .l, .ul, .p: 8
        }
    }

    /// Width in bits: 8, 16, 32 or 64.
    public var bits: Int { size * 8 }

    public var isSigned: Bool {
        switch self {
        case .c, .s, .i, .l: true
        case .uc, .us, .u, .ul, .p: false
        }
    }

    /// The low bits of `value` as a register holds a value of this type.
    public func canonical(_ value: UInt64) -> UInt64 {
        switch self {
        case .c: UInt64(bitPattern: Int64(Int8(truncatingIfNeeded: value)))
        case .uc: UInt64(UInt8(truncatingIfNeeded: value))
        case .s: UInt64(bitPattern: Int64(Int16(truncatingIfNeeded: value)))
        case .us: UInt64(UInt16(truncatingIfNeeded: value))
        case .i, .u: UInt64(UInt32(truncatingIfNeeded: value))
        case .l, .ul, .p: value
        }
    }

    /// An immediate of this type as an `Instruction` stores it: the low bits, sign-extended when the type
    /// is signed and zero-extended when it is not.
    public func immediate(_ value: Int64) -> Int64 {
        switch self {
        case .i: Int64(Int32(truncatingIfNeeded: value))
        case .c, .uc, .s, .us, .u, .l, .ul, .p: Int64(bitPattern: canonical(UInt64(bitPattern: value)))
        }
    }

    public static let integers: [ValueType] = [.i, .u, .l, .ul]
    public static let integersAndPointer: [ValueType] = [.i, .u, .l, .ul, .p]
    public static let convertible: [ValueType] = [.c, .uc, .s, .us, .i, .u, .l, .ul]
}
