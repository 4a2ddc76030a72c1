import CRoundTrip
import SCode
import SCodeAcceptors

/// What it costs to call fragments from Swift, and fragments from fragments, beside calls of C through a pointer.
enum CallFigures {
    /// Few enough that most rounds end before the system gives the processor to somebody else.
    private static let count = 10_000

    /// The median, over many rounds, of what each of several things takes; all in turn, so that what else the computer does
    /// falls on all alike. Nanoseconds.
    private static func medians(of bodies: [() -> Double], rounds: Int = 1001) -> [Double] {
        var times = [[Double]](repeating: [], count: bodies.count)
        for _ in 0..<rounds {
            for (index, body) in bodies.enumerated() { times[index].append(body()) }
        }
        return times.map { $0.sorted()[$0.count / 2] }
    }

    private static func install(
        _ text: String, _ acceptor: Acceptor, slots: Int = 0
    ) throws -> Fragment {
        let module = try Module(text: text, acceptor: acceptor)
        return try Fragment(module.program.fragments[0], slotCount: slots)
    }

    /// Nanoseconds of each of many calls, whose results somebody has to look at: the loops below are written out, so that
    /// nothing but the call is in them.
    private static func each(since start: ContinuousClock.Instant, _ sum: UInt64) -> Double {
        let (seconds, attoseconds) = (ContinuousClock.now - start).components
        return sum == 0
            ? .infinity : (Double(seconds) * 1e9 + Double(attoseconds) / 1e9) / Double(count)
    }

    private static func calls(of function: two_words) -> Double {
        var sum: UInt64 = 0
        let start = ContinuousClock.now
        for index in 0..<UInt64(count) { sum &+= function(1, index) }
        return each(since: start, sum)
    }

    private static func calls(of fragment: Fragment) -> Double {
        var caller = FragmentCaller(fragment)
        var sum: UInt64 = 0
        let start = ContinuousClock.now
        for index in 0..<UInt64(count) { sum &+= caller().value &+ index }
        return each(since: start, sum)
    }

    private static func callsWithWords(of fragment: Fragment) -> Double {
        var caller = FragmentCaller(fragment)
        var sum: UInt64 = 0
        let start = ContinuousClock.now
        for index in 0..<UInt64(count) { sum &+= caller(1, index).value }
        return each(since: start, sum)
    }

    private static func entries(of fragment: Fragment) -> Double {
        var sum: UInt64 = 0
        let start = ContinuousClock.now
        for _ in 0..<count { sum &+= fragment.enter(budget: 10).value &+ 1 }
        return each(since: start, sum)
    }

    static func run() throws {
        let empty = try install("fragment f() {\n f_accept 1\n}\n", .filter)
        let add = try install("fragment f(p: p, n: ul) {\n addul n, n, p\n f_accept n\n}\n", .filter)
        guard let function = native_function() else { return }
        let measured = medians(of: [
            { calls(of: function) }, { calls(of: empty) }, { callsWithWords(of: add) },
            { entries(of: empty) },
        ])
        print("a call of C through a pointer, two words: \(number(measured[0])) ns")
        for (name, value) in [
            ("an empty fragment, FragmentCaller", measured[1]),
            ("a fragment that adds two words, FragmentCaller", measured[2]),
            ("an empty fragment, Fragment.enter", measured[3]),
        ] {
            print("\(name): \(number(value)) ns, \(number(value / measured[0])) times the call of C")
        }

        for (name, leaf) in [("accepts", "s_app_sched 1"), ("refuses", "s_refuse")] {
            let depths = [1, 3, 5, 7]
            var kept: [Fragment] = []
            let bodies = try depths.map { depth -> () -> Double in
                var below = try install("fragment f() {\n \(leaf)\n}\n", .scheduler)
                for _ in 0..<depth {
                    let above = try install(
                        "fragment f() {\n s_sub_sched 0\n s_refuse\n}\n", .scheduler, slots: 1)
                    above.setSlot(0, below)
                    below = above
                }
                kept.append(below)
                let top = below
                return { calls(of: top) }
            }
            let times = medians(of: bodies)
            let level = (times[3] - times[0]) / Double(depths[3] - depths[0])
            print(
                "a chain whose last \(name): \(number(times[0])) ns with one level below, \(number(level)) ns more for each further"
            )
        }
    }
}
