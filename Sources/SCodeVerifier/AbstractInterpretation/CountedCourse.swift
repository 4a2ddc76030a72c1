import SCodeIR

/// A register that advances by steps until a comparison ends its loop: how often, and how far it comes.
///
/// All numbers are places in the order in which the comparison sees them and the register advances: from 0 up to `last`.
struct CountedCourse {
    /// How often the loop goes round at most.
    let trips: UInt64
    /// What the register holds at the loop's head, from the first round to the last.
    private let least: UInt64
    private let most: UInt64
    private let order: Order
    /// Whether the register itself is counted, and not the low half of it.
    private let isWhole: Bool

    private struct Order {
        var isNarrow: Bool
        var isSigned: Bool
        var isDownward: Bool
        var last: UInt64

        private var bias: UInt64 { isSigned ? (isNarrow ? 1 << 31 : 1 << 63) : 0 }

        func place(_ number: UInt64) -> UInt64 { isDownward ? last &- (number ^ bias) : number ^ bias }

        func number(_ place: UInt64) -> UInt64 { (isDownward ? last &- place : place) ^ bias }

        /// Least and most of the numbers of a value.
        func places(_ value: AbstractValue) -> (UInt64, UInt64) {
            let (a, b): (UInt64, UInt64)
            if isNarrow {
                let low = value.low
                (a, b) =
                    isSigned
                    ? (UInt64(UInt32(bitPattern: low.smin)), UInt64(UInt32(bitPattern: low.smax)))
                    : (UInt64(low.umin), UInt64(low.umax))
            } else {
                (a, b) =
                    isSigned
                    ? (UInt64(bitPattern: value.wide.smin), UInt64(bitPattern: value.wide.smax))
                    : (value.wide.umin, value.wide.umax)
            }
            return isDownward ? (place(b), place(a)) : (place(a), place(b))
        }
    }

    /// - Parameters:
    ///   - entry: what the loop is entered with.
    ///   - step: what is added each time round, modulo 2^64 or, when `isNarrow`, 2^32.
    ///   - isNarrow: whether the addition is one of 32 bits.
    ///   - relation: how the register compares with `other` while the loop goes on.
    ///   - type: as what they are compared.
    ///   - isAfterStep: whether the register has been changed already when it is compared.
    /// Nil when the register may pass the end of its order, or not meet what it is compared with.
    init?(
        _ entry: AbstractValue, step: UInt64, isNarrow: Bool, _ relation: Relation, _ other: AbstractValue,
        _ type: ValueType, isAfterStep: Bool
    ) {
        guard let order = Self.order(entry, other, type, step: step, isNarrow: isNarrow) else { return nil }
        let word = order.isNarrow || isNarrow ? UInt64(UInt32(truncatingIfNeeded: step)) : step
        let mask = order.isNarrow || isNarrow ? UInt64(UInt32.max) : .max
        let size = order.isDownward ? (0 &- word) & mask : word
        let (start, end) = (order.places(entry), order.places(other))
        let lead = isAfterStep ? size : 0
        guard size > 0, lead <= order.last, start.1 <= order.last - lead else { return nil }
        // The low bits that steps leave alone, when they are known.
        let kept = (size & (0 &- size)) - 1
        let isAligned = entry.wide.unknown & kept == 0
        let residue = order.place(entry.wide.bits)
        let first = start.0 + lead
        var most: UInt64
        switch order.isDownward ? relation.swapped : relation {
        case .less: most = end.1 &- 1
        case .lessOrEqual: most = end.1
        case .notEqual:
            let isMet =
                start.0 == start.1 && end.0 == end.1
                ? end.0 >= first && (end.0 - first) % size == 0
                : kept == size - 1 && isAligned && other.wide.unknown & kept == 0
                    && (order.place(other.wide.bits) ^ residue) & kept == 0
            guard isMet, start.1 + lead <= end.0 else { return nil }
            most = end.1 &- size
        case .equal, .greater, .greaterOrEqual: return nil
        }
        let excess = isAligned ? (most &- residue) & kept : 0
        // Where nothing is far enough below the end, the loop does not go round.
        let isEmpty = most > end.1 || most < excess || most - excess < first
        if !isEmpty {
            most -= excess
            guard size <= order.last, most <= order.last - size else { return nil }
        }
        trips = isEmpty ? 0 : (most - first) / size + 1
        least = start.0
        self.most = isEmpty ? start.1 : max(start.1, most + size - lead)
        self.order = order
        isWhole = order.isNarrow == isNarrow || isNarrow
    }

