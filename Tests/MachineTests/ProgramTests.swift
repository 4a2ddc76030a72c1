import Exokernel
import Testing

/// Environments that run SCODE.
@Suite struct ProgramTests {
    /// Counts to a number; every count is a microsecond.
    private static func counter(_ count: Int) -> String {
        """
        fragment main() {
            setul  i, 0
        again:
            addul  i, i, 1
            bltul  i, \(count), again
            accept i
        }
        """
    }

    @Test func aProgramTakesTheTimeOfItsJumps() throws {
        let timeline = try Scenario.with(nil, [.program("p", Self.counter(5001))]).run()
        #expect(timeline.schedule == "p 0-5")
        #expect(timeline.exit("p") == 5001)
        #expect(timeline.messages.isEmpty)
    }

    /// Interrupted at the end of every quantum, it goes on where it was.
    @Test func programsShareTheProcessor() throws {
        let timeline = try Scenario.with(
            nil,
            [
                .program("a", Self.counter(6001)), .program("b", Self.counter(6001)),
                .task("c", [.run(5 * ms)]),
            ]
        ).run()
        #expect(timeline.schedule == "a 0-4, b 4-8, c 8-12, a 12-14, b 14-16, c 16-17")
        #expect(timeline.exit("a") == 6001 && timeline.exit("b") == 6001)
    }

    @Test func sleepAndTime() throws {
        let timeline = try Scenario.with(
            nil,
            [
                .program(
                    "p",
                    """
                    fragment main() {
                        sys_sleep left, 2999000
                        sys_time now
                        addul now, now, left
                        accept now
                    }
                    """)
            ]
        ).run()
        // The call takes a microsecond, and so does the next.
        #expect(timeline.life("p") == "running 0-0.001, sleeping 0.001-3, running 3-3.001")
        #expect(timeline.exit("p") == 3_001_000)
    }

    // MARK: Upcalls

    /// Counts for 9 ms, in r5, and ends with what its upcalls have noted.
    private static let countsThenTells = """
        region notes: virtual rw, 4096
        macro add_note(amount) {
            setp   b, notes
            lduli  n, b, 0
            addul  n, n, amount
            stuli  n, b, 0
        }
        fragment main() {
            setul  r5, 0
        again:
            addul  r5, r5, 1
            bltul  r5, 9001, again
            setp   b, notes
            lduli  n, b, 0
            accept n
        }
        """

    /// Told before it loses the processor, and when it has it again.
    @Test func anEpilogueYieldsAndAPrologueComesBack() throws {
        let code = """
            \(Self.countsThenTells)
            fragment epilogue() {
                add_note 1
                sys_yield
                accept 0
            }
            fragment prologue() {
                add_note 100
                accept 0
            }
            """
        let timeline = try Scenario.with(nil, [.program("p", code), .task("hog", [.run(8 * ms)])]).run()
        #expect(timeline.exit("p") == 202)
        #expect(timeline.messages.isEmpty)
        // Yielding is a system call of a microsecond: the hog gets that much less of its quantum's beginning.
        #expect(timeline.received("p") == 9 * ms + 2_000)
    }

    /// The registers that were interrupted lie in the own page: i has been counted to the end of the quantum.
    @Test func theEpilogueSeesTheInterruptedRegisters() throws {
        let code = """
            \(Self.countsThenTells)
            fragment epilogue() {
                setp   own, 4096
                lduli  valid, own, 0
                lduli  value, own, 56
                add_note value
                sys_yield
                anduli valid, valid, 32
                accept valid
            }
            """
        let timeline = try Scenario.with(nil, [.program("p", code), .task("hog", [.run(8 * ms)])]).run()
        #expect(timeline.messages.isEmpty)
        // 4,000 jumps in the first quantum, 4,000 less the yield's and the return's in the second.
        #expect(timeline.exit("p").map { (12_000 - 10...12_000 + 2).contains($0) } == true)
    }

