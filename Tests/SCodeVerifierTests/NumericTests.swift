import SCodeTestSupport
import Testing

@testable import SCodeVerifier

/// Every operation on sets of numbers contains what it gives for their members: in 8 bits for all cases, in 32 and 64
/// by search.
@Suite struct NumericTests {
    /// An operation on sets beside the same on numbers, which is nil where there is no result.
    struct Pair<Word: MachineWord> {
        var name: String
        var abstract: (Numeric<Word>, Numeric<Word>) -> Numeric<Word>
        var concrete: (Word, Word) -> Word?
    }

    static func pairs<Word: MachineWord>(_: Word.Type) -> [Pair<Word>] {
        typealias Signed = Word.Signed
        func signed(_ body: @escaping (Signed, Signed) -> Signed?) -> (Word, Word) -> Word? {
            { a, b in
                body(Signed(truncatingIfNeeded: a), Signed(truncatingIfNeeded: b)).map {
                    Word(truncatingIfNeeded: $0)
                }
            }
        }
        return [
            Pair(name: "add", abstract: { $0.adding($1) }, concrete: { $0 &+ $1 }),
            Pair(name: "sub", abstract: { $0.subtracting($1) }, concrete: { $0 &- $1 }),
            Pair(name: "mul", abstract: { $0.multiplied(by: $1) }, concrete: { $0 &* $1 }),
            Pair(
                name: "div", abstract: { $0.dividedUnsigned(by: $1) }, concrete: { $1 == 0 ? nil : $0 / $1 }),
            Pair(
                name: "div signed", abstract: { $0.dividedSigned(by: $1) },
                concrete: signed { $1 == 0 ? nil : $0.dividedReportingOverflow(by: $1).partialValue }),
            Pair(name: "mod", abstract: { $0.moduloUnsigned(by: $1) }, concrete: { $1 == 0 ? nil : $0 % $1 }),
            Pair(
                name: "mod signed", abstract: { $0.moduloSigned(by: $1) },
                concrete: signed { $1 == 0 ? nil : $1 == -1 ? 0 : $0 % $1 }),
            Pair(name: "and", abstract: { $0.and($1) }, concrete: { $0 & $1 }),
            Pair(name: "or", abstract: { $0.or($1) }, concrete: { $0 | $1 }),
            Pair(name: "xor", abstract: { $0.xor($1) }, concrete: { $0 ^ $1 }),
            Pair(name: "lsh", abstract: { $0.shiftedLeft(by: $1) }, concrete: { $0 &<< $1 }),
            Pair(name: "rsh", abstract: { $0.shiftedRight(by: $1) }, concrete: { $0 &>> $1 }),
            Pair(
                name: "rsh signed", abstract: { $0.shiftedRightArithmetic(by: $1) },
                concrete: signed { $0 &>> $1 }),
            // Operations on one number, of the first.
            Pair(name: "com", abstract: { a, _ in a.complement() }, concrete: { a, _ in ~a }),
            Pair(name: "neg", abstract: { a, _ in a.negated() }, concrete: { a, _ in 0 &- a }),
            Pair(name: "not", abstract: { a, _ in a.isZero() }, concrete: { a, _ in a == 0 ? 1 : 0 }),
            Pair(
                name: "clz", abstract: { a, _ in a.leadingZeros() },
                concrete: { a, _ in Word(a.leadingZeroBitCount) }),
            Pair(
                name: "ctz", abstract: { a, _ in a.trailingZeros() },
                concrete: { a, _ in Word(a.trailingZeroBitCount) }),
            Pair(
                name: "popcnt", abstract: { a, _ in a.population() },
                concrete: { a, _ in Word(a.nonzeroBitCount) }),
            Pair(name: "bswap", abstract: { a, _ in a.bytesSwapped() }, concrete: { a, _ in a.byteSwapped }),
        ]
    }

    /// Debug builds take a sample; release builds, which CI runs, every case.
    private static var stride: Int {
        #if DEBUG
            return 37
        #else
            return 1
        #endif
    }

    /// All combinations of known bits of 8.
    static let bitSets: [Numeric<UInt8>] = (UInt8.min...UInt8.max).flatMap { unknown in
        (UInt8.min...UInt8.max).filter { $0 & unknown == 0 }.map { bits in
            var number = Numeric<UInt8>.top
            (number.bits, number.unknown) = (bits, unknown)
            return number.reduced()
        }
    }

