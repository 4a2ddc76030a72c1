/// The words that abstract values are about. Eight bits are for tests, which try every case.
@usableFromInline
protocol MachineWord: FixedWidthInteger, UnsignedInteger, Sendable, BitwiseCopyable {
    associatedtype Signed: FixedWidthInteger, SignedInteger, Sendable, BitwiseCopyable
}

extension UInt8: MachineWord { @usableFromInline typealias Signed = Int8 }
extension UInt32: MachineWord { @usableFromInline typealias Signed = Int32 }
extension UInt64: MachineWord { @usableFromInline typealias Signed = Int64 }

/// A set of numbers of one width: those that lie in an unsigned interval, and in a signed one, and agree with what is
/// known of each bit. Each of the three says something that the others cannot; `reduced` carries over what they can.
///
/// The set is never empty, and an operation's result contains every number that the operation gives for members of
/// its operands: that is what *sound* means, and `NumericTests` tries it.
@usableFromInline
struct Numeric<Word: MachineWord>: Hashable, Sendable, BitwiseCopyable {
    @usableFromInline typealias Signed = Word.Signed

    @usableFromInline var umin: Word
    @usableFromInline var umax: Word
    @usableFromInline var smin: Signed
    @usableFromInline var smax: Signed
    /// Known bits: where `unknown` has a 0 the bit is that of `bits`, which has 0 elsewhere.
    @usableFromInline var bits: Word
    @usableFromInline var unknown: Word

    @inlinable static var top: Numeric {
        Numeric(umin: .min, umax: .max, smin: .min, smax: .max, bits: 0, unknown: .max)
    }

    @inlinable init(umin: Word, umax: Word, smin: Signed, smax: Signed, bits: Word, unknown: Word) {
        self.umin = umin
        self.umax = umax
        self.smin = smin
        self.smax = smax
        self.bits = bits
        self.unknown = unknown
    }

    @inlinable init(constant: Word) {
        let signed = Signed(truncatingIfNeeded: constant)
        self.init(umin: constant, umax: constant, smin: signed, smax: signed, bits: constant, unknown: 0)
    }

    /// Least to most, both included.
    @inlinable init(_ range: ClosedRange<Word>) {
        self = .top
        umin = range.lowerBound
        umax = range.upperBound
        _ = reduce()
    }

    @inlinable init(signed range: ClosedRange<Signed>) {
        self = .top
        smin = range.lowerBound
        smax = range.upperBound
        _ = reduce()
    }

    @inlinable var isConstant: Bool { umin == umax }
    @inlinable var isTop: Bool {
        umin == .min && umax == .max && smin == .min && smax == .max && unknown == .max
    }

    @inlinable func contains(_ value: Word) -> Bool {
        let signed = Signed(truncatingIfNeeded: value)
        return umin <= value && value <= umax && smin <= signed && signed <= smax && value & ~unknown == bits
    }

    // MARK: Order

    /// Whether every member of `other` is known to be a member.
    @inlinable func includes(_ other: Numeric) -> Bool {
        umin <= other.umin && other.umax <= umax && smin <= other.smin && other.smax <= smax
            && other.unknown & ~unknown == 0 && (other.bits ^ bits) & ~unknown == 0
    }

    /// The least that includes both.
    @inlinable func joined(_ other: Numeric) -> Numeric {
        let unknown = unknown | other.unknown | (bits ^ other.bits)
        return Numeric(
            umin: min(umin, other.umin), umax: max(umax, other.umax), smin: min(smin, other.smin),
            smax: max(smax, other.smax), bits: bits & ~unknown, unknown: unknown)
    }

    // MARK: Exchange between the three

    /// Lets each of the three profit from the others. False: no number satisfies all, which can only be found where
    /// no execution leads; the value is then of no use.
    @inlinable mutating func reduce() -> Bool {
        exchangeSigns()
        umin = max(umin, bits)
        umax = min(umax, bits | unknown)
        guard umin <= umax, smin <= smax else { return false }
        // The bits above the highest one in which the ends differ are the same for all between them.
        let differing = umin ^ umax
        let prefix: Word = differing == 0 ? .max : ~(.max >> Word(differing.leadingZeroBitCount))
        if (umin ^ bits) & prefix & ~unknown != 0 { return false }
        bits |= umin & prefix
        unknown &= ~prefix
        guard roundEnds() else { return false }
        exchangeSigns()
        return umin <= umax && smin <= smax
    }

    /// Moves the ends of the unsigned interval to the next numbers with the low bits that are known. False: there is
    /// no such number.
    @inline(__always) @inlinable mutating func roundEnds() -> Bool {
        let known = unknown.trailingZeroBitCount
        guard known != 0, known < Word.bitWidth else { return true }
        let mask = Word.max >> Word(truncatingIfNeeded: Word.bitWidth - known)
        let (last, underflow) = umax.subtractingReportingOverflow((umax &- bits) & mask)
        let (first, overflow) = umin.addingReportingOverflow((bits &- umin) & mask)
        guard !underflow, !overflow, first <= last else { return false }
        umin = first
        umax = last
        return true
    }

    /// Where all members have the same sign bit, signed and unsigned order agree.
    @inline(__always) @inlinable mutating func exchangeSigns() {
        if smin >= 0 || smax < 0 {
            umin = max(umin, Word(truncatingIfNeeded: smin))
            umax = min(umax, Word(truncatingIfNeeded: smax))
        }
        if umax <= Word(truncatingIfNeeded: Signed.max) || umin > Word(truncatingIfNeeded: Signed.max) {
            smin = max(smin, Signed(truncatingIfNeeded: umin))
            smax = min(smax, Signed(truncatingIfNeeded: umax))
        }
    }

    @inlinable func reduced() -> Numeric {
        var copy = self
        // An operation on members has a result, so the set is not empty.
        return copy.reduce() ? copy : self
    }

    /// The members that both have; nil when there is none.
    @inlinable func intersection(_ other: Numeric) -> Numeric? {
        if (bits ^ other.bits) & ~unknown & ~other.unknown != 0 { return nil }
        var both = Numeric(
            umin: max(umin, other.umin), umax: min(umax, other.umax), smin: max(smin, other.smin),
            smax: min(smax, other.smax), bits: bits | other.bits, unknown: unknown & other.unknown)
        return both.reduce() ? both : nil
    }

    /// Whether something else than its known low bits keeps the numbers from the end of the unsigned order.
    @inlinable var isBoundedAbove: Bool { umax | knownLowBits != .max }
    /// The same in signed order.
    @inlinable var isBoundedAboveSigned: Bool { smax | Signed(truncatingIfNeeded: knownLowBits) != .max }

    @usableFromInline var knownLowBits: Word { ~unknown & (unknown &- 1) }

    /// How many low bits are zero in every member, as far as the bits say.
    @inlinable var knownTrailingZeros: Int { (bits | unknown).trailingZeroBitCount }
}
