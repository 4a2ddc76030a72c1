import SCodeIR
import SCodeTestSupport
import Testing

@testable import SCodeVerifier

/// What is said of a counted loop before anybody has looked at it is held against loops that run.
@Suite struct CountedCourseTests {
    /// A loop that adds `step` to a register and compares it once each round, before or after that.
    private struct Loop: CustomStringConvertible {
        var step: UInt64
        var isNarrow: Bool
        var relation: Relation
        var type: ValueType
        var isAfterStep: Bool

        var description: String {
            "\(isNarrow ? "32" : "64") bits, step \(step), \(relation) as \(type), "
                + "compared \(isAfterStep ? "after" : "before") the step"
        }

        private func goesOn(_ value: UInt64, _ other: UInt64) -> Bool {
            let (a, b) = (type.canonical(value), type.canonical(other))
            let isLess: Bool =
                switch type {
                case .i: Int32(truncatingIfNeeded: a) < Int32(truncatingIfNeeded: b)
                case .l: Int64(bitPattern: a) < Int64(bitPattern: b)
                default: a < b
                }
            switch relation {
            case .less: return isLess
            case .lessOrEqual: return isLess || a == b
            case .greater: return !isLess && a != b
            case .greaterOrEqual: return !isLess
            case .equal: return a == b
            case .notEqual: return a != b
            }
        }

        /// What the register holds at the head, round by round; nil when there are more than `limit`.
        func run(from start: UInt64, to other: UInt64, limit: Int) -> [UInt64]? {
            var (value, heads) = (start, [start])
            while heads.count <= limit {
                let before = value
                value = isNarrow ? UInt64(UInt32(truncatingIfNeeded: value &+ step)) : value &+ step
                guard goesOn(isAfterStep ? value : before, other) else { return heads }
                heads.append(value)
            }
            return nil
        }

        func course(_ entry: AbstractValue, _ other: AbstractValue) -> CountedCourse? {
            CountedCourse(
                entry, step: step, isNarrow: isNarrow, relation, other, type, isAfterStep: isAfterStep)
        }

        func head(_ entry: AbstractValue, _ course: CountedCourse) -> AbstractValue {
            var head = entry.advanced(by: step, times: course.trips, isNarrow: isNarrow)
            course.confine(&head)
            return head
        }
    }

    private static var relations: [Relation] {
        [.less, .lessOrEqual, .greater, .greaterOrEqual, .equal, .notEqual]
    }

    /// Values about the ends of every order, where mistakes are.
    private static func number(_ random: inout SeededGenerator) -> UInt64 {
        let ends: [UInt64] = [0, 1 << 31, 1 << 32, 1 << 63]
        return ends[Int.random(in: 0..<ends.count, using: &random)]
            &+ UInt64.random(in: 0...40, using: &random)
            &- 20
    }

    private static func loop(_ random: inout SeededGenerator) -> Loop {
        let size = UInt64.random(in: 1...9, using: &random)
        return Loop(
            step: Bool.random(using: &random) ? size : 0 &- size, isNarrow: Bool.random(using: &random),
            relation: relations[Int.random(in: 0..<relations.count, using: &random)],
            type: [ValueType.i, .u, .l, .ul][Int.random(in: 0..<4, using: &random)],
            isAfterStep: Bool.random(using: &random))
    }

    /// Of several numbers, what includes them all.
    private static func values(_ numbers: [UInt64]) -> AbstractValue {
        numbers.dropFirst().reduce(AbstractValue(constant: numbers[0])) {
            $0.joined(AbstractValue(constant: $1))
        }
    }

    @Test func loopsStayOnTheirCourse() {
        var random = SeededGenerator(seed: 11)
        var bounded = 0
        for _ in 0..<60_000 {
            let loop = Self.loop(&random)
            let starts = (0..<Int.random(in: 1...3, using: &random)).map { _ in Self.number(&random) }
            let others = (0..<Int.random(in: 1...2, using: &random)).map { _ in Self.number(&random) }
            guard let course = loop.course(Self.values(starts), Self.values(others)) else { continue }
            bounded += 1
            let head = loop.head(Self.values(starts), course)
            for start in starts {
                for other in others {
                    guard let heads = loop.run(from: start, to: other, limit: 100) else {
                        #expect(course.trips > 100, "\(loop), from \(start) to \(other)")
                        continue
                    }
                    #expect(heads.count - 1 <= course.trips, "\(loop), from \(start) to \(other)")
                    for value in heads {
                        #expect(
                            head.contains(value) { _ in 0 }, "\(loop), from \(start) to \(other): \(value)")
                    }
                }
            }
        }
        #expect(bounded > 5_000)
    }

    /// Of constants everything is known.
    @Test func constantsAreCountedExactly() {
        for (step, relation, type, isAfterStep) in [
            (UInt64(1), Relation.less, ValueType.ul, true), (3, .lessOrEqual, .ul, false),
            (8, .notEqual, .ul, true), (16, .less, .l, false),
        ] {
            let loop = Loop(
                step: step, isNarrow: false, relation: relation, type: type, isAfterStep: isAfterStep)
            let course = loop.course(AbstractValue(constant: 0), AbstractValue(constant: 64))
            let heads = loop.run(from: 0, to: 64, limit: 100)
            #expect(course?.trips == heads.map { UInt64($0.count - 1) }, "\(loop)")
            guard let course, let last = heads?.last else { continue }
            #expect(loop.head(AbstractValue(constant: 0), course).wide.umax == last, "\(loop)")
        }
    }

    /// An address that is compared with the end of its region.
    @Test func addressesAreCounted() {
        let loop = Loop(step: 8, isNarrow: false, relation: .less, type: .p, isAfterStep: true)
        let course = loop.course(.pointer(0, offset: 0), .pointer(0, offset: 512))
        #expect(course?.trips == 63)
        #expect(loop.course(.pointer(0, offset: 0), .pointer(1, offset: 512)) == nil)
        #expect(loop.course(.pointer(0, offset: -8), .pointer(0, offset: 512)) == nil)
    }

    /// The first time round a register that is written as 32 bits holds 64.
    @Test func aNarrowRegisterKeepsItsUpperHalf() {
        let entry = AbstractValue(constant: 7 << 32)
        let head = entry.advanced(by: 1, times: 3, isNarrow: true)
        #expect(head.contains(7 << 32) { _ in 0 })
        #expect(head.contains(3) { _ in 0 })
    }
}
