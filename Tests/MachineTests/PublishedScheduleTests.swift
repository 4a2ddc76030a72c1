import Exokernel
import Testing

/// Schedules whose outcome others have published: Arpaci-Dusseau and Arpaci-Dusseau, "Operating Systems: Three Easy
/// Pieces", chapter 7 (its seconds are milliseconds here); and the error bounds of lottery and stride scheduling
/// (Waldspurger, MIT/LCS/TR-667, 1995).
@Suite struct PublishedScheduleTests {
    private static func job(
        _ name: String, _ length: UInt64, start: UInt64 = 0, priority: Int = 0
    ) -> Scenario.Child {
        let phase = Workload.Phase(name: name, actions: [.run(length * ms)])
        let task = Workload.Task(name: name, priority: priority, start: start * ms, phases: [phase])
        return .application(Scenario.Application(name: name, workload: Workload(tasks: [task])))
    }

    private struct Outcome: Equatable {
        var turnaround: [UInt64?]
        var response: [UInt64?]
    }
    private static func outcome(
        _ source: Scenario.FragmentSource, _ jobs: [Scenario.Child], quantum: UInt64
    ) throws -> Outcome {
        let timeline = try Scenario.with(source, jobs, quantum: quantum * ms).run()
        #expect(timeline.incidents.isEmpty)
        let nodes = Statistics(timeline).nodes.filter { !$0.isScheduler }
        return Outcome(
            turnaround: nodes.map { $0.turnaround.map { $0 / ms } },
            response: nodes.map { $0.response.map { $0 / ms } })
    }

    @Test func firstInFirstOut() throws {
        let same = try Self.outcome(
            Code.first, [Self.job("A", 10), Self.job("B", 10), Self.job("C", 10)], quantum: 1000)
        #expect(same.turnaround == [10, 20, 30])  // 20 on average
        let convoy = try Self.outcome(
            Code.first, [Self.job("A", 100), Self.job("B", 10), Self.job("C", 10)], quantum: 1000)
        #expect(convoy.turnaround == [100, 110, 120])  // 110
    }

    /// The shorter the job the smaller its nice value, and the more important it is to `priority.scode`.
    @Test func shortestJobFirst() throws {
        let outcome = try Self.outcome(
            try Examples.fragment("schedulers/priority.scode"),
            [Self.job("A", 100, priority: 10), Self.job("B", 10), Self.job("C", 10)], quantum: 1000)
        #expect(outcome.turnaround == [120, 10, 20])  // 50
    }

    @Test func shortestTimeToCompletionFirst() throws {
        let outcome = try Self.outcome(
            try Examples.fragment("schedulers/priority.scode"),
            [Self.job("A", 100, priority: 10), Self.job("B", 10, start: 10), Self.job("C", 10, start: 10)],
            quantum: 1000)
        #expect(outcome.turnaround == [120, 10, 20])  // 50
        #expect(outcome.response == [0, 0, 10])  // 3.3
    }

    @Test func turns() throws {
        let jobs = [Self.job("A", 5), Self.job("B", 5), Self.job("C", 5)]
        let turns = try Self.outcome(try Examples.fragment("schedulers/round-robin.scode"), jobs, quantum: 1)
        #expect(turns == Outcome(turnaround: [13, 14, 15], response: [0, 1, 2]))  // 14 and 1
        let shortest = try Self.outcome(Code.first, jobs, quantum: 1000)
        #expect(shortest == Outcome(turnaround: [5, 10, 15], response: [0, 5, 10]))  // 10 and 5
    }

    // MARK: Shares

    private static func shares(_ scheduler: String, seed: UInt64) throws -> Timeline {
        let children = [("three", 3.0), ("two", 2), ("one", 1)].map { name, share in
            let phase = Workload.Phase(name: name, actions: [.run(1000 * ms)])
            let task = Workload.Task(name: name, loops: nil, phases: [phase])
            return Scenario.Child.application(
                Scenario.Application(
                    name: name, entitlement: share / 6, workload: Workload(tasks: [task])))
        }
        var scenario = Scenario.with(
            try Examples.fragment(scheduler), children, quantum: ms, duration: 10_000 * ms)
        scenario.machine.seed = seed
        return try scenario.run()
    }

    /// Of n drawings, a client with the part p of the tickets wins n p on average; the deviation is the binomial one.
    @Test(arguments: [1, 2, 3, 4, 5] as [UInt64]) func lotteryWithinItsDeviation(_ seed: UInt64) throws {
        let timeline = try Self.shares("schedulers/lottery.scode", seed: seed)
        let quanta = 10_000.0
        for (name, part) in [("three", 1.0 / 2), ("two", 1.0 / 3), ("one", 1.0 / 6)] {
            let won = Double(timeline.received(name) / ms)
            let deviation = (quanta * part * (1 - part)).squareRoot()
            #expect((won - quanta * part).magnitude < 4 * deviation, "\(name): \(won)")
        }
    }

    /// However long it goes on, no client is further from its due than a quantum for each other client.
    @Test func strideWithinItsBound() throws {
        let timeline = try Self.shares("schedulers/stride.scode", seed: 1)
        // Fragments see weights in thousandths.
        let parts = ["three": 0.500, "two": 0.333, "one": 0.167]
        var received = [String: UInt64]()
        var worst = 0.0
        for span in timeline.spans.filter({ $0.state == .running }).sorted(by: { $0.start < $1.start }) {
            received[timeline.nodes[span.node].name, default: 0] += span.end - span.start
            for (name, part) in parts {
                let due = Double(span.end) * part
                worst = max(worst, (Double(received[name] ?? 0) - due).magnitude / Double(ms))
            }
        }
        #expect(worst <= 2, "\(worst) quanta")
        #expect(
            timeline.received("three") + timeline.received("two") + timeline.received("one") == timeline.end)
    }
}
