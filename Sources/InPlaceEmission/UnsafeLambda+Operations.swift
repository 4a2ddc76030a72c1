import X86Assembler

extension UnsafeLambda {
    // MARK: Arithmetic and logic: rd := rs1 op rs2, or an immediate

    /// Sum; it wraps.
    @inlinable @inline(__always)
    public mutating func add(_ type: IntegerType, _ rd: Register, _ rs1: Register, _ rs2: Register) {
        assembler.add(type.width, rd, rs1, rs2)
    }
    /// Sum; it wraps.
    @inlinable @inline(__always)
    public mutating func add(_ type: IntegerType, _ rd: Register, _ rs: Register, _ immediate: Immediate) {
        assembler.add(type.width, rd, rs, immediate: immediate.value, isWide: immediate.isWide)
    }
    /// Difference; it wraps.
    @inlinable @inline(__always)
    public mutating func sub(_ type: IntegerType, _ rd: Register, _ rs1: Register, _ rs2: Register) {
        assembler.subtract(type.width, rd, rs1, rs2)
    }
    /// Difference; it wraps.
    @inlinable @inline(__always)
    public mutating func sub(_ type: IntegerType, _ rd: Register, _ rs: Register, _ immediate: Immediate) {
        assembler.subtract(type.width, rd, rs, immediate: immediate.value, isWide: immediate.isWide)
    }
    /// The low half of the product.
    @inlinable @inline(__always)
    public mutating func mul(_ type: IntegerType, _ rd: Register, _ rs1: Register, _ rs2: Register) {
        assembler.multiply(type.width, rd, rs1, rs2)
    }
    /// The low half of the product.
    @inlinable @inline(__always)
    public mutating func mul(_ type: IntegerType, _ rd: Register, _ rs: Register, _ immediate: Immediate) {
        assembler.multiply(type.width, rd, rs, by: immediate.value, isWide: immediate.isWide)
    }
    @inlinable @inline(__always)
    public mutating func and(_ type: IntegerType, _ rd: Register, _ rs1: Register, _ rs2: Register) {
        assembler.logic(.and, type.width, rd, rs1, rs2)
    }
    @inlinable @inline(__always)
    public mutating func and(_ type: IntegerType, _ rd: Register, _ rs: Register, _ immediate: Immediate) {
        assembler.logic(.and, type.width, rd, rs, immediate: immediate.value, isWide: immediate.isWide)
    }
    @inlinable @inline(__always)
    public mutating func or(_ type: IntegerType, _ rd: Register, _ rs1: Register, _ rs2: Register) {
        assembler.logic(.or, type.width, rd, rs1, rs2)
    }
    @inlinable @inline(__always)
    public mutating func or(_ type: IntegerType, _ rd: Register, _ rs: Register, _ immediate: Immediate) {
        assembler.logic(.or, type.width, rd, rs, immediate: immediate.value, isWide: immediate.isWide)
    }
    @inlinable @inline(__always)
    public mutating func xor(_ type: IntegerType, _ rd: Register, _ rs1: Register, _ rs2: Register) {
        assembler.logic(.xor, type.width, rd, rs1, rs2)
    }
    @inlinable @inline(__always)
    public mutating func xor(_ type: IntegerType, _ rd: Register, _ rs: Register, _ immediate: Immediate) {
        assembler.logic(.xor, type.width, rd, rs, immediate: immediate.value, isWide: immediate.isWide)
    }
    /// Left shift; the count is taken modulo the width.
    @inlinable @inline(__always)
    public mutating func lsh(_ type: IntegerType, _ rd: Register, _ rs: Register, _ count: Register) {
        assembler.shift(.shl, type.width.compact, rd, rs, by: count)
    }
    /// Left shift; the count is taken modulo the width.
    @inlinable @inline(__always)
    public mutating func lsh(_ type: IntegerType, _ rd: Register, _ rs: Register, _ count: Int32) {
        assembler.shift(.shl, type.width, rd, rs, by: type.shiftCount(count))
    }
    /// Right shift, with the sign where the type has one; the count is taken modulo the width.
    @inlinable @inline(__always)
    public mutating func rsh(_ type: IntegerType, _ rd: Register, _ rs: Register, _ count: Register) {
        assembler.shift(type.isSigned ? .sar : .shr, type.width.compact, rd, rs, by: count)
    }
    /// Right shift, with the sign where the type has one; the count is taken modulo the width.
    @inlinable @inline(__always)
    public mutating func rsh(_ type: IntegerType, _ rd: Register, _ rs: Register, _ count: Int32) {
        assembler.shift(type.isSigned ? .sar : .shr, type.width, rd, rs, by: type.shiftCount(count))
    }