    @Test func whoDoesNotYieldIsKilled() throws {
        let stubborn = """
            fragment main() {
            again:
                j again
            }
            fragment epilogue() {
            again:
                j again
            }
            """
        let timeline = try Scenario.with(nil, [.program("p", stubborn), .task("hog", [.run(8 * ms)])]).run()
        #expect(timeline.schedule == "p 0-10, hog 10-18")
        #expect(timeline.messages == ["p: killed: did not yield within 5 ticks"])
    }

    /// An epilogue that returns without having yielded is not called again; the program goes on, for as long as it may.
    @Test func anEpilogueThatOnlyReturns() throws {
        let code = Self.counter(6001) + "\nfragment epilogue() {\n accept 0\n }"
        let timeline = try Scenario.with(nil, [.program("p", code), .task("hog", [.run(8 * ms)])]).run()
        #expect(timeline.schedule == "p 0-6, hog 6-14")
        #expect(timeline.exit("p") == 6001)
    }

    @Test func aCriticalSectionDelaysTheYield() throws {
        func code(_ count: Int) -> String {
            """
            fragment main() {
                sys_critical 1
                setul  i, 0
            again:
                addul  i, i, 1
                bltul  i, \(count), again
                sys_critical 0
                accept i
            }
            """
        }
        let kept = try Scenario.with(nil, [.program("p", code(6000)), .task("hog", [.run(8 * ms)])]).run()
        #expect(kept.schedule == "p 0-6.001, hog 6.001-14.001")
        #expect(kept.exit("p") == 6000)
        let tooLong = try Scenario.with(nil, [.program("p", code(60000)), .task("hog", [.run(8 * ms)])]).run()
        #expect(tooLong.schedule == "p 0-10, hog 10-18")
        #expect(tooLong.messages == ["p: killed: did not yield within 5 ticks"])
    }

    @Test(arguments: [
        ("setul a, 0\n lduli b, a, 8\n accept b", "killed: 'main': abort page-not-present"),
        ("setul a, 0\n divul b, a, a\n accept b", "killed: 'main': abort division-by-zero"),
    ]) func anAbortEndsTheProgram(_ body: String, _ message: String) throws {
        let timeline = try Scenario.with(
            nil, [.program("p", "fragment main() {\n \(body)\n }"), .task("hog", [.run(8 * ms)])]
        ).run()
        #expect(timeline.messages.count == 1)
        #expect(timeline.messages.first?.contains(message) == true, "\(timeline.messages)")
        #expect(timeline.received("hog") == 8 * ms)
    }

    @Test func timeouts() throws {
        let code = """
            region notes: virtual rw, 4096
            fragment main() {
                sys_timeout a, 2000000, 0
                sys_timeout b, 5000000, 0
                sys_timeout_cancel e, b, 0
                sys_timeout b, 4000000, 0
                sys_sleep left1, 3000000
                sys_sleep left2, 9000000
                setp   p, notes
                lduli  n, p, 0
                divul  left2, left2, 1000000
                mulul  left2, left2, 1000
                addul  n, n, left2
                addul  n, n, e
                accept n
            }
            fragment timeout() {
                setp   p, notes
                lduli  n, p, 0
                addul  n, n, 10
                addul  n, n, r30
                stuli  n, p, 0
                accept 0
            }
            """
        let timeline = try Scenario.with(nil, [.program("p", code)]).run()
        // Two timeouts, ids 0 and 1; the second ended a sleep of 9 ms that began at 2 ms, and left 6.99 of it.
        #expect(timeline.exit("p") == 6000 + 21)
        #expect(timeline.messages.isEmpty)
    }

    /// A timeout that was cancelled is not taken for the one that has its number now.
    @Test func aCancelledTimeoutStaysSo() throws {
        let code = """
            fragment main() {
                sys_timeout a, 3000000, 0
                sys_timeout_cancel e, a, 0
                sys_timeout a, 9000000, 0
                sys_sleep left, 50000000
                divul   left, left, 1000000
                accept  left
            }
            fragment timeout() {
                accept 0
            }
            """
        let timeline = try Scenario.with(nil, [.program("p", code)]).run()
        #expect(timeline.exit("p") == 41)
    }

