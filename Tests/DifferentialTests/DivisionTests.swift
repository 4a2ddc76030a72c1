import SCode
import SCodeTestSupport
import Testing

/// Division by constants, which native code does without dividing: with divisors and dividends at the edges, and random
/// ones, against the interpreter and against Swift.
@Suite struct DivisionTests {
    /// Numbers around powers of two and their negatives, small ones, and random ones.
    private static func numbers(_ bits: Int, _ random: inout SeededGenerator, _ count: Int) -> [UInt64] {
        var numbers: [UInt64] = (0...20).map { UInt64($0) } + [100, 641, 1000, 6_700_417, 10_000_019]
        for exponent in 5..<bits {
            for difference: UInt64 in [0, 1, .max] { numbers.append((1 << UInt64(exponent)) &+ difference) }
        }
        for _ in 0..<count {
            numbers.append(random.next() >> UInt64.random(in: 0..<UInt64(bits), using: &random))
        }
        let mask: UInt64 = bits == 64 ? .max : 0xffff_ffff
        return Array(Set(numbers.flatMap { [$0 & mask, (0 &- $0) & mask] })).sorted()
    }

    /// The quotient and the remainder in one number.
    private static func mixed(_ quotient: UInt64, _ remainder: UInt64) -> UInt64 {
        quotient &* 0x9e37_79b9_7f4a_7c15 &+ remainder
    }

    /// As the language says: rounded to zero; the most negative by -1 wraps.
    private static func expected(_ type: ValueType, _ n: UInt64, _ d: UInt64) -> UInt64 {
        switch type {
        case .u, .ul: return mixed(n / d, n % d)
        case .i:
            let (n, d) = (Int32(truncatingIfNeeded: n), Int32(truncatingIfNeeded: d))
            let quotient = n.dividedReportingOverflow(by: d).partialValue
            let remainder = d == -1 ? 0 : n % d
            return mixed(UInt64(UInt32(bitPattern: quotient)), UInt64(UInt32(bitPattern: remainder)))
        default:
            let (n, d) = (Int64(bitPattern: n), Int64(bitPattern: d))
            let quotient = n.dividedReportingOverflow(by: d).partialValue
            return mixed(UInt64(bitPattern: quotient), UInt64(bitPattern: d == -1 ? 0 : n % d))
        }
    }

    /// A divisor as an immediate of the type.
    private static func constant(_ type: ValueType, _ divisor: UInt64) -> Int64 {
        type == .i ? Int64(Int32(truncatingIfNeeded: divisor)) : Int64(bitPattern: divisor)
    }

    @Test(arguments: [ValueType.u, .i, .ul, .l])
    func everyDivisor(type: ValueType) throws {
        var random = SeededGenerator(seed: 7)
        let bits = type.size * 8
        let dividends = Self.numbers(bits, &random, 60)
        for divisor in Self.numbers(bits, &random, 150) where divisor != 0 {
            let fragment = try BothEngines.verified(
                FragmentCode(
                    [type],
                    [
                        .immediate(.div, type, rd: r(1), r(0), Self.constant(type, divisor)),
                        // In place, so that the dividend is lost.
                        .immediate(.mod, type, rd: r(0), r(0), Self.constant(type, divisor)),
                        .set(r(2), Int64(bitPattern: 0x9e37_79b9_7f4a_7c15)),
                        .op(.mul, rd: r(1), r(1), r(2)), .op(.add, rd: r(1), r(1), r(0)), .accept(r(1)),
                    ]))
            let (interpreted, native) = (
                try Fragment(fragment, engine: .interpreter), try Fragment(fragment, engine: .native)
            )
            for dividend in dividends {
                let wanted = Exit.accept(Self.expected(type, dividend, divisor))
                let exits = [interpreted, native].map { $0.invoke(arguments: [dividend]).exit }
                guard exits == [wanted, wanted] else {
                    Issue.record("\(dividend) / \(divisor) as \(type): \(exits), not \(wanted)")
                    return
                }
            }
        }
    }

    /// Powers of two are left alone even when nobody makes shifts of them.
    @Test(arguments: [ValueType.u, .ul], [1, 2, 0x8000_0000] as [Int64])
    func withoutStrengthReduction(type: ValueType, divisor: Int64) throws {
        let code = FragmentCode([type], [.immediate(.div, type, rd: r(0), r(0), divisor), .accept(r(0))])
        let cache = CodeCache(optimising: .divisionByConstants)
        let fragment = try Fragment(BothEngines.verified(code), sharing: cache)
        #expect(fragment.invoke(arguments: [0xf000_0007]).exit == .accept(0xf000_0007 / UInt64(divisor)))
    }

    /// What else there is stays as it was, wherever dividend and result are kept.
    @Test(arguments: [Operation.div, .mod], [ValueType.u, .i, .ul, .l])
    func othersAreUntouched(operation: Operation, type: ValueType) throws {
        for divisor: Int64 in [7, 8, 10, 0x7fff_ffff] {
            // More than there are registers.
            var lines = (3...12).map { Line.immediate(.mul, rd: r($0), r(1), 2 * Int64($0) + 1) }
            lines.append(.immediate(operation, type, rd: r(20), r(0), divisor))
            for number in 0...12 { lines.append(.op(.add, rd: r(20), r(20), r(number))) }
            lines.append(.immediate(operation, type, rd: r(3), r(0), divisor))
            for number in 0...12 { lines.append(.op(.xor, rd: r(20), r(20), r(number))) }
            let fragment = try BothEngines.verified(FragmentCode([type, .ul, .ul], lines + [.accept(r(20))]))
            try BothEngines.run(fragment, [0xffff_ff00_1234_5678, 0x1234_5678_9abc_def0, 7])
        }
    }
}
