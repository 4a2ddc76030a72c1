import Testing

@testable import Exokernel

/// Machines with several processors, and processors that are handed over.
@Suite struct ProcessorTests {
    private static func busy(_ name: String) -> Scenario.Child { .task(name, loops: nil, [.run(5 * ms)]) }

    // MARK: Schedules computed by hand: tick 1 ms, quantum 4 ms.

    @Test func everyoneHasAProcessor() throws {
        let timeline = try Scenario.with(
            Code.first, [.task("a", [.run(10 * ms)]), .task("b", [.run(3 * ms)])], processors: 3
        ).run()
        #expect(timeline.schedule(on: 0) == "a 0-10")
        #expect(timeline.schedule(on: 1) == "b 0-3")
        #expect(timeline.schedule(on: 2) == "")
        let statistics = Statistics(timeline)
        #expect(statistics.processors.map(\.busy) == [10 * ms, 3 * ms, 0])
        #expect(statistics.processors.map(\.idle) == [0, 7 * ms, 10 * ms])
        #expect(statistics.busy == 13 * ms && statistics.idle == 17 * ms)
        #expect(abs((statistics.nodes[1].shareOfTotal) - 1.0 / 3) < 1e-9)
    }

    /// The default and the example take turns among three on two processors.
    @Test(arguments: [true, false]) func roundRobinOnTwo(hasFragment: Bool) throws {
        let source = hasFragment ? try Examples.fragment("schedulers/round-robin.scode") : nil
        let timeline = try Scenario.with(
            source, ["a", "b", "c"].map { .task($0, [.run(8 * ms)]) }, processors: 2
        ).run()
        // At 4 the first processor is decided first: c's turn has come; then a's, who has just lost the other one.
        #expect(timeline.schedule(on: 0) == "a 0-4, c 4-8, b 8-12")
        #expect(timeline.schedule(on: 1) == "b 0-4, a 4-8, c 8-12")
        #expect(timeline.incidents == [])
    }

    @Test func whoWakesHasAnIdleProcessorAtOnce() throws {
        let timeline = try Scenario.with(
            nil, [Self.busy("a"), .task("b", [.sleep(2 * ms + 1), .run(1 * ms)])], duration: 10 * ms,
            processors: 2
        ).run()
        #expect(timeline.life("b") == "sleeping 0-2.000001, running 2.000001-3.000001")
        #expect(timeline.received("a") == 10 * ms)
    }

    /// One that is released by whoever runs on another processor.
    @Test func whatOneProcessorDoesWakesAnother() throws {
        let timeline = try Scenario.with(
            nil,
            [
                .tasks(
                    "x",
                    [
                        ("a", [.suspend("s"), .run(2 * ms)]),
                        ("b", [.run(1 * ms), .resume("s"), .run(3 * ms)]),
                    ])
            ], processors: 2
        ).run()
        #expect(timeline.life("x.a") == "blocked 0-1, running 1-3")
        #expect(timeline.life("x.b") == "running 0-4")
    }

    // MARK: What fragments see

    /// Chooses whom `processor` says, and leaves it to the default when that one runs elsewhere.
    @Test func namingWhoRunsElsewhereIsAFailure() throws {
        let timeline = try Scenario.with(
            Code.accepts(2), [Self.busy("a"), Self.busy("b")], duration: 20 * ms, processors: 2
        ).run()
        #expect(timeline.messages.first == "root: accepted for 'a', which has another processor × 3")
        #expect(timeline.received("b") == 20 * ms)
    }

