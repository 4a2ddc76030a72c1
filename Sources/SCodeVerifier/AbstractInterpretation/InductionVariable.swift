import SCodeIR

/// A register that a loop changes by the same amount each time round, and in no other way: `trips` times at most, so
/// that at the loop's head it holds what it was entered with plus a multiple of the step.
///
/// This bounds registers that no comparison bounds, such as an address that advances beside the counter. It takes a
/// second run of the abstract interpreter, with the trips that the first one found.
struct InductionVariable {
    let register: Register
    /// What is added each time round, modulo 2^64.
    let step: UInt64
    let trips: UInt64
    /// Whether it is a 32-bit register: the sums are modulo 2^32.
    let isNarrow: Bool
    /// What the register holds when the loop is entered.
    private(set) var entry: AbstractValue?

    init(register: Register, step: UInt64, trips: UInt64, isNarrow: Bool) {
        self.register = register
        self.step = step
        self.trips = trips
        self.isNarrow = isNarrow
    }

    /// Takes in another value that the loop is entered with; gives what the register may hold at the head.
    mutating func enter(_ value: AbstractValue) -> AbstractValue {
        let joined = entry.map { $0.joined(value) } ?? value
        entry = joined
        if isNarrow {
            guard let distance = Self.distance(UInt32(truncatingIfNeeded: step), trips) else { return .top }
            // The first time round it holds all 64 bits of what it was entered with.
            return AbstractValue(zeroExtending: joined.low.adding(distance)).joined(joined)
        }
        guard let distance = Self.distance(step, trips) else {
            return AbstractValue(.top, region: joined.region)
        }
        return AbstractValue(joined.wide.adding(distance), region: joined.region)
    }

    /// 0, 1, … trips times the step, which counts as negative when its sign bit is set; nil when that overflows.
    private static func distance<Word: MachineWord>(_ step: Word, _ trips: UInt64) -> Numeric<Word>? {
        let signed = Word.Signed(truncatingIfNeeded: step)
        guard let count = Word.Signed(exactly: trips) else { return nil }
        let (total, overflow) = signed.multipliedReportingOverflow(by: count)
        guard !overflow else { return nil }
        var distance = Numeric<Word>(signed: min(total, 0)...max(total, 0))
        let zeros = step.trailingZeroBitCount
        if zeros < Word.bitWidth { distance.unknown &= .max << Word(truncatingIfNeeded: zeros) }
        return distance
    }
}

/// The induction variables of one loop.
struct LoopInductions {
    var variables: [InductionVariable]
    /// The blocks from which a jump leads back to the loop's head. Every other way to the head enters the loop.
    let latches: Set<Int>
}