    /// Quotient, truncated. The processor traps on a divisor of zero, and where the quotient does not fit.
    public mutating func div(_ type: IntegerType, _ rd: Register, _ rs1: Register, _ rs2: Register) {
        divide(type, rs1, rs2)
        assembler.mov(type.width, rd, .rax)
    }
    /// Remainder, with the sign of the dividend. Traps as `div` does.
    public mutating func mod(_ type: IntegerType, _ rd: Register, _ rs1: Register, _ rs2: Register) {
        divide(type, rs1, rs2)
        assembler.mov(type.width, rd, .rdx)
    }
    /// Quotient, truncated. *Requires* a divisor that is neither 0 nor -1.
    public mutating func div(_ type: IntegerType, _ rd: Register, _ rs: Register, _ divisor: Int32) {
        set(.l, .rcx, Int64(divisor))
        div(type, rd, rs, .rcx)
    }
    /// Remainder, with the sign of the dividend. *Requires* a divisor that is neither 0 nor -1.
    public mutating func mod(_ type: IntegerType, _ rd: Register, _ rs: Register, _ divisor: Int32) {
        set(.l, .rcx, Int64(divisor))
        mod(type, rd, rs, .rcx)
    }

    private mutating func divide(_ type: IntegerType, _ dividend: Register, _ divisor: Register) {
        assembler.mov(type.width, .rax, dividend)
        if type.isSigned {
            assembler.signExtendRaxIntoRdx(type.width.compact)
        } else {
            assembler.zero(.rdx)
        }
        assembler.unary(type.isSigned ? .idiv : .div, type.width, divisor)
    }

    // MARK: One operand

    /// Complement: all bits changed.
    @inlinable @inline(__always)
    public mutating func com(_ type: IntegerType, _ rd: Register, _ rs: Register) {
        assembler.unary(.not, type.width, rd, rs)
    }
    /// rd := 1 where rs is 0, else 0
    public mutating func not(_ type: IntegerType, _ rd: Register, _ rs: Register) {
        assembler.test(type.width, rs, rs)
        assembler.set(.e, .rax)
        assembler.zeroExtend(.w8, rd, .rax)
    }
    @inlinable @inline(__always)
    public mutating func neg(_ type: IntegerType, _ rd: Register, _ rs: Register) {
        assembler.unary(.neg, type.width, rd, rs)
    }
    @inlinable @inline(__always)
    public mutating func mov(_ type: IntegerType, _ rd: Register, _ rs: Register) {
        assembler.mov(type.width, rd, rs)
    }
    /// rd := a constant, cut to the type
    @inlinable @inline(__always)
    public mutating func set(_ type: IntegerType, _ rd: Register, _ value: Int64) {
        if value == 0 { return assembler.zero(rd, UniformWidth.w32) }
        assembler.mov(
            rd, immediate: type.isWide ? UInt64(bitPattern: value) : UInt64(UInt32(truncatingIfNeeded: value))
        )
    }
    /// Conversion: to fewer bits it cuts, to more it extends, with the sign where `from` has one.
    @inlinable @inline(__always)
    public mutating func cv(_ from: IntegerType, _ to: IntegerType, _ rd: Register, _ rs: Register) {
        if to.width.isWide && from == .i {
            assembler.signExtend(.w32, to: .w64, rd, rs)
        } else {
            assembler.mov(from.width.isWide ? to.width : .w32, rd, rs)
        }
    }

    // MARK: Memory

    /// rd := what is at base + offset
    @inlinable @inline(__always)
    public mutating func ld(_ type: MemoryType, _ rd: Register, _ base: Register, _ offset: Immediate) {
        assembler.load(as: type.load, rd, plainBase: base, offset.value, isWide: offset.isWide)
    }
    /// rd := what is at base + index
    @inlinable @inline(__always)
    public mutating func ld(_ type: MemoryType, _ rd: Register, _ base: Register, _ index: Register) {
        assembler.load(as: type.load, rd, Memory(base, index: index))
    }
    /// What is at base + offset := rs
    @inlinable @inline(__always)
    public mutating func st(_ type: MemoryType, _ rs: Register, _ base: Register, _ offset: Immediate) {
        assembler.store(as: type.store, plainBase: base, offset.value, rs, isWide: offset.isWide)
    }
    /// What is at base + index := rs
    @inlinable @inline(__always)
    public mutating func st(_ type: MemoryType, _ rs: Register, _ base: Register, _ index: Register) {
        assembler.store(as: type.store, Memory(base, index: index), rs)
    }
}