    @Test func statusAndProcessorsAreShown() throws {
        let machine = try Machine(
            scenario: .with(
                nil, [.scheduler("s", nil, [Self.busy("a"), Self.busy("b")]), Self.busy("c")],
                duration: 100 * ms, processors: 2))
        machine.run(until: 1 * ms)
        func status(_ id: Int) -> UInt32 {
            machine.pages.address(machine.exposed.environments).load(
                fromByteOffset: id * ExposedState.EnvironmentField.size + 4, as: UInt32.self)
        }
        func field(_ offset: Int) -> UInt32 {
            machine.pages.address(machine.exposed.machine).load(fromByteOffset: offset, as: UInt32.self)
        }
        typealias Field = ExposedState.MachineField
        // Ids: root 1, s 2, a 3, b 4, c 5. The default's turns: s, which gives to a; then c.
        #expect([field(Field.runs), field(Field.runs + 4)] == [3, 5])
        #expect(field(Field.processors) == 2)
        machine.show(0)
        #expect([2, 3, 4, 5].map(status) == [1, 1, 1, ExposedState.runsElsewhere])
        #expect([field(Field.processor), field(Field.running)] == [0, 3])
        machine.show(1)
        #expect([2, 3, 4, 5].map(status) == [1, ExposedState.runsElsewhere, 1, 1])
        #expect([field(Field.processor), field(Field.running)] == [1, 5])
        // Both of s run: there is nobody for the third processor, nor for those who are asked below s.
        machine.assign(1, to: 4)
        machine.show(0)
        #expect([2, 3, 4, 5].map(status) == [1, 1, ExposedState.runsElsewhere, 1])
        machine.assign(0, to: 0)
        machine.environments.setStatus(3, .sleeping, at: 1 * ms)
        #expect([2, 3, 4, 5].map(status) == [ExposedState.runsElsewhere, 2, ExposedState.runsElsewhere, 1])
        machine.environments.setParent(4, 1)
        #expect(status(2) == 3 && status(1) == 1)
    }

