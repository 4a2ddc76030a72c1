import SCodeTestSupport
import Testing

@testable import Exokernel

/// Every nanosecond of every processor is an environment's, a fragment's, the kernel's, or idle.
@Suite struct TimeAccountingTests {
    private static func costing(
        decision: UInt64 = 0, fragment: UInt64 = 0, change: UInt64 = 0, _ scenario: Scenario
    ) -> Scenario {
        var scenario = scenario
        scenario.machine.costs.decision = decision
        scenario.machine.costs.fragment = fragment
        scenario.machine.costs.change = change
        return scenario
    }

    // MARK: Schedules computed by hand: tick 1 ms, quantum 4 ms.

    @Test func decisionsAndSwitchesTakeTime() throws {
        let timeline = try Self.costing(
            decision: 1 * ms, change: 500_000, .with(Code.accepts(2), [.task("a", [.run(10 * ms)])])
        ).run()
        // The quantum begins with the work: it is over at the first tick after 5.5. Then a goes on, without a switch.
        #expect(timeline.schedule == "a 1.5-6, a 7-11, a 12-13.5")
        #expect(timeline.decisions.map(\.time) == [0, 6 * ms, 11 * ms, 13_500_000])
        let statistics = Statistics(timeline)
        #expect(statistics.kernel == 3_500_000)
        #expect([statistics.busy, statistics.fragments, statistics.idle] == [10 * ms, 0, 0])
        // It was interrupted, and nobody else had the processor.
        #expect(statistics.preemptions == 0)
        #expect(timeline.life("a").hasPrefix("runnable 0-1.5, running 1.5-6, runnable 6-7"))
    }

    @Test func othersCauseSwitchesAndPreemptions() throws {
        let timeline = try Self.costing(
            change: 1 * ms,
            .with(nil, [.task("a", [.run(5 * ms)]), .task("b", [.run(2 * ms), .sleep(3 * ms)])])
        ).run()
        // b wakes at 11, and is switched to at 12 only to end.
        #expect(timeline.schedule == "a 1-5, b 6-8, a 9-10")
        #expect(Statistics(timeline).preemptions == 1)
        #expect(timeline.overheads.map(\.start) == [0, 5, 8, 11].map { $0 * ms })
        #expect(timeline.end == 12 * ms)
    }

    /// What a scheduler's fragment takes is charged to the scheduler, and to those above it.
    @Test func fragmentsPayForTheirLoops() throws {
        let walks = Code.source(
            "fragment f() {\n setul n, 90\nagain:\n subul n, n, 1\n bneul n, 0, again\n s_app_sched 3\n }")
        let scenario = Self.costing(
            fragment: 1000,
            .with(
                Code.firstSlot, [.scheduler("s", walks, [.task("a", loops: nil, [.run(1 * ms)])])],
                duration: 50 * ms))
        let timeline = try scenario.run()
        let statistics = Statistics(timeline)
        let used = timeline.decisions.reduce(0) { $0 + $1.budgetUsed }
        #expect(used > 89 * 10)
        #expect(statistics.fragments == used * 1000)
        #expect(statistics.nodes.map(\.fragmentTime) == [used * 1000, used * 1000, 0])
        #expect(statistics.busy + statistics.fragments == 50 * ms)
        #expect(timeline.overheads.allSatisfy { $0.scheduler == 1 })
    }