    /// What a program does after the end of its quantum it has not done yet when the others run.
    @Test func storesDoNotComeEarly() throws {
        let writer = """
            fragment main() {
                sys_page_alloc page, 0
                sys_map e, r31, 0, 0x40000000, page, 0, 3
                sys_map e, 3, 1, 0x40000000, page, 0, 1
                setp    p, 0x40000000
                setul   i, 0
            again:
                addul   i, i, 1
                stuli   i, p, 0
                bltul   i, 9000, again
                accept  i
            }
            """
        let reader = """
            fragment main() {
                setp    p, 0x40000000
                lduli   i, p, 0
                accept  i
            }
            """
        let manage = Scenario.Grant(object: .environment("reader"), rights: 16)
        let timeline = try Scenario.with(
            nil, [.program("writer", writer, capabilities: [manage]), .program("reader", reader)]
        ).run()
        // The quantum is 4 ms: 4,000 jumps, less three calls.
        #expect(timeline.exit("reader").map { (3_995...4_001).contains($0) } == true)
        #expect(timeline.exit("writer") == 9000)
    }

    @Test func eventsOfOthers() throws {
        let code = """
            region notes: virtual rw, 4096
            fragment main() {
                sys_bind e, 3, 1, 3
                sys_bind e, 3, 1, 4
                sys_bind e, 3, 1, 2
            again:
                sys_sleep left, 90000000
                setp   p, notes
                lduli  n, p, 0
                bltul  n, 100, again
                accept n
            }
            fragment event() {
                setp   p, notes
                lduli  n, p, 0
                mulul  n, n, 10
                addul  n, n, r29
                stuli  n, p, 0
                accept 0
            }
            """
        let watch = Scenario.Grant(object: .environment("other"), rights: 8)
        let timeline = try Scenario.with(
            nil,
            [
                .program("p", code, capabilities: [watch]),
                .task("other", [.run(1 * ms), .sleep(3 * ms), .run(1 * ms)]),
            ]
        ).run()
        #expect(timeline.exit("p") == 342)
        #expect(timeline.messages.isEmpty)
    }

    // MARK: Predicates

    /// A page that two programs share; one waits until the other has written.
    @Test func aPredicateWakes() throws {
        let waiter = """
            fragment main() {
                sys_page_alloc page, 0
                sys_map e, r31, 0, 0x40000000, page, 0, 3
                sys_map e, 3, 1, 0x40000000, page, 0, 3
                sys_wait tag
                accept tag
            }
            fragment predicate() {
                setp   p, 0x40000000
                lduli  n, p, 0
                bltul  n, 3, no
                addul  n, n, 40
                accept n
            no:
                refuse
            }
            """
        let writer = """
            fragment main() {
                setp   p, 0x40000000
            again:
                sys_sleep left, 2000000
                lduli  n, p, 0
                addul  n, n, 1
                stuli  n, p, 0
                bltul  n, 5, again
                accept n
            }
            """
        let manage = Scenario.Grant(object: .environment("writer"), rights: 16)
        let timeline = try Scenario.with(
            nil, [.program("waiter", waiter, capabilities: [manage]), .program("writer", writer)]
        ).run()
        #expect(timeline.exit("waiter") == 43)
        #expect(timeline.exit("writer") == 5)
        #expect(timeline.messages.isEmpty)
        let woken = timeline.spans.first { timeline.nodes[$0.node].name == "waiter" && $0.state == .sleeping }
        #expect(woken.map { (6 * ms...7 * ms).contains($0.end) } == true)
    }

    @Test(arguments: ["j again", "divul r1, r1, r2\n refuse"]) func aPredicateThatFailsWakes(_ body: String)
        throws
    {
        let code = """
            fragment main() {
                sys_wait tag
                accept tag
            }
            fragment predicate() {
                setul r1, 1
                setul r2, 0
            again:
                \(body)
            }
            """
        let timeline = try Scenario.with(nil, [.program("p", code)]).run()
        #expect(timeline.exit("p") == UInt64.max)
        #expect(timeline.messages.count == 1)
    }

