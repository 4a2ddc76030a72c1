import SCodeIR

/// What is known of the value of an integer register: a number or, when `region` says so, the base address of a
/// region plus a number. 64 bytes, one cache line.
///
/// An address with an unknown offset may be anything; it still says from which region it was computed, which tells
/// the compiler where to look first.
struct AbstractValue: Hashable, Sendable, BitwiseCopyable {
    /// The number, in 64 bits.
    var wide: Numeric<UInt64>
    /// The signed range of the low half. The rest of what is known of the low half follows from `wide`.
    var lowMin: Int32
    var lowMax: Int32
    /// The region whose base is added, or `noRegion`.
    @inline(__always) var region: UInt8 {
        get { UInt8(truncatingIfNeeded: fullRegion) }
        set { fullRegion = UInt64(newValue) }
    }
    /// The same, as wide as makes a value eight words: copies of fewer bytes are slower.
    private var fullRegion: UInt64

    static let noRegion: UInt8 = .max

    static var top: AbstractValue {
        AbstractValue(wide: .top, lowMin: .min, lowMax: .max, region: noRegion)
    }

    @inline(__always)
    init(wide: Numeric<UInt64>, lowMin: Int32, lowMax: Int32, region: UInt8) {
        self.wide = wide
        self.lowMin = lowMin
        self.lowMax = lowMax
        fullRegion = UInt64(region)
    }

    @inline(__always)
    init(constant: UInt64) {
        let low = Int32(truncatingIfNeeded: constant)
        self.init(wide: Numeric(constant: constant), lowMin: low, lowMax: low, region: Self.noRegion)
    }

    /// A 64-bit result; what is known of its low half follows.
    @inline(__always)
    init(_ wide: Numeric<UInt64>, region: UInt8 = noRegion) {
        self.wide = wide
        fullRegion = UInt64(region)
        (lowMin, lowMax) = (.min, .max)
        if wide.smin >= Int64(Int32.min), wide.smax <= Int64(Int32.max) {
            (lowMin, lowMax) = (Int32(truncatingIfNeeded: wide.smin), Int32(truncatingIfNeeded: wide.smax))
        }
    }

    /// A 32-bit result, which a register holds zero-extended.
    @inline(__always)
    init(zeroExtending low: Numeric<UInt32>) {
        self.init(
            wide: Numeric(
                umin: UInt64(low.umin), umax: UInt64(low.umax), smin: Int64(low.umin), smax: Int64(low.umax),
                bits: UInt64(low.bits), unknown: UInt64(low.unknown)),
            lowMin: low.smin, lowMax: low.smax, region: Self.noRegion)
    }

    /// A register of the type that holds something unknown: a value that was loaded, or that a host function returned.
    @inline(__always)
    init(unknownOf type: ValueType) {
        switch type {
        case .c: self.init(Numeric(signed: Int64(Int8.min)...Int64(Int8.max)))
        case .s: self.init(Numeric(signed: Int64(Int16.min)...Int64(Int16.max)))
        case .uc: self.init(anyBelow: 8)
        case .us: self.init(anyBelow: 16)
        case .i, .u, .f: self.init(anyBelow: 32)
        case .l, .ul, .p, .d: self = .top
        }
    }

    /// Any number of so many bits, 32 at most.
    @inline(__always)
    private init(anyBelow bits: UInt64) {
        let most = (1 &<< bits) &- 1
        self.init(
            wide: Numeric(
                umin: 0, umax: most, smin: 0, smax: Int64(bitPattern: most), bits: 0, unknown: most),
            lowMin: bits == 32 ? .min : 0, lowMax: bits == 32 ? .max : Int32(truncatingIfNeeded: most),
            region: Self.noRegion)
    }

    static func pointer(_ region: UInt8, offset: Int64) -> AbstractValue {
        var value = AbstractValue(constant: UInt64(bitPattern: offset))
        value.region = region
        return value
    }

    @inline(__always) var isNumber: Bool { region == Self.noRegion }

    /// The number, of which an address says nothing.
    @inline(__always) var number: Numeric<UInt64> { isNumber ? wide : .top }

    /// What is known of the low half.
    @inline(__always) var low: Numeric<UInt32> {
        guard isNumber else { return .top }
        if lowMin == lowMax { return Numeric(constant: UInt32(bitPattern: lowMin)) }
        // The low half is all that there is, and has been reduced.
        if wide.umax <= UInt64(Int32.max) {
            return Numeric(
                umin: UInt32(truncatingIfNeeded: wide.umin), umax: UInt32(truncatingIfNeeded: wide.umax),
                smin: Int32(truncatingIfNeeded: wide.umin), smax: Int32(truncatingIfNeeded: wide.umax),
                bits: UInt32(truncatingIfNeeded: wide.bits),
                unknown: UInt32(truncatingIfNeeded: wide.unknown))
        }
        // The same, and nothing is known of its sign.
        if wide.umax <= UInt64(UInt32.max), wide.umin <= UInt64(Int32.max), lowMin == .min, lowMax == .max {
            return Numeric(
                umin: UInt32(truncatingIfNeeded: wide.umin), umax: UInt32(truncatingIfNeeded: wide.umax),
                smin: .min, smax: .max, bits: UInt32(truncatingIfNeeded: wide.bits),
                unknown: UInt32(truncatingIfNeeded: wide.unknown))
        }
        return reducedLow
    }