    @Test(arguments: [0, -1, 65, .max]) func impossibleNumbers(_ count: Int) {
        #expect(throws: MachineError.processorCount(count, allowed: 1...64)) {
            try Machine(scenario: .with(nil, [Self.busy("a")], processors: count))
        }
    }

    // MARK: Schedulers

    /// Whoever has waited longest for a processor is revoked, not always the first one.
    @Test func aWishIsForTheOneThatHasRunLongest() throws {
        let wakes = Scenario.FragmentSource(
            path: "test.scode", text: Code.first.text + "\nfragment wake() {\n s_resched\n }")
        let timeline = try Scenario.with(
            wakes,
            [
                .task("a", [.sleep(6 * ms), .run(1 * ms)]), .task("b", [.sleep(6 * ms), .run(1 * ms)]),
                Self.busy("c"), Self.busy("d"),
            ], quantum: 100 * ms, duration: 20 * ms, processors: 2
        ).run()
        // Both wake at once, and each takes a processor.
        #expect(timeline.life("a") == "sleeping 0-6, running 6-7")
        #expect(timeline.life("b") == "sleeping 0-6, running 6-7")
    }

    @Test(
        arguments: ["priority", "unix", "stride", "edf", "make", "pipeline", "fair-users"], [2, 4])
    func examplesOnSeveralProcessors(_ name: String, _ processors: Int) throws {
        var scenario = try Examples.scenario("schedulers/\(name)")
        scenario.machine.processors = processors
        // Checks that the record adds up, and that nobody waits while a processor is idle.
        let timeline = try scenario.run()
        #expect(timeline.incidents.isEmpty, "\(timeline.messages)")
        let statistics = Statistics(timeline)
        #expect(statistics.processors.count == processors)
        for processor in statistics.processors {
            #expect(processor.busy + processor.idle == timeline.end)
        }
        #expect(statistics.busy == timeline.received(scenario.root.name))
    }

    @Test(arguments: ["two-users", "schedulers/lottery"]) func firstExamplesOnTwo(_ name: String) throws {
        var scenario = try Examples.scenario(name)
        scenario.machine.processors = 2
        let timeline = try scenario.run()
        #expect(timeline.incidents.isEmpty, "\(timeline.messages)")
    }

    /// With twice the processors everybody has twice the time, in the same proportions.
    @Test func usersHaveHalvesOfTwo() throws {
        let hogs = (0..<4).map { "hog\($0)" }
        let timeline = try Scenario.with(
            try Examples.fragment("two-users.scode"),
            [
                .scheduler("alice", nil, hogs.map { Self.busy("a-\($0)") }),
                .scheduler("bob", nil, hogs.map { Self.busy("b-\($0)") }),
            ], processors: 2
        ).run()
        let share = Double(timeline.received("alice")) / Double(2 * timeline.end)
        #expect(abs(share - 0.5) < 0.01)
    }

    // MARK: Directed yield

    @Test func theProcessorGoesToWhomItIsGiven() throws {
        let timeline = try Scenario.with(
            nil,
            [
                .tasks(
                    "x",
                    [
                        ("server", [.suspend("request"), .run(1 * ms), .yieldTo("client")]),
                        ("client", [.run(1 * ms), .resume("request"), .yieldTo("server"), .run(1 * ms)]),
                        ("other", [.run(6 * ms)]),
                    ])
            ]
        ).run()
        // The client's quantum, which began at 0, is used up by both; other comes when the client ends.
        #expect(timeline.schedule == "x.client 0-1, x.server 1-2, x.client 2-3, x.other 3-9")
        #expect(timeline.directedYields.map(\.time) == [1 * ms, 2 * ms])
        #expect(timeline.directedYields.map { [$0.from, $0.to] } == [[2, 1], [1, 2]])
        #expect(timeline.decisions.map(\.time).filter { $0 == ms || $0 == 2 * ms } == [])
    }

    /// The quantum goes on: it is over when the first one's would have been.
    @Test func aYieldDoesNotMakeTheTurnLonger() throws {
        let timeline = try Scenario.with(
            nil,
            [
                .task("a", [.run(3 * ms), .yieldTo("b"), .run(9 * ms)]), .task("b", [.run(9 * ms)]),
                .task("c", [.run(9 * ms)]),
            ], duration: 12 * ms
        ).run()
        #expect(timeline.schedule == "a 0-3, b 3-8, c 8-12")
        #expect(timeline.decisions.map(\.time) == [0, 4 * ms, 8 * ms])
    }

    @Test func whoCannotHaveItLeavesItToTheSchedulers() throws {
        let timeline = try Scenario.with(
            nil,
            [
                .task("sleeper", [.sleep(50 * ms)]),
                .task("a", loops: 2, [.run(1 * ms), .yieldTo("sleeper")]), .task("b", [.run(2 * ms)]),
            ]
        ).run()
        #expect(timeline.schedule == "a 0-1, b 1-3, a 3-4")
        #expect(timeline.directedYields.isEmpty && timeline.incidents.isEmpty)
        let nobody = try Scenario.with(nil, [.task("a", [.yieldTo("nobody"), .run(1 * ms)])]).run()
        #expect(nobody.messages == ["a: yields to 'nobody', which does not exist"])
        #expect(nobody.schedule == "a 0-1")
    }

    @Test func schedulersAndWhoHasEndedCannotHaveIt() throws {
        let machine = try Machine(
            scenario: .with(
                nil, [Self.busy("a"), .task("b", [.run(1 * ms)]), Self.busy("c"), Self.busy("d")],
                processors: 2))
        machine.run(until: 2 * ms)
        // Ids: root 1, a 2, b 3, c 4, d 5; b has ended, c has its processor.
        for other in [-1, 0, 1, 2, 3, 4, 6, .max, .min] {
            #expect(!machine.directedYield(from: 2, to: other), "\(other)")
        }
        #expect(!machine.directedYield(from: 5, to: 2))  // has none to give
        #expect(machine.directedYield(from: 2, to: 5))
        #expect(machine.environments[5].processor == 0 && machine.environments[2].processor == nil)
    }

    /// Two that yield to one another without doing anything are ended like others that use no time.
    @Test func yieldingInACircleEnds() throws {
        let timeline = try Scenario.with(
            nil,
            [
                .task("a", loops: nil, [.yieldTo("b")]), .task("b", loops: nil, [.yieldTo("a")]),
                .task("c", [.run(1 * ms)]),
            ]
        ).run()
        #expect(timeline.schedule == "c 0-1")
        #expect(timeline.messages.count == 2)
    }

    @Test func scenariosSayHowManyAndToWhom() throws {
        func read(_ text: String) throws -> Scenario {
            try ScenarioReader.read(path: "s.yaml") { _ in text }.scenario
        }
        let scenario = try read(
            """
            machine: {cpus: 4}
            root:
              children:
                - {name: x, tasks: [{name: a, do: [run: 1ms, yield: b]}, {name: b, do: [run: 1ms, yield: c]}]}
                - {name: c, do: [yield, run: 1ms, yield: x.a]}
            """)
        #expect(scenario.machine.processors == 4)
        guard case .application(let application) = scenario.root.children[1] else { return }
        #expect(
            application.workload.tasks[0].phases[0].actions == [.yield, .run(1 * ms), .yieldTo("x.a")])
        #expect(throws: ReadFailure.self) { try read("machine: {cpus: 65}\nroot: {children: []}") }
        #expect(throws: ReadFailure.self) { try read("machine: {cpus: 0}\nroot: {children: []}") }
        #expect(throws: ReadFailure.self) {
            try read("root: {children: [{name: a, do: [run: 1ms, yield: bb]}]}")
        }
    }
}
