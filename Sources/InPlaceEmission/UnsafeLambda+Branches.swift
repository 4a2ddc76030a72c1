import X86Assembler

extension UnsafeLambda {
    // MARK: if rs1 op rs2 goto label; signed or unsigned as the type is

    @inlinable @inline(__always)
    public mutating func blt(_ type: IntegerType, _ rs1: Register, _ rs2: Register, _ label: inout Label) {
        assembler.branch(type.isSigned ? .l : .b, type.width, rs1, rs2, &label)
    }
    @inlinable @inline(__always)
    public mutating func blt(
        _ type: IntegerType, _ rs: Register, _ immediate: Immediate, _ label: inout Label
    ) {
        assembler.branch(
            type.isSigned ? .l : .b, type.width, rs, immediate: immediate.value, isWide: immediate.isWide,
            &label)
    }

    @inlinable @inline(__always)
    public mutating func ble(_ type: IntegerType, _ rs1: Register, _ rs2: Register, _ label: inout Label) {
        assembler.branch(type.isSigned ? .le : .be, type.width, rs1, rs2, &label)
    }
    @inlinable @inline(__always)
    public mutating func ble(
        _ type: IntegerType, _ rs: Register, _ immediate: Immediate, _ label: inout Label
    ) {
        assembler.branch(
            type.isSigned ? .le : .be, type.width, rs, immediate: immediate.value, isWide: immediate.isWide,
            &label)
    }

    @inlinable @inline(__always)
    public mutating func bgt(_ type: IntegerType, _ rs1: Register, _ rs2: Register, _ label: inout Label) {
        assembler.branch(type.isSigned ? .g : .a, type.width, rs1, rs2, &label)
    }
    @inlinable @inline(__always)
    public mutating func bgt(
        _ type: IntegerType, _ rs: Register, _ immediate: Immediate, _ label: inout Label
    ) {
        assembler.branch(
            type.isSigned ? .g : .a, type.width, rs, immediate: immediate.value, isWide: immediate.isWide,
            &label)
    }

    @inlinable @inline(__always)
    public mutating func bge(_ type: IntegerType, _ rs1: Register, _ rs2: Register, _ label: inout Label) {
        assembler.branch(type.isSigned ? .ge : .ae, type.width, rs1, rs2, &label)
    }
    @inlinable @inline(__always)
    public mutating func bge(
        _ type: IntegerType, _ rs: Register, _ immediate: Immediate, _ label: inout Label
    ) {
        assembler.branch(
            type.isSigned ? .ge : .ae, type.width, rs, immediate: immediate.value, isWide: immediate.isWide,
            &label)
    }

    @inlinable @inline(__always)
    public mutating func beq(_ type: IntegerType, _ rs1: Register, _ rs2: Register, _ label: inout Label) {
        assembler.branch(.e, type.width, rs1, rs2, &label)
    }
    @inlinable @inline(__always)
    public mutating func beq(
        _ type: IntegerType, _ rs: Register, _ immediate: Immediate, _ label: inout Label
    ) {
        assembler.branch(.e, type.width, rs, immediate: immediate.value, isWide: immediate.isWide, &label)
    }

    @inlinable @inline(__always)
    public mutating func bne(_ type: IntegerType, _ rs1: Register, _ rs2: Register, _ label: inout Label) {
        assembler.branch(.ne, type.width, rs1, rs2, &label)
    }
    @inlinable @inline(__always)
    public mutating func bne(
        _ type: IntegerType, _ rs: Register, _ immediate: Immediate, _ label: inout Label
    ) {
        assembler.branch(.ne, type.width, rs, immediate: immediate.value, isWide: immediate.isWide, &label)
    }

    // MARK: Jumps

    /// goto label
    @inlinable @inline(__always) public mutating func j(_ label: inout Label) {
        assembler.jmp(&label, isWide: true)
    }

    /// goto the address in a register
    public mutating func j(_ target: Register) { assembler.jmp(target) }

    // MARK: Return

    /// Returns nothing.
    public mutating func ret() { assembler.ret() }

    /// Returns an integer or address.
    public mutating func ret(_ type: IntegerType, _ rs: Register) {
        assembler.mov(type.width, .rax, rs)
        assembler.ret()
    }

    /// Returns a constant.
    public mutating func ret(_ type: IntegerType, _ value: Int64) {
        set(type, .rax, value)
        assembler.ret()
    }

    /// Returns a floating-point number.
    public mutating func ret(_ rs: FloatRegister) {
        if rs != .xmm0 { assembler.movaps(.xmm0, rs) }
        assembler.ret()
    }
}
