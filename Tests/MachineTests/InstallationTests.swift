import SCode
import Testing

@testable import Exokernel

/// Fragments that come, go and are exchanged while the machine runs.
@Suite struct InstallationTests {
    private func scenario(
        _ source: Scenario.FragmentSource?, _ actions: [(UInt64, Scenario.Event.Action)],
        node: String = "root"
    ) -> Scenario {
        .with(
            source, [.task("a", loops: nil, [.run(5 * ms)]), .task("b", loops: nil, [.run(5 * ms)])],
            duration: 40 * ms, events: actions.map { .init(time: $0.0, node: node, action: $0.1) })
    }

    @Test func removeAndInstall() throws {
        let timeline = try scenario(
            Code.first, [(9 * ms, .remove), (20 * ms, .install(Code.first, data: []))]
        ).run()
        // From 9 on the default takes turns; the quantum is over at 12, 16, … and the event at 20 comes before
        // the decision.
        #expect(timeline.schedule == "a 0-16, b 16-20, a 20-40")
        #expect(timeline.decisions.map(\.byDefault).map { $0 ? 1 : 0 } == [0, 0, 0, 1, 1, 0, 0, 0, 0, 0])
        #expect(timeline.incidents == [])
    }

    @Test func aFragmentIsToldHowLongItsListOfChildrenIs() throws {
        let last = Code.source(
            """
            fragment last() {
                register listed = r27
                bgtuli  listed, 64, none
                bequli  listed, 0, none
                subuli  at, listed, 1
                mululi  at, at, sizeof(child)
                setp    entry, children
                addp    entry, entry, at
                ldui    id, entry, child.id
                s_app_sched id
            none:
                s_refuse
            }
            """)
        let tasks: [Scenario.Child] = [
            .task("a", [.run(4 * ms)]), .task("b", [.run(12 * ms)]),
            .task("c", start: 5 * ms, [.run(4 * ms)]), .task("d", start: 18 * ms, [.run(2 * ms)]),
        ]
        let timeline = try Scenario.with(last, tasks, duration: 40 * ms).run()
        // Whoever is the last in the list: b, then c, which has come in the meantime, b again, d, and a.
        #expect(timeline.schedule == "b 0-8, c 8-12, b 12-16, a 16-20, d 20-22")
        #expect(timeline.incidents == [])
        let replaced = try Scenario.with(
            Code.first, tasks, duration: 40 * ms,
            events: [.init(time: 8 * ms, node: "root", action: .replace(last, data: []))]
        ).run()
        // a is not there any more when c comes, and c takes its place.
        #expect(replaced.schedule == "a 0-4, b 4-16, c 16-20, d 20-22")
    }

    @Test func fragmentsOfOneTextShareTheirCode() throws {
        let tasks = (0..<20).map { number in
            Scenario.Child.scheduler(
                .init(
                    name: "s\(number)", source: number < 19 ? Code.first : Code.refuses,
                    children: [.task("t\(number)", [.run(1 * ms)])]))
        }
        for engine in EngineKind.allCases {
            let machine = try Machine(scenario: .with(Code.firstSlot, tasks), engine: engine)
            #expect(machine.codes.count == (engine == .native ? 3 : 0))
        }
    }

    @Test func eventsWaitForTheTimerInterrupt() throws {
        let timeline = try scenario(Code.first, [(7_000_001, .remove)]).run()
        let late = try scenario(Code.first, [(8_000_001, .remove)]).run()
        #expect(timeline.decisions.map(\.byDefault).prefix(4) == [false, false, true, true])
        #expect(late.decisions.map(\.byDefault).prefix(4) == [false, false, false, true])
    }