    // MARK: The processor

    @Test func theProcessorIsHandedOver() throws {
        let code = """
            fragment main() {
                sys_yield_to e, 3
                sys_yield_to f, 77
                addl  e, e, f
                mull  e, e, -1
                accept e
            }
            """
        let timeline = try Scenario.with(
            nil, [.program("p", code), .task("first", [.run(2 * ms)]), .task("second", [.run(2 * ms)])]
        ).run()
        #expect(timeline.exit("p") == 2)
        #expect(timeline.schedule.hasPrefix("p 0-0.001, first 0.001-2.001"))
        #expect(timeline.directedYields.count == 1)
    }

    /// Revoking and granting need a capability for it.
    @Test func revokeAndGrant() throws {
        let code = """
            fragment main() {
                sys_grant_processor a, 3, 0
                sys_grant_processor b, 3, 1
                sys_revoke_processor c, r31, 0
                mull   a, a, 100
                mull   b, b, 10
                addl   a, a, b
                addl   a, a, c
                mull   a, a, -1
                accept a
            }
            """
        let grant = Scenario.Grant(object: .environment("other"), rights: 4)
        let timeline = try Scenario.with(
            nil, [.program("p", code, capabilities: [grant]), .task("other", [.run(2 * ms)])]
        ).run()
        #expect(timeline.exit("p") == 100)
        #expect(timeline.handOvers.count { $0.kind == .granted } == 1)
    }

    /// Fragments see it, too: priority, for one, goes by `machine.quantum`.
    @Test func theQuantumIsSetByWhoeverMay() throws {
        let code = """
            struct machine { time: ul, tick: ul, quantum: ul }
            region machine: virtual ro, sizeof(machine)
            fragment main() {
                sys_quantum a, 2000000, 0
                sys_quantum b, 2000000, 1
                sys_quantum c, 2, 1
                setul  i, 0
            again:
                addul  i, i, 1
                bltul  i, 5000, again
                mull   a, a, 100
                mull   b, b, 10
                addl   a, a, b
                addl   a, a, c
                mull   a, a, -1
                setp   p, machine
                lduli  q, p, machine.quantum
                addl   a, a, q
                accept a
            }
            """
        let timeline = try Scenario.with(
            nil,
            [
                .program("p", code, capabilities: [Scenario.Grant(object: .everything, rights: .max)]),
                .task("hog", [.run(8 * ms)]),
            ]
        ).run()
        #expect(timeline.exit("p") == 2_000_104)
        #expect(timeline.schedule.hasPrefix("p 0-4, hog 4-6, p 6-"))
    }

    /// Programs on several processors, with everything that can happen to them; nothing is lost.
    @Test(arguments: [1, 2, 3]) func programsOnSeveralProcessors(_ processors: Int) throws {
        let children = (0..<5).map { Scenario.Child.program("p\($0)", Self.counter(3001 + $0 * 1000)) }
        let timeline = try Scenario.with(nil, children, processors: processors).run()
        for index in 0..<5 { #expect(timeline.exit("p\(index)") == UInt64(3001 + index * 1000)) }
        #expect(timeline.received("root") == 25 * ms)
    }
}

extension Scenario.Child {
    /// An application whose one task is a program.
    static func program(_ name: String, _ text: String, capabilities: [Scenario.Grant] = []) -> Scenario.Child
    {
        var task = Workload.Task(name: name)
        task.program = Scenario.Program(
            source: Scenario.FragmentSource(path: "\(name).scode", text: "accept application\n" + text),
            capabilities: capabilities)
        return .application(Scenario.Application(name: name, workload: Workload(tasks: [task])))
    }
}

extension Timeline {
    /// With what a program ended.
    func exit(_ name: String) -> UInt64? { nodes.first { $0.name == name }?.exit }
}