    /// Every interval, unsigned and signed, with every number, on either side. While an interval grows at its upper
    /// end, the least set that includes the results grows with it.
    @Test(arguments: pairs(UInt8.self).indices) func everyIntervalOfEightBits(_ index: Int) {
        let pair = Self.pairs(UInt8.self)[index]
        for isSigned in [false, true] {
            for number in Swift.stride(from: 0, through: 255, by: Self.stride) {
                for low in Swift.stride(from: 0, through: 255, by: Self.stride) {
                    if let failure = Self.failure(pair, UInt8(number), low, isSigned) {
                        Issue.record("\(failure)")
                        return
                    }
                }
            }
        }
    }

    private static func failure(
        _ pair: Pair<UInt8>, _ number: UInt8, _ low: Int, _ isSigned: Bool
    ) -> String? {
        let one = Numeric(constant: number)
        var onLeft: Numeric<UInt8>?
        var onRight: Numeric<UInt8>?
        func grow(_ hull: inout Numeric<UInt8>?, _ value: UInt8?) {
            guard let value else { return }
            hull = hull?.joined(Numeric(constant: value)) ?? Numeric(constant: value)
        }
        for high in low...255 {
            let member = UInt8(truncatingIfNeeded: isSigned ? high - 128 : high)
            let interval =
                isSigned
                ? Numeric<UInt8>(signed: Int8(low - 128)...Int8(high - 128))
                : Numeric(UInt8(low)...UInt8(high))
            grow(&onLeft, pair.concrete(member, number))
            grow(&onRight, pair.concrete(number, member))
            if let onLeft, !pair.abstract(interval, one).includes(onLeft) {
                return "\(interval) \(pair.name) \(number) lacks some of \(onLeft)"
            }
            if let onRight, !pair.abstract(one, interval).includes(onRight) {
                return "\(number) \(pair.name) \(interval) lacks some of \(onRight)"
            }
        }
        return nil
    }

    /// Every set of known bits with every number, on either side.
    @Test(arguments: pairs(UInt8.self).indices) func everySetOfBits(_ index: Int) {
        let pair = Self.pairs(UInt8.self)[index]
        for position in Swift.stride(from: 0, to: Self.bitSets.count, by: Self.stride) {
            let set = Self.bitSets[position]
            for number in UInt8.min...UInt8.max {
                let left = pair.abstract(set, Numeric(constant: number))
                let right = pair.abstract(Numeric(constant: number), set)
                for member in set.umin...set.umax where set.contains(member) {
                    let results = (pair.concrete(member, number), pair.concrete(number, member))
                    if let result = results.0, !left.contains(result) {
                        Issue.record("\(member) \(pair.name) \(number) = \(result) is not in \(left); \(set)")
                        return
                    }
                    if let result = results.1, !right.contains(result) {
                        Issue.record(
                            "\(number) \(pair.name) \(member) = \(result) is not in \(right); \(set)")
                        return
                    }
                }
            }
        }
    }

    /// Both sides sets, as they come.
    @Test(arguments: pairs(UInt8.self).indices) func eightBitSets(_ index: Int) {
        let pair = Self.pairs(UInt8.self)[index]
        var random = SeededGenerator(seed: UInt64(index))
        for _ in 0..<2_000 / Self.stride {
            let a = Self.mixed(&random)
            let b = Self.mixed(&random)
            let result = pair.abstract(a, b)
            for x in a.umin...a.umax where a.contains(x) {
                for y in b.umin...b.umax where b.contains(y) {
                    if let value = pair.concrete(x, y), !result.contains(value) {
                        Issue.record("\(x) \(pair.name) \(y) = \(value) is not in \(result); \(a), \(b)")
                        return
                    }
                }
            }
        }
    }

    /// An interval, a set of bits, or what both share.
    private static func mixed(_ random: inout SeededGenerator) -> Numeric<UInt8> {
        let ends = [UInt8.random(in: 0...255, using: &random), UInt8.random(in: 0...255, using: &random)]
            .sorted()
        let interval =
            random.oneIn(2)
            ? Numeric(ends[0]...ends[1])
            : Numeric(signed: Int8(bitPattern: ends[0] ^ 128)...Int8(bitPattern: ends[1] ^ 128))
        let bits = bitSets.randomElement(using: &random) ?? .top
        switch Int.random(in: 0..<3, using: &random) {
        case 0: return interval
        case 1: return bits
        default: return interval.intersection(bits) ?? interval
        }
    }

    @Test func wideWordsByRandomSearch() {
        search(UInt64.self, seed: 64)
        search(UInt32.self, seed: 32)
    }

