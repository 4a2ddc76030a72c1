extension AbstractValue {
    /// A value that includes `joined` and makes sure that a loop's value stops changing soon.
    ///
    /// Ends that moved go at once to where comparisons end the register's value; when that is not far enough, the
    /// increment behind the comparison is granted a few rounds; then they go as far as they can.
    /// - Parameter visits: how often the block's state has changed before.
    static func widened(
        from old: AbstractValue, to joined: AbstractValue, visits: Int, ends: ComparedEnds
    ) -> AbstractValue {
        guard old.region == joined.region else { return joined }
        if visits >= Self.lastVisit {
            var top = AbstractValue.top
            top.region = joined.region
            return top
        }
        let isLast = visits >= Self.extremeVisit
        var wide = joined.wide
        if wide.umax > old.wide.umax {
            wide.umax = wide.umax <= ends.umax ? ends.umax : isLast ? .max : wide.umax
        }
        if wide.umin < old.wide.umin {
            wide.umin = wide.umin >= ends.umin ? ends.umin : isLast ? .min : wide.umin
        }
        if wide.smax > old.wide.smax {
            wide.smax = wide.smax <= ends.smax ? ends.smax : isLast ? .max : wide.smax
        }
        if wide.smin < old.wide.smin {
            wide.smin = wide.smin >= ends.smin ? ends.smin : isLast ? .min : wide.smin
        }
        let lost = wide.unknown & ~old.wide.unknown
        if lost != 0 {
            // Every bit from the lowest that changed: low zeros, the step of a loop, stay.
            wide.unknown |= .max << UInt64(lost.trailingZeroBitCount)
            wide.bits &= ~wide.unknown
        }
        var (low, high) = (joined.lowMin, joined.lowMax)
        if high > old.lowMax { high = high <= ends.lowMax ? ends.lowMax : isLast ? .max : high }
        if low < old.lowMin { low = low >= ends.lowMin ? ends.lowMin : isLast ? .min : low }
        wide = wide.reduced()
        return AbstractValue(wide: wide, lowMin: low, lowMax: high, region: joined.region)
    }

    /// A block's state changes so often before ends that still move go to the extremes, and before everything is
    /// forgotten. To where comparisons end a value it goes at once.
    static let extremeVisit = 3
    static let lastVisit = 8
}
