// The parts of an instruction, and the one place where they are put together:
//
//     [lock or mandatory prefix] [REX] [0F] opcode ModRM [SIB] [displacement] [immediate]
//
// Rows elsewhere read like the manual's lines: `Opcode(0xF3, 0x0F, 0xB8)` is F3 0F B8; `reg` is the /r
// register or the /digit; `rm` the other operand; the immediate comes last.
//
// All up to SIB is composed in one word and written at once. A register knows its bits in that word
// (`OperandBits`); where the opcode has one byte, the word is REX, opcode, ModRM, SIB from the low byte up.

/// An opcode with its prefix and escape, which is 0F; 0 where there is none.
@frozen @usableFromInline struct Opcode: BitwiseCopyable {
    @usableFromInline let prefix: UInt8
    @usableFromInline let escape: UInt8
    @usableFromInline let byte: UInt8

    @inlinable @inline(__always) init(_ byte: UInt8) { (prefix, escape, self.byte) = (0, 0, byte) }
    @inlinable @inline(__always) init(_ escape: UInt8, _ byte: UInt8) {
        (prefix, self.escape, self.byte) = (0, escape, byte)
    }
    @inlinable @inline(__always) init(_ prefix: UInt8, _ escape: UInt8, _ byte: UInt8) {
        (self.prefix, self.escape, self.byte) = (prefix, escape, byte)
    }
}

// Numbers of cases in their order: read as they lie, since a switch for each would keep the compiler from inlining.

extension Condition {
    /// The low half of the opcodes that it selects.
    @inlinable @inline(__always) var code: UInt8 { unsafeBitCast(self, to: UInt8.self) }
}

extension ALU {
    /// The opcode of the operation's first row.
    @inlinable @inline(__always) var row: UInt8 { unsafeBitCast(self, to: UInt8.self) << 3 }
    /// Its /digit, as bits of an operand.
    @inlinable @inline(__always) var digit: UInt32 { UInt32(unsafeBitCast(self, to: UInt8.self)) << 19 }
}

extension XMM {
    @inlinable @inline(__always) var number: UInt8 { unsafeBitCast(self, to: UInt8.self) }
}

extension Int {
    /// 1 for true.
    @inlinable @inline(__always) init(bit: Bool) { self = Int(unsafeBitCast(bit, to: UInt8.self)) }
}

extension Int32 {
    /// Whether a signed byte holds it.
    @inlinable @inline(__always) var isShort: Bool { Int32(Int8(truncatingIfNeeded: self)) == self }
}

/// Operands as bits of an instruction's first word, when its opcode has one byte.
@usableFromInline enum OperandBits {
    /// The field ModRM.rm, and below it REX.B.
    @inlinable @inline(__always) static func rm(_ number: UInt8) -> UInt32 {
        UInt32(number & 7) << 16 | UInt32(number >> 3)
    }
    /// The field ModRM.reg, and REX.R.
    @inlinable @inline(__always) static func reg(_ number: UInt8) -> UInt32 {
        UInt32(number & 7) << 19 | UInt32(number >> 3) << 2
    }
    /// Both operands are registers.
    @inlinable @inline(__always) static var direct: UInt32 { 0b11 << 22 }
    /// A displacement follows, of 8 bits or of 32.
    @inlinable @inline(__always) static var displacement8: UInt32 { 0b01 << 22 }
    @inlinable @inline(__always) static var displacement32: UInt32 { 0b10 << 22 }
    /// What of a register's bits stands in the SIB byte and REX when it is a base.
    @inlinable @inline(__always) static var sibBase: UInt32 { 0x7_0001 }
    /// REX itself, when it is there.
    @inlinable @inline(__always) static var rex: UInt32 { 0x40 }
}