    @inline(never) private var reducedLow: Numeric<UInt32> {
        var low = Numeric<UInt32>(
            umin: 0, umax: .max, smin: lowMin, smax: lowMax, bits: UInt32(truncatingIfNeeded: wide.bits),
            unknown: UInt32(truncatingIfNeeded: wide.unknown))
        if wide.umin >> 32 == wide.umax >> 32 {
            low.umin = UInt32(truncatingIfNeeded: wide.umin)
            low.umax = UInt32(truncatingIfNeeded: wide.umax)
        }
        return low.reduced()
    }

    /// Takes in what is now known of the low half of a number. False: nothing satisfies it.
    mutating func refineLow(_ low: Numeric<UInt32>) -> Bool {
        guard isNumber else { return true }
        lowMin = max(lowMin, low.smin)
        lowMax = min(lowMax, low.smax)
        guard lowMin <= lowMax else { return false }
        if wide.umax <= UInt64(UInt32.max) {
            wide.umin = max(wide.umin, UInt64(low.umin))
            wide.umax = min(wide.umax, UInt64(low.umax))
        }
        let new = UInt64(~low.unknown) & wide.unknown
        wide.bits |= UInt64(low.bits) & new
        wide.unknown &= ~new
        return wide.umin <= wide.umax && wide.reduce()
    }

    /// Takes in what is now known of all 64 bits.
    mutating func refineWide(_ new: Numeric<UInt64>) {
        wide = new
        if wide.smin >= Int64(Int32.min), wide.smax <= Int64(Int32.max) {
            lowMin = max(lowMin, Int32(truncatingIfNeeded: wide.smin))
            lowMax = min(lowMax, Int32(truncatingIfNeeded: wide.smax))
            // The two can only disagree where no execution leads.
            if lowMin > lowMax { (lowMin, lowMax) = (.min, .max) }
        }
    }

    // MARK: Order

    /// Whether nothing at all is known.
    @inline(__always) var isAnything: Bool { isNumber && wide.isTop && lowMin == .min && lowMax == .max }

    /// Whether two are the same, word for word: most values that meet are.
    @inline(__always)
    static func areSame(
        _ one: UnsafeMutablePointer<AbstractValue>, _ other: UnsafeMutablePointer<AbstractValue>
    ) -> Bool {
        let one = UnsafeRawPointer(one).loadUnaligned(as: SIMD8<UInt64>.self)
        let other = UnsafeRawPointer(other).loadUnaligned(as: SIMD8<UInt64>.self)
        let differences = one ^ other
        let half = differences.lowHalf | differences.highHalf
        let quarter = half.lowHalf | half.highHalf
        return quarter[0] | quarter[1] == 0
    }

    /// Whether every value of `other` is known to be one of these.
    @inline(__always)
    func includes(_ other: AbstractValue) -> Bool {
        if region == other.region {
            return wide.includes(other.wide) && lowMin <= other.lowMin && other.lowMax <= lowMax
        }
        return isAnything
    }

    /// What is known when the value is either of the two.
    @inline(__always)
    func joined(_ other: AbstractValue) -> AbstractValue {
        guard region == other.region else { return .top }
        return AbstractValue(
            wide: wide.joined(other.wide), lowMin: min(lowMin, other.lowMin),
            lowMax: max(lowMax, other.lowMax),
            region: region)
    }

    /// Whether a register that holds `value` is accounted for, where the regions lie at these addresses.
    func contains(_ value: UInt64, base: (Int) -> UInt64) -> Bool {
        if !isNumber { return wide.contains(value &- base(Int(region))) }
        let low = Int32(truncatingIfNeeded: value)
        return wide.contains(value) && lowMin <= low && low <= lowMax
    }
}

extension AbstractValue {
    /// For people: `64`, `0...63`, `queue + 0...1008 step 16`, `any`.
    func text(_ regions: [Region]) -> String {
        let number = Self.text(wide, lowMin, lowMax)
        guard !isNumber else { return number }
        let name = regions.indices.contains(Int(region)) ? regions[Int(region)].name : "?"
        return number == "0" ? name : number == "any" ? "\(name) + any" : "\(name) + \(number)"
    }

    private static func text(_ wide: Numeric<UInt64>, _ lowMin: Int32, _ lowMax: Int32) -> String {
        if wide.isConstant {
            return wide.smin < 0 && wide.smin > -1 << 32 ? "\(wide.smin)" : "\(wide.umin)"
        }
        var text: String
        if wide.smin < 0, (wide.smin != .min || wide.smax != .max) {
            text = "\(wide.smin)...\(wide.smax)"
        } else if wide.umin == 0, wide.umax == .max {
            text = ""
        } else if wide.umax <= UInt64(UInt32.max), lowMin > .min, lowMin < 0 {
            text = "\(lowMin)...\(lowMax) as i"
        } else {
            text = "\(wide.umin)...\(wide.umax)"
        }
        if wide.knownTrailingZeros > 0 {
            text += "\(text.isEmpty ? "any" : "") step \(UInt64(1) << UInt64(wide.knownTrailingZeros))"
        }
        return text.isEmpty ? "any" : text
    }
}
