import SCodeIR

/// The meaning of the operations on values, for every type (opcode table).
enum Arithmetic {
    /// The result as a register holds it; nil when the operation divides by zero.
    static func binary(_ operation: Operation, _ type: ValueType, _ a: UInt64, _ b: UInt64) -> UInt64? {
        switch type {
        case .i:
            compute(operation, Int32(truncatingIfNeeded: a), Int32(truncatingIfNeeded: b))
                .map { UInt64(UInt32(bitPattern: $0)) }
        case .u:
            compute(operation, UInt32(truncatingIfNeeded: a), UInt32(truncatingIfNeeded: b)).map {
                UInt64($0)
            }
        case .l:
            compute(operation, Int64(bitPattern: a), Int64(bitPattern: b)).map { UInt64(bitPattern: $0) }
        case .f, .d:
            FloatArithmetic.binary(operation, type, a, b)
        case .ul, .p, .c, .uc, .s, .us:
            compute(operation, a, b)
        }
    }

    private static func compute<T: FixedWidthInteger>(_ operation: Operation, _ a: T, _ b: T) -> T? {
        switch operation {
        case .add: return a &+ b
        case .sub: return a &- b
        case .mul: return a &* b
        case .div:
            if b == 0 { return nil }
            return a.dividedReportingOverflow(by: b).partialValue
        case .mod:
            if b == 0 { return nil }
            return T.isSigned && b == 0 &- 1 ? 0 : a % b
        case .and: return a & b
        case .or: return a | b
        case .xor: return a ^ b
        case .lsh: return a &<< b
        case .rsh: return a &>> b
        default: return nil
        }
    }

    /// Whether a branch is taken.
    static func compare(_ operation: Operation, _ type: ValueType, _ a: UInt64, _ b: UInt64) -> Bool {
        switch type {
        case .i: holds(operation, Int32(truncatingIfNeeded: a), Int32(truncatingIfNeeded: b))
        case .u: holds(operation, UInt32(truncatingIfNeeded: a), UInt32(truncatingIfNeeded: b))
        case .l: holds(operation, Int64(bitPattern: a), Int64(bitPattern: b))
        case .f, .d: FloatArithmetic.compare(operation, type, a, b)
        case .ul, .p, .c, .uc, .s, .us: holds(operation, a, b)
        }
    }

    private static func holds<T: Comparable>(_ operation: Operation, _ a: T, _ b: T) -> Bool {
        switch operation {
        case .blt: return a < b
        case .ble: return a <= b
        case .bgt: return a > b
        case .bge: return a >= b
        case .beq: return a == b
        case .bne: return a != b
        default: return false
        }
    }

    /// The operations on one source. Counts of zeros are the width when there is no one.
    static func unary(_ operation: Operation, _ type: ValueType, _ a: UInt64) -> UInt64 {
        let value = type.canonical(a)
        switch operation {
        case .com: return type.canonical(~value)
        case .not: return value == 0 ? 1 : 0
        case .neg: return type.isFloat ? FloatArithmetic.negate(type, value) : type.canonical(0 &- value)
        case .byteSwap: return value.byteSwapped >> UInt64(64 - type.bits)
        case .countLeadingZeros: return UInt64(value.leadingZeroBitCount - (64 - type.bits))
        case .countTrailingZeros: return UInt64(min(value.trailingZeroBitCount, type.bits))
        case .populationCount: return UInt64(value.nonzeroBitCount)
        default: return value
        }
    }

    /// The low bits as the source type, extended to 64 bits, then cut to the target type and extended as that.
    static func convert(_ value: UInt64, from source: ValueType, to target: ValueType) -> UInt64 {
        if source.isFloat || target.isFloat {
            return FloatArithmetic.convert(value, from: source, to: target)
        }
        // A register holds `i` zero-extended; as a number it is signed.
        let number =
            source == .i
            ? UInt64(bitPattern: Int64(Int32(truncatingIfNeeded: value))) : source.canonical(value)
        return target.canonical(number)
    }
}
