import SCodeAcceptors
import SCodeTestSupport
import Testing

@testable import Exokernel

/// What programs may do, and what they may not.
@Suite struct CapabilityTests {
    /// What no object is called: next to ids that exist, and where numbers change their width or sign.
    private static let wrong: [UInt64] = [
        0, 4, 5, 99, 1 << 16, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, 1 << 32, 1 << 63, .max - 1, .max,
    ]

    /// Makes one system call after some preparation, and says what came of it: `setup; call` with `r1` the result.
    private func result(
        _ call: String, setup: String = "", handlers: String = "", capabilities: [Scenario.Grant] = [],
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> Int64 {
        let code = """
            fragment main() {
            \(setup)
            \(call)
            addl r1, r1, 1000
            accept r1
            }
            \(handlers)
            """
        let timeline = try Scenario.with(
            nil,
            [
                .program("p", code, capabilities: capabilities),
                .task("other", [.sleep(500 * ms), .run(1 * ms)]),
            ]
        ).run(sourceLocation)
        let exit = try #require(timeline.exit("p"), "\(timeline.messages)", sourceLocation: sourceLocation)
        return Int64(bitPattern: exit) - 1000
    }

    private static let handlers = """
        fragment event() {
            accept 0
        }
        fragment timeout() {
            accept 0
        }
        """

    /// Every call that names an environment: wrong ids, wrong slots, and the wrong rights.
    @Test func environmentsAreGuarded() throws {
        let calls: [(text: (UInt64, UInt64) -> String, right: UInt8)] = [
            ({ "sys_revoke_processor r1, \($0), \($1)" }, 4),
            ({ "sys_grant_processor r1, \($0), \($1)" }, 4),
            ({ "sys_map r1, \($0), \($1), 0x40000000, r2, 0, 3" }, 16),
            ({ "sys_unmap r1, \($0), \($1), 0x40000000" }, 16),
            ({ "sys_bind r1, \($0), \($1), 4" }, 8),
            ({ "sys_cap_give r1, \($0), \($1), 0, 5" }, 16),
            ({ "sys_access r1, 0, \($0), \($1), 0, 1" }, 32),
        ]
        let setup = "sys_page_alloc r2, 0"
        let other: UInt64 = 3
        for (text, right) in calls {
            func tried(_ id: UInt64, _ slot: UInt64, _ rights: UInt8?) throws -> Int64 {
                let grants = rights.map { [Scenario.Grant(object: .environment("other"), rights: $0)] } ?? []
                return try result(text(id, slot), setup: setup, handlers: Self.handlers, capabilities: grants)
            }
            for id in Self.wrong { #expect(try tried(id, 1, .max) == SystemCallError.noSuchObject.rawValue) }
            for slot in Self.wrong + [2, 15, 16] where slot != 0 {
                #expect(try tried(other, slot, .max) == SystemCallError.denied.rawValue, "slot \(slot)")
            }
            // The own capability is for the own environment.
            #expect(try tried(other, 0, nil) == SystemCallError.denied.rawValue)
            // All rights but the one that it takes; then that one alone is not refused for want of a right.
            #expect(try tried(other, 1, ~right) == SystemCallError.denied.rawValue, "\(text(other, 1))")
            #expect(try tried(other, 1, right) != SystemCallError.denied.rawValue, "\(text(other, 1))")
            #expect(try tried(other, 1, .max) != SystemCallError.denied.rawValue)
        }
    }

    /// Every call that names a page.
    @Test func pagesAreGuarded() throws {
        let calls: [(UInt64, UInt64) -> String] = [
            { "sys_page_free r1, \($0), \($1)" },
            { "sys_map r1, r31, 0, 0x40000000, \($0), \($1), 1" },
            { "sys_access r1, 1, \($0), \($1), 0, 1" },
        ]
        for call in calls {
            // The kernel's pages are nobody's, as are pages that nobody has allocated.
            for page in Self.wrong + [1, 2, 3, 200, 1023, 1024] {
                #expect(try result(call(page, 0)) == SystemCallError.noSuchObject.rawValue, "page \(page)")
            }
        }
        for call in ["sys_page_free r1, r2,", "sys_access r1, 1, r2,"] {
            for slot in Self.wrong + [1, 15, 16] where slot != 0 {
                let tail = call.contains("access") ? "\(slot), 0, 1" : "\(slot)"
                #expect(
                    try result("\(call) \(tail)", setup: "sys_page_alloc r2, 0")
                        == SystemCallError.denied.rawValue)
            }
        }
        #expect(try result("sys_page_free r1, r2, 0", setup: "sys_page_alloc r2, 0") == 0)
    }

    /// A capability can be made weaker, never stronger.
    @Test func derivation() throws {
        let page = "sys_page_alloc r2, 0\n"
        // Reading only: mapping for writing is refused, and so is freeing.
        let reader = page + "sys_cap_derive r3, 0, 4, 7, 1\n sys_access r3, 1, r2, 0, 4, 1\n"
        #expect(try result("sys_map r1, r31, 0, 0x40000000, r2, 4, 1", setup: reader) == 0)
        #expect(try result("sys_map r1, r31, 0, 0x40000000, r2, 4, 3", setup: reader) == -1)
        #expect(try result("sys_page_free r1, r2, 4", setup: reader) == -1)
        #expect(try result("sys_access r1, 1, r2, 4, 4, 63", setup: reader) == -1)
        // However much a capability allows: the page's list says for what it counts here.
        let strong = page + "sys_cap_derive r3, 0, 4, 7, 63\n sys_access r3, 1, r2, 0, 4, 1\n"
        #expect(try result("sys_map r1, r31, 0, 0x40000000, r2, 4, 1", setup: strong) == 0)
        #expect(try result("sys_map r1, r31, 0, 0x40000000, r2, 4, 3", setup: strong) == -1)
        // What was mapped for reading is not made writable.
        let mapped = page + "sys_map r3, r31, 0, 0x40000000, r2, 0, 1\n"
        #expect(try result("sys_protect r1, 0x40000000, 3, 0", setup: mapped) == -1)
        #expect(try result("sys_protect r1, 0x40000000, 1, 0", setup: mapped) == 0)
        // A longer name does not dominate a shorter one, whatever its rights.
        let child = page + "sys_cap_derive r3, 0, 4, 7, 63\n"
        #expect(try result("sys_map r1, r31, 0, 0x40000000, r2, 4, 1", setup: child) == -1)
        // More rights than there were.
        let weak = "sys_cap_derive r3, 0, 4, 7, 1\n"
        #expect(try result("sys_cap_derive r1, 4, 5, 7, 3", setup: weak) == -4)
        #expect(try result("sys_cap_derive r1, 4, 5, 7, 1", setup: weak) == 0)
        // Names have seven bytes, and slots sixteen.
        let long = (0..<3).map { _ in "sys_cap_derive r3, 0, 0, 1, 63\n" }.joined()
        #expect(try result("sys_cap_derive r1, 0, 4, 1, 63", setup: long) == -4)
        for slot in Self.wrong + [16] where slot > 15 {
            #expect(try result("sys_cap_derive r1, 0, \(slot), 1, 1") == -4)
            #expect(try result("sys_cap_derive r1, \(slot), 4, 1, 1") == -1)
            #expect(try result("sys_cap_drop r1, \(slot)") == -4)
        }
        #expect(try result("sys_cap_derive r1, 0, 4, 256, 1") == -4)
        #expect(try result("sys_cap_derive r1, 0, 4, 1, 256") == -4)
        // What is dropped is gone.
        #expect(try result("sys_page_alloc r1, 0", setup: "sys_cap_drop r3, 0") == -1)
    }

    @Test func namesDominateWhatBeginsWithThem() throws {
        let first = CapabilityName(environment: 5)
        let second = CapabilityName(environment: 6)
        let longer = try #require(first.appending(0))
        #expect(CapabilityName().dominates(first) && CapabilityName().dominates(longer))
        #expect(first.dominates(first) && first.dominates(longer))
        #expect(!longer.dominates(first) && !first.dominates(second) && !second.dominates(longer))
        #expect(!longer.dominates(try #require(first.appending(1))))
        let longest = try #require(longer.appending(0)?.appending(0))
        #expect(
            longest.appending(0) == nil && longer.dominates(longest) && CapabilityName().dominates(longest))
    }

