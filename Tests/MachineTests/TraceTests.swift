import Exokernel
import Foundation
import SCodeTestSupport
import Testing

/// Traces of real simulations, who hands the processor to whom, and snapshots on the way.
@Suite struct TraceTests {
    static let examples = [
        "two-users", "schedulers/lottery", "schedulers/unix", "schedulers/fair-users", "schedulers/pipeline",
        "schedulers/edf",
    ]

    /// An example on so many processors; on two and four, decisions take time.
    private static func scenario(_ name: String, processors: Int) throws -> Scenario {
        var scenario = try Examples.scenario(name)
        scenario.machine.processors = processors
        guard processors.isMultiple(of: 2) else { return scenario }
        scenario.machine.costs.decision = 20_000
        scenario.machine.costs.fragment = 10
        scenario.machine.costs.change = 5_000
        return scenario
    }

    @Test(arguments: examples, 1...4) func viewersCanShowIt(_ name: String, processors: Int) throws {
        let scenario = try Self.scenario(name, processors: processors)
        let timeline = try Machine(scenario: scenario).run()
        let trace = try TraceShape(ChromeTrace.text(timeline))
        #expect(trace.problems == [])
        // An arrow wherever another environment is the next on a processor, which has not been idle.
        var changes = 0
        for processor in 0..<processors {
            let running = timeline.spans.filter { $0.state == .running && $0.processor == processor }
                .sorted { $0.start < $1.start }
            let idle = timeline.decisions.filter { $0.chosen == nil && $0.processor == processor }.map(\.time)
            for (one, next) in zip(running, running.dropFirst()) where one.node != next.node {
                changes += idle.contains { one.end <= $0 && $0 < next.start } ? 0 : 1
            }
        }
        #expect(trace.all("s").count == changes)
        #expect(changes > 0 || processors > 2)
    }

    /// The same bytes, whichever engine runs the fragments and however often somebody looks in between.
    @Test(arguments: examples, 1...2)
    func sameTraceFromEachEngineAndInSteps(_ name: String, processors: Int) throws {
        let scenario = try Self.scenario(name, processors: processors)
        let trace = ChromeTrace.text(try Machine(scenario: scenario).run())
        let other = try Machine(scenario: scenario, engine: .interpreter)
        var time: UInt64 = 0
        while !other.isStopped, other.now < scenario.machine.duration {
            time += 12_345_678
            other.run(until: time)
            let snapshot = other.snapshot
            #expect(snapshot.time <= time)
            // The root had what anybody had, and what fragments took.
            let total = snapshot.nodes.filter { !$0.isScheduler }.reduce(0) { $0 + $1.ran }
            #expect(processors == 1 ? snapshot.nodes[0].ran == total : snapshot.nodes[0].ran >= total)
            #expect(snapshot.nodes.filter { $0.status == .running && !$0.isScheduler }.count <= processors)
        }
        #expect(TraceDifference.first(recorded: trace, made: ChromeTrace.text(other.run())) == nil)
    }

    /// The arrows of the trace.
    private func handOvers(_ children: [Scenario.Child]) throws -> [String] {
        let timeline = try Scenario.with(nil, children, duration: 30 * ms).run()
        let trace = try TraceShape(ChromeTrace.text(timeline))
        var names: [Int: String] = [:]
        for event in trace.events where event.name == "thread_name" { names[event.tid] = event.args?.name }
        return zip(trace.all("s"), trace.all("f")).map { start, end in
            let (from, to) = (names[start.tid] ?? "", names[end.tid] ?? "")
            return "\(end.start / 1000) \(from)>\(to) \(end.name)"
        }
    }

    @Test func quantaEndAndTasksGiveUp() throws {
        #expect(
            try handOvers([
                .task("a", [.run(6 * ms), .sleep(5 * ms), .run(1 * ms)]),
                .task("b", [.run(2 * ms), .yield, .run(3 * ms)]),
            ]) == [
                "4 a>b revoked",  // a quantum
                "6 b>a yielded",
                "8 a>b released",  // a sleeps until 13; b ends at 11, and nobody runs until then
            ])
    }

    /// Who has the processor for no time passes it on: the arrow leads past it.
    @Test func noTimeNoArrow() throws {
        #expect(
            try handOvers([
                .task("a", [.run(2 * ms), .sleep(9 * ms)]), .task("none", [.sleep(9 * ms)]),
                .task("c", [.run(2 * ms)]),
            ]) == ["2 a>c released"])
    }

    /// A directed yield is one, whoever has the processor for how long.
    @Test func directedYields() throws {
        #expect(
            try handOvers([
                .task("a", [.run(2 * ms), .yieldTo("b"), .run(1 * ms)]),
                .task("b", [.run(1 * ms), .yieldTo("a")]),
            ]) == ["2 a>b directed", "3 b>a directed"])
    }

    /// Nobody is chosen instead of whoever yields alone: nothing changes hands, and what comes next is no yield.
    @Test func aYieldIsForgottenWhenNobodyElseWants() throws {
        #expect(
            try handOvers([
                .task("a", [.run(2 * ms), .yield, .run(10 * ms)]), .task("b", start: 3 * ms, [.run(1 * ms)]),
            ]) == ["6 a>b revoked", "7 b>a released"])
    }

    @Test func aSnapshotSaysWhoDoesWhat() throws {
        let machine = try Machine(
            scenario: Scenario.with(
                nil,
                [
                    .scheduler(
                        "s", nil, [.task("b", [.sleep(9 * ms), .run(ms)]), .task("a", [.run(9 * ms)])]),
                    .task("late", start: 20 * ms, [.run(ms)]), .task("c", [.run(9 * ms)]),
                ], duration: 30 * ms))
        machine.run(until: 6 * ms)
        let snapshot = machine.snapshot
        #expect(
            snapshot.nodes.map { "\($0.depth) \($0.name) \($0.status) \($0.ran / ms) \($0.runnable)" } == [
                "0 root running 6 2", "1 s running 2 1", "2 b sleeping 0 0", "2 a running 2 1",
                "1 late absent 0 0", "1 c runnable 4 1",
            ])
        #expect(snapshot.time == 6 * ms && snapshot.duration == 30 * ms && snapshot.incidents == 0)
    }
}