    /// In which order the register advances. Nil when comparing and adding do not go together.
    private static func order(
        _ entry: AbstractValue, _ other: AbstractValue, _ type: ValueType, step: UInt64, isNarrow: Bool
    ) -> Order? {
        guard entry.region == other.region else { return nil }
        if type.size == 4 {
            guard entry.isNumber else { return nil }
            let isDownward = Int32(truncatingIfNeeded: step) < 0
            return Order(
                isNarrow: true, isSigned: type.isSigned, isDownward: isDownward, last: UInt64(UInt32.max))
        }
        if isNarrow {
            // Zero-extended each time it is written.
            let last = UInt64(UInt32.max)
            guard entry.isNumber, entry.wide.umax <= last, other.wide.umax <= last else { return nil }
            return Order(
                isNarrow: false, isSigned: false, isDownward: Int32(truncatingIfNeeded: step) < 0, last: last)
        }
        let isDownward = Int64(bitPattern: step) < 0
        if entry.isNumber {
            return Order(isNarrow: false, isSigned: type.isSigned, isDownward: isDownward, last: .max)
        }
        // Of addresses in one region the offsets are compared: see `areComparable`.
        guard entry.wide.smin >= 0, other.wide.smin >= 0 else { return nil }
        return Order(
            isNarrow: false, isSigned: false, isDownward: isDownward, last: UInt64(bitPattern: .max))
    }

    /// Takes in how far the register comes.
    func confine(_ value: inout AbstractValue) {
        guard isWhole else { return }
        let ends = (order.number(least), order.number(most))
        let (low, high) = order.isDownward ? (ends.1, ends.0) : ends
        if order.isNarrow {
            var narrow = value.low
            if order.isSigned {
                narrow.smin = max(narrow.smin, Int32(truncatingIfNeeded: low))
                narrow.smax = min(narrow.smax, Int32(truncatingIfNeeded: high))
            } else {
                narrow.umin = max(narrow.umin, UInt32(truncatingIfNeeded: low))
                narrow.umax = min(narrow.umax, UInt32(truncatingIfNeeded: high))
            }
            var confined = value
            if narrow.reduce(), confined.refineLow(narrow) { value = confined }
        } else {
            var wide = value.wide
            if order.isSigned {
                wide.smin = max(wide.smin, Int64(bitPattern: low))
                wide.smax = min(wide.smax, Int64(bitPattern: high))
            } else {
                wide.umin = max(wide.umin, low)
                wide.umax = min(wide.umax, high)
            }
            if wide.reduce() { value.refineWide(wide) }
        }
    }
}

extension AbstractValue {
    /// What a register may hold that held this and was changed up to `trips` times by the same amount; nil stands for an
    /// amount, or a number of times, that is not known.
    func advanced(by step: UInt64?, times trips: UInt64?, isNarrow: Bool) -> AbstractValue {
        if isNarrow {
            guard let step else { return .top }
            let distance = Self.distance(UInt32(truncatingIfNeeded: step), trips)
            // The first time round it holds all 64 bits of what it was entered with.
            return AbstractValue(zeroExtending: low.adding(distance)).joined(self)
        }
        guard let step else { return AbstractValue(.top, region: region) }
        return AbstractValue(wide.adding(Self.distance(step, trips)), region: region)
    }

    /// Whether nothing but low bits is known of what counts of a register: all of it, or its low half.
    func isUnbounded(isNarrow: Bool) -> Bool {
        isNarrow
            ? !low.isBoundedAbove && !low.isBoundedAboveSigned && low.umin == 0 && low.smin == .min
            : !wide.isBoundedAbove && !wide.isBoundedAboveSigned && wide.umin == 0 && wide.smin == .min
    }

    /// 0, 1, … trips times the step, which counts as negative when its sign bit is set.
    private static func distance<Word: MachineWord>(_ step: Word, _ trips: UInt64?) -> Numeric<Word> {
        let signed = Word.Signed(truncatingIfNeeded: step)
        var distance = Numeric<Word>.top
        if let trips, let count = Word.Signed(exactly: trips) {
            let (total, overflow) = signed.multipliedReportingOverflow(by: count)
            if !overflow { distance = Numeric(signed: min(total, 0)...max(total, 0)) }
        }
        let zeros = step.trailingZeroBitCount
        if zeros < Word.bitWidth { distance.unknown &= .max << Word(truncatingIfNeeded: zeros) }
        return distance
    }
}