    @Test func handlersInterruptWhoeverRuns() throws {
        let counts = Scenario.FragmentSource(
            path: "test.scode",
            text: Code.first.text
                + "\nfragment wake() {\n setul n, 11\nagain:\n subul n, n, 1\n bneul n, 0, again\n s_refuse\n }"
        )
        var scenario = Self.costing(
            fragment: 100_000,
            .with(counts, [.task("a", [.sleep(10 * ms)]), .task("b", [.run(50 * ms)])], quantum: 100 * ms))
        let timeline = try scenario.run()
        // b is chosen when the scheduler has been asked twice, and interrupted at 10 for the handler's ten jumps.
        let begin = try #require(timeline.spans.first { $0.state == .running }).start
        #expect(
            begin == timeline.decisions.reduce(0) { $0 + ($1.time < ms * 10 ? $1.budgetUsed : 0) } * 100_000)
        let interruption = try #require(timeline.overheads.last { $0.end <= 60 * ms && $0.start >= begin })
        #expect(interruption.end - interruption.start == 1 * ms)
        #expect(Statistics(timeline).preemptions == 0)
        scenario.machine.costs.fragment = 0
        #expect(try scenario.run().overheads == [])
    }

    @Test func aDirectedYieldCostsASwitchAndNoDecision() throws {
        let timeline = try Self.costing(
            decision: 1 * ms, change: 1 * ms,
            .with(
                Code.accepts(2),
                [.task("a", [.run(1 * ms), .yieldTo("b"), .run(9 * ms)]), .task("b", [.run(5 * ms)])],
                duration: 10 * ms)
        ).run()
        // a's quantum, which began at 2, is over at 6; then a is chosen again.
        #expect(timeline.schedule == "a 2-3, b 4-6, a 8-10")
        #expect(timeline.directedYields.map(\.time) == [3 * ms])
    }

    // MARK: Adding up

    /// What the kernel has counted while it ran, and what the record comes to, are the same to the nanosecond.
    private static func check(_ machine: Machine, _ timeline: Timeline, _ what: String) {
        let statistics = Statistics(timeline)
        let all = machine.environments.all
        var below = Array(repeating: UInt64(0), count: all.count)
        for environment in all where environment.id != 0 { below[environment.parent] += environment.ran }
        for environment in all where environment.id != 0 {
            let node = statistics.nodes[environment.node]
            if environment.isScheduler {
                let own = timeline.overheads.filter { $0.scheduler == environment.node }
                    .reduce(0) { $0 + $1.end - $1.start }
                #expect(environment.ran - below[environment.id] == own, "\(what) \(environment.name)")
                #expect(environment.ran == node.processorTime + node.fragmentTime, "\(what)")
            } else {
                #expect(environment.ran == node.processorTime, "\(what) \(environment.name)")
            }
        }
        #expect(all[0].ran == statistics.idle + statistics.kernel, "\(what)")
        let capacity = timeline.end * UInt64(timeline.processors)
        #expect(below[0] + all[0].ran == capacity, "\(what)")
        for processor in statistics.processors {
            let sum = processor.busy + processor.kernel + processor.fragments + processor.idle
            #expect(sum == timeline.end, "\(what)")
        }
        #expect(
            statistics.busy + statistics.kernel + statistics.fragments + statistics.idle == capacity,
            "\(what)")
        // Interrupts too: each of every processor has found somebody, or nobody.
        let ticks = all.filter { $0.id == 0 || $0.parent == 0 }.reduce(0) { $0 + $1.ticks }
        #expect(ticks == timeline.end / timeline.tick * UInt64(timeline.processors), "\(what)")
    }

    @Test func everyNanosecondOfRandomMachinesHasOnePayer() throws {
        let sources: [Scenario.FragmentSource?] = [
            nil, Code.first, Code.firstSlot, Code.loops, Code.aborts, Code.accepts(3),
            try Examples.fragment("schedulers/round-robin.scode"),
            try Examples.fragment("schedulers/unix.scode"),
        ]
        let limits = RandomTests.limits
        var built = 0
        for seed in 1000..<1200 {
            var maker = RandomTests.Maker(random: SeededGenerator(seed: UInt64(seed)), sources: sources)
            var scenario = maker.scenario()
            scenario.machine.memoryPages = 4096
            guard let machine = try? Machine(scenario: scenario, limits: limits) else { continue }
            built += 1
            let timeline = machine.run()
            #expect(timeline.problems() == [], "seed \(seed)")
            Self.check(machine, timeline, "seed \(seed)")
        }
        #expect(built > 100)
    }

    @Test func overlapsAreFound() {
        var timeline = Timeline()
        timeline.end = 100
        timeline.nodes = [.init(name: "root", isScheduler: true), .init(name: "a", parent: 0)]
        timeline.spans = [
            .init(node: 1, state: .runnable, start: 0, end: 20),
            .init(node: 1, state: .running, start: 20, end: 100),
        ]
        timeline.overheads = [
            .init(scheduler: nil, start: 0, end: 15), .init(scheduler: 0, start: 15, end: 20),
        ]
        #expect(timeline.problems() == [])
        timeline.overheads[1].end = 21
        #expect(timeline.problems() == [.overheadOverlaps(timeline.overheads[1])])
        timeline.overheads[1] = .init(scheduler: 0, start: 14, end: 20)
        #expect(timeline.problems() == [.overheadOverlaps(timeline.overheads[1])])
        timeline.overheads[1] = .init(scheduler: 1, start: 15, end: 20)
        #expect(timeline.problems() == [.noSuchNode(1)])
        timeline.overheads[1] = .init(processor: 1, scheduler: nil, start: 15, end: 20)
        #expect(timeline.problems() == [.noSuchProcessor(1)])
    }

    @Test func reportsShowWhatDecisionsCost() throws {
        let timeline = try Self.costing(
            decision: 1 * ms, fragment: 10_000, .with(nil, [.task("a", loops: nil, [.run(9 * ms)])])
        ).run()
        let statistics = Statistics(timeline)
        let text = TableReport.text(timeline, statistics)
        #expect(text.contains("kernel ") && text.contains("fragments "))
        #expect(JSONReport.text(timeline, statistics).contains("\"kernel\": \(statistics.kernel),"))
        #expect(ChromeTrace.text(timeline).contains("\"cat\":\"kernel\""))
    }

    @Test func scenariosSayWhatItCosts() throws {
        func costs(_ text: String) throws -> Scenario.Costs {
            try ScenarioReader.read(path: "s.yaml") { _ in "machine: {costs: \(text)}\nroot: {children: []}" }
                .scenario.machine.costs
        }
        let given = try costs("{decision: 2us, fragment: 7ns, switch: 1.5us}")
        #expect([given.decision, given.fragment, given.change] == [2000, 7, 1500])
        #expect(try costs("{switch: 0}") == Scenario.Costs())
        for wrong in ["{decision: 2s}", "{other: 1us}", "7", "{switch: 5}"] {
            #expect(throws: ReadFailure.self, "\(wrong)") { try costs(wrong) }
        }
    }
}
