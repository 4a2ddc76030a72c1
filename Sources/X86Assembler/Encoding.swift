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
    /// By how many bits the escape moves ModRM on.
    @usableFromInline let shift: UInt8
    /// Escape and opcode, where they stand in the instruction's first word.
    @usableFromInline let bits: UInt32

    @inlinable @inline(__always) init(_ byte: UInt8) {
        (prefix, shift, bits) = (0, 0, UInt32(byte) << 8)
    }
    @inlinable @inline(__always) init(_ escape: UInt8, _ byte: UInt8) { self.init(0, escape, byte) }
    @inlinable @inline(__always) init(_ prefix: UInt8, _ escape: UInt8, _ byte: UInt8) {
        self.prefix = prefix
        shift = escape == 0 ? 0 : 8
        bits = escape == 0 ? UInt32(byte) << 8 : UInt32(byte) << 16 | UInt32(escape) << 8
    }

    /// Bytes of REX, escape, opcode and ModRM.
    @inlinable @inline(__always) var length: Int { 3 &+ Int(shift) >> 3 }
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
    @inlinable @inline(__always) static var direct: UInt32 { 0b11 << modeShift }
    /// Where the field ModRM.mod is. Of addresses it says that a displacement of 8 bits follows, 1, or one of 32, 2.
    @inlinable @inline(__always) static var modeShift: UInt32 { 22 }
    /// The SIB byte of a base without an index that takes one. For others it lies behind the instruction and means nothing.
    @inlinable @inline(__always) static var sibOfBase: UInt32 { 0b00_100_100 << 24 }
}

extension GPR {
    /// As byte registers 4 to 7 are spl, bpl, sil, dil with REX; without they are ah, ch, dh, bh.
    @inlinable @inline(__always) func needsREX(_ isByte: Bool) -> Bool {
        Int(bit: isByte) & Int(bit: rm & 0x4_0001 == 0x4_0000) != 0
    }
    /// As a base, rsp and r12 take a SIB byte: their number in ModRM.rm says that there is one. How many such bytes there are.
    @inlinable @inline(__always) var sibOfBase: Int { Int(bit: rm & 0x7_0000 == 0x4_0000) }
    /// As a base, rbp and r13 take a displacement, if only of 0: without they mean that there is no base.
    @inlinable @inline(__always) var baseNeedsDisplacement: Bool { rm & 0x7_0000 == 0x5_0000 }
}

extension Assembler {
    // MARK: Parts of an instruction. After the last one comes `end`.

    @inlinable @inline(__always)
    mutating func put<Number: FixedWidthInteger & BitwiseCopyable>(_ number: Number) {
        last.storeBytes(of: number, toByteOffset: cursor, as: Number.self)
        cursor &+= MemoryLayout<Number>.size
    }

    /// Of a word the first bytes; what the others are means nothing.
    @inlinable @inline(__always)
    mutating func put<Word: FixedWidthInteger & BitwiseCopyable>(_ word: Word, length: Int) {
        last.storeBytes(of: word, toByteOffset: cursor, as: Word.self)
        cursor &+= length
    }

    /// An instruction that is one word, as `put` and `end`.
    @inlinable @inline(__always)
    mutating func emit(_ word: UInt32, length: Int) {
        last.storeBytes(of: word, toByteOffset: cursor, as: UInt32.self)
        end(after: length)
    }

    /// Everything up to ModRM, or SIB, of which there are `sib` bytes.
    @inlinable @inline(__always)
    mutating func putHead(
        _ opcode: Opcode, _ width: Width, _ operands: UInt32, sib: Int = 0, needsREX: Bool = false
    ) {
        putPrefix(opcode)
        let word =
            UInt64(operands) &<< UInt64(opcode.shift) | UInt64(operands & 0xF | opcode.bits | width.rex)
        let length = opcode.length &+ sib
        if width.keepsREX {
            put(word, length: length)
        } else {
            let rex = UInt8(truncatingIfNeeded: word)
            put(rex, if: Int(bit: rex != 0x40) | Int(bit: needsREX))
            put(word >> 8, length: length &- 1)
        }
    }

    @inlinable @inline(__always) mutating func putPrefix(_ opcode: Opcode) {
        put(opcode.prefix, if: Int(bit: opcode.prefix != 0))
    }

