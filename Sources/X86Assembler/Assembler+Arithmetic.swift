// Arithmetic and logic. The row's comment is the manual's line; a 64-bit operation has REX.W.

/// The operations of the first rows of the opcode map. The raw value is their /digit, and bits 3 to 5 of
/// their opcodes.
public enum ALU: UInt8, CaseIterable, Sendable, BitwiseCopyable {
    case add, or, adc, sbb, and, sub, xor, cmp
}

/// One operand, in group F7. The raw value is the /digit. `mul` and `imul` put the product with rax into rdx:rax; `div` and
/// `idiv` divide that.
public enum Unary: UInt8, CaseIterable, Sendable, BitwiseCopyable {
    case not = 2, neg, mul, imul, div, idiv
}

/// Shifts. The raw value is the /digit.
public enum Shift: UInt8, CaseIterable, Sendable, BitwiseCopyable {
    case shl = 4, shr = 5, sar = 7
}

/// Counts of bits. The raw value is the opcode after F3 0F.
public enum BitCount: UInt8, CaseIterable, Sendable, BitwiseCopyable {
    case popcnt = 0xB8, tzcnt = 0xBC, lzcnt = 0xBD
}

extension Assembler {
    // MARK: add or adc sbb and sub xor cmp

    /// `op r, r`: row+01 /r
    @inlinable @inline(__always)
    public mutating func alu(_ op: ALU, _ width: some OperandWidth, _ destination: GPR, _ source: GPR) {
        emit(Opcode(op.row | 0x01), width, reg: source, rm: destination)
    }

    /// `op r, m`: row+03 /r
    @inlinable @inline(__always)
    public mutating func alu(_ op: ALU, _ width: Width, _ destination: GPR, _ source: Memory) {
        emit(Opcode(op.row | 0x03), width, reg: destination, rm: source)
    }

    /// `op m, r`: row+01 /r
    @inlinable @inline(__always)
    public mutating func alu(_ op: ALU, _ width: Width, _ destination: Memory, _ source: GPR) {
        emit(Opcode(op.row | 0x01), width, reg: source, rm: destination)
    }

    /// `op r, imm`: 83 /digit ib, or, also when it `isWide`, 81 /digit id; the immediate is sign-extended to 64 bits
    @inlinable @inline(__always)
    public mutating func alu(
        _ op: ALU, _ width: some OperandWidth, _ destination: GPR, immediate: Int32, isWide: Bool = false
    ) {
        emit(short: 0x83, long: 0x81, width, op.digit | destination.rm, immediate: immediate, isWide: isWide)
    }

    /// `op m, imm`: 83 /digit ib, or 81 /digit id; the immediate is sign-extended to 64 bits
    @inlinable @inline(__always)
    public mutating func alu(_ op: ALU, _ width: Width, _ destination: Memory, immediate: Int32) {
        let isShort = immediate.isShort
        put(Opcode(isShort ? 0x83 : 0x81), width, reg: op.digit, rm: destination)
        put(immediate, length: isShort ? 1 : 4)
        end()
    }

    /// `cmp m, imm` of any size: 80 /7 ib, 66 83 /7 ib, 66 81 /7 iw; of 32 and 64 bits as above. Of the immediate the low
    /// bits count.
    public mutating func compare(_ size: MemoryWidth, _ left: Memory, immediate: Int32) {
        let digit = ALU.cmp.digit
        switch size {
        case .w8:
            put(Opcode(0x80), .w32, reg: digit, rm: left)
            put(UInt8(truncatingIfNeeded: immediate))
            end()
        case .w16:
            let value = Int16(truncatingIfNeeded: immediate)
            if let short = Int8(exactly: value) {
                put(Opcode(0x66, 0, 0x83), .w32, reg: digit, rm: left)
                put(short)
            } else {
                put(Opcode(0x66, 0, 0x81), .w32, reg: digit, rm: left)
                put(value)
            }
            end()
        case .w32: alu(.cmp, .w32, left, immediate: immediate)
        case .w64: alu(.cmp, .w64, left, immediate: immediate)
        }
    }

    /// `test r, r`: 85 /r
    @inlinable @inline(__always)
    public mutating func test(_ width: some OperandWidth, _ left: GPR, _ right: GPR) {
        emit(Opcode(0x85), width, reg: right, rm: left)
    }

    // MARK: Multiplication and division

    /// `imul r, r`: 0F AF /r
    @inlinable @inline(__always)
    public mutating func imul(_ width: some OperandWidth, _ destination: GPR, _ source: GPR) {
        emit(Opcode(0x0F, 0xAF), width, reg: destination, rm: source)
    }

    /// `imul r, m`: 0F AF /r
    @inlinable @inline(__always)
    public mutating func imul(_ width: Width, _ destination: GPR, _ source: Memory) {
        emit(Opcode(0x0F, 0xAF), width, reg: destination, rm: source)
    }

    /// `imul r, r, imm`: 6B /r ib, or, also when it `isWide`, 69 /r id
    @inlinable @inline(__always)
    public mutating func imul(
        _ width: some OperandWidth, _ destination: GPR, _ source: GPR, immediate: Int32, isWide: Bool = false
    ) {
        emit(
            short: 0x6B, long: 0x69, width, destination.reg | source.rm, immediate: immediate, isWide: isWide)
    }

    /// `op r`: F7 /digit
    @inlinable @inline(__always)
    public mutating func unary(_ op: Unary, _ width: some OperandWidth, _ operand: GPR) {
        emit(Opcode(0xF7), width, digit: op.rawValue, rm: operand)
    }

    /// `cdq`, `cqo`: 99. The sign of rax into all of rdx.
    public mutating func signExtendRaxIntoRdx(_ width: Width) {
        if width.isWide { put(0x48 as UInt8) }
        put(0x99 as UInt8)
        end()
    }

    // MARK: Shifts

    /// `op r, cl`: D3 /digit. The processor takes the count modulo the width.
    @inlinable @inline(__always)
    public mutating func shiftByCL(_ op: Shift, _ width: some OperandWidth, _ operand: GPR) {
        emit(Opcode(0xD3), width, digit: op.rawValue, rm: operand)
    }

    /// `op r, imm8`: C1 /digit ib
    @inlinable @inline(__always)
    public mutating func shift<Form: OperandWidth>(
        _ op: Shift, _ width: Form, _ operand: GPR, by count: UInt8
    ) {
        let operands = OperandBits.reg(op.rawValue) | operand.rm | OperandBits.direct
        if Form.isUniform {
            emit(head(Opcode(0xC1), width, operands) | UInt32(count) << 24, length: 4)
        } else {
            putHead(Opcode(0xC1), width.compact, operands)
            put(count)
            end()
        }
    }

    // MARK: Bits

    /// `op r, r`: F3 0F op /r
    public mutating func count(_ op: BitCount, _ width: Width, _ destination: GPR, _ source: GPR) {
        emit(Opcode(0xF3, 0x0F, op.rawValue), width, reg: destination, rm: source)
    }

    /// `bswap r`: 0F C8+r
    public mutating func bswap(_ width: Width, _ operand: GPR) {
        emit(0xC8, escape: 0x0F, width, plus: operand)
    }
}
