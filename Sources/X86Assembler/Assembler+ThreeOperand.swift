// d := a op b, as the machine of VCODE has it: the processor's two-operand forms with what they need before them.
//
// Operands are any registers, the same ones too; rax, rcx and rdx are scratch where a row says so. Flags are changed. An
// immediate that `isWide` is written in 32 bits though 8 hold it.

extension Assembler {
    // MARK: Arithmetic and logic

    /// d := a + b. b is not rsp.
    @inlinable @inline(__always)
    public mutating func add<Form: OperandWidth>(_ width: Form, _ destination: GPR, _ left: GPR, _ right: GPR)
    {
        if destination == left {
            alu(.add, width, destination, right)
        } else if destination == right {
            alu(.add, width, destination, left)
        } else if Form.isUniform {
            mov(width, destination, left)
            alu(.add, width, destination, right)
        } else {
            lea(width.compact, destination, Memory(left, index: right))
        }
    }

    /// d := a - b
    @inlinable @inline(__always)
    public mutating func subtract(_ width: some OperandWidth, _ destination: GPR, _ left: GPR, _ right: GPR) {
        if destination == left {
            alu(.sub, width, destination, right)
        } else if destination == right {
            unary(.neg, width, destination)
            alu(.add, width, destination, left)
        } else {
            mov(width, destination, left)
            alu(.sub, width, destination, right)
        }
    }

    /// d := a op b, where a and b may change places: `and`, `or`, `xor`
    @inlinable @inline(__always)
    public mutating func logic(
        _ op: ALU, _ width: some OperandWidth, _ destination: GPR, _ left: GPR, _ right: GPR
    ) {
        if destination == left {
            alu(op, width, destination, right)
        } else if destination == right {
            alu(op, width, destination, left)
        } else {
            mov(width, destination, left)
            alu(op, width, destination, right)
        }
    }

    /// d := a * b
    @inlinable @inline(__always)
    public mutating func multiply(_ width: some OperandWidth, _ destination: GPR, _ left: GPR, _ right: GPR) {
        if destination == left {
            imul(width, destination, right)
        } else if destination == right {
            imul(width, destination, left)
        } else {
            mov(width, destination, left)
            imul(width, destination, right)
        }
    }

    /// d := a + immediate, which is sign-extended to 64 bits. In uniform widths a is neither rsp nor r12.
    @inlinable @inline(__always)
    public mutating func add<Form: OperandWidth>(
        _ width: Form, _ destination: GPR, _ left: GPR, immediate: Int32, isWide: Bool = false
    ) {
        if destination == left {
            alu(.add, width, destination, immediate: immediate, isWide: isWide)
        } else if Form.isUniform {
            emit(Opcode(0x8D), width, reg: destination, plainBase: left, immediate, isWide: isWide)
        } else {
            lea(width.compact, destination, Memory(left, immediate))
        }
    }

    /// d := a - immediate, which is sign-extended to 64 bits. In uniform widths a is neither rsp nor r12.
    @inlinable @inline(__always)
    public mutating func subtract(
        _ width: some OperandWidth, _ destination: GPR, _ left: GPR, immediate: Int32, isWide: Bool = false
    ) {
        if destination == left || immediate == .min {
            if destination != left { mov(width, destination, left) }
            alu(.sub, width, destination, immediate: immediate, isWide: isWide)
        } else {
            add(width, destination, left, immediate: 0 &- immediate, isWide: isWide)
        }
    }

    /// d := a op immediate, which is sign-extended to 64 bits
    @inlinable @inline(__always)
    public mutating func logic(
        _ op: ALU, _ width: some OperandWidth, _ destination: GPR, _ left: GPR, immediate: Int32,
        isWide: Bool = false
    ) {
        if destination != left { mov(width, destination, left) }
        alu(op, width, destination, immediate: immediate, isWide: isWide)
    }

    /// d := a * immediate
    @inlinable
    public mutating func multiply(
        _ width: some OperandWidth, _ destination: GPR, _ source: GPR, by factor: Int32, isWide: Bool = false
    ) {
        // One address computes three, five or nine times a register.
        switch isWide ? 0 : factor {
        case 3: lea(width.compact, destination, Memory(source, index: source, .x2))
        case 5: lea(width.compact, destination, Memory(source, index: source, .x4))
        case 9: lea(width.compact, destination, Memory(source, index: source, .x8))
        default: imul(width, destination, source, immediate: factor, isWide: isWide)
        }
    }

    /// d := op a; of `not` and `neg`
    @inlinable @inline(__always)
    public mutating func unary(_ op: Unary, _ width: some OperandWidth, _ destination: GPR, _ source: GPR) {
        if destination != source { mov(width, destination, source) }
        unary(op, width, destination)
    }

    // MARK: Shifts

    /// d := a op count; of 64 bits the processor takes it modulo the width. By 0 it is a move, which still cuts to 32 bits.
    @inlinable @inline(__always)
    public mutating func shift<Form: OperandWidth>(
        _ op: Shift, _ width: Form, _ destination: GPR, _ source: GPR, by count: UInt8
    ) {
        if destination != source || (count == 0 && !width.isWide) { mov(width, destination, source) }
        if count != 0 || Form.isUniform { shift(op, width, destination, by: count) }
    }

    /// d := a op count, taken modulo the width. a is not rcx. Scratch: rcx, and rax when d is the count's register.
    public mutating func shift(
        _ op: Shift, _ width: Width, _ destination: GPR, _ source: GPR, by count: GPR
    ) {
        let target = destination == count && destination != source ? GPR.rax : destination
        if count != .rcx { mov(.w32, .rcx, count) }
        // By zero, a shift of 32 bits leaves the upper half alone: the move cuts it.
        if target != source || !width.isWide { mov(width, target, source) }
        shiftByCL(op, width, target)
        if target != destination { mov(width, destination, target) }
    }

    // MARK: Branches

    /// if a op b goto place
    @inlinable @inline(__always)
    public mutating func branch(
        _ condition: Condition, _ width: UniformWidth, _ left: GPR, _ right: GPR, _ place: inout CodePlace
    ) {
        alu(.cmp, width, left, right)
        jcc(condition, &place, isWide: true)
    }

    /// if a op b goto label; `isNear` as of `jcc`
    public mutating func branch(
        _ condition: Condition, _ width: Width, _ left: GPR, _ right: GPR, _ label: CodeLabel,
        isNear: Bool = false
    ) {
        alu(.cmp, width, left, right)
        jcc(condition, label, isNear: isNear)
    }

    /// if a op immediate goto place
    @inlinable @inline(__always)
    public mutating func branch(
        _ condition: Condition, _ width: UniformWidth, _ left: GPR, immediate: Int32, isWide: Bool = false,
        _ place: inout CodePlace
    ) {
        alu(.cmp, width, left, immediate: immediate, isWide: isWide)
        jcc(condition, &place, isWide: true)
    }

    /// if a op immediate goto label; `isNear` as of `jcc`
    public mutating func branch(
        _ condition: Condition, _ width: Width, _ left: GPR, immediate: Int32, _ label: CodeLabel,
        isNear: Bool = false
    ) {
        compare(width, left, immediate)
        jcc(condition, label, isNear: isNear)
    }

    // MARK: Parts

    /// With 0, `test` is shorter and sets the same flags.
    @inlinable @inline(__always)
    mutating func compare(_ width: Width, _ left: GPR, _ immediate: Int32) {
        if immediate == 0 {
            test(width, left, left)
        } else {
            alu(.cmp, width, left, immediate: immediate)
        }
    }
}
