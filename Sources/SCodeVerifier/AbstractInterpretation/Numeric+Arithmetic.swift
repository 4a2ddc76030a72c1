// What the operations of the opcode table do to sets of numbers. Known bits follow Vishwanathan et al., "Sound,
// precise, and fast abstract interpretation with tristate numbers" (CGO 2022), for sums and differences.

extension Numeric {
    @inlinable static var width: Word { Word(truncatingIfNeeded: Word.bitWidth) }

    @inlinable func adding(_ other: Numeric) -> Numeric {
        if isConstant, other.isConstant { return Numeric(constant: umin &+ other.umin) }
        var result = Numeric.top
        let (low, lowWraps) = umin.addingReportingOverflow(other.umin)
        let (high, highWraps) = umax.addingReportingOverflow(other.umax)
        // All sums wrap, or none does.
        if lowWraps == highWraps { (result.umin, result.umax) = (low, high) }
        let (least, leastWraps) = smin.addingReportingOverflow(other.smin)
        let (most, mostWraps) = smax.addingReportingOverflow(other.smax)
        if !leastWraps, !mostWraps { (result.smin, result.smax) = (least, most) }
        let sum = bits &+ other.bits
        let changed = (sum &+ (unknown &+ other.unknown)) ^ sum
        result.unknown = changed | unknown | other.unknown
        result.bits = sum & ~result.unknown
        return result.reduced()
    }

    @inlinable func subtracting(_ other: Numeric) -> Numeric {
        if isConstant, other.isConstant { return Numeric(constant: umin &- other.umin) }
        var result = Numeric.top
        let (low, lowWraps) = umin.subtractingReportingOverflow(other.umax)
        let (high, highWraps) = umax.subtractingReportingOverflow(other.umin)
        if lowWraps == highWraps { (result.umin, result.umax) = (low, high) }
        let (least, leastWraps) = smin.subtractingReportingOverflow(other.smax)
        let (most, mostWraps) = smax.subtractingReportingOverflow(other.smin)
        if !leastWraps, !mostWraps { (result.smin, result.smax) = (least, most) }
        let difference = bits &- other.bits
        let changed = (difference &+ unknown) ^ (difference &- other.unknown)
        result.unknown = changed | unknown | other.unknown
        result.bits = difference & ~result.unknown
        return result.reduced()
    }

    @inlinable func multiplied(by other: Numeric) -> Numeric {
        if isConstant, other.isConstant { return Numeric(constant: umin &* other.umin) }
        var result = Numeric.top
        if isTop && other.knownTrailingZeros == 0 || other.isTop && knownTrailingZeros == 0 { return result }
        let (high, wraps) = umax.multipliedReportingOverflow(by: other.umax)
        if !wraps { (result.umin, result.umax) = (umin &* other.umin, high) }
        if let range = signedProducts(other) { (result.smin, result.smax) = range }
        // A factor's low zeros are the product's.
        let zeros = min(Word.bitWidth, knownTrailingZeros + other.knownTrailingZeros)
        result.unknown = zeros == Word.bitWidth ? 0 : .max << Word(zeros)
        return result.reduced()
    }

    /// Least and most of the four products of the ends, when none overflows.
    @inlinable func signedProducts(_ other: Numeric) -> (Signed, Signed)? {
        let (a, aWraps) = smin.multipliedReportingOverflow(by: other.smin)
        let (b, bWraps) = smin.multipliedReportingOverflow(by: other.smax)
        let (c, cWraps) = smax.multipliedReportingOverflow(by: other.smin)
        let (d, dWraps) = smax.multipliedReportingOverflow(by: other.smax)
        if aWraps || bWraps || cWraps || dWraps { return nil }
        return (min(min(a, b), min(c, d)), max(max(a, b), max(c, d)))
    }

    // MARK: Division. Divisors of zero abort: they have no result to account for.

    @inlinable func dividedUnsigned(by other: Numeric) -> Numeric {
        var result = Numeric.top
        result.umin = umin / max(other.umax, 1)
        result.umax = umax / max(other.umin, 1)
        return result.reduced()
    }

    @inlinable func dividedSigned(by other: Numeric) -> Numeric {
        if smin >= 0, other.smin >= 0 { return dividedUnsigned(by: other) }
        var result = Numeric.top
        if other.isConstant, other.smin > 0 {
            (result.smin, result.smax) = (smin / other.smin, smax / other.smin)
        } else if smin > Signed.min {
            // No quotient is larger than the dividend; most-negative / -1, which wraps, is excluded.
            let most = max(smin.magnitude, smax.magnitude)
            (result.smin, result.smax) = (0 - Signed(most), Signed(most))
        }
        return result.reduced()
    }

    @inlinable func moduloUnsigned(by other: Numeric) -> Numeric {
        if umax < other.umin { return self }
        var result = Numeric.top
        if other.isConstant, other.umin.nonzeroBitCount == 1 {
            result.unknown = unknown & (other.umin - 1)
            result.bits = bits & (other.umin - 1)
        }
        result.umin = 0
        result.umax = min(umax, max(other.umax, 1) - 1)
        return result.reduced()
    }