    private func search<Word: MachineWord>(_: Word.Type, seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let pairs = Self.pairs(Word.self)
        for round in 0..<1_000_000 / Self.stride {
            let pair = pairs[round % pairs.count]
            let a = Self.members(Word.self, &random)
            let b = Self.members(Word.self, &random)
            let result = pair.abstract(Self.hull(a, &random), Self.hull(b, &random))
            for x in a {
                for y in b {
                    if let value = pair.concrete(x, y), !result.contains(value) {
                        Issue.record("\(x) \(pair.name) \(y) = \(value) is not in \(result); \(a), \(b)")
                        return
                    }
                }
            }
        }
    }

    private static func members<Word: MachineWord>(_: Word.Type, _ random: inout SeededGenerator) -> [Word] {
        let first = Word(truncatingIfNeeded: random.interestingValue())
        return (0..<Int.random(in: 1...3, using: &random)).map { _ in
            switch Int.random(in: 0..<3, using: &random) {
            case 0: first &+ Word(truncatingIfNeeded: Int.random(in: 0...70, using: &random))
            case 1: first ^ 1 << Word(truncatingIfNeeded: Int.random(in: 0..<Word.bitWidth, using: &random))
            default: Word(truncatingIfNeeded: random.interestingValue())
            }
        }
    }

    /// The least set that has these members, or one with less known.
    private static func hull<Word: MachineWord>(_ members: [Word], _ random: inout SeededGenerator)
        -> Numeric<Word>
    {
        var set = Numeric(constant: members[0])
        for member in members.dropFirst() { set = set.joined(Numeric(constant: member)) }
        if random.oneIn(4) { (set.umin, set.umax) = (.min, .max) }
        if random.oneIn(4) { (set.smin, set.smax) = (.min, .max) }
        if random.oneIn(4) { (set.bits, set.unknown) = (0, .max) }
        return set
    }

    // MARK: Order and comparisons

    /// What a comparison leaves contains every pair for which it holds, and is empty only when there is none.
    @Test func comparisonsKeepWhatHolds() {
        var random = SeededGenerator(seed: 7)
        let relations: [(Relation, (Int, Int) -> Bool)] = [
            (.less, { $0 < $1 }), (.lessOrEqual, { $0 <= $1 }), (.greater, { $0 > $1 }),
            (.greaterOrEqual, { $0 >= $1 }), (.equal, { $0 == $1 }), (.notEqual, { $0 != $1 }),
        ]
        for round in 0..<12_000 / Self.stride {
            let (relation, holds) = relations[round % relations.count]
            let isSigned = round % 4 < 2
            let a = Self.mixed(&random)
            let b =
                random.oneIn(3)
                ? Numeric(constant: UInt8.random(in: 0...255, using: &random)) : Self.mixed(&random)
            var (left, right) = (a, b)
            let isPossible = Numeric.assume(&left, relation, &right, signed: isSigned)
            func number(_ word: UInt8) -> Int { isSigned ? Int(Int8(bitPattern: word)) : Int(word) }
            for x in a.umin...a.umax where a.contains(x) {
                for y in b.umin...b.umax where b.contains(y) && holds(number(x), number(y)) {
                    if !isPossible || !left.contains(x) || !right.contains(y) {
                        Issue.record("\(x) \(relation) \(y), signed \(isSigned): lost from \(a), \(b)")
                        return
                    }
                }
            }
        }
    }

    @Test func joinsContainBothSides() {
        var random = SeededGenerator(seed: 8)
        for _ in 0..<50_000 / Self.stride {
            let a = Self.mixed(&random)
            let b = Self.mixed(&random)
            let joined = a.joined(b)
            if !joined.includes(a) || !joined.includes(b) {
                Issue.record("\(joined) does not include \(a) and \(b)")
                return
            }
            for x in a.umin...a.umax where a.contains(x) && !joined.contains(x) {
                Issue.record("\(x) is in \(a) and not in \(joined)")
                return
            }
        }
    }

    /// Sets that abstract interpretation goes through must be worth it: what can be known exactly is.
    @Test func resultsArePrecise() {
        let index = Numeric<UInt64>(0...63)
        let scaled = index.multiplied(by: Numeric(constant: 16))
        #expect(scaled.umin == 0 && scaled.umax == 1008 && scaled.knownTrailingZeros == 4)
        #expect(index.adding(Numeric(constant: 1)) == Numeric(1...64))
        #expect(Numeric<UInt64>.top.and(Numeric(constant: 0xfff)) == Numeric(0...0xfff))
        #expect(Numeric<UInt64>.top.moduloUnsigned(by: Numeric(constant: 10)).umax == 9)
        #expect(Numeric<UInt32>(signed: -5...5).negated().smin == -5)
        #expect(Numeric<UInt64>(8...1000).shiftedRight(by: Numeric(constant: 3)) == Numeric(1...125))
    }
}
