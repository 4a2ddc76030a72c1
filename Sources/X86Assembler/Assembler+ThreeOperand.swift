// d := a op b, as the machine of VCODE has it: the processor's two-operand forms with what they need before them.
//
// Operands are any registers, the same ones too; rax, rcx and rdx are scratch where a row says so. What is emitted in
// one piece is at most 15 bytes, so that it needs room to be looked for only once. Flags are changed.

extension Assembler {
    // MARK: Arithmetic and logic

    /// d := a + b
    @inlinable @inline(__always)
    public mutating func add(_ width: Width, _ destination: GPR, _ left: GPR, _ right: GPR) {
        guard reserve() else { return }
        if destination == left {
            putALU(.add, width, destination, right)
        } else if destination == right {
            putALU(.add, width, destination, left)
        } else {
            putSum(width, destination, left, right)
        }
    }

    /// d := a - b
    @inlinable @inline(__always)
    public mutating func subtract(_ width: Width, _ destination: GPR, _ left: GPR, _ right: GPR) {
        guard reserve() else { return }
        if destination == left {
            putALU(.sub, width, destination, right)
        } else if destination == right {
            putUnary(.neg, width, destination)
            putALU(.add, width, destination, left)
        } else {
            putMove(width, destination, left)
            putALU(.sub, width, destination, right)
        }
    }

    /// d := a op b, where a and b may change places: `and`, `or`, `xor`
    @inlinable @inline(__always)
    public mutating func logic(_ op: ALU, _ width: Width, _ destination: GPR, _ left: GPR, _ right: GPR) {
        guard reserve() else { return }
        if destination == right { return putALU(op, width, destination, left) }
        if destination != left { putMove(width, destination, left) }
        putALU(op, width, destination, right)
    }

    /// d := a * b
    @inlinable @inline(__always)
    public mutating func multiply(_ width: Width, _ destination: GPR, _ left: GPR, _ right: GPR) {
        guard reserve() else { return }
        let isRight = destination == right
        if destination != left && !isRight { putMove(width, destination, left) }
        let factor = isRight ? left : right
        putHead(Opcode(0x0F, 0xAF), width, destination.reg | factor.rm | OperandBits.direct)
    }

    /// d := a + immediate, which is sign-extended to 64 bits
    @inlinable @inline(__always)
    public mutating func add(_ width: Width, _ destination: GPR, _ left: GPR, immediate: Int32) {
        guard reserve() else { return }
        if destination == left {
            putImmediate(.add, width, destination, immediate)
        } else {
            putBased(Opcode(0x8D), width, destination.reg, left, immediate)
        }
    }

    /// d := a - immediate, which is sign-extended to 64 bits
    @inlinable @inline(__always)
    public mutating func subtract(_ width: Width, _ destination: GPR, _ left: GPR, immediate: Int32) {
        guard reserve() else { return }
        if destination == left {
            putImmediate(.sub, width, destination, immediate)
        } else if immediate != .min {
            putBased(Opcode(0x8D), width, destination.reg, left, 0 &- immediate)
        } else {
            putMove(width, destination, left)
            putImmediate(.sub, width, destination, immediate)
        }
    }

    /// d := a op immediate, which is sign-extended to 64 bits
    @inlinable @inline(__always)
    public mutating func logic(
        _ op: ALU, _ width: Width, _ destination: GPR, _ left: GPR, immediate: Int32
    ) {
        guard reserve() else { return }
        if destination != left { putMove(width, destination, left) }
        putImmediate(op, width, destination, immediate)
    }

    /// d := a * immediate
    @inlinable
    public mutating func multiply(_ width: Width, _ destination: GPR, _ source: GPR, by factor: Int32) {
        // One address computes three, five or nine times a register.
        switch factor {
        case 3: lea(width, destination, Memory(source, index: source, .x2))
        case 5: lea(width, destination, Memory(source, index: source, .x4))
        case 9: lea(width, destination, Memory(source, index: source, .x8))
        default: imul(width, destination, source, immediate: factor)
        }
    }