extension GPR {
    /// As byte registers 4 to 7 are spl, bpl, sil, dil with REX; without they are ah, ch, dh, bh.
    @inlinable @inline(__always) func needsREX(_ isByte: Bool) -> Bool {
        Int(bit: isByte) & Int(bit: rm & 0x4_0001 == 0x4_0000) != 0
    }
    /// As a base, rsp and r12 take a SIB byte: their number in ModRM.rm says that there is one. It stands in `rm`.
    /// How many such bytes there are.
    @inlinable @inline(__always) var sibOfBase: Int { Int(bit: rm >= 1 << 24) }
    /// As a base, rbp and r13 take a displacement, if only of 0: without they mean that there is no base.
    @inlinable @inline(__always) var baseNeedsDisplacement: Bool { rm & 0x7_0000 == 0x5_0000 }
}

extension Assembler {
    // MARK: Parts. *Requires* room.

    @inlinable @inline(__always) mutating func put(_ byte: UInt8) {
        cursor.storeBytes(of: byte, as: UInt8.self)
        cursor += 1
    }

    @inlinable @inline(__always) mutating func put(_ word: UInt16) {
        cursor.storeBytes(of: word, as: UInt16.self)
        cursor += 2
    }

    @inlinable @inline(__always) mutating func put(_ word: UInt32) {
        cursor.storeBytes(of: word, as: UInt32.self)
        cursor += 4
    }

    @inlinable @inline(__always) mutating func put(_ word: UInt64) {
        cursor.storeBytes(of: word, as: UInt64.self)
        cursor += 8
    }

    /// Everything up to ModRM, or SIB.
    @inlinable @inline(__always)
    mutating func putHead(
        _ opcode: Opcode, _ width: Width, _ operands: UInt32, sib: Int = 0, needsREX: Bool = false
    ) {
        if opcode.prefix != 0 { put(opcode.prefix) }
        var word = UInt64(operands | UInt32(opcode.byte) << 8 | OperandBits.rex | width.rexW)
        var length = 3
        if opcode.escape != 0 {
            // The bits of REX go to the escape's byte too, and change nothing there: it is 0F.
            word = UInt64(operands) << 8 | UInt64(operands & 0xF)
            word |= UInt64(UInt32(opcode.byte) << 16 | 0x0F00 | OperandBits.rex | width.rexW)
            length = 4
        }
        if width.keepsREX {
            cursor.storeBytes(of: word, as: UInt64.self)
            cursor += length + sib
        } else {
            // A byte that is overwritten where there is no REX is cheaper than a branch.
            let rex = UInt8(truncatingIfNeeded: word)
            cursor.storeBytes(of: rex, as: UInt8.self)
            cursor += Int(bit: rex != 0x40) | Int(bit: needsREX)
            cursor.storeBytes(of: word >> 8, as: UInt64.self)
            cursor += length + sib - 1
        }
    }

    // MARK: Whole instructions, but for an immediate. False: there was no room.

    /// Both operands are registers: their bits.
    @inlinable @inline(__always) @discardableResult
    mutating func emit(
        _ opcode: Opcode, _ width: Width, reg: UInt32, rm: UInt32, needsREX: Bool = false
    ) -> Bool {
        guard reserve() else { return false }
        putHead(opcode, width, reg | rm | OperandBits.direct, needsREX: needsREX)
        return true
    }

    /// `isByte`: `rm` is a byte register.
    @inlinable @inline(__always)
    mutating func emit(_ opcode: Opcode, _ width: Width, reg: GPR, rm: GPR, isByte: Bool = false) {
        emit(opcode, width, reg: reg.reg, rm: rm.rm, needsREX: rm.needsREX(isByte))
    }

    @inlinable @inline(__always) @discardableResult
    mutating func emit(
        _ opcode: Opcode, _ width: Width, digit: UInt8, rm: GPR, isByte: Bool = false
    ) -> Bool {
        emit(
            opcode, width, reg: OperandBits.reg(digit), rm: rm.rm, needsREX: rm.needsREX(isByte))
    }

    @inlinable @inline(__always)
    mutating func emit(_ opcode: Opcode, _ width: Width, reg: XMM, rm: XMM) {
        emit(opcode, width, reg: OperandBits.reg(reg.number), rm: OperandBits.rm(rm.number))
    }

