import SCodeIR
import X86Assembler

/// Conversions to and from floating-point numbers. The processor converts signed integers of 32 and 64 bits, and
/// answers with the most negative integer when a number does not fit; the rest is done here.
extension Emitter {
    /// Widening is exact and narrowing rounds; either makes a NaN quiet.
    mutating func emitFloatToFloat(_ instruction: VInstruction) {
        let target = resultVector(instruction.dst)
        let source = fetch(instruction.a, Self.vectorScratch2)
        // The conversion leaves the rest of the register as it is: without this it would wait for who wrote it last.
        if source != target { assembler.xorps(target, target) }
        assembler.convertPrecision(from: instruction.isWide ? .single : .double, target, source)
        keep(instruction.dst, from: target)
    }

    // MARK: From integers

    mutating func emitIntegerToFloat(_ instruction: VInstruction) {
        let target = resultVector(instruction.dst)
        assembler.xorps(target, target)  // as above
        switch (instruction.size, instruction.flag) {
        case (4, true):
            assembler.convert(.w32, fetch(instruction.a, .rax), to: instruction.precision, target)
        case (4, false):
            // Never from rax itself, so this does cut to 32 bits.
            copy(instruction.a, to: .rax, .w32)
            assembler.convert(.w64, .rax, to: instruction.precision, target)
        case (_, true):
            assembler.convert(.w64, fetch(instruction.a, .rax), to: instruction.precision, target)
        default:
            emitUnsignedToFloat(instruction, target)
        }
        keep(instruction.dst, from: target)
    }

    /// From 2^63 on, half the number is converted and doubled; the bit that falls off is put back, since all that
    /// matters of the last bits is whether they are zero.
    private mutating func emitUnsignedToFloat(_ instruction: VInstruction, _ target: XMM) {
        let large = assembler.newLabel()
        let done = assembler.newLabel()
        copy(instruction.a, to: .rax)
        assembler.test(.w64, .rax, .rax)
        assembler.jcc(.s, large, isNear: true)
        assembler.convert(.w64, .rax, to: instruction.precision, target)
        assembler.jmp(done, isNear: true)
        assembler.bind(large)
        assembler.mov(.w64, .rcx, .rax)
        assembler.shift(.shr, .w64, .rax, by: 1)
        assembler.alu(.and, .w32, .rcx, immediate: 1)
        assembler.alu(.or, .w64, .rax, .rcx)
        assembler.convert(.w64, .rax, to: instruction.precision, target)
        assembler.float(.add, instruction.precision, target, target)
        assembler.bind(done)
    }

    // MARK: To integers

    /// Converts, and looks closer when the result says that the number may not have fitted.
    mutating func emitFloatToInteger(_ instruction: VInstruction) {
        let source = fetch(instruction.a, Self.vectorScratch)
        switch (instruction.size, instruction.flag) {
        case (4, true): emitFloatToSigned(.w32, source, instruction.precision)
        case (_, true): emitFloatToSigned(.w64, source, instruction.precision)
        case (4, false): emitFloatToUnsigned32(source, instruction.precision)
        default: emitFloatToUnsigned64(source, instruction.precision)
        }
        keep(instruction.dst, from: GPR.rax)
    }

    /// The sign of a number: as 0 or 1 with a logical shift, as 0 or all ones with an arithmetic one.
    private mutating func emitSign(_ shift: Shift, _ source: XMM, _ precision: Precision, to target: GPR) {
        assembler.mov(precision.width, target, source)
        assembler.shift(shift, precision.width, target, by: precision == .single ? 31 : 63)
    }

    private mutating func emitFloatToSigned(_ width: Width, _ source: XMM, _ precision: Precision) {
        let done = assembler.newLabel()
        assembler.convertTruncating(precision, source, to: width, .rax)
        // Only the most negative integer less one overflows.
        assembler.alu(.cmp, width, .rax, immediate: 1)
        assembler.jcc(.no, done, isNear: true)
        emitZeroIfUnordered(source, precision, done)
        // The largest, or one more, which wraps to the most negative.
        assembler.mov(.rax, immediate: width == .w32 ? 0x7fff_ffff : 0x7fff_ffff_ffff_ffff)
        emitSign(.shr, source, precision, to: .rdx)
        assembler.alu(.add, width, .rax, .rdx)
        assembler.bind(done)
    }

    /// rax := 0, and goes to `done` if the number is a NaN.
    private mutating func emitZeroIfUnordered(_ source: XMM, _ precision: Precision, _ done: CodeLabel) {
        assembler.zero(.rax)
        assembler.compare(precision, source, source)
        assembler.jcc(.p, done, isNear: true)
    }

    /// As 64 bits every number in range fits: it does when the upper half of the result is zero.
    private mutating func emitFloatToUnsigned32(_ source: XMM, _ precision: Precision) {
        let done = assembler.newLabel()
        assembler.convertTruncating(precision, source, to: .w64, .rax)
        assembler.mov(.w32, .rdx, .rax)
        assembler.alu(.cmp, .w64, .rdx, .rax)
        assembler.jcc(.e, done, isNear: true)
        emitZeroIfUnordered(source, precision, done)
        // All ones when positive, zero when negative.
        emitSign(.sar, source, precision, to: .rax)
        assembler.unary(.not, .w32, .rax)
        assembler.bind(done)
    }

    /// Below 2^63 as a signed integer; from there on 2^63 less, and that bit set.
    private mutating func emitFloatToUnsigned64(_ source: XMM, _ precision: Precision) {
        let done = assembler.newLabel()
        let fits = assembler.newLabel()
        assembler.convertTruncating(precision, source, to: .w64, .rax)
        assembler.test(.w64, .rax, .rax)
        assembler.jcc(.ns, done, isNear: true)
        emitZeroIfUnordered(source, precision, done)
        emitSign(.shr, source, precision, to: .rdx)
        assembler.test(.w32, .rdx, .rdx)
        assembler.jcc(.ne, done, isNear: true)
        let limit: UInt64 = precision == .single ? 0x5f00_0000 : 0x43e0_0000_0000_0000  // 2^63
        assembler.mov(.rcx, immediate: limit)
        assembler.mov(.w64, Self.vectorScratch2, .rcx)
        if source != Self.vectorScratch { assembler.movaps(Self.vectorScratch, source) }
        assembler.float(.sub, precision, Self.vectorScratch, Self.vectorScratch2)
        assembler.convertTruncating(precision, Self.vectorScratch, to: .w64, .rax)
        assembler.test(.w64, .rax, .rax)
        assembler.jcc(.ns, fits, isNear: true)
        assembler.mov(.rax, immediate: .max)
        assembler.jmp(done, isNear: true)
        assembler.bind(fits)
        assembler.mov(.rcx, immediate: 1 << 63)
        assembler.alu(.or, .w64, .rax, .rcx)
        assembler.bind(done)
    }
}
