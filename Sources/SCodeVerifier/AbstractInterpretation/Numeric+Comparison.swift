/// How two numbers can compare.
@usableFromInline
enum Relation: BitwiseCopyable {
    case less, lessOrEqual, greater, greaterOrEqual, equal, notEqual

    @inlinable var inverted: Relation {
        switch self {
        case .less: .greaterOrEqual
        case .lessOrEqual: .greater
        case .greater: .lessOrEqual
        case .greaterOrEqual: .less
        case .equal: .notEqual
        case .notEqual: .equal
        }
    }
}

extension Numeric {
    /// Leaves in both the members for which the relation can hold. False: it holds for none.
    @inlinable static func assume(
        _ left: inout Numeric, _ relation: Relation, _ right: inout Numeric, signed: Bool
    ) -> Bool {
        switch relation {
        case .equal:
            guard let both = left.intersection(right) else { return false }
            left = both
            right = both
            return true
        case .notEqual:
            if right.isConstant, !left.exclude(right.umin) { return false }
            if left.isConstant, !right.exclude(left.umin) { return false }
            return true
        case .less: return assumeBelow(&left, &right, strictly: true, signed)
        case .lessOrEqual: return assumeBelow(&left, &right, strictly: false, signed)
        case .greater: return assumeBelow(&right, &left, strictly: true, signed)
        case .greaterOrEqual: return assumeBelow(&right, &left, strictly: false, signed)
        }
    }

    @inlinable static func assumeBelow(
        _ low: inout Numeric, _ high: inout Numeric, strictly: Bool, _ signed: Bool
    ) -> Bool {
        if signed {
            if strictly, high.smax == .min || low.smin == .max { return false }
            let (most, least) = strictly ? (high.smax - 1, low.smin + 1) : (high.smax, low.smin)
            if most < low.smax {
                low.smax = most
                if !low.reduce() { return false }
            }
            guard least > high.smin else { return true }
            high.smin = least
        } else {
            if strictly, high.umax == .min || low.umin == .max { return false }
            let (most, least) = strictly ? (high.umax - 1, low.umin + 1) : (high.umax, low.umin)
            if most < low.umax {
                low.umax = most
                if !low.reduce() { return false }
            }
            guard least > high.umin else { return true }
            high.umin = least
        }
        return high.reduce()
    }

    /// Takes a number out, where it is an end of an interval. False: it was the only one.
    @inlinable mutating func exclude(_ value: Word) -> Bool {
        if isConstant { return umin != value }
        let old = self
        if umin == value { umin += 1 }
        if umax == value { umax -= 1 }
        let signed = Signed(truncatingIfNeeded: value)
        if smin == signed, smin < smax { smin += 1 }
        if smax == signed, smin < smax { smax -= 1 }
        return self == old || reduce()
    }
}
