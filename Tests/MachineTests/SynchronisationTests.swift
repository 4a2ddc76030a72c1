import Exokernel
import Testing

/// What tasks wait for one another with. All are applications of one: quantum 4 ms, round robin by default.
@Suite struct SynchronisationTests {
    private func run(
        _ tasks: [(name: String, actions: [Workload.Action])], quantum: UInt64 = 4 * ms
    ) throws -> Timeline {
        try Scenario.with(nil, [.tasks("x", tasks)], quantum: quantum, duration: 100 * ms).run()
    }

    @Test func aMutexIsHandedOnInTheOrderOfAsking() throws {
        let critical: [Workload.Action] = [.lock("m"), .run(6 * ms), .unlock("m"), .run(1 * ms)]
        let timeline = try run([("a", critical), ("b", critical), ("c", critical)])
        // a is preempted at 4 while it holds the mutex; b and c ask, and wait; a goes on at once.
        #expect(timeline.life("x.a") == "running 0-7")
        #expect(timeline.life("x.b") == "runnable 0-4, blocked 4-6, runnable 6-7, running 7-14")
        #expect(
            timeline.life("x.c") == "runnable 0-4, blocked 4-13, runnable 13-14, running 14-21")
        #expect(timeline.messages == [])
    }

    @Test func aWaiterGivesTheMutexUpAndHasItAgainAfterwards() throws {
        let timeline = try run([
            ("consumer", [.lock("m"), .wait(condition: "c", mutex: "m"), .run(1 * ms), .unlock("m")]),
            ("producer", [.run(2 * ms), .lock("m"), .signal("c"), .run(1 * ms), .unlock("m"), .run(5 * ms)]),
        ])
        // Signalled at 2, but the mutex is the producer's until 3; its quantum is over at 4.
        #expect(timeline.life("x.consumer") == "blocked 0-3, runnable 3-4, running 4-5")
        #expect(timeline.messages == [])
    }

    @Test func aSignalWakesOneAndABroadcastAll() throws {
        let waiter: [Workload.Action] = [
            .lock("m"), .wait(condition: "c", mutex: "m"), .unlock("m"), .run(1 * ms),
        ]
        let timeline = try run([
            ("a", waiter), ("b", waiter), ("c", waiter),
            ("d", [.run(1 * ms), .signal("c"), .run(1 * ms), .broadcast("c"), .broadcast("c")]),
        ])
        // The mutex is a's from 1 on, until it runs: b has it at 2, and c at 3, when b gives it up.
        #expect(timeline.schedule == "x.d 0-2, x.a 2-3, x.b 3-4, x.c 4-5")
        #expect(timeline.wakeups.map(\.time) == [1 * ms, 2 * ms, 3 * ms])
    }

    @Test func aSignalWithoutWaitersIsLost() throws {
        let timeline = try run([
            ("a", [.signal("c"), .resume("s"), .run(1 * ms)]),
            ("b", [.lock("m"), .wait(condition: "c", mutex: "m")]),
            ("c", [.suspend("s")]),
        ])
        #expect(timeline.life("x.b") == "runnable 0-1, blocked 1-100")
        #expect(timeline.life("x.c") == "runnable 0-1, blocked 1-100")
        #expect(timeline.end == 100 * ms)
    }

    @Test func resumeWakesWhoeverIsSuspended() throws {
        let timeline = try run([
            ("a", [.suspend("s"), .run(1 * ms)]), ("b", [.suspend("s"), .run(1 * ms)]),
            ("c", [.run(2 * ms), .resume("s")]),
        ])
        #expect(timeline.schedule == "x.c 0-2, x.a 2-3, x.b 3-4")
    }

    @Test func aBarrierOpensWhenAllHaveComeOrEnded() throws {
        let timeline = try run([
            ("a", [.run(1 * ms), .barrier("b"), .run(1 * ms), .barrier("b"), .run(1 * ms)]),
            ("b", [.run(2 * ms), .barrier("b"), .run(1 * ms)]),
            ("other", [.run(1 * ms)]),
        ])
        // b never comes a second time: its end opens the barrier.
        #expect(timeline.schedule == "x.a 0-1, x.b 1-4, x.other 4-5, x.a 5-7")
        #expect(timeline.messages == [])
    }

    @Test func mistakesAreHarmlessAndReported() throws {
        let timeline = try run([
            ("a", [.unlock("m"), .lock("m"), .lock("m"), .unlock("m"), .unlock("m"), .run(1 * ms)]),
            ("b", [.wait(condition: "c", mutex: "m"), .run(1 * ms), .unlock("m")]),
            ("c", [.run(1 * ms), .signal("c"), .unlock("m")]),
        ])
        #expect(timeline.schedule == "x.a 0-1, x.c 1-2, x.b 2-3")
        #expect(
            timeline.messages == [
                "x.a: unlocks 'm', which it does not hold × 2",
                "x.a: locks 'm', which it already holds",
                "x.b: waits for 'c' without holding 'm'",
                "x.c: unlocks 'm', which it does not hold",
            ])
    }

    @Test func aMutexOfTheDeadGoesToTheNext() throws {
        let timeline = try run([
            ("a", [.lock("m"), .run(1 * ms), .yield, .run(1 * ms)]),
            ("b", [.lock("m"), .run(1 * ms), .unlock("m")]),
        ])
        #expect(timeline.schedule == "x.a 0-2, x.b 2-3")
        #expect(timeline.messages == ["x.a: ends while it holds 'm'"])
    }

    @Test func namesBelongToOneApplication() throws {
        let timeline = try Scenario.with(
            nil,
            [
                .tasks("x", [("a", [.lock("m"), .run(2 * ms), .resume("s")])]),
                .tasks("y", [("a", [.lock("m"), .run(2 * ms), .suspend("s")])]),
            ], quantum: ms, duration: 10 * ms
        ).run()
        #expect(timeline.life("y") == "runnable 0-1, running 1-2, runnable 2-3, running 3-4, blocked 4-10")
    }

    /// Everybody waits for everybody: the time passes, and the spans say who was stuck.
    @Test func aDeadlockIsNoHang() throws {
        let timeline = try run(
            [
                ("a", [.lock("m"), .run(2 * ms), .lock("n")]), ("b", [.lock("n"), .run(2 * ms), .lock("m")]),
            ], quantum: ms)
        #expect(timeline.life("x.a") == "running 0-1, runnable 1-2, running 2-3, blocked 3-100")
        #expect(timeline.life("x.b") == "runnable 0-1, running 1-2, runnable 2-3, running 3-4, blocked 4-100")
    }
}
