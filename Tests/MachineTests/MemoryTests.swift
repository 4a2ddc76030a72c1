import Testing

@testable import Exokernel

/// Pages, page tables and faults, as programs use them.
@Suite struct MemoryTests {
    private static func run(
        _ text: String, memory: Int = 1024, besides: [Scenario.Child] = [], duration: UInt64 = 200 * ms,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> Timeline {
        var scenario = Scenario.with(nil, [.program("p", text)] + besides, duration: duration)
        scenario.machine.memoryPages = memory
        return try scenario.run(sourceLocation)
    }

    /// An address means at once what the page table says: after mapping, after unmapping, and behind the TLB.
    @Test func translationsAreCoherent() throws {
        let timeline = try Self.run(
            """
            fragment main() {
                sys_page_alloc a, 0
                sys_page_alloc b, 0
                setp    p, 0x40000000
                setul   faults, 0
                sys_map e, r31, 0, 0x40000000, a, 0, 3
                setul   x, 7
                stuli   x, p, 0
                lduli   y, p, 0
                sys_map e, r31, 0, 0x40000000, b, 0, 3
                lduli   z, p, 0
                setul   x, 20
                stuli   x, p, 0
                sys_map e, r31, 0, 0x40000000, a, 0, 1
                lduli   w, p, 0
                mulul   y, y, 1000
                mulul   z, z, 100
                addul   y, y, z
                addul   y, y, w
                accept  y
            }
            """)
        #expect(timeline.exit("p") == 7007)
    }

    @Test(arguments: [
        // unmapped
        ("sys_unmap e, r31, 0, 0x40000000\n lduli x, p, 0", "page-not-present"),
        // for reading only
        ("sys_map e, r31, 0, 0x40000000, a, 0, 1\n stuli x, p, 0", "page-protection"),
        ("sys_protect e, 0x40000000, 1, 0\n stuli x, p, 0", "page-protection"),
        // the page table's window is for reading, and nothing can be mapped there
        ("setp p, 0xffc00000\n lduli x, p, 0\n stuli x, p, 0", "page-protection"),
        ("setp p, 0xfffff000\n stuli x, p, 0", "page-protection"),
        // beyond 32 bits
        ("setp p, 0x100000000\n lduli x, p, 0", "out-of-bounds"),
    ]) func accessesThatAreNotAllowed(_ code: String, _ reason: String) throws {
        let timeline = try Self.run(
            """
            fragment main() {
                sys_page_alloc a, 0
                setp    p, 0x40000000
                sys_map e, r31, 0, 0x40000000, a, 0, 3
                setul   x, 7
                stuli   x, p, 0
                \(code)
                accept  x
            }
            """)
        #expect(timeline.exit("p") == nil)
        #expect(timeline.messages.first?.contains(reason) == true, "\(timeline.messages)")
    }

    /// The entry of page n is the n-th word of the window: present, writable, user, accessed, dirty.
    @Test func theOwnerReadsItsPageTable() throws {
        let timeline = try Self.run(
            """
            fragment main() {
                sys_page_alloc a, 0
                setp    w, 0xffd00000  // 0xffc00000 + 0x40000 * 4
                sys_map e, r31, 0, 0x40000000, a, 0, 3
                ldui    before, w, 0
                setp    p, 0x40000000
                lduli   x, p, 0
                ldui    read, w, 0
                stuli   x, p, 0
                ldui    written, w, 0
                sys_protect e, 0x40000000, 3, 0x40
                ldui    saved, w, 0
                stuli   x, p, 0
                ldui    again, w, 0
                rshui   frame, before, 12
                movul   frame, frame
                bneul   frame, a, wrong
                andui   before, before, 0xfff
                andui   read, read, 0x60
                andui   written, written, 0x60
                andui   saved, saved, 0x60
                andui   again, again, 0x60
                mului   before, before, 10000
                rshui   read, read, 5
                rshui   written, written, 5
                rshui   saved, saved, 5
                rshui   again, again, 5
                mului   read, read, 1000
                mului   written, written, 100
                mului   saved, saved, 10
                addu    x, before, read
                addu    x, x, written
                addu    x, x, saved
                addu    x, x, again
                accept  x
            wrong:
                refuse
            }
            """)
        #expect(timeline.exit("p") == 7 * 10000 + 1313)
    }

    /// A page that is given back stays as long as somebody has mapped it, and is nobody's to map any more.
    @Test func aPageIsCounted() throws {
        let timeline = try Self.run(
            """
            fragment main() {
                sys_page_alloc a, 0
                sys_map e, r31, 0, 0x40000000, a, 0, 3
                sys_map e, r31, 0, 0x40001000, a, 0, 3
                setp    p, 0x40000000
                setul   x, 5
                stuli   x, p, 0
                sys_page_free e, a, 0
                sys_map f, r31, 0, 0x40002000, a, 0, 1
                sys_page_alloc b, 0
                beql    a, b, wrong
                sys_unmap e, r31, 0, 0x40000000
                lduli   x, p, 4096
                sys_unmap e, r31, 0, 0x40001000
                sys_page_alloc c, 0
                bnel    a, c, wrong
                subl    x, x, f
                accept  x
            wrong:
                refuse
            }
            """)
        #expect(timeline.exit("p") == 7)
    }

    // MARK: Faults

    @Test func aFaultThatIsNotSeenToEndsTheProgram() throws {
        let main = "fragment main() {\n setp p, 0x40000000\n lduli x, p, 0\n accept x\n }\n"
        let refuses = try Self.run(main + "fragment fault() {\n refuse\n }")
        #expect(refuses.messages.first?.contains("'main': abort page-not-present at line 4") == true)
        let faults = try Self.run(main + "fragment fault() {\n setp p, 8\n lduli x, p, 0\n accept x\n }")
        #expect(
            faults.messages.first?.contains("'fault': abort page-not-present") == true, "\(faults.messages)")
        // One that only says it has: it faults as long as it likes, a system call's time each.
        let lies = try Self.run(
            main + "fragment fault() {\n accept 1\n }", besides: [.task("hog", [.run(50 * ms)])])
        #expect(lies.received("hog") == 50 * ms)
        #expect(lies.exit("p") == nil)
    }