    /// A byte when there is one, not when there are none: one that is overwritten is cheaper than a branch.
    @inlinable @inline(__always) mutating func put(_ byte: UInt8, if count: Int) {
        last.storeBytes(of: byte, toByteOffset: cursor, as: UInt8.self)
        cursor &+= count
    }

    /// From REX to ModRM as a word. `mode`: what of ModRM is no register.
    @inlinable @inline(__always)
    func head(_ opcode: Opcode, _ width: some OperandWidth, _ operands: UInt32, _ mode: UInt32 = 0) -> UInt32
    {
        // The bits of REX stay where they are. They may go to the escape's byte too, and change nothing there: it is 0F.
        let shift = UInt32(opcode.shift)
        return operands &<< shift | operands & 0xF | mode &<< shift | opcode.bits | width.rex
    }

    /// The r/m operand is in memory; `needsREX`: the other one is a byte register that needs it.
    @inlinable @inline(__always)
    mutating func put(
        _ opcode: Opcode, _ width: Width, reg: UInt32, rm memory: Memory, needsREX: Bool = false
    ) {
        if memory.index != nil { return putIndexed(opcode, width, reg, memory, needsREX) }
        putBased(opcode, width, reg, memory.base, memory.displacement, needsREX)
    }

    /// An address with an index: a SIB byte.
    @usableFromInline
    mutating func putIndexed(
        _ opcode: Opcode, _ width: Width, _ reg: UInt32, _ memory: Memory, _ needsREX: Bool
    ) {
        guard let index = memory.index, index != .rsp else {
            // Index 100 in the SIB byte means none.
            return Self.note(.unencodableIndex(offset: position), state)
        }
        let base = memory.base.rm
        let sib =
            UInt32(memory.scale.rawValue) << 30 | (index.rm & 0x7_0000) << 11 | (base & 0x7_0000) << 8
        let rex = (index.rm & 1) << 1 | base & 1
        putAddress(
            opcode, width, reg | rex | OperandBits.rm(0b100) | sib, 1, memory.displacement,
            memory.base.baseNeedsDisplacement, needsREX)
    }

    /// Base and displacement.
    @inlinable @inline(__always)
    mutating func putBased(
        _ opcode: Opcode, _ width: Width, _ reg: UInt32, _ base: GPR, _ displacement: Int32,
        _ needsREX: Bool = false
    ) {
        putAddress(
            opcode, width, reg | base.rm | OperandBits.sibOfBase, base.sibOfBase, displacement,
            base.baseNeedsDisplacement, needsREX)
    }

    /// Head and displacement. `operands`: all but how long the displacement is.
    @inlinable @inline(__always)
    mutating func putAddress(
        _ opcode: Opcode, _ width: Width, _ operands: UInt32, _ sib: Int, _ displacement: Int32,
        _ needsDisplacement: Bool, _ needsREX: Bool
    ) {
        let isShort = Int(bit: displacement.isShort)
        let isAbsent = Int(bit: displacement == 0) & ~Int(bit: needsDisplacement)
        let mode = UInt32(truncatingIfNeeded: 2 &- isShort &- isAbsent) << OperandBits.modeShift
        putHead(opcode, width, operands | mode, sib: sib, needsREX: needsREX)
        put(displacement, length: 4 &- 3 &* isShort &- isAbsent)
    }

    /// The register is in the opcode: `+r`. There is no ModRM.
    @inlinable @inline(__always)
    mutating func put(_ opcode: UInt8, escape: UInt8 = 0, _ width: Width, plus register: GPR) {
        let rex = UInt8(truncatingIfNeeded: width.rex | register.rm & 1)
        put(rex, if: Int(bit: rex != 0x40) | Int(bit: width.keepsREX))
        put(escape, if: Int(bit: escape != 0))
        put(opcode | UInt8(truncatingIfNeeded: register.rm >> 16 & 7))
    }

    // MARK: Whole instructions

    /// Both operands are registers: their bits. In uniform widths the opcode has no prefix.
    @inlinable @inline(__always)
    mutating func emit<Form: OperandWidth>(
        _ opcode: Opcode, _ width: Form, reg: UInt32, rm: UInt32, needsREX: Bool = false
    ) {
        if Form.isUniform {
            emit(head(opcode, width, reg | rm, OperandBits.direct), length: opcode.length)
        } else {
            putHead(opcode, width.compact, reg | rm | OperandBits.direct, needsREX: needsREX)
            end()
        }
    }

