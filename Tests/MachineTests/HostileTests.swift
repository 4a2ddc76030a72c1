import Exokernel
import Testing

/// Fragments that loop, fault, lie or refuse: the machine goes on, and others have what they are entitled to.
@Suite struct HostileTests {
    static let bad: [(String, Scenario.FragmentSource)] = [
        ("loops", Code.loops), ("aborts", Code.aborts), ("refuses", Code.refuses),
        ("nobody", Code.accepts(4000)), ("zero", Code.accepts(0)), ("a scheduler", Code.accepts(1)),
        ("huge", Code.accepts(Int(Int64.max))), ("negative", Code.accepts(-1)), ("foreign", Code.accepts(5)),
    ]

    /// At the top: the default takes each decision, and soon the fragment's place.
    @Test(arguments: bad.indices) func atTheTop(index: Int) throws {
        let timeline = try Scenario.with(
            Self.bad[index].1,
            [
                .task("a", loops: nil, [.run(5 * ms)]),
                .scheduler("s", Code.first, [.task("b", loops: nil, [.run(5 * ms)])]),
            ]
        ).run()
        #expect(timeline.received("a") + timeline.received("b") == timeline.end)
        #expect(timeline.received("a") == timeline.end / 2)
        #expect(timeline.decisions.allSatisfy { $0.chosen != nil })
        #expect(timeline.incidents.count <= 2)
    }

    /// Below: only its own children depend on it.
    @Test(arguments: bad.indices) func besideAnotherUser(index: Int) throws {
        let timeline = try Scenario.with(
            try Examples.fragment("two-users.scode"),
            [
                .scheduler("bad", Self.bad[index].1, [.task("a", loops: nil, [.run(5 * ms)])]),
                .scheduler(
                    "good", try Examples.fragment("schedulers/round-robin.scode"),
                    [.task("b", loops: nil, [.run(5 * ms)]), .task("c", loops: nil, [.run(7 * ms)])]),
            ]
        ).run()
        let good = Double(timeline.received("good")) / Double(timeline.end)
        #expect(good >= 0.49)
        // Who refuses has nobody to run; for the others the default chooses.
        if Self.bad[index].0 == "refuses" {
            #expect(timeline.received("bad") == 0)
            #expect(timeline.incidents == [])
        } else {
            #expect(good <= 0.51)
            #expect(timeline.incidents.count == 2)
        }
    }