    /// The r/m operand is in memory; `needsREX`: the other one is a byte register that needs it.
    @inlinable @inline(__always) @discardableResult
    mutating func emit(
        _ opcode: Opcode, _ width: Width, reg: UInt32, rm memory: Memory, needsREX: Bool = false
    ) -> Bool {
        if memory.index != nil { return emitIndexed(opcode, width, reg, memory, needsREX) }
        guard reserve() else { return false }
        putBased(opcode, width, reg, memory.base, memory.displacement, needsREX)
        return true
    }

    /// An address with an index: a SIB byte.
    @usableFromInline
    mutating func emitIndexed(
        _ opcode: Opcode, _ width: Width, _ reg: UInt32, _ memory: Memory, _ needsREX: Bool
    ) -> Bool {
        guard reserve() else { return false }
        guard let index = memory.index, index != .rsp else {
            // Index 100 in the SIB byte means none.
            Self.note(.unencodableIndex(offset: position), state)
            return false
        }
        let base = memory.base.rm & OperandBits.sibBase
        let sib =
            UInt32(memory.scale.rawValue) << 30 | (index.rm & 0x7_0000) << 11 | (base & 0x7_0000) << 8
        let rex = (index.rm & 1) << 1 | base & 1
        putAddress(
            opcode, width, reg | rex | OperandBits.rm(0b100) | sib, 1, memory.displacement,
            memory.base.baseNeedsDisplacement, needsREX)
        return true
    }

    /// Base and displacement. *Requires* room.
    @inlinable @inline(__always)
    mutating func putBased(
        _ opcode: Opcode, _ width: Width, _ reg: UInt32, _ base: GPR, _ displacement: Int32,
        _ needsREX: Bool = false
    ) {
        putAddress(
            opcode, width, reg | base.rm, base.sibOfBase, displacement, base.baseNeedsDisplacement, needsREX)
    }

    /// Head and displacement. `operands`: all but how long the displacement is.
    @inlinable @inline(__always)
    mutating func putAddress(
        _ opcode: Opcode, _ width: Width, _ operands: UInt32, _ sib: Int, _ displacement: Int32,
        _ needsDisplacement: Bool, _ needsREX: Bool
    ) {
        if !displacement.isShort {
            putHead(opcode, width, operands | OperandBits.displacement32, sib: sib, needsREX: needsREX)
            put(UInt32(bitPattern: displacement))
        } else if _slowPath(displacement == 0), !needsDisplacement {
            putHead(opcode, width, operands, sib: sib, needsREX: needsREX)
        } else {
            putHead(opcode, width, operands | OperandBits.displacement8, sib: sib, needsREX: needsREX)
            put(UInt8(truncatingIfNeeded: displacement))
        }
    }

    @inlinable @inline(__always)
    mutating func emit(
        _ opcode: Opcode, _ width: Width, reg: GPR, rm: Memory, isByte: Bool = false
    ) {
        emit(opcode, width, reg: reg.reg, rm: rm, needsREX: reg.needsREX(isByte))
    }

    @inlinable @inline(__always) @discardableResult
    mutating func emit(_ opcode: Opcode, _ width: Width, digit: UInt8, rm: Memory) -> Bool {
        emit(opcode, width, reg: OperandBits.reg(digit), rm: rm)
    }

    @inlinable @inline(__always)
    mutating func emit(_ opcode: Opcode, _ width: Width, reg: XMM, rm: Memory) {
        emit(opcode, width, reg: OperandBits.reg(reg.number), rm: rm)
    }

    /// The register is in the opcode: `+r`. There is no ModRM.
    @inlinable @inline(__always) @discardableResult
    mutating func emit(_ opcode: Opcode, _ width: Width, plus register: GPR) -> Bool {
        guard reserve() else { return false }
        let rex = OperandBits.rex | width.rexW | register.rm & 1
        put(UInt8(truncatingIfNeeded: rex))
        cursor -= Int(bit: rex == 0x40) & ~Int(bit: width.keepsREX)
        if opcode.escape != 0 { put(opcode.escape) }
        put(opcode.byte | UInt8(truncatingIfNeeded: register.rm >> 16 & 7))
        return true
    }
}