    /// A page that is freed and allocated again does not know the capability that was for the old one.
    @Test func aPageThatIsReusedForgets() throws {
        // Slot 4 may read the page; the page is freed, and comes back under the same number.
        let setup = """
            sys_page_alloc r2, 0
            sys_cap_derive r3, 0, 4, 7, 1
            sys_access r3, 1, r2, 0, 4, 1
            sys_page_free r3, r2, 0
            sys_page_alloc r4, 0
            beql r2, r4, same
            accept 0
            same:
            """
        #expect(try result("sys_map r1, r31, 0, 0x40000000, r2, 4, 1", setup: setup) == -1)
        #expect(try result("sys_map r1, r31, 0, 0x40000000, r2, 0, 1", setup: setup) == 0)
    }

    @Test func aTimeoutThatIsReusedForgets() throws {
        let setup = """
            sys_timeout r2, 1000000, 0
            sys_cap_derive r3, 0, 4, 7, 2
            sys_access r3, 2, r2, 0, 4, 2
            """
        #expect(try result("sys_timeout_cancel r1, r2, 4", setup: setup, handlers: Self.handlers) == 0)
        let again = setup + "\nsys_timeout_cancel r3, r2, 0\n sys_timeout r2, 1000000, 0\n"
        #expect(try result("sys_timeout_cancel r1, r2, 4", setup: again, handlers: Self.handlers) == -1)
        #expect(try result("sys_timeout_cancel r1, r2, 0", setup: again, handlers: Self.handlers) == 0)
        for id in Self.wrong where id != 0 {
            #expect(
                try result("sys_timeout_cancel r1, \(id), 0", setup: setup, handlers: Self.handlers) == -2)
        }
        let many = (0..<32).map { _ in "sys_timeout r2, 900000000, 0\n" }.joined()
        #expect(try result("sys_timeout r1, 1000, 0", setup: many, handlers: Self.handlers) == -5)
    }

    /// One program lets another read a page, and takes that back while it reads: the mapping goes with the right.
    @Test func accessIsRevokedWhileItIsUsed() throws {
        let owner = """
            fragment main() {
                sys_page_alloc page, 0
                sys_map  e, r31, 0, 0x40000000, page, 0, 3
                setp     p, 0x40000000
                setul    n, 77
                stuli    n, p, 0
                sys_cap_derive e, 0, 4, 9, 1
                sys_access     e, 1, page, 0, 4, 1
                sys_cap_give   e, 3, 1, 4, 7
                sys_map  f, 3, 1, 0x40000000, page, 4, 3
                sys_map  e, 3, 1, 0x40000000, page, 4, 1
                sys_sleep left, 5000000
                sys_access     e, 1, page, 0, 0, 0
                mull     f, f, -1
                accept   f
            }
            """
        let reader = """
            fragment main() {
                sys_sleep left, 1000000
                setp   p, 0x40000000
            again:
                lduli  n, p, 0
                beqi   n, 77, again
                accept 1
            }
            fragment fault() {
                bnei   r30, 0x40000000, no
                accept 1
            no:
                refuse
            }
            """
        let manage = Scenario.Grant(object: .environment("reader"), rights: 16)
        let timeline = try Scenario.with(
            nil, [.program("owner", owner, capabilities: [manage]), .program("reader", reader)],
            quantum: 2 * ms,
            duration: 50 * ms
        ).run()
        // Mapping for writing was refused; the reader read until it could no more, and was told of the fault.
        #expect(timeline.exit("owner") == 1)
        #expect(timeline.exit("reader") == nil)
        let machine = try Machine(
            scenario: Scenario.with(
                nil, [.program("owner", owner, capabilities: [manage]), .program("reader", reader)],
                quantum: 2 * ms, duration: 50 * ms))
        machine.run(until: 4 * ms)
        #expect(machine.environments[3].pageTable?.translation(of: 0x40000) != nil)
        machine.run(until: 20 * ms)
        #expect(machine.environments[3].pageTable?.translation(of: 0x40000) == nil)
        #expect(machine.environments[3].faults > 0)
    }

    /// Whatever a program calls with whatever operands, the machine stays whole and both engines agree.
    @Test func randomSystemCalls() throws {
        for seed in UInt64(1)...80 {
            var random = SeededGenerator(seed: seed)
            let text = RandomPrograms.text(&random)
            var scenario = Scenario.with(
                nil,
                [
                    .program(
                        "p", text,
                        capabilities: [
                            Scenario.Grant(
                                object: .environment("q"), rights: UInt8.random(in: 0...63, using: &random)),
                            Scenario.Grant(object: .everything, rights: .max),
                        ]), .program("q", RandomPrograms.text(&random)),
                    .task("other", [.run(3 * ms), .sleep(3 * ms), .run(3 * ms)]),
                ], duration: 60 * ms, processors: Int.random(in: 1...2, using: &random))
            scenario.machine.costs.call = 50_000
            _ = try scenario.run()
            let machine = try Machine(scenario: scenario)
            machine.run(until: .max)
            machine.checkPages("seed \(seed)")
        }
    }
}
