// The parts of an instruction, and the one place where they are put together:
//
//     [lock or mandatory prefix] [REX] [0F] opcode ModRM [SIB] [displacement] [immediate]
//
// Rows elsewhere read like the manual's lines: `Opcode(0xF3, 0x0F, 0xB8)` is F3 0F B8; `reg` is the /r
// register or the /digit; `rm` the other operand; the immediate comes last.

/// An opcode with its prefix and escape; 0 where there is none.
struct Opcode: BitwiseCopyable {
    let prefix: UInt8
    let escape: UInt8
    let byte: UInt8

    @inline(__always) init(_ byte: UInt8) { (prefix, escape, self.byte) = (0, 0, byte) }
    @inline(__always) init(_ escape: UInt8, _ byte: UInt8) {
        (prefix, self.escape, self.byte) = (0, escape, byte)
    }
    @inline(__always) init(_ prefix: UInt8, _ escape: UInt8, _ byte: UInt8) {
        (self.prefix, self.escape, self.byte) = (prefix, escape, byte)
    }
}

/// What follows ModRM and displacement.
enum Immediate: BitwiseCopyable {
    case none
    case ib(UInt8)
    case iw(UInt16)
    case id(UInt32)
}

extension GPR {
    /// As byte registers 4 to 7 are spl, bpl, sil, dil with REX; without they are ah, ch, dh, bh.
    @inline(__always) static func byteNeedsREX(_ number: UInt8) -> Bool { number & 0b1100 == 0b0100 }
}

extension Width {
    @inline(__always) var rexW: UInt8 { self == .w64 ? 0b1000 : 0 }
}

extension Assembler {
    /// One instruction whose operands are the registers of these numbers; `isByte`: `rm` is a byte register.
    @inline(__always)
    mutating func emit(
        _ opcode: Opcode, _ width: Width, reg: UInt8, rm: UInt8, _ immediate: Immediate = .none,
        isByte: Bool = false
    ) {
        guard buffer.reserve() else { return }
        let rex = width.rexW | reg >> 1 & 0b100 | rm >> 3
        put(opcode, rex, isByte && GPR.byteNeedsREX(rm))
        buffer.put(0b11_000_000 | (reg & 7) << 3 | rm & 7)
        put(immediate)
    }

    /// One instruction whose r/m operand is a register; `isByte`: a byte register.
    @inline(__always)
    mutating func emit(
        _ opcode: Opcode, _ width: Width, reg: UInt8, rm: GPR, _ immediate: Immediate = .none,
        isByte: Bool = false
    ) {
        emit(opcode, width, reg: reg, rm: rm.rawValue, immediate, isByte: isByte)
    }

    @inline(__always)
    mutating func emit(
        _ opcode: Opcode, _ width: Width, reg: GPR, rm: GPR, _ immediate: Immediate = .none,
        isByte: Bool = false
    ) {
        emit(opcode, width, reg: reg.rawValue, rm: rm, immediate, isByte: isByte)
    }

    /// One instruction whose r/m operand is in memory; `isByte`: the other one is a byte register.
    @inline(__always)
    mutating func emit(
        _ opcode: Opcode, _ width: Width, reg: UInt8, rm: Memory, _ immediate: Immediate = .none,
        isByte: Bool = false
    ) {
        guard buffer.reserve() else { return }
        guard rm.index != .rsp else { return note(.unencodableIndex(offset: position)) }
        let index = rm.index?.rawValue ?? 0
        let rex = width.rexW | reg >> 1 & 0b100 | index >> 2 & 0b010 | rm.base.rawValue >> 3
        put(opcode, rex, isByte && GPR.byteNeedsREX(reg))
        putAddress(reg & 7, rm)
        put(immediate)
    }

    @inline(__always)
    mutating func emit(
        _ opcode: Opcode, _ width: Width, reg: GPR, rm: Memory, _ immediate: Immediate = .none,
        isByte: Bool = false
    ) {
        emit(opcode, width, reg: reg.rawValue, rm: rm, immediate, isByte: isByte)
    }

    /// One instruction with its register in the opcode: `+r`.
    @inline(__always)
    mutating func emit(_ opcode: Opcode, _ width: Width, plus register: GPR) -> Bool {
        guard buffer.reserve() else { return false }
        put(
            Opcode(opcode.prefix, opcode.escape, opcode.byte | register.rawValue & 7),
            width.rexW | register.rawValue >> 3, false)
        return true
    }

    @inline(__always)
    private mutating func put(_ opcode: Opcode, _ rex: UInt8, _ rexForced: Bool) {
        if opcode.prefix != 0 { buffer.put(opcode.prefix) }
        if rex != 0 || rexForced { buffer.put(0x40 | rex) }
        if opcode.escape != 0 { buffer.put(opcode.escape) }
        buffer.put(opcode.byte)
    }

    @inline(__always)
    private mutating func put(_ immediate: Immediate) {
        switch immediate {
        case .none: break
        case .ib(let value): buffer.put(value)
        case .iw(let value): buffer.put(value)
        case .id(let value): buffer.put(value)
        }
    }

    /// ModRM, SIB and displacement.
    ///
    /// r/m 100 means a SIB byte, so bases rsp and r12 need one; mod 00 with base 101 means no base, so rbp
    /// and r13 need a displacement, if only of 0; index 100 in the SIB byte means none.
    private mutating func putAddress(_ reg: UInt8, _ memory: Memory) {
        let base = memory.base.rawValue & 7
        let displacement = memory.displacement
        let mod: UInt8 =
            if displacement == 0 && base != 0b101 {
                0b00
            } else if Int8(exactly: displacement) != nil {
                0b01
            } else {
                0b10
            }
        if let index = memory.index {
            buffer.put(mod << 6 | reg << 3 | 0b100)
            buffer.put(memory.scale.rawValue << 6 | (index.rawValue & 7) << 3 | base)
        } else if base == 0b100 {
            buffer.put(mod << 6 | reg << 3 | 0b100)
            buffer.put(0b00_100_100 as UInt8)
        } else {
            buffer.put(mod << 6 | reg << 3 | base)
        }
        if mod == 0b01 {
            buffer.put(UInt8(truncatingIfNeeded: displacement))
        } else if mod == 0b10 {
            buffer.put(UInt32(bitPattern: displacement))
        }
    }
}