    /// d := op a; of `not` and `neg`
    @inlinable @inline(__always)
    public mutating func unary(_ op: Unary, _ width: Width, _ destination: GPR, _ source: GPR) {
        guard reserve() else { return }
        if destination != source { putMove(width, destination, source) }
        putUnary(op, width, destination)
    }

    // MARK: Shifts

    /// d := a op count. By 0 it is a move, which still cuts to 32 bits.
    @inlinable @inline(__always)
    public mutating func shift(
        _ op: Shift, _ width: Width, _ destination: GPR, _ source: GPR, by count: UInt8
    ) {
        guard reserve() else { return }
        if destination != source || (count == 0 && !width.isWide) { putMove(width, destination, source) }
        guard count != 0 else { return }
        putHead(Opcode(0xC1), width, OperandBits.reg(op.rawValue) | destination.rm | OperandBits.direct)
        put(count)
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
        _ condition: Condition, _ width: Width, _ left: GPR, _ right: GPR, _ place: inout CodePlace
    ) {
        guard reserve() else { return }
        putALU(.cmp, width, left, right)
        putJump(condition, &place)
    }

    /// if a op b goto label; `isNear` as of `jcc`
    public mutating func branch(
        _ condition: Condition, _ width: Width, _ left: GPR, _ right: GPR, _ label: CodeLabel,
        isNear: Bool = false
    ) {
        guard reserve() else { return }
        putALU(.cmp, width, left, right)
        putJump(condition, to: label, isNear)
    }

    /// if a op immediate goto place
    @inlinable @inline(__always)
    public mutating func branch(
        _ condition: Condition, _ width: Width, _ left: GPR, immediate: Int32, _ place: inout CodePlace
    ) {
        guard reserve() else { return }
        putComparison(width, left, immediate)
        putJump(condition, &place)
    }

    /// if a op immediate goto label; `isNear` as of `jcc`
    public mutating func branch(
        _ condition: Condition, _ width: Width, _ left: GPR, immediate: Int32, _ label: CodeLabel,
        isNear: Bool = false
    ) {
        guard reserve() else { return }
        putComparison(width, left, immediate)
        putJump(condition, to: label, isNear)
    }

    // MARK: Parts. *Requires* room.

    /// With 0, `test` is shorter and sets the same flags.
    @inlinable @inline(__always)
    mutating func putComparison(_ width: Width, _ left: GPR, _ immediate: Int32) {
        if immediate == 0 {
            putHead(Opcode(0x85), width, left.reg | left.rm | OperandBits.direct)
        } else {
            putImmediate(.cmp, width, left, immediate)
        }
    }

    @inlinable @inline(__always)
    mutating func putMove(_ width: Width, _ destination: GPR, _ source: GPR) {
        putHead(Opcode(0x89), width, source.reg | destination.rm | OperandBits.direct)
    }

    /// d := d op b
    @inlinable @inline(__always)
    mutating func putALU(_ op: ALU, _ width: Width, _ destination: GPR, _ right: GPR) {
        putHead(Opcode(op.row | 0x01), width, right.reg | destination.rm | OperandBits.direct)
    }

    /// d := op d
    @inlinable @inline(__always)
    mutating func putUnary(_ op: Unary, _ width: Width, _ destination: GPR) {
        putHead(Opcode(0xF7), width, OperandBits.reg(op.rawValue) | destination.rm | OperandBits.direct)
    }

    /// `lea d, [a + b]`. Neither may be rsp.
    @inlinable @inline(__always)
    mutating func putSum(_ width: Width, _ destination: GPR, _ left: GPR, _ right: GPR) {
        let rex = left.rm & 1 | (right.rm & 1) << 1
        let sib = (left.rm & 0x7_0000) << 8 | (right.rm & 0x7_0000) << 11
        let operands = destination.reg | rex | OperandBits.rm(0b100) | sib
        if _fastPath(!left.baseNeedsDisplacement) {
            putHead(Opcode(0x8D), width, operands, sib: 1)
        } else {
            putHead(Opcode(0x8D), width, operands | OperandBits.displacement8, sib: 1)
            put(0 as UInt8)
        }
    }
}
