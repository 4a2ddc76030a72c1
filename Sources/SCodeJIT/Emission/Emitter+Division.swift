import SCodeIR
import X86Assembler

/// Division by a constant d: the quotient is the upper half of a product with about 2^k / d, shifted. T. Granlund and
/// P. L. Montgomery, "Division by Invariant Integers using Multiplication" (1994); for 64 bits without a sign, the short
/// form where 2^k / d fits into a word.
///
/// A dividend of 32 bits is multiplied in 64, where there is room for all of its factor. rcx holds the factor, the quotient
/// comes to be in rdx, and the dividend is where it was.
extension Emitter {
    mutating func emitDivisionByConstant(_ instruction: VInstruction) {
        let divisor =
            instruction.isWide
            ? instruction.immediate : Int64(Int32(truncatingIfNeeded: instruction.immediate))
        switch instruction.operation {
        case .divideSigned: emitSignedQuotient(instruction, divisor)
        case .divideUnsigned: emitUnsignedQuotient(instruction, divisor)
        case .moduloSigned:
            // The divisor's sign does not matter to the remainder.
            let magnitude = Int64(bitPattern: divisor.magnitude)
            emitSignedQuotient(instruction, magnitude)
            emitRemainder(instruction, magnitude)
        default:
            emitUnsignedQuotient(instruction, divisor)
            emitRemainder(instruction, divisor)
        }
        keep(instruction.dst, from: .rdx)
    }

    /// rdx := a / divisor, which is no power of two.
    private mutating func emitUnsignedQuotient(_ instruction: VInstruction, _ divisor: Int64) {
        guard instruction.isWide else {
            // 2^64 / d, rounded up: with a dividend below 2^32 the error stays below one.
            let factor = UInt64.max / UInt64(UInt32(truncatingIfNeeded: divisor)) + 1
            assembler.mov(.rcx, immediate: factor)
            copyDividend(instruction, to: .rax)
            assembler.unary(.mul, .w64, .rcx)
            return
        }
        let magic = UnsignedMagic(UInt64(bitPattern: divisor))
        assembler.mov(.rcx, immediate: magic.factor)
        copyDividend(instruction, to: .rax)
        assembler.unary(.mul, .w64, .rcx)
        if magic.isLong {
            // The factor is 2^64 more: the average with the dividend, which does not overflow.
            copyDividend(instruction, to: .rax)
            assembler.alu(.sub, .w64, .rax, .rdx)
            assembler.shift(.shr, .w64, .rax, by: 1)
            assembler.alu(.add, .w64, .rdx, .rax)
        }
        if magic.shift != 0 { assembler.shift(.shr, .w64, .rdx, by: magic.shift) }
    }

    /// rdx := a / divisor, rounded to zero, which is not zero.
    private mutating func emitSignedQuotient(_ instruction: VInstruction, _ divisor: Int64) {
        let width = instruction.width
        let bits: UInt8 = instruction.isWide ? 64 : 32
        let magnitude = divisor.magnitude
        if magnitude.nonzeroBitCount == 1 {
            emitSignedQuotient(instruction, shiftedBy: UInt8(magnitude.trailingZeroBitCount), bits)
        } else {
            // 2^(bits + shift) / d, rounded up, lies between 2^(bits - 1) and 2^bits.
            let shift = UInt8(63 - magnitude.leadingZeroBitCount)
            if instruction.isWide {
                let factor = magnitude.dividingFullWidth((1 << UInt64(shift), 0)).quotient + 1
                assembler.mov(.rcx, immediate: factor)
                copyDividend(instruction, to: .rax)
                assembler.unary(.imul, .w64, .rcx)
                // Taken with a sign, the factor was 2^64 less.
                copyDividend(instruction, to: .rax)
                assembler.alu(.add, .w64, .rdx, .rax)
                if shift != 0 { assembler.shift(.sar, .w64, .rdx, by: shift) }
            } else {
                let factor = (1 << UInt64(32 + shift)) / magnitude + 1
                assembler.mov(.rcx, immediate: factor)
                copyDividend(instruction, to: .rax)
                assembler.signExtend(.w32, to: .w64, .rdx, .rax)
                assembler.imul(.w64, .rdx, .rcx)
                assembler.shift(.sar, .w64, .rdx, by: 32 + shift)
            }
            // Rounded down so far; one more when the dividend is negative.
            assembler.shift(.sar, width, .rax, by: bits - 1)
            assembler.alu(.sub, width, .rdx, .rax)
        }
        if divisor < 0 { assembler.unary(.neg, width, .rdx) }
    }

    /// rdx := a / 2^exponent, rounded to zero: a negative dividend has 2^exponent - 1 added before.
    private mutating func emitSignedQuotient(
        _ instruction: VInstruction, shiftedBy exponent: UInt8, _ bits: UInt8
    ) {
        let width = instruction.width
        copyDividend(instruction, to: .rdx)
        guard exponent != 0 else { return }
        assembler.mov(width, .rax, .rdx)
        assembler.shift(.sar, width, .rax, by: bits - 1)
        assembler.shift(.shr, width, .rax, by: bits - exponent)
        assembler.alu(.add, width, .rdx, .rax)
        assembler.shift(.sar, width, .rdx, by: exponent)
    }

    /// rdx := a - rdx * divisor
    private mutating func emitRemainder(_ instruction: VInstruction, _ divisor: Int64) {
        let width = instruction.width
        if let short = Int32(exactly: divisor) {
            assembler.imul(width, .rcx, .rdx, immediate: short)
        } else {
            assembler.mov(.rcx, immediate: UInt64(bitPattern: divisor))
            assembler.imul(width, .rcx, .rdx)
        }
        copyDividend(instruction, to: .rdx)
        assembler.alu(.sub, width, .rdx, .rcx)
    }

    /// Of 32 bits, the upper half is cleared.
    private mutating func copyDividend(_ instruction: VInstruction, to machine: GPR) {
        copy(instruction.a, to: machine, instruction.width)
    }
}

/// What 64-bit numbers without a sign are multiplied with to divide by a constant: n / d is the upper half of
/// n * factor, shifted right; when `isLong`, of n * (2^64 + factor).
private struct UnsignedMagic {
    let factor: UInt64
    let isLong: Bool
    let shift: UInt8

    /// - Parameter divisor: no power of two, and not zero.
    init(_ divisor: UInt64) {
        let exponent = UInt64(63 - divisor.leadingZeroBitCount)
        shift = UInt8(exponent)
        // 2^(64 + exponent) / d is below 2^64. Rounded up it may be too much by up to 2^exponent / 2^64 of it.
        let (quotient, remainder) = divisor.dividingFullWidth((1 << exponent, 0))
        isLong = divisor - remainder >= 1 << exponent
        guard isLong else {
            factor = quotient + 1
            return
        }
        // One bit more, which is the 2^64 that is left out.
        let isOdd = remainder >= divisor - remainder
        factor = quotient &* 2 &+ (isOdd ? 1 : 0) &+ 1
    }
}
