import Exokernel
import Testing

/// Handlers of events, and what they may ask for.
@Suite struct EventTests {
    /// First come, first served, with handlers.
    private static func first(_ handlers: String) -> Scenario.FragmentSource {
        Scenario.FragmentSource(path: "test.scode", text: Code.first.text + handlers)
    }
    /// The example, with handlers.
    private static func roundRobin(_ handlers: String) throws -> Scenario.FragmentSource {
        Scenario.FragmentSource(
            path: "test.scode", text: try Examples.text("schedulers/round-robin.scode") + "\n" + handlers)
    }
    private static let asks = "fragment wake() {\n s_resched\n }\n"

    private static let sleeper = Scenario.Child.task(
        "sleeper", [.run(1 * ms), .sleep(3 * ms), .run(1 * ms)])
    private static let hog = Scenario.Child.task("hog", [.run(20 * ms)])

    @Test func wakingTakesNoProcessorAway() throws {
        let timeline = try Scenario.with(Code.first, [Self.sleeper, Self.hog], quantum: 100 * ms).run()
        #expect(timeline.schedule == "sleeper 0-1, hog 1-21, sleeper 21-22")
    }

    @Test func aHandlerMayAskForADecision() throws {
        let timeline = try Scenario.with(
            Self.first(Self.asks), [Self.sleeper, Self.hog], quantum: 100 * ms
        ).run()
        #expect(timeline.schedule == "sleeper 0-1, hog 1-4, sleeper 4-5, hog 5-22")
        #expect(timeline.incidents.isEmpty)
    }

    /// Whoever begins later is a reason to decide, too.
    @Test func whoBeginsMayBePreferred() throws {
        let late = Scenario.Child.task("late", start: 2 * ms, [.run(1 * ms)])
        let timeline = try Scenario.with(
            Self.first("fragment begin() {\n s_resched\n }\n"), [Self.sleeper, Self.hog, late],
            quantum: 100 * ms
        ).run()
        // The decision is taken, and the hog is the first that can run.
        #expect(timeline.decisions.map(\.time).contains(2 * ms))
        #expect(timeline.schedule == "sleeper 0-1, hog 1-21, sleeper 21-22, late 22-23")
    }

    /// Only its own time is a scheduler's to dispose of.
    @Test(arguments: [false, true]) func theSchedulerAboveHasToAskAsWell(_ rootAsks: Bool) throws {
        let root = Scenario.FragmentSource(
            path: "root.scode", text: Code.firstSlot.text + "\n" + (rootAsks ? Self.asks : ""))
        let timeline = try Scenario.with(
            root,
            [
                .scheduler("alice", Self.first(Self.asks), [Self.sleeper]),
                .scheduler("bob", Self.first(Self.asks), [Self.hog]),
            ], quantum: 100 * ms
        ).run()
        #expect(
            timeline.schedule
                == (rootAsks
                    ? "sleeper 0-1, hog 1-4, sleeper 4-5, hog 5-22" : "sleeper 0-1, hog 1-21, sleeper 21-22"))
    }

    /// Each event reaches its handler, with the environment that it is about. A handler that fails is an incident, and
    /// counts.
    @Test(arguments: ["begin", "sleep", "wake", "end"]) func eventsReachTheirHandlers(_ event: String) throws
    {
        let endless = Scenario.Child.task("endless", loops: nil, [.run(1 * ms), .yield])
        let late = Scenario.Child.task("late", start: 1 * ms, [.run(1 * ms), .sleep(1 * ms), .run(1 * ms)])
        let hasSubject = """
            fragment \(event)() {
                register subject = r28
                subul   wrong, subject, 3
                notul   right, wrong
                setul   one, 1
                divul   one, one, right         // aborts for anybody but environment 3
                s_refuse
            }

            """
        let timeline = try Scenario.with(try Self.roundRobin(hasSubject), [endless, late]).run()
        #expect(timeline.incidents.isEmpty, "\(timeline.messages)")
        let aborts = "fragment \(event)() {\n setul a, 0\n divul a, a, a\n s_refuse\n }\n"
        let failing = try Scenario.with(try Self.roundRobin(aborts), [endless, late]).run()
        #expect(
            failing.messages.contains {
                $0.hasPrefix("root: handler '\(event)': abort division-by-zero at line")
            },
            "\(failing.messages)")
    }

    /// In a scheduling fragment the wish is an answer that helps nobody.
    @Test func askingIsNoDecision() throws {
        let timeline = try Scenario.with(Code.source("fragment f() {\n s_resched\n }"), [Self.hog]).run()
        #expect(timeline.messages.contains { $0.hasPrefix("root: accepted for 0, which does not exist") })
    }

    // MARK: Resources

    private static let faulter = """
        fragment main() {
            setp   p, 0x40000000
            setul  i, 0
        again:
            lduli  x, p, 0
            addul  i, i, 1
            bltul  i, 3001, again
            accept i
        }
        fragment fault() {
            sys_page_alloc page, 0
            bltl   page, 0, none
            sys_map e, r31, 0, 0x40000000, page, 0, 3
            accept 1
        none:
            refuse
        }
        """

    /// A scheduler learns of a fault, and may take the processor from whoever made it.
    @Test func aFaultIsAnEvent() throws {
        let hog = Scenario.Child.task("hog", [.run(5 * ms)])
        let quiet = try Scenario.with(
            try Self.roundRobin(""), [.program("p", Self.faulter), hog], quantum: 100 * ms
        ).run()
        #expect(quiet.schedule.hasPrefix("p 0-3.0"))
        let asks = try Scenario.with(
            try Self.roundRobin("fragment fault() {\n s_resched\n }"), [.program("p", Self.faulter), hog],
            quantum: 100 * ms
        ).run()
        #expect(asks.schedule.hasPrefix("p 0-0.001, hog 0.001-5.001, p 5.001-"), "\(asks.schedule)")
        #expect(asks.exit("p") == 3001 && asks.messages.isEmpty)
    }

    /// It learns of a shortage of pages, too: who found none is the subject.
    @Test func aShortageIsAnEvent() throws {
        let greedy = """
            fragment main() {
            again:
                sys_page_alloc page, 0
                bgel   page, 0, again
                accept 1
            }
            """
        var scenario = Scenario.with(
            try Self.roundRobin(
                "fragment shortage() {\n bneul r28, 2, other\n s_resched\nother:\n s_refuse\n }"),
            [.program("p", greedy), .task("hog", [.run(5 * ms)])], quantum: 100 * ms)
        scenario.machine.memoryPages = 256
        let timeline = try scenario.run()
        #expect(timeline.exit("p") == 1)
        // The hog has had its turn before the call came back.
        #expect(timeline.nodes.first { $0.name == "p" }?.ended.map { $0 > 5 * ms } == true)
    }

}
