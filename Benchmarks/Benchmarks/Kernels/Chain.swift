import CPeers
import SCode
import SCodeAcceptors

/// What it costs that a scheduler asks the one below it.
enum Chain {
    static let levels = 8

    /// Nanoseconds of each further level: fragments that do nothing but ask the next one, below one another.
    static func nanosecondsOfALevel(rounds: Int) throws -> Double {
        let chains = try [1, levels].map(top)
        var times: [Double] = []
        for _ in 0..<rounds {
            let (short, long) = (try time(chains[0]), try time(chains[1]))
            times.append((long - short) / Double(levels - 1))
        }
        return times.median
    }

    /// The uppermost of so many fragments.
    private static func top(_ levels: Int) throws -> Fragment {
        func code(_ text: String) throws -> VerifiedFragment {
            guard let code = try Module(text: text, acceptor: .scheduler).fragment() else {
                throw EngineFailure("a scheduler without a fragment")
            }
            return code
        }
        let asking = try code("accept scheduler\nfragment ask() {\n    s_sub_sched 0\n    s_refuse\n}\n")
        let choosing = try code("accept scheduler\nfragment choose() {\n    s_app_sched 42\n}\n")
        var fragment = try Fragment(choosing)
        for _ in 1..<levels {
            let above = try Fragment(asking, slotCount: 1)
            guard above.setSlot(0, fragment) else { throw EngineFailure("no slot for a scheduler") }
            fragment = above
        }
        return fragment
    }

    private static func time(_ fragment: Fragment) throws -> Double {
        let count = 20_000
        let start = peer_time()
        var sum: UInt64 = 0
        for _ in 0..<count { sum += fragment.enter(budget: 1_000).value }
        let time = Double(peer_time() - start)
        guard sum == 42 * UInt64(count) else { throw EngineFailure("a chain chose somebody else") }
        return time / Double(count)
    }
}
