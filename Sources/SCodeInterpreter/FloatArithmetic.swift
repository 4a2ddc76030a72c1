import SCodeIR

/// The meaning of the operations on floating-point numbers (IEEE 754, round to nearest even).
///
/// What IEEE 754 leaves open about NaNs is fixed as SSE2 has it (Intel SDM volume 1, table 4-7): the first operand
/// that is a NaN, made quiet; when neither is one, the default NaN, whose sign is set.
enum FloatArithmetic {
    static func binary(_ operation: Operation, _ type: ValueType, _ a: UInt64, _ b: UInt64) -> UInt64 {
        if type == .f {
            let result = compute(operation, Float(bits: a), Float(bits: b))
            return UInt64(result.bitPattern)
        }
        return compute(operation, Double(bitPattern: a), Double(bitPattern: b)).bitPattern
    }

    private static func compute<T: HardwareFloat>(_ operation: Operation, _ a: T, _ b: T) -> T {
        if a.isNaN { return a.quieted }
        if b.isNaN { return b.quieted }
        let result: T
        switch operation {
        case .add: result = a + b
        case .sub: result = a - b
        case .mul: result = a * b
        default: result = a / b
        }
        return result.isNaN ? T.defaultNaN : result
    }

    /// `neg` changes the sign bit and nothing else, of a NaN too.
    static func negate(_ type: ValueType, _ a: UInt64) -> UInt64 {
        type == .f ? (a ^ 0x8000_0000) & 0xffff_ffff : a ^ 1 << 63
    }

    /// Comparisons with a NaN are false, but for `bne`.
    static func compare(_ operation: Operation, _ type: ValueType, _ a: UInt64, _ b: UInt64) -> Bool {
        // Every f is a d: widening changes no comparison.
        let left = type == .f ? Double(Float(bits: a)) : Double(bitPattern: a)
        let right = type == .f ? Double(Float(bits: b)) : Double(bitPattern: b)
        switch operation {
        case .blt: return left < right
        case .ble: return left <= right
        case .bgt: return left > right
        case .bge: return left >= right
        case .beq: return left == right
        default: return left != right
        }
    }

    // MARK: Conversions

    /// From an integer, `f` or `d` to an integer, `f` or `d`, at least one of them floating-point.
    static func convert(_ value: UInt64, from source: ValueType, to target: ValueType) -> UInt64 {
        switch (source, target) {
        case (.f, .d): return widen(value)
        case (.d, .f): return narrow(value)
        case (.f, _): return toInteger(Double(Float(bits: value)), target)
        case (.d, _): return toInteger(Double(bitPattern: value), target)
        case (_, .f): return UInt64(fromInteger(value, source, Float.self).bitPattern)
        default: return fromInteger(value, source, Double.self).bitPattern
        }
    }

    private static func widen(_ value: UInt64) -> UInt64 {
        let number = Float(bits: value)
        guard number.isNaN else { return Double(number).bitPattern }
        let bits = UInt64(number.quieted.bitPattern)
        return (bits & 0x8000_0000) << 32 | 0x7ff << 52 | (bits & 0x7f_ffff) << 29
    }

    private static func narrow(_ value: UInt64) -> UInt64 {
        let number = Double(bitPattern: value)
        guard number.isNaN else { return UInt64(Float(number).bitPattern) }
        let bits = number.quieted.bitPattern
        return bits >> 32 & 0x8000_0000 | 0xff << 23 | bits >> 29 & 0x7f_ffff
    }

    /// Truncates; what does not fit becomes the nearest that does, and a NaN zero.
    private static func toInteger(_ number: Double, _ target: ValueType) -> UInt64 {
        switch target {
        case .i: UInt64(UInt32(bitPattern: saturate(number)))
        case .u: UInt64(saturate(number) as UInt32)
        case .l: UInt64(bitPattern: saturate(number))
        default: saturate(number)
        }
    }

    private static func saturate<T: FixedWidthInteger>(_ number: Double) -> T {
        if number.isNaN { return 0 }
        let whole = number.rounded(.towardZero)
        // 2^63 and 2^64 are the least doubles beyond the ranges of 64 bits.
        if whole >= Double(sign: .plus, exponent: T.bitWidth - (T.isSigned ? 1 : 0), significand: 1) {
            return T.max
        }
        if whole < Double(T.min) { return T.min }
        return T(whole)
    }

    private static func fromInteger<T: HardwareFloat>(_ value: UInt64, _ source: ValueType, _: T.Type) -> T {
        switch source {
        case .i: T(Int32(truncatingIfNeeded: value))
        case .u: T(UInt32(truncatingIfNeeded: value))
        case .l: T(Int64(bitPattern: value))
        default: T(value)
        }
    }
}

/// What `Float` and `Double` share here.
private protocol HardwareFloat: BinaryFloatingPoint {
    /// The NaN with its quiet bit set; sign and payload stay.
    var quieted: Self { get }
    /// What an invalid operation gives.
    static var defaultNaN: Self { get }
}

extension Float: HardwareFloat {
    /// The low half of a register.
    fileprivate init(bits: UInt64) { self.init(bitPattern: UInt32(truncatingIfNeeded: bits)) }
    fileprivate var quieted: Float { Float(bitPattern: bitPattern | 0x40_0000) }
    fileprivate static var defaultNaN: Float { Float(bitPattern: 0xffc0_0000) }
}

extension Double: HardwareFloat {
    fileprivate var quieted: Double { Double(bitPattern: bitPattern | 1 << 51) }
    fileprivate static var defaultNaN: Double { Double(bitPattern: 0xfff8_0000_0000_0000) }
}
