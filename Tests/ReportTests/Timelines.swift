@testable import Exokernel
import SCodeTestSupport

/// Timelines to test with.
enum Timelines {
    typealias State = Timeline.State

    /// Two users, three environments, 100 ns; small enough to compute everything by hand.
    ///
    ///            0   10   20   30   40   50   60   70   80   90  100
    ///     a      RUN RUN  rdy  rdy  slp  slp  RUN  RUN  RUN  rdy      alice, 60%
    ///     b           rdy RUN  RUN  RUN  (ended at 50)                alice
    ///     c      blk blk  blk  blk  blk  blk  blk  blk  rdy  RUN      bob, 40%
    static var small: Timeline {
        var timeline = Timeline()
        timeline.end = 100
        timeline.tick = 10
        timeline.nodes = [
            .init(name: "root", isScheduler: true),
            .init(name: "alice", parent: 0, isScheduler: true, entitlement: 0.6),
            .init(name: "bob", parent: 0, isScheduler: true, entitlement: 0.4),
            .init(name: "a", parent: 1, created: 0),
            .init(name: "b", parent: 1, created: 10, ended: 50),
            .init(name: "c", parent: 2, created: 0),
        ]
        let spans: [(Int, State, UInt64, UInt64)] = [
            (3, .running, 0, 10), (3, .running, 10, 20), (3, .runnable, 20, 40), (3, .sleeping, 40, 60),
            (3, .running, 60, 90), (3, .runnable, 90, 100),
            (4, .runnable, 10, 20), (4, .running, 20, 50),
            (5, .blocked, 0, 80), (5, .runnable, 80, 90), (5, .running, 90, 100),
        ]
        timeline.spans = spans.map { .init(node: $0.0, state: $0.1, start: $0.2, end: $0.3) }
        timeline.wakeups = [(time: 60, node: 3), (time: 80, node: 5)]
        timeline.decisions = [
            .init(time: 0, chosen: 3, byDefault: true, budgetUsed: 5),
            .init(time: 20, chosen: 4, byDefault: false, budgetUsed: 7),
            .init(time: 50, chosen: nil, byDefault: false, budgetUsed: 1),
            .init(time: 60, chosen: 3, byDefault: false, budgetUsed: 2),
            .init(time: 90, chosen: 5, byDefault: false, budgetUsed: 2),
        ]
        timeline.handOvers = [
            .init(time: 20, from: 3, to: 4, kind: .revoked), .init(time: 90, from: 3, to: 5, kind: .yielded),
        ]
        timeline.incidents = [.init(time: 50, node: 2, message: "refused by everyone")]
        return timeline
    }

    /// Names and messages that try to break out of whatever they are written into.
    static var hostile: Timeline {
        var timeline = small
        let names = [
            "</text><script>alert(1)</script>", "\"},{\"ph\":\"X\"", "\u{1B}[2J\u{7}\u{9B}", "]]>&amp;<!--",
            "\u{202E}\u{0}\n\\", String(repeating: "界", count: 300),
        ]
        for (index, name) in names.enumerated() { timeline.nodes[index].name = name }
        timeline.incidents[0].message = names.joined()
        return timeline
    }

    /// What no machine should ever record.
    static var nonsense: Timeline {
        var timeline = small
        timeline.nodes[1].parent = 2
        timeline.nodes[2].parent = 1
        timeline.nodes[3].parent = 99
        timeline.nodes[4].parent = -1
        timeline.nodes[5].entitlement = .nan
        timeline.nodes[0].parent = 0
        timeline.spans += [
            .init(node: 77, state: .running, start: 0, end: 10),
            .init(node: 5, state: .running, start: 50, end: 40),
            .init(node: 5, state: .running, start: 0, end: .max),
            .init(node: 4, state: .running, start: 5, end: .max),
            .init(node: 3, state: .sleeping, start: 1, end: .max),
            .init(node: 3, state: .sleeping, start: 1, end: .max),
        ]
        timeline.wakeups += [(time: .max, node: 5), (time: 0, node: -5)]
        timeline.decisions.append(.init(time: .max, chosen: 1000, byDefault: false, budgetUsed: .max))
        timeline.handOvers += [
            .init(time: .max, from: 3, to: 5, kind: .revoked),
            .init(time: 0, from: -1, to: 99, kind: .revoked),
            .init(time: 0, from: 0, to: 1, kind: .released), .init(time: 20, from: 3, to: 3, kind: .revoked),
        ]
        timeline.incidents.append(.init(time: .max, node: -1, message: ""))
        return timeline
    }