    /// `isByte`: `rm` is a byte register.
    @inlinable @inline(__always)
    mutating func emit(
        _ opcode: Opcode, _ width: some OperandWidth, reg: GPR, rm: GPR, isByte: Bool = false
    ) {
        emit(opcode, width, reg: reg.reg, rm: rm.rm, needsREX: rm.needsREX(isByte))
    }

    @inlinable @inline(__always)
    mutating func emit(
        _ opcode: Opcode, _ width: some OperandWidth, digit: UInt8, rm: GPR, isByte: Bool = false
    ) {
        emit(opcode, width, reg: OperandBits.reg(digit), rm: rm.rm, needsREX: rm.needsREX(isByte))
    }

    @inlinable @inline(__always)
    mutating func emit(_ opcode: Opcode, _ width: Width, reg: XMM, rm: XMM) {
        emit(opcode, width, reg: OperandBits.reg(reg.number), rm: OperandBits.rm(rm.number))
    }

    @inlinable @inline(__always)
    mutating func emit(_ opcode: Opcode, _ width: Width, reg: GPR, rm: Memory, isByte: Bool = false) {
        put(opcode, width, reg: reg.reg, rm: rm, needsREX: reg.needsREX(isByte))
        end()
    }

    @inlinable @inline(__always)
    mutating func emit(_ opcode: Opcode, _ width: Width, digit: UInt8, rm: Memory) {
        put(opcode, width, reg: OperandBits.reg(digit), rm: rm)
        end()
    }

    @inlinable @inline(__always)
    mutating func emit(_ opcode: Opcode, _ width: Width, reg: XMM, rm: Memory) {
        put(opcode, width, reg: OperandBits.reg(reg.number), rm: rm)
        end()
    }

    @inlinable @inline(__always)
    mutating func emit(_ opcode: UInt8, escape: UInt8 = 0, _ width: Width, plus register: GPR) {
        put(opcode, escape: escape, width, plus: register)
        end()
    }

    /// A register, or two, and an immediate of 8 bits or of 32, as the opcode says.
    @inlinable @inline(__always)
    mutating func emit<Form: OperandWidth>(
        short: UInt8, long: UInt8, _ width: Form, _ operands: UInt32, immediate: Int32, isWide: Bool
    ) {
        let operands = operands | OperandBits.direct
        if Form.isUniform {
            let (short, long) = (UInt32(short) << 8, UInt32(long) << 8)
            emit(Opcode(0), width, operands, number: immediate, isWide: isWide, short: short, long: long)
        } else {
            let isShort = !isWide && immediate.isShort
            putHead(Opcode(isShort ? short : long), width.compact, operands)
            put(immediate, length: isShort ? 1 : 4)
            end()
        }
    }

    /// An address of base and displacement. *Requires* a base that takes no SIB byte: neither rsp nor r12.
    @inlinable @inline(__always)
    mutating func emit(
        _ opcode: Opcode, _ width: some OperandWidth, reg: GPR, plainBase base: GPR,
        _ displacement: Int32, isWide: Bool
    ) {
        assert(base.sibOfBase == 0)
        emit(
            opcode, width, reg.reg | base.rm, number: displacement, isWide: isWide,
            short: 1 << OperandBits.modeShift, long: 2 << OperandBits.modeShift)
    }

    /// In a uniform form, with a number behind ModRM.
    /// - Parameters:
    ///   - isWide: the number has 32 bits whatever it is.
    ///   - short: what of the operands or the opcode says that the number has 8 bits.
    ///   - long: likewise, 32.
    @inlinable @inline(__always)
    mutating func emit(
        _ opcode: Opcode, _ width: some OperandWidth, _ operands: UInt32, number: Int32, isWide: Bool,
        short: UInt32, long: UInt32
    ) {
        if opcode.prefix != 0 { put(opcode.prefix) }
        if isWide || _slowPath(!number.isShort) {
            put(head(opcode, width, operands, long), length: opcode.length)
            put(number)
        } else if opcode.shift == 0 {
            let field = UInt32(UInt8(truncatingIfNeeded: number)) << 24
            put(head(opcode, width, operands, short) | field, length: 4)
        } else {
            put(head(opcode, width, operands, short), length: 4)
            put(Int8(truncatingIfNeeded: number))
        }
        end()
    }
}