    @Test func whatHappenedIsSaidOnceWithTheNumberOfTimes() throws {
        let timeline = try Scenario.with(Code.loops, [.task("a", loops: nil, [.run(5 * ms)])]).run()
        #expect(
            timeline.messages == [
                "root: abort budget-exhausted at line 11 × 3",
                "root: detached after 3 failures within 1000 ticks",
            ])
        #expect(timeline.decisions.prefix(3).allSatisfy { $0.byDefault && $0.budgetUsed >= 10_000 })
        let lies = try Scenario.with(Code.accepts(77), [.task("a", loops: nil, [.run(5 * ms)])]).run()
        #expect(lies.messages.first == "root: accepted for 77, which does not exist × 3")
        let asleep = try Scenario.with(
            Code.accepts(2), [.task("a", [.sleep(9 * ms)]), .task("b", [.run(6 * ms)])]
        ).run()
        #expect(asleep.messages == ["root: accepted for 'a', which is not runnable × 2"])
        #expect(asleep.life("a") == "sleeping 0-9")
        let refuses = try Scenario.with(Code.refuses, [.task("a", [.run(5 * ms)])]).run()
        #expect(refuses.messages == ["root: refused although somebody could run × 2"])
    }

    /// A scheduler that refuses what its parent offers is its parent's business, not a failure of it.
    @Test func anHonestRootIsNotBlamedForThoseBelow() throws {
        let timeline = try Scenario.with(
            Code.firstSlot, [.scheduler("s", Code.refuses, [.task("a", loops: nil, [.run(5 * ms)])])]
        ).run()
        #expect(timeline.messages == ["root: refused by everyone × 250"])
        #expect(timeline.received("a") == timeline.end)
    }

    /// When the default cannot help either, whoever runs is still one of the scheduler that failed.
    @Test func aFailureBelowIsMendedBelow() throws {
        let timeline = try Scenario.with(
            Code.source("fragment f() {\n s_sub_sched 1\n s_refuse\n }"),
            [
                .scheduler("good", Code.first, [.task("a", loops: nil, [.run(5 * ms)])]),
                .scheduler(
                    "bad", Code.aborts,
                    [.scheduler("shy", Code.refuses, [.task("b", loops: nil, [.run(5 * ms)])])]),
            ], duration: 8 * ms
        ).run()
        #expect(timeline.schedule == "b 0-8")
    }

    /// The budget is the chain's. Who wastes it and then refuses makes its parent's fragment fail, which must
    /// not cost the parent its place.
    @Test func wastedBudgetIsNotThePassersFault() throws {
        let wastes = Code.source(
            """
            fragment f() {
                setul   left, 9_990
            again:
                subuli  left, left, 1
                bneuli  left, 0, again
                s_refuse
            }
            """)
        let needsSome = Code.source(
            """
            region zero: virtual ro, 8

            fragment f(place: p = zero) {
                s_sub_sched 0
                ldul    left, place             // 0, which the verifier cannot know: the loop is not prepaid
                addul   left, left, 50
            again:
                subuli  left, left, 1
                bneuli  left, 0, again
                s_app_sched 4
            }
            """)
        let timeline = try Scenario.with(
            needsSome,
            [
                .scheduler("waster", wastes, [.task("a", loops: nil, [.run(5 * ms)])]),
                .task("b", loops: nil, [.run(5 * ms)]),
            ]
        ).run()
        // The one that wasted it is found and removed; the default offers its turn to what it schedules.
        #expect(
            timeline.messages == [
                "waster: has nobody to run, and takes 9989 of the budget of 10000 to say so × 3",
                "waster: detached after 3 failures within 1000 ticks",
            ])
        #expect(timeline.received("a") + timeline.received("b") == timeline.end)
        #expect(timeline.received("a") > timeline.end / 100 * 98)
    }

    @Test func differentIncidentsAreBounded() throws {
        // Accepts for another number each time.
        let liar = Code.source(
            """
            fragment f() {
                setp    memory, count
                lduli   n, memory, 0
                adduli  n, n, 1
                stuli   n, memory, 0
                adduli  n, n, 1000
                s_app_sched n
            }
            """, regions: "region count: virtual rw, 8")
        let scenario = Scenario.with(liar, [.task("a", loops: nil, [.run(5 * ms)])], quantum: ms)
        var limits = Machine.Limits()
        limits.failures = 1000
        limits.failureWindow = .max
        let timeline = try Machine(scenario: scenario, limits: limits).run()
        #expect(timeline.incidents.count == 34)
        #expect(timeline.incidents[32].message == "further incidents of other kinds × 968")
        #expect(timeline.incidents[33].message == "detached after 1000 failures within \(UInt64.max) ticks")
    }

    // MARK: Hostile workloads

    @Test func loopsInWhichNoTimePassesAreEnded() throws {
        var limits = Machine.Limits()
        limits.actionsPerInstant = 1000
        let spins: [[Workload.Action]] = [
            [.yield], [.run(0)], [.lock("m"), .unlock("m")], [.sleep(0), .resume("x")], [],
        ]
        for actions in spins {
            let scenario = Scenario.with(
                Code.first, [.task("spin", loops: nil, actions), .task("b", [.run(3 * ms)])])
            let timeline = try Machine(scenario: scenario, limits: limits).run()
            timeline.check(#_sourceLocation)
            #expect(timeline.schedule == "b 0-3")
            #expect(timeline.messages == ["spin: ended: 1000 actions without any time passing"])
        }
        // Two tasks that keep waking each other.
        let pair = Scenario.with(
            nil,
            [
                .application(
                    Scenario.Application(
                        name: "x",
                        workload: Workload(
                            tasks: [("a", "b"), ("b", "a")].map { name, other in
                                Workload.Task(
                                    name: name, loops: nil,
                                    phases: [
                                        Workload.Phase(name: "p", actions: [.resume(other), .suspend(name)])
                                    ])
                            })))
            ])
        let timeline = try Machine(scenario: pair, limits: limits).run()
        #expect(timeline.incidents.count == 1)
        #expect(timeline.decisions.count < 3000)
    }

    @Test func timesAtTheEndOfTime() throws {
        var scenario = Scenario.with(
            nil,
            [
                .task("a", [.run(.max), .run(.max)]), .task("b", [.run(1), .sleep(.max)]),
                .task("c", start: .max, [.run(1)]),
                .task("d", loops: 5, [.timer(name: "t", period: .max)]),
            ])
        scenario.machine.duration = .max
        scenario.machine.quantum = .max
        scenario.machine.tick = .max
        var limits = Machine.Limits()
        limits.steps = 1000
        let timeline = try Machine(scenario: scenario, limits: limits).run()
        timeline.check(#_sourceLocation)
        #expect(timeline.end == .max)
        scenario.machine.tick = 1
        scenario.machine.quantum = 1
        let other = try Machine(scenario: scenario, limits: limits).run()
        other.check(#_sourceLocation)
        #expect(other.messages == ["the simulation was stopped after 1000 steps"])
    }

    @Test func machinesThatCannotBe() {
        func error(_ change: (inout Scenario) -> Void) -> MachineError? {
            var scenario = Scenario.with(nil, [.task("a", [.run(1)])])
            change(&scenario)
            do throws(MachineError) {
                _ = try Machine(scenario: scenario)
                return nil
            } catch {
                return error
            }
        }
        #expect(error { _ in } == nil)
        #expect(error { $0.machine.tick = 0 } == .tickIsZero)
        #expect(error { $0.machine.quantum = 0 } == .quantumIsZero)
        #expect(error { $0.machine.memoryPages = -5 } == .memorySize(pages: -5, allowed: 2...1_048_576))
        #expect(error { $0.machine.memoryPages = 40 } == .outOfMemory(pages: 64, free: 38))
        #expect(error { $0.machine.memoryPages = 67 } != nil)
        #expect(error { $0.root.children.append(.scheduler("root", nil, [])) } == .twoSchedulers("root"))
        #expect(
            error { $0.events = [.init(time: 0, node: "x", action: .remove)] } == .unknownScheduler("x"))
        #expect(
            error {
                $0.root.children = Array(repeating: .task("t", [.run(1)]), count: 1 << 18)
            } == .tooManyEnvironments(1 << 18 + 1, limit: 1 << 18 - 1))
        var deep = Scenario.Child.scheduler("s0", nil, [])
        for level in 1..<50 { deep = .scheduler("s\(level)", nil, [deep]) }
        #expect(error { $0.root.children = [deep] } == .tooManySchedulersAboveOneAnother(limit: 32))
    }
}