    /// A plausible run: each user's environments compete, the user whose time is furthest behind goes first.
    static func simulated(
        users: [(name: String, share: Double, environments: Int)], length: UInt64, quantum: UInt64,
        rest: UInt64 = 20
    ) -> Timeline {
        var timeline = Timeline()
        timeline.end = length
        timeline.nodes = [.init(name: "root", isScheduler: true)]
        var random = SeededGenerator(seed: 7)
        var userOf: [Int: Int] = [:]
        var environments: [Int] = []
        for user in users {
            let scheduler = timeline.nodes.count
            timeline.nodes.append(
                .init(name: user.name, parent: 0, isScheduler: true, entitlement: user.share))
            for number in 0..<user.environments {
                let created = number % 3 == 2 ? length / 10 * UInt64(number % 5) : 0
                userOf[timeline.nodes.count] = scheduler
                environments.append(timeline.nodes.count)
                timeline.nodes.append(
                    .init(name: "\(user.name)-\(number)", parent: scheduler, created: created))
            }
        }
        var used = Array(repeating: 0.0, count: timeline.nodes.count)
        var state: [Int: (state: State, since: UInt64, until: UInt64)] = [:]
        for index in environments { state[index] = (.runnable, timeline.nodes[index].created, .max) }
        func change(_ index: Int, to next: State, at time: UInt64, until: UInt64 = .max) {
            if let now = state[index], time > now.since {
                timeline.spans.append(.init(node: index, state: now.state, start: now.since, end: time))
            }
            state[index] = (next, time, until)
        }
        var time: UInt64 = 0
        var last: Int?
        while time < length {
            for index in environments where timeline.nodes[index].created <= time {
                if let now = state[index], now.until <= time {
                    change(index, to: .runnable, at: now.until)
                    timeline.wakeups.append((time: now.until, node: index))
                }
            }
            let ready = environments.filter {
                timeline.nodes[$0].created <= time && state[$0]?.state == .runnable
            }
            let next = ready.min {
                let (one, other) = (userOf[$0] ?? 0, userOf[$1] ?? 0)
                let share = (timeline.nodes[one].entitlement ?? 1, timeline.nodes[other].entitlement ?? 1)
                return (used[one] / share.0, used[$0]) < (used[other] / share.1, used[$1])
            }
            let slice = UInt64.random(in: quantum / 4...quantum, using: &random)
            let stop = min(length, time + slice)
            timeline.decisions.append(.init(time: time, chosen: next, byDefault: next == nil, budgetUsed: 9))
            if let last, let next, last != next {
                timeline.handOvers.append(.init(time: time, from: last, to: next, kind: .revoked))
            }
            last = next
            if let next {
                change(next, to: .running, at: time)
                used[next] += Double(stop - time)
                used[userOf[next] ?? 0] += Double(stop - time)
                switch UInt64.random(in: 0..<100, using: &random) {
                case 0..<rest:
                    change(
                        next, to: .sleeping, at: stop,
                        until: stop + quantum * UInt64.random(in: 1...6, using: &random))
                case rest..<rest * 3 / 2:
                    change(
                        next, to: .blocked, at: stop,
                        until: stop + quantum * UInt64.random(in: 1...9, using: &random))
                default: change(next, to: .runnable, at: stop)
                }
            }
            time = stop
        }
        for index in environments { change(index, to: .runnable, at: length) }
        return timeline
    }

    static var busy: Timeline {
        var timeline = simulated(
            users: [("alice", 0.5, 4), ("bob", 0.3, 3), ("carol", 0.2, 2)], length: 600_000_000,
            quantum: 8_000_000)
        timeline.incidents = [
            .init(time: 120_000_000, node: 1, message: "abort budget-exhausted at line 12"),
            .init(time: 123_000_000, node: 1, message: "abort budget-exhausted at line 12"),
            .init(time: 310_000_000, node: 5, message: "detached <after 3 failures>"),
            .init(time: 420_000_000, node: nil, message: "refused by everyone"),
        ]
        timeline.fragmentNanoseconds = 42_000
        return timeline
    }
}
