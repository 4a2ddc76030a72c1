import Exokernel
import Testing

/// Schedules computed by hand: tick 1 ms, quantum 4 ms.
@Suite struct ScheduleTests {
    @Test func firstComeFirstServed() throws {
        let timeline = try Scenario.with(
            Code.first, [.task("a", [.run(10 * ms)]), .task("b", [.run(3 * ms)])]
        ).run()
        #expect(timeline.schedule == "a 0-10, b 10-13")
        #expect(timeline.life("b") == "runnable 0-10, running 10-13")
        #expect(timeline.nodes[2].ended == 13 * ms)
        #expect(timeline.end == 13 * ms)
        // At 0, when the quantum is over at 4 and 8, when a ends at 10; b ends before its quantum.
        #expect(timeline.decisions.map(\.time) == [0, 4 * ms, 8 * ms, 10 * ms, 13 * ms])
        #expect(timeline.decisions.map(\.chosen) == [1, 1, 1, 2, nil])
        #expect(timeline.decisions.allSatisfy { !$0.byDefault })
    }

    /// The example, and the kernel's default, do the same.
    @Test(arguments: [true, false]) func roundRobin(hasFragment: Bool) throws {
        let source = hasFragment ? try Examples.fragment("schedulers/round-robin.scode") : nil
        let timeline = try Scenario.with(
            source, [.task("a", [.run(10 * ms)]), .task("b", [.run(6 * ms)]), .task("c", [.run(1 * ms)])]
        ).run()
        #expect(timeline.schedule == "a 0-4, b 4-8, c 8-9, a 9-13, b 13-15, a 15-17")
        #expect(timeline.decisions.allSatisfy { $0.byDefault != hasFragment || $0.chosen == nil })
        #expect(timeline.incidents == [])
    }

