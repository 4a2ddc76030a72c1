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
    public mutating func alu(_ op: ALU, _ width: Width, _ destination: GPR, _ source: GPR) {
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

    /// `op r, imm`: 83 /digit ib, or 81 /digit id; the immediate is sign-extended to 64 bits
    @inlinable @inline(__always)
    public mutating func alu(_ op: ALU, _ width: Width, _ destination: GPR, immediate: Int32) {
        guard reserve() else { return }
        putImmediate(op, width, destination, immediate)
    }

    /// *Requires* room.
    @inlinable @inline(__always)
    mutating func putImmediate(_ op: ALU, _ width: Width, _ destination: GPR, _ immediate: Int32) {
        let operands = op.digit | destination.rm | OperandBits.direct
        if immediate.isShort {
            putHead(Opcode(0x83), width, operands)
            put(UInt8(truncatingIfNeeded: immediate))
        } else {
            putHead(Opcode(0x81), width, operands)
            put(UInt32(bitPattern: immediate))
        }
    }

    /// `op m, imm`: 83 /digit ib, or 81 /digit id; the immediate is sign-extended to 64 bits
    @inlinable @inline(__always)
    public mutating func alu(_ op: ALU, _ width: Width, _ destination: Memory, immediate: Int32) {
        if let short = Int8(exactly: immediate) {
            if emit(Opcode(0x83), width, digit: op.rawValue, rm: destination) {
                put(UInt8(bitPattern: short))
            }
        } else if emit(Opcode(0x81), width, digit: op.rawValue, rm: destination) {
            put(UInt32(bitPattern: immediate))
        }
    }

    /// `cmp m, imm` of any size: 80 /7 ib, 66 83 /7 ib, 66 81 /7 iw; of 32 and 64 bits as above. Of the immediate the low
    /// bits count.
    public mutating func compare(_ size: MemoryWidth, _ left: Memory, immediate: Int32) {
        let digit = ALU.cmp.rawValue
        switch size {
        case .w8:
            if emit(Opcode(0x80), .w32, digit: digit, rm: left) { put(UInt8(truncatingIfNeeded: immediate)) }
        case .w16:
            let value = Int16(truncatingIfNeeded: immediate)
            if let short = Int8(exactly: value) {
                if emit(Opcode(0x66, 0, 0x83), .w32, digit: digit, rm: left) { put(UInt8(bitPattern: short)) }
            } else if emit(Opcode(0x66, 0, 0x81), .w32, digit: digit, rm: left) {
                put(UInt16(bitPattern: value))
            }
        case .w32: alu(.cmp, .w32, left, immediate: immediate)
        case .w64: alu(.cmp, .w64, left, immediate: immediate)
        }
    }

    /// `test r, r`: 85 /r
    @inlinable @inline(__always)
    public mutating func test(_ width: Width, _ left: GPR, _ right: GPR) {
        emit(Opcode(0x85), width, reg: right, rm: left)
    }

    // MARK: Multiplication and division

    /// `imul r, r`: 0F AF /r
    @inlinable @inline(__always)
    public mutating func imul(_ width: Width, _ destination: GPR, _ source: GPR) {
        emit(Opcode(0x0F, 0xAF), width, reg: destination, rm: source)
    }

    /// `imul r, m`: 0F AF /r
    @inlinable @inline(__always)
    public mutating func imul(_ width: Width, _ destination: GPR, _ source: Memory) {
        emit(Opcode(0x0F, 0xAF), width, reg: destination, rm: source)
    }

    /// `imul r, r, imm`: 6B /r ib, or 69 /r id
    @inlinable @inline(__always)
    public mutating func imul(_ width: Width, _ destination: GPR, _ source: GPR, immediate: Int32) {
        guard reserve() else { return }
        let operands = destination.reg | source.rm | OperandBits.direct
        if immediate.isShort {
            putHead(Opcode(0x6B), width, operands)
            put(UInt8(truncatingIfNeeded: immediate))
        } else {
            putHead(Opcode(0x69), width, operands)
            put(UInt32(bitPattern: immediate))
        }
    }

    /// `op r`: F7 /digit
    @inlinable @inline(__always)
    public mutating func unary(_ op: Unary, _ width: Width, _ operand: GPR) {
        emit(Opcode(0xF7), width, digit: op.rawValue, rm: operand)
    }

    /// `cdq`, `cqo`: 99. The sign of rax into all of rdx.
    public mutating func signExtendRaxIntoRdx(_ width: Width) {
        guard reserve() else { return }
        if width.isWide { put(0x48 as UInt8) }
        put(0x99 as UInt8)
    }

    // MARK: Shifts

    /// `op r, cl`: D3 /digit. The processor takes the count modulo the width.
    @inlinable @inline(__always)
    public mutating func shiftByCL(_ op: Shift, _ width: Width, _ operand: GPR) {
        emit(Opcode(0xD3), width, digit: op.rawValue, rm: operand)
    }

    /// `op r, imm8`: C1 /digit ib
    @inlinable @inline(__always)
    public mutating func shift(_ op: Shift, _ width: Width, _ operand: GPR, by count: UInt8) {
        if emit(Opcode(0xC1), width, digit: op.rawValue, rm: operand) { put(count) }
    }

    // MARK: Bits

    /// `op r, r`: F3 0F op /r
    public mutating func count(_ op: BitCount, _ width: Width, _ destination: GPR, _ source: GPR) {
        emit(Opcode(0xF3, 0x0F, op.rawValue), width, reg: destination, rm: source)
    }

    /// `bswap r`: 0F C8+r
    public mutating func bswap(_ width: Width, _ operand: GPR) {
        emit(Opcode(0x0F, 0xC8), width, plus: operand)
    }
}