    /// The remainder has the dividend's sign and is smaller than the divisor.
    @inlinable func moduloSigned(by other: Numeric) -> Numeric {
        var result = Numeric.top
        let divisor = max(other.smin.magnitude, other.smax.magnitude)
        let most = Signed(
            truncatingIfNeeded: min(divisor == 0 ? 0 : divisor - 1, Signed.Magnitude(Signed.max)))
        result.smin = smin >= 0 ? 0 : max(smin, 0 - most)
        result.smax = smax < 0 ? 0 : min(smax, most)
        return result.reduced()
    }

    // MARK: Logic

    @inlinable func and(_ other: Numeric) -> Numeric {
        var result = Numeric.top
        result.bits = bits & other.bits
        result.unknown = (bits | unknown) & (other.bits | other.unknown) & ~result.bits
        result.umax = min(umax, other.umax)
        return result.reduced()
    }

    @inlinable func or(_ other: Numeric) -> Numeric {
        var result = Numeric.top
        result.bits = bits | other.bits
        result.unknown = (unknown | other.unknown) & ~result.bits
        result.umin = max(umin, other.umin)
        return result.reduced()
    }

    @inlinable func xor(_ other: Numeric) -> Numeric {
        var result = Numeric.top
        if unknown | other.unknown == .max { return result }
        result.unknown = unknown | other.unknown
        result.bits = (bits ^ other.bits) & ~result.unknown
        return result.reduced()
    }

    @inlinable func complement() -> Numeric {
        Numeric(
            umin: ~umax, umax: ~umin, smin: ~smax, smax: ~smin, bits: ~bits & ~unknown, unknown: unknown)
    }

    @inlinable func negated() -> Numeric { Numeric(constant: 0).subtracting(self) }

    /// 1 when zero, else 0.
    @inlinable func isZero() -> Numeric {
        if !contains(0) { return Numeric(constant: 0) }
        return isConstant ? Numeric(constant: 1) : Numeric(0...1)
    }

    // MARK: Shifts, by counts modulo the width

    /// The count when it is one number, else the range of counts, else nil.
    @inlinable func counts() -> (least: Word, most: Word)? {
        if isConstant { return (umin % Self.width, umin % Self.width) }
        return umax < Self.width ? (umin, umax) : nil
    }

    @inlinable func shiftedLeft(by count: Numeric) -> Numeric {
        guard let (least, most) = count.counts() else { return .top }
        var result = Numeric.top
        if (umax &<< most) &>> most == umax { (result.umin, result.umax) = (umin &<< least, umax &<< most) }
        if least == most {
            result.bits = bits &<< most
            result.unknown = unknown &<< most
            let shift = Signed(truncatingIfNeeded: most)
            if (smin &<< shift) &>> shift == smin, (smax &<< shift) &>> shift == smax {
                (result.smin, result.smax) = (smin &<< shift, smax &<< shift)
            }
        } else {
            let zeros = knownTrailingZeros + Int(truncatingIfNeeded: least)
            result.unknown = zeros >= Word.bitWidth ? 0 : .max << Word(zeros)
        }
        return result.reduced()
    }

    @inlinable func shiftedRight(by count: Numeric) -> Numeric {
        var result = Numeric.top
        guard let (least, most) = count.counts() else {
            result.umax = umax
            return result.reduced()
        }
        (result.umin, result.umax) = (umin &>> most, umax &>> least)
        if least == most {
            result.bits = bits &>> most
            result.unknown = unknown &>> most
        }
        return result.reduced()
    }

    @inlinable func shiftedRightArithmetic(by count: Numeric) -> Numeric {
        var result = Numeric.top
        guard let (least, most) = count.counts() else {
            // Towards 0, or towards -1.
            (result.smin, result.smax) = (min(smin, 0), max(smax, -1))
            return result.reduced()
        }
        let low = Signed(truncatingIfNeeded: least)
        let high = Signed(truncatingIfNeeded: most)
        result.smin = min(smin &>> low, smin &>> high)
        result.smax = max(smax &>> low, smax &>> high)
        if least == most {
            // An unknown sign bit is copied as an unknown bit.
            result.unknown = Word(truncatingIfNeeded: Signed(truncatingIfNeeded: unknown) &>> low)
            result.bits = Word(truncatingIfNeeded: Signed(truncatingIfNeeded: bits) &>> low) & ~result.unknown
        }
        return result.reduced()
    }

    // MARK: Bits

    @inlinable func leadingZeros() -> Numeric {
        Numeric(Word(umax.leadingZeroBitCount)...Word(umin.leadingZeroBitCount))
    }

    @inlinable func trailingZeros() -> Numeric {
        let least = Word(truncatingIfNeeded: knownTrailingZeros)
        let most = bits == 0 ? Self.width : Word(truncatingIfNeeded: bits.trailingZeroBitCount)
        return Numeric(min(least, most)...most)
    }

    @inlinable func population() -> Numeric {
        Numeric(Word(bits.nonzeroBitCount)...Word((bits | unknown).nonzeroBitCount))
    }

    @inlinable func bytesSwapped() -> Numeric {
        var result = Numeric.top
        result.bits = bits.byteSwapped
        result.unknown = unknown.byteSwapped
        return result.reduced()
    }
}
