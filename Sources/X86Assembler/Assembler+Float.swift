// Floating-point numbers in XMM registers (SSE and SSE2). Where a row has two prefixes, the first is that of
// single precision.

/// Arithmetic on two numbers. The raw value is the opcode after F3 0F or F2 0F.
public enum FloatArithmetic: UInt8, CaseIterable, Sendable, BitwiseCopyable {
    case add = 0x58, mul = 0x59, sub = 0x5C, div = 0x5E
}

extension Precision {
    /// What says single or double in the scalar rows.
    @inlinable @inline(__always) var prefix: UInt8 { self == .single ? 0xF3 : 0xF2 }
    /// What says single or double in the packed rows.
    @inlinable @inline(__always) var packedPrefix: UInt8 { self == .single ? 0 : 0x66 }
}

extension Assembler {
    // MARK: Moves

    /// `movaps x, x`: 0F 28 /r. All 128 bits.
    @inlinable @inline(__always)
    public mutating func movaps(_ destination: XMM, _ source: XMM) {
        emit(Opcode(0x0F, 0x28), .w32, reg: destination, rm: source)
    }

    /// `movss x, m`, `movsd x, m`: F3/F2 0F 10 /r. Clears the rest of the register.
    @inlinable @inline(__always)
    public mutating func load(_ precision: Precision, _ destination: XMM, _ source: Memory) {
        emit(Opcode(precision.prefix, 0x0F, 0x10), .w32, reg: destination, rm: source)
    }

    /// `movss m, x`, `movsd m, x`: F3/F2 0F 11 /r
    @inlinable @inline(__always)
    public mutating func store(_ precision: Precision, _ destination: Memory, _ source: XMM) {
        emit(Opcode(precision.prefix, 0x0F, 0x11), .w32, reg: source, rm: destination)
    }

    /// `movd x, r`, `movq x, r`: 66 0F 6E /r. Clears the rest of the register.
    public mutating func mov(_ width: Width, _ destination: XMM, _ source: GPR) {
        emit(Opcode(0x66, 0x0F, 0x6E), width, reg: OperandBits.reg(destination.number), rm: source.rm)
    }

    /// `movd r, x`, `movq r, x`: 66 0F 7E /r
    public mutating func mov(_ width: Width, _ destination: GPR, _ source: XMM) {
        emit(Opcode(0x66, 0x0F, 0x7E), width, reg: OperandBits.reg(source.number), rm: destination.rm)
    }

    // MARK: Arithmetic

    /// `opss x, x`, `opsd x, x`: F3/F2 0F op /r
    @inlinable @inline(__always)
    public mutating func float(
        _ op: FloatArithmetic, _ precision: Precision, _ destination: XMM, _ source: XMM
    ) {
        emit(
            Opcode(precision.prefix, 0x0F, op.rawValue), .w32, reg: destination, rm: source)
    }

    /// `opss x, m`, `opsd x, m`: F3/F2 0F op /r
    @inlinable @inline(__always)
    public mutating func float(
        _ op: FloatArithmetic, _ precision: Precision, _ destination: XMM, _ source: Memory
    ) {
        emit(Opcode(precision.prefix, 0x0F, op.rawValue), .w32, reg: destination, rm: source)
    }

    /// `xorps x, x`: 0F 57 /r. All 128 bits.
    public mutating func xorps(_ destination: XMM, _ source: XMM) {
        emit(Opcode(0x0F, 0x57), .w32, reg: destination, rm: source)
    }

    /// `ucomiss x, x`, `ucomisd x, x`: -/66 0F 2E /r. Above, below, equal as after an unsigned comparison;
    /// unordered sets zero, parity and carry.
    public mutating func compare(_ precision: Precision, _ left: XMM, _ right: XMM) {
        emit(Opcode(precision.packedPrefix, 0x0F, 0x2E), .w32, reg: left, rm: right)
    }

    /// `ucomiss x, m`, `ucomisd x, m`: -/66 0F 2E /r
    public mutating func compare(_ precision: Precision, _ left: XMM, _ right: Memory) {
        emit(Opcode(precision.packedPrefix, 0x0F, 0x2E), .w32, reg: left, rm: right)
    }

    // MARK: Conversions

    /// `cvtsi2ss x, r`, `cvtsi2sd x, r`: F3/F2 0F 2A /r. A signed integer of the given width.
    public mutating func convert(_ width: Width, _ source: GPR, to precision: Precision, _ destination: XMM) {
        emit(
            Opcode(precision.prefix, 0x0F, 0x2A), width, reg: OperandBits.reg(destination.number),
            rm: source.rm)
    }

    /// `cvttss2si r, x`, `cvttsd2si r, x`: F3/F2 0F 2C /r. Truncates; the most negative integer when that does
    /// not fit.
    public mutating func convertTruncating(
        _ precision: Precision, _ source: XMM, to width: Width, _ destination: GPR
    ) {
        emit(
            Opcode(precision.prefix, 0x0F, 0x2C), width, reg: destination.reg,
            rm: OperandBits.rm(source.number))
    }

    /// `cvtss2sd x, x`, `cvtsd2ss x, x`: F3/F2 0F 5A /r. From the given precision to the other one.
    public mutating func convertPrecision(from precision: Precision, _ destination: XMM, _ source: XMM) {
        emit(Opcode(precision.prefix, 0x0F, 0x5A), .w32, reg: destination, rm: source)
    }
}
