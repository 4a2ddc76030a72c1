import Exokernel
import Foundation
import Testing

/// What the kernel does about schedulers that fail, starve others, or die.
@Suite struct PolicyTests {
    private static func busy(_ name: String) -> Scenario.Child { .task(name, loops: nil, [.run(5 * ms)]) }

    /// Aborts at each decision that falls on a multiple of `period` ticks, else takes the first child.
    private static func abortsEvery(_ period: Int) -> Scenario.FragmentSource {
        let text = Code.first.text.replacingOccurrences(
            of: "fragment first() {",
            with: """
                fragment first() {
                    register tick = r29
                    modul   rest, tick, \(period)
                    setul   one, 1
                    divul   one, one, rest
                """)
        return Scenario.FragmentSource(path: "test.scode", text: text)
    }

    @Test func theReportHasTheRegistersOfAnAbort() throws {
        let source = Code.source(
            "fragment f() {\n setul zero, 0\n setul n, 7\n divul n, n, zero\n s_app_sched n\n }")
        let timeline = try Scenario.with(source, [Self.busy("a")]).run()
        #expect(timeline.incidents.first?.message == "abort division-by-zero at line 12 × 3")
        #expect(timeline.incidents.first?.registers == "zero = 0, n = 7")
    }

    /// Three in a window, and not three in all.
    @Test func failuresAreForgotten() throws {
        // A decision every 4 ticks; one abort in 600.
        let rare = try Scenario.with(Self.abortsEvery(600), [Self.busy("a")], duration: 4000 * ms).run()
        #expect(rare.messages == ["root: abort division-by-zero at line 13 × 7"])
        let often = try Scenario.with(Self.abortsEvery(40), [Self.busy("a")]).run()
        #expect(
            often.messages == [
                "root: abort division-by-zero at line 13 × 3",
                "root: detached after 3 failures within 1000 ticks",
            ])
        #expect(often.incidents.last?.time == 80 * ms)
    }

    /// Whoever serves only the first child starves the second: after that the kernel takes turns itself.
    @Test func starvationEndsTheSchedulersRule() throws {
        var scenario = Scenario.with(Code.first, [Self.busy("a"), Self.busy("b")])
        scenario.machine.starvation = 400 * ms
        let timeline = try scenario.run()
        #expect(timeline.messages.count == 1)
        #expect(timeline.messages.first?.contains("'b' could run and was not chosen for 4") == true)
        #expect(timeline.received("b") > 250 * ms)
        scenario.machine.starvation = 0
        #expect(try scenario.run().received("b") == 0)
    }

    @Test func anotherRootRulesAgain() throws {
        var scenario = Scenario.with(
            Code.first, [Self.busy("a"), Self.busy("b")],
            events: [Scenario.Event(time: 600 * ms, node: "root", action: .replace(Code.first, data: []))])
        scenario.machine.starvation = 400 * ms
        let timeline = try scenario.run()
        // From 600 ms on it is the first one's turn, up to the next 400 ms of patience.
        let late = timeline.spans.filter { $0.state == .running && $0.start >= 604 * ms }
        #expect(late.allSatisfy { timeline.nodes[$0.node].name == "a" })
    }

    /// The children of a scheduler that dies revert to the one above.
    @Test func childrenRevertToTheirParent() throws {
        let timeline = try Scenario.with(
            nil,
            [
                .scheduler("alice", Code.first, [Self.busy("a"), Self.busy("b")]),
                Self.busy("c"),
            ], events: [Scenario.Event(time: 400 * ms, node: "alice", action: .detach)]
        ).run()
        #expect(timeline.incidents.isEmpty)
        // Until then half goes to alice, who starves b; from then on all are alike.
        #expect(timeline.received("b") >= 196 * ms && timeline.received("b") <= 204 * ms)
        #expect(timeline.received("c") >= 396 * ms && timeline.received("c") <= 404 * ms)
    }

    @Test func theRootStays() throws {
        let timeline = try Scenario.with(
            nil, [Self.busy("a")], events: [Scenario.Event(time: 4 * ms, node: "root", action: .detach)]
        ).run()
        #expect(timeline.messages == ["root: detach failed: scheduler 'root' is the root, which stays"])
    }

    /// A scheduler that spends nearly all of what all share, and then declines, fails, and is removed; whoever the
    /// budget ended in is not to blame. From then on everybody is asked again.
    @Test(arguments: [9_999, 9_998]) func aSpendthriftIsFound(_ rounds: Int) throws {
        let burns = Code.source(
            "fragment f() {\n setul n, \(rounds)\nagain:\n subul n, n, 1\n bneul n, 0, again\n s_refuse\n }")
        let turns = try Examples.fragment("schedulers/round-robin.scode")
        let timeline = try Scenario.with(
            turns,
            [
                .scheduler("burner", burns, [Self.busy("own")]),
                .scheduler("a", turns, [Self.busy("a1"), Self.busy("a2")]),
                .scheduler("b", turns, [Self.busy("b1")]),
            ]
        ).run()
        #expect(timeline.messages.contains { $0.hasPrefix("burner: has nobody to run, and takes") })
        #expect(timeline.messages.contains { $0.hasPrefix("burner: detached after 3 failures") })
        #expect(timeline.messages.allSatisfy { $0.hasPrefix("burner") }, "\(timeline.messages)")
        // Without its fragment the burner's environment has its share, by default.
        for name in ["burner", "a", "b"] {
            #expect((320...346).contains(timeline.received(name) * 1000 / timeline.end), "\(name)")
        }
    }

    /// A root that spends all itself fails, whatever is below it.
    @Test func aRootThatLoopsIsRemoved() throws {
        let turns = try Examples.fragment("schedulers/round-robin.scode")
        let timeline = try Scenario.with(
            Code.loops, [.scheduler("a", turns, [Self.busy("a1")]), Self.busy("x")]
        ).run()
        #expect(
            timeline.messages.contains { $0.hasPrefix("root: detached after 3 failures") },
            "\(timeline.messages)")
        #expect(timeline.messages.allSatisfy { $0.hasPrefix("root") })
    }

    /// One user's scheduler burns the budget of all and then declines; what the budget ends in is another's, who has
    /// nobody to run, or somebody. Neither is to blame.
    @Test(arguments: [true, false]) func whoeverTheBudgetEndsInIsNotToBlame(_ declines: Bool) throws {
        let burns = Code.source(
            "fragment f() {\n setul n, 90\nagain:\n subul n, n, 1\n bneul n, 0, again\n s_refuse\n }")
        let walk = "setul n, 20\nagain:\n subul n, n, 1\n bneul n, 0, again\n"
        let honest = Code.source("fragment f() {\n \(walk) s_\(declines ? "refuse" : "app_sched 4")\n }")
        var scenario = Scenario.with(
            Code.firstSlot,
            [
                .scheduler("burner", burns, []),
                .scheduler("honest", honest, [Self.busy("a")]),
            ])
        scenario.machine.budget = 100
        let timeline = try scenario.run()
        #expect(timeline.messages.allSatisfy { !$0.contains("honest") }, "\(timeline.messages)")
        #expect(timeline.received("a") == timeline.end)
    }
}