    @Test func whatCannotBeDoneIsAnIncidentAndChangesNothing() throws {
        let huge = Code.source("fragment f() {\n s_refuse\n }", regions: "region a: virtual rw, 1024*1024")
        let greedy = Code.source(
            "fragment f() {\n s_refuse\n }",
            regions: (0..<5).map { "region room\($0): physical rw, 1024*1024\n" }.joined())
        let timeline = try scenario(
            Code.first,
            [
                (1 * ms, .install(Code.first, data: [])),
                (1 * ms, .replace(huge, data: [.init(region: "nowhere", bytes: [1])])),
                (1 * ms, .replace(greedy, data: [])),
                (2 * ms, .remove), (2 * ms, .remove), (2 * ms, .replace(Code.first, data: [])),
                (3 * ms, .install(Code.first, data: [.init(region: "children", bytes: [1])])),
                (3 * ms, .install(Code.first, data: [])),
            ]
        ).run()
        #expect(timeline.schedule == "a 0-40")
        #expect(
            timeline.messages == [
                "root: install failed: scheduler 'root' already has a fragment",
                "root: replace failed: test.scode: there is no region 'nowhere' for the data",
                "root: replace failed: out of physical memory: 256 pages in one piece are wanted, 116 are free in all",
                "root: remove failed: scheduler 'root' has no fragment",
                "root: replace failed: scheduler 'root' has no fragment",
                "root: install failed: test.scode: region 'children' is the kernel's; it can only be declared 'ro'",
            ])
    }

    @Test func anInstallationThatFailsHoldsNoMemory() throws {
        let greedy = Code.source(
            "fragment f() {\n s_refuse\n }",
            regions: (0..<5).map {
                "region room\($0): \($0 % 2 == 0 ? "virtual" : "physical") rw, 1024*1024\n"
            }
            .joined())
        let machine = try Machine(scenario: scenario(Code.first, [(1 * ms, .replace(greedy, data: []))]))
        let free = machine.pages.freeCount
        machine.run(until: 2 * ms)
        #expect(machine.timeline.incidents.count == 1)
        // One page table stays, for the next time that there is something to map.
        #expect(machine.pages.freeCount >= free - 1)
    }

    /// Counts its invocations, and accepts for an environment that nobody has: the number is in the incident.
    private static func counter(_ regions: String) -> Scenario.FragmentSource {
        Code.source(
            """
            fragment f() {
                setp    memory, count
                lduli   n, memory, 0
                adduli  n, n, 1
                stuli   n, memory, 0
                adduli  n, n, 1000
                s_app_sched n
            }
            """, regions: regions)
    }

    @Test(arguments: ["virtual", "physical"]) func regionsKeepWhatIsInThem(policy: String) throws {
        let small = Self.counter("region count: \(policy) rw, 8")
        let large = Self.counter("region other: \(policy) rw, 10\nregion count: \(policy) rw, 20_000")
        let events: [(UInt64, Scenario.Event.Action)] = [
            (5 * ms, .replace(large, data: [])),
            (13 * ms, .replace(small, data: [])),
            (17 * ms, .replace(small, data: [.init(region: "count", bytes: [20])])),
            (21 * ms, .remove),
            (21 * ms, .install(small, data: [])),
        ]
        var limits = Machine.Limits()
        limits.failures = 16
        let timeline = try Machine(scenario: scenario(small, events), limits: limits).run()
        // Decisions at 0, 4 | 8, 12 | 16 | 20 | 24 … 36.
        let numbers = timeline.messages.map { $0.replacing("root: accepted for ", with: "") }
            .map { $0.replacing(", which does not exist", with: "") }
        #expect(numbers == ["1001 × 2", "1002 × 2", "1003 × 2", "1004 × 2", "1005", "1021"])
    }

    /// What a program says that a region holds at first is there when it comes; later it is what has been stored, but
    /// for constants, which are the new program's.
    @Test(arguments: ["virtual", "physical"]) func regionsHoldWhatTheyAreDeclaredWith(policy: String) throws {
        func code(_ count: Int, _ step: Int) -> Scenario.FragmentSource {
            Code.source(
                """
                fragment f() {
                    setp    memory, count
                    lduli   n, memory, 0
                    setp    constant, step
                    lduci   s, constant, 1
                    addul   n, n, s
                    stuli   n, memory, 0
                    adduli  n, n, 1000
                    s_app_sched n
                }
                """,
                regions: """
                    region count: \(policy) rw, 5000 = ul { \(count) }
                    region step: \(policy) ro, 2 = { 0, \(step) }
                    """)
        }
        let events: [(UInt64, Scenario.Event.Action)] = [
            (5 * ms, .replace(code(77, 10), data: [])),
            (9 * ms, .replace(code(77, 10), data: [.init(region: "step", bytes: [0, 3])])),
            (13 * ms, .remove),
            (13 * ms, .install(code(200, 1), data: [])),
        ]
        var limits = Machine.Limits()
        limits.failures = 16
        let timeline = try Machine(scenario: scenario(code(40, 2), events), limits: limits).run()
        let numbers = timeline.messages.map { $0.replacing("root: accepted for ", with: "") }
            .map { $0.replacing(", which does not exist", with: "") }
        // Decisions at 0, 4 | 8 | 12 | 16, …
        #expect(numbers.prefix(5) == ["1042", "1044", "1054", "1057", "1201"])
    }

    @Test func memoryComesBack() throws {
        let large = Code.source(
            "fragment f() {\n s_refuse\n }",
            regions: "region a: virtual rw, 500_000\nregion b: physical rw, 300_000")
        var events: [(UInt64, Scenario.Event.Action)] = []
        for round in 0..<200 {
            let time = UInt64(round) * 100_000
            events.append((time, .replace(large, data: [])))
            events.append((time, .replace(Code.first, data: [])))
            events.append((time, .remove))
            events.append((time, .install(large, data: [])))
        }
        events.append((30 * ms, .remove))
        events.append((31 * ms, .install(Code.first, data: [])))
        let machine = try Machine(scenario: scenario(Code.first, events))
        let before = machine.pages.freeCount
        machine.run(until: 35 * ms)
        #expect(machine.timeline.messages.allSatisfy { !$0.contains("memory") })
        // One page of the table that mapped `a` stays for the next time.
        #expect(machine.pages.freeCount >= before - 2)
    }

    @Test func endedTasksGiveTheirPagesBack() throws {
        let children = (0..<100).map {
            Scenario.Child.task("t\($0)", start: UInt64($0) * ms + 1, [.run(1000)])
        }
        let machine = try Machine(scenario: .with(nil, children))
        let before = machine.pages.freeCount
        let timeline = machine.run()
        #expect(timeline.nodes.filter { $0.ended != nil }.count == 100)
        // The default has come, with one page for its turn.
        #expect(machine.pages.freeCount == before - 1)
    }

    @Test func aTaskWithoutMemoryDoesNotBegin() throws {
        var scenario = Scenario.with(
            nil,
            (0..<20).map { .task("t\($0)", start: UInt64($0 + 1) * ms, [.run(30 * ms)]) })
        scenario.machine.memoryPages = 164
        let timeline = try scenario.run()
        let failed = timeline.messages.filter { $0.hasSuffix("cannot begin: out of physical memory") }.count
        #expect(failed > 0 && failed < 20)
        #expect(timeline.spans.filter { $0.state == .running }.map(\.node).uniqued().count == 20 - failed)
    }

    // MARK: Regions

    @Test func theKernelsRegionsAreReadOnly() {
        for (region, text) in [
            ("children", "region children: physical rw, 16"),
            ("environments", "region environments: virtual rw, 32"),
            ("machine", "region machine: static rw, 64"),
        ] {
            let source = Scenario.FragmentSource(
                path: "p", text: "accept scheduler\n\(text)\nfragment f() {\n s_refuse\n }")
            #expect(throws: MachineError.regionReadOnly(path: "p", region: region)) {
                try Machine(scenario: .with(source, []))
            }
        }
    }

    @Test func regionsThatAreTooLarge() {
        for (region, size, limit) in [
            ("children", "1024*1024+1", 4096), ("environments", "8193*32", 8192 * 32),
            ("machine", "5000", 4096),
            ("mine", "1024*1024+1", 1 << 20),
        ] {
            let source = Scenario.FragmentSource(
                path: "p",
                text:
                    "accept scheduler\nregion \(region): physical ro, \(size)\nfragment f() {\n s_refuse\n }")
            do throws(MachineError) {
                _ = try Machine(scenario: .with(source, []))
                Issue.record("\(region) of \(size) bytes was accepted")
            } catch {
                guard case .regionTooLarge(_, let name, _, let found) = error else {
                    Issue.record("\(error)")
                    continue
                }
                #expect(name == region)
                #expect(found == UInt64(limit))
            }
        }
    }

    @Test func aListOfChildrenMayBeDeclaredLargerThanItIs() throws {
        let source = Scenario.FragmentSource(
            path: "p",
            text: try Examples.text("schedulers/round-robin.scode").replacing(
                "const places = 256", with: "const places = 5000"))
        let timeline = try scenario(source, [(8 * ms, .remove)]).run()
        #expect(timeline.schedule.hasPrefix("a 0-4, b 4-8"))
        #expect(timeline.received("a") == 20 * ms)
        #expect(timeline.incidents == [])
    }

    /// Time, tick, quantum and seed are there to be read; virtual regions show the kernel's pages too.
    @Test func theMachineAndItsTables() throws {
        let source = Scenario.FragmentSource(
            path: "p",
            text: """
                accept scheduler
                struct machine { time: ul, tick: ul, quantum: ul, seed: ul, environments: u }
                region machine: static ro, sizeof(machine)
                region children: virtual ro, 64
                fragment f() {
                    setp    m, machine
                    lduli   time, m, machine.time
                    lduli   tick, m, machine.tick
                    lduli   quantum, m, machine.quantum
                    lduli   seed, m, machine.seed
                    ldui    count, m, machine.environments
                    bneuli  quantum, 4_000_000, no
                    bneuli  seed, 1, no
                    bneui   count, 4, no
                    register ticks = r29
                    register slots = r30
                    register me = r31
                    divul   time, time, tick
                    bneul   time, ticks, no
                    bneuli  slots, 16, no
                    bneuli  me, 1, no
                    setp    list, children
                    ldui    id, list, 16 + 4
                    s_app_sched id
                no:
                    s_refuse
                }
                """)
        let timeline = try scenario(source, []).run()
        #expect(timeline.schedule == "b 0-40")
        #expect(timeline.incidents == [])
    }

    @Test func faultsNameTheirReason() throws {
        let reads = Code.source("fragment f() {\n setul a, 4096\n lduli b, a, 0\n s_app_sched b\n }")
        // The environment's own page is at 4096, and holds 0: idle.
        #expect(try scenario(reads, []).run().messages.first?.contains("accepted for 0") == true)
        let null = Code.source("fragment f() {\n setul a, 0\n lduli b, a, 0\n s_app_sched b\n }")
        #expect(try scenario(null, []).run().messages.first?.contains("page-not-present") == true)
    }

    // MARK: The tree

    @Test func childrenOfADetachedSchedulerGoUp() throws {
        let machine = try Machine(
            scenario: .with(
                nil,
                [
                    .scheduler(
                        "s", Code.first,
                        [
                            .task("a", loops: nil, [.run(5 * ms)]), .task("b", loops: nil, [.run(5 * ms)]),
                            .scheduler("t", Code.first, [.task("c", loops: nil, [.run(5 * ms)])]),
                            .task("late", start: 20 * ms, [.run(5 * ms)]),
                        ]),
                    .task("d", loops: nil, [.run(5 * ms)]),
                ], duration: 48 * ms))
        #expect(throws: MachineError.rootCannotBeDetached("root")) { try machine.detachScheduler("root") }
        #expect(throws: MachineError.unknownScheduler("x")) { try machine.detachScheduler("x") }
        machine.run(until: 16 * ms)
        let free = machine.pages.freeCount
        try machine.detachScheduler("s")
        #expect(machine.pages.freeCount > free)
        #expect(throws: MachineError.unknownScheduler("s")) { try machine.detachScheduler("s") }
        let timeline = machine.run()
        timeline.check(#_sourceLocation)
        // First s and d in turns; then a, d, b, t in the places that were free, and late.
        #expect(timeline.schedule.hasPrefix("a 0-4, d 4-8, a 8-12, d 12-16"))
        #expect(timeline.received("c") > 0 && timeline.received("late") > 0)
        #expect(timeline.nodes.map(\.parent) == [nil, 0, 0, 0, 0, 4, 0, 0])
        #expect(timeline.nodes[1].ended == 16 * ms)
        #expect(timeline.incidents == [])
    }

    // MARK: Moving

    private static func twoGroups(_ events: [Scenario.Event]) throws -> Scenario {
        let turns = try Examples.fragment("schedulers/round-robin.scode")
        return Scenario.with(
            turns,
            [
                .scheduler("a", turns, [.task("x", [.run(100 * ms)]), .task("y", [.run(100 * ms)])]),
                .scheduler("b", turns, [.task("z", [.run(100 * ms)])]),
            ], duration: 160 * ms, events: events)
    }

    /// An environment that moves shares with whom it is then.
    @Test func anEnvironmentMoves() throws {
        let move = Scenario.Event(time: 80 * ms, node: "y", action: .move(below: "b"))
        let timeline = try Self.twoGroups([move]).run()
        #expect(timeline.messages.isEmpty)
        #expect(timeline.received("x") == 60 * ms)
        #expect(
            timeline.nodes.first { $0.name == "y" }?.parent == timeline.nodes.firstIndex { $0.name == "b" })
        let still = try Self.twoGroups([]).run()
        #expect(still.received("x") == 40 * ms && still.received("z") == 80 * ms)
    }

    /// A scheduler moves with everything below it, and is asked there.
    @Test func aSchedulerMoves() throws {
        let move = Scenario.Event(time: 80 * ms, node: "b", action: .move(below: "a"))
        let timeline = try Self.twoGroups([move]).run()
        #expect(timeline.messages.isEmpty)
        // A half until then, a third afterwards; to a quantum.
        #expect((60...72).contains(timeline.received("z") / ms))
        #expect(timeline.received("a") == 160 * ms - 40 * ms || timeline.received("a") == 160 * ms)
    }

    @Test(arguments: [
        ("a", "a", "cannot be below"), ("root", "a", "cannot be below"), ("a", "c", "no scheduler"),
        ("nobody", "a", "no scheduler or environment"), ("x", "z", "no scheduler"),
    ]) func whatCannotMoveStays(_ node: String, _ target: String, _ complaint: String) throws {
        let move = Scenario.Event(time: 80 * ms, node: node, action: .move(below: target))
        let timeline = try Self.twoGroups([move]).run()
        #expect(
            timeline.messages.count == 1 && timeline.messages[0].contains(complaint), "\(timeline.messages)")
        #expect(timeline.received("x") == 40 * ms)
    }

    /// Below what is below it: there would be no way to either from the root.
    @Test func aSchedulerDoesNotMoveBelowItself() throws {
        let turns = try Examples.fragment("schedulers/round-robin.scode")
        let inner = Scenario.Child.scheduler("inner", turns, [.task("x", [.run(20 * ms)])])
        let timeline = try Scenario.with(
            turns, [.scheduler("outer", turns, [inner])],
            events: [Scenario.Event(time: 8 * ms, node: "outer", action: .move(below: "inner"))]
        ).run()
        #expect(timeline.messages.count == 1 && timeline.received("x") == 20 * ms)
    }

}

extension Array where Element: Hashable {
    /// Each element once, in the order of first occurrence.
    func uniqued() -> [Element] {
        var seen: Set<Element> = []
        return filter { seen.insert($0).inserted }
    }
}
