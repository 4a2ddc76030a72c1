import X86Assembler

/// Floating-point numbers. Operations round to nearest; what a NaN gives is the processor's.
extension UnsafeLambda {
    public mutating func add(
        _ type: FloatType, _ rd: FloatRegister, _ rs1: FloatRegister, _ rs2: FloatRegister
    ) {
        compute(.add, type, rd, rs1, rs2)
    }
    public mutating func sub(
        _ type: FloatType, _ rd: FloatRegister, _ rs1: FloatRegister, _ rs2: FloatRegister
    ) {
        compute(.sub, type, rd, rs1, rs2)
    }
    public mutating func mul(
        _ type: FloatType, _ rd: FloatRegister, _ rs1: FloatRegister, _ rs2: FloatRegister
    ) {
        compute(.mul, type, rd, rs1, rs2)
    }
    public mutating func div(
        _ type: FloatType, _ rd: FloatRegister, _ rs1: FloatRegister, _ rs2: FloatRegister
    ) {
        compute(.div, type, rd, rs1, rs2)
    }

    private mutating func compute(
        _ op: FloatArithmetic, _ type: FloatType, _ rd: FloatRegister, _ rs1: FloatRegister,
        _ rs2: FloatRegister
    ) {
        guard rd == rs2, rd != rs1 else {
            if rd != rs1 { assembler.movaps(rd, rs1) }
            return assembler.float(op, type.precision, rd, rs2)
        }
        if op == .add || op == .mul { return assembler.float(op, type.precision, rd, rs1) }
        // The second operand is where the result goes: the first one is worked on, and is what it was afterwards.
        assembler.mov(.w64, .rax, rs1)
        assembler.float(op, type.precision, rs1, rs2)
        assembler.movaps(rd, rs1)
        assembler.mov(.w64, rs1, .rax)
    }

    public mutating func mov(_ type: FloatType, _ rd: FloatRegister, _ rs: FloatRegister) {
        assembler.movaps(rd, rs)
    }

    /// rd := what is at base + offset
    public mutating func ld(_ type: FloatType, _ rd: FloatRegister, _ base: Register, _ offset: Int32) {
        assembler.load(type.precision, rd, Memory(base, offset))
    }
    /// What is at base + offset := rs
    public mutating func st(_ type: FloatType, _ rs: FloatRegister, _ base: Register, _ offset: Int32) {
        assembler.store(type.precision, Memory(base, offset), rs)
    }

    /// rd := a signed integer
    public mutating func cv(_ from: IntegerType, _ to: FloatType, _ rd: FloatRegister, _ rs: Register) {
        assembler.xorps(rd, rd)  // or it would wait for who wrote it last
        assembler.convert(from.width.compact, rs, to: to.precision, rd)
    }
    /// rd := rs truncated, as a signed integer; the most negative one where it does not fit
    public mutating func cv(_ from: FloatType, _ to: IntegerType, _ rd: Register, _ rs: FloatRegister) {
        assembler.convertTruncating(from.precision, rs, to: to.width.compact, rd)
    }
}