    @Test func sleepersAreSkippedAndComeBack() throws {
        let timeline = try Scenario.with(
            try Examples.fragment("schedulers/round-robin.scode"),
            [
                .task("a", loops: 2, [.run(1 * ms), .sleep(5 * ms)]),
                .task("b", [.run(12 * ms)]),
            ]
        ).run()
        // a sleeps 1-6; b's quantum began at 1 and is over at 5; a's turn comes at 9.
        #expect(timeline.schedule == "a 0-1, b 1-9, a 9-10, b 10-14")
        #expect(
            timeline.life("a")
                == "running 0-1, sleeping 1-6, runnable 6-9, running 9-10, sleeping 10-15")
        #expect(timeline.wakeups.map(\.time) == [6 * ms, 15 * ms])
        #expect(timeline.end == 15 * ms)
    }

    @Test func nobodyRunnableIsIdleUntilSomebodyWakes() throws {
        let timeline = try Scenario.with(
            nil, [.task("a", [.run(1 * ms), .sleep(2 * ms + 250), .run(1 * ms)])]
        ).run()
        #expect(timeline.schedule == "a 0-1, a 3.00025-4.00025")
        #expect(timeline.decisions.map(\.chosen) == [1, nil, 1, nil])
    }

    @Test func yieldLetsTheOthersRunAtOnce() throws {
        let timeline = try Scenario.with(
            nil,
            [.task("a", loops: 2, [.run(1 * ms), .yield]), .task("b", [.run(5 * ms)])]
        ).run()
        // b's quantum is over at 5; it needs 1 ms more.
        #expect(timeline.schedule == "a 0-1, b 1-5, a 5-6, b 6-7")
    }

    @Test func quantumEndsAtTheNextTimerInterrupt() throws {
        let timeline = try Scenario.with(
            nil, [.task("a", [.run(2_500_000)]), .task("b", [.run(9 * ms)]), .task("c", [.run(9 * ms)])],
            duration: 12 * ms
        ).run()
        // b begins at 2.5; its quantum would be over at 6.5, and the interrupt after that is at 7.
        #expect(timeline.schedule == "a 0-2.5, b 2.5-7, c 7-11, b 11-12")
    }

    @Test func lateTasksAndTheEndOfAnApplication() throws {
        let timeline = try Scenario.with(
            nil,
            [
                .tasks("x", duration: 5_500_000, [("p", [.run(100 * ms)]), ("q", [.sleep(6 * ms)])]),
                .task("late", start: 3 * ms, [.run(2 * ms), .sleep(10 * ms)]),
            ]
        ).run()
        #expect(timeline.schedule == "x.p 0-4, late 4-6")
        #expect(timeline.messages == [])  // at 10, q is not woken: it has ended
        #expect(timeline.life("x.q") == "runnable 0-4, sleeping 4-5.5")
        #expect(timeline.nodes.map(\.created) == [0, 0, 0, 3 * ms])
        #expect(timeline.nodes.map(\.ended) == [nil, 5_500_000, 5_500_000, 16 * ms])
    }

    @Test func timersCountFromTheLastPeriod() throws {
        let timeline = try Scenario.with(
            nil, [.task("a", loops: 3, [.run(2 * ms), .timer(name: "t", period: 5 * ms)])]
        ).run()
        // Started at 2: periods end at 7, 12, 17.
        #expect(timeline.schedule == "a 0-2, a 7-9, a 12-14")
        #expect(timeline.end == 17 * ms)
        let late = try Scenario.with(
            nil, [.task("a", loops: 3, [.timer(name: "unique", period: 2 * ms), .run(5 * ms)])]
        ).run()
        // Ends of periods at 2, 4, 6: the second one is past, and so does not sleep.
        #expect(late.schedule == "a 2-17")
    }

    @Test func phasesAndLoops() throws {
        let phases = [
            Workload.Phase(name: "p", loops: 2, actions: [.run(1 * ms), .sleep(1 * ms)]),
            Workload.Phase(name: "none", loops: 0, actions: [.run(100 * ms)]),
            Workload.Phase(name: "empty", loops: .max, actions: []),
            Workload.Phase(name: "q", actions: [.run(2 * ms), .sleep(0), .run(0)]),
        ]
        let task = Workload.Task(name: "a", loops: 2, phases: phases)
        let timeline = try Scenario.with(
            nil, [.application(Scenario.Application(name: "a", workload: Workload(tasks: [task])))]
        ).run()
        #expect(timeline.schedule == "a 0-1, a 2-3, a 4-7, a 8-9, a 10-12")
    }

    /// Each level has its policy: the root prefers the first user, whose scheduler takes turns.
    @Test func schedulersBelowSchedulers() throws {
        let turns = try Examples.fragment("schedulers/round-robin.scode")
        let timeline = try Scenario.with(
            Code.firstSlot,
            [
                .scheduler(
                    "one", turns,
                    [.task("a", [.run(6 * ms), .sleep(4 * ms), .run(1 * ms)]), .task("b", [.run(6 * ms)])]),
                .scheduler("two", Code.first, [.task("c", [.run(9 * ms)]), .task("d", [.run(2 * ms)])]),
            ]
        ).run()
        // a and b have ended their runs at 10 and 12; c runs until 16, when its quantum is over.
        #expect(
            timeline.schedule
                == "a 0-4, b 4-8, a 8-10, b 10-12, c 12-16, a 16-17, c 17-22, d 22-24")
        #expect(timeline.nodes.map(\.parent) == [nil, 0, 1, 1, 0, 4, 4])
    }

    @Test func halvesForTwoUsers() throws {
        let turns = try Examples.fragment("schedulers/round-robin.scode")
        let many = (1...5).map {
            Scenario.Child.task("b\($0)", loops: nil, [.run(300_000), .sleep(500_000)])
        }
        let timeline = try Scenario.with(
            try Examples.fragment("two-users.scode"),
            [
                .scheduler("alice", turns, [.task("a", loops: nil, [.run(100 * ms)])]),
                .scheduler("bob", turns, many),
            ]
        ).run()
        let share = Double(timeline.received("alice")) / Double(timeline.end)
        #expect(abs(share - 0.5) < 0.02)
        #expect(timeline.received("alice") + timeline.received("bob") == timeline.end)
        #expect(timeline.incidents == [])
    }

    @Test func aShareThatIsNotWantedGoesToTheOther() throws {
        let turns = try Examples.fragment("schedulers/round-robin.scode")
        let timeline = try Scenario.with(
            try Examples.fragment("two-users.scode"),
            [
                .scheduler("alice", turns, [.task("a", [.sleep(500 * ms), .run(400 * ms)])]),
                .scheduler("bob", turns, [.task("b", loops: nil, [.run(100 * ms)])]),
            ]
        ).run()
        // Alice slept half of the time, and has no more than her half of the rest.
        #expect(abs(Int64(timeline.received("alice")) - Int64(250 * ms)) <= Int64(8 * ms))
        #expect(timeline.incidents == [])
    }
}