    @Test func faultsAreCounted() throws {
        let text = "fragment main() {\n setp p, 0x40000000\n lduli x, p, 0\n accept x\n }\n"
        let machine = try Machine(scenario: Scenario.with(nil, [.program("p", text)]))
        machine.run(until: .max)
        #expect(machine.environments[2].faults == 1)
    }

    // MARK: Revocation

    private static let hoarder = """
        region list: virtual rw, 4096
        fragment main() {
            setp   p, list
            setul  n, 0
        more:
            sys_page_alloc a, 0
            bltl   a, 0, full
            mulul  offset, n, 8
            addp   q, p, offset
            stuli  a, q, 8
            addul  n, n, 1
            stuli  n, p, 0
            j      more
        full:
            sys_sleep left, 900000000
            j      full
        }

        """
    private static let wanter = """
        fragment main() {
            setul  got, 0
            setul  tries, 0
            sys_sleep left, 2000000
        again:
            sys_page_alloc a, 0
            bltl   a, 0, wait
            addul  got, got, 1
            beqi   got, 3, done
            j      again
        wait:
            addul  tries, tries, 1
            sys_sleep left, 1000000
            bltul  tries, 20, again
        done:
            accept got
        }
        """

    /// Asked for four pages, the hoarder chooses which and gives them back.
    @Test func revocationIsVisible() throws {
        let reclaim = """
            fragment reclaim() {
                setp   p, list
                lduli  n, p, 0
                movul  left, r30
            give:
                mulul  offset, n, 8
                addp   q, p, offset
                lduli  a, q, 0
                sys_page_free e, a, 0
                subul  n, n, 1
                subul  left, left, 1
                bneul  left, 0, give
                stuli  n, p, 0
                accept 1
            }
            """
        let timeline = try Self.run(
            Self.hoarder + reclaim, memory: 256, besides: [.program("wanter", Self.wanter)])
        #expect(timeline.exit("wanter") == 3)
        #expect(timeline.messages.isEmpty)
    }

    /// What it does not give back is taken.
    @Test func revocationIsEnforced() throws {
        let timeline = try Self.run(
            Self.hoarder + "fragment reclaim() {\n accept 1\n }", memory: 256,
            besides: [.program("wanter", Self.wanter)])
        #expect(timeline.exit("wanter") == 3)
        #expect(timeline.messages == ["p: gave back 0 of 4 pages: the rest was taken"])
    }

    /// Whatever a program had is free when it is over.
    @Test func nothingIsLeftBehind() throws {
        let text = """
            region r: virtual rw, 8192
            fragment main() {
                sys_page_alloc a, 0
                sys_page_alloc b, 0
                sys_map e, r31, 0, 0x40000000, a, 0, 3
                sys_page_free e, a, 0
                sys_map e, r31, 0, 0x50000000, b, 0, 3
                accept 0
            }
            """
        let scenario = Scenario.with(nil, [.task("t", [.run(1 * ms)]), .program("p", text)])
        let machine = try Machine(scenario: scenario)
        machine.run(until: .max)
        let other = try Machine(
            scenario: Scenario.with(nil, [.task("t", [.run(1 * ms)]), .task("u", [.run(1 * ms)])]))
        other.run(until: .max)
        #expect(machine.timeline.exit("p") == 0)
        #expect(machine.pages.freeCount == other.pages.freeCount)
        #expect(machine.accessOfPages.isEmpty && machine.programs.isEmpty)
    }

    // MARK: Examples

    @Test func demandPaging() throws {
        let timeline = try Examples.scenario("programs/demand-paging").run()
        #expect(timeline.messages.isEmpty)
        let exit = try #require(timeline.exit("pager"))
        let (saved, faults) = (exit / 10_000_000, exit / 10_000 % 1000)
        #expect(exit % 10_000 == (0..<32).reduce(0, +))
        // 32 pages pass through 8 twice; in the second round nothing is written.
        #expect((32...64).contains(faults) && (24...32).contains(saved), "\(faults) faults, \(saved) saved")
    }

    @Test func copyOnWrite() throws {
        let timeline = try Examples.scenario("programs/copy-on-write").run()
        #expect(timeline.messages.isEmpty)
        #expect(timeline.exit("parent") == 100_505)
        #expect(timeline.exit("child") == 107_004)
    }
}
