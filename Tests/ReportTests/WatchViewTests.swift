import Testing

@testable import Exokernel

/// What is shown of a running simulation.
@Suite struct WatchViewTests {
    private static func node(
        _ name: String, _ depth: Int, _ status: Snapshot.Status, ran: UInt64, runnable: Int = 0,
        scheduler: Bool = false, entitlement: Double? = nil
    ) -> Snapshot.Node {
        Snapshot.Node(
            name: name, depth: depth, isScheduler: scheduler, status: status, ran: ran * 1_000_000,
            runnable: runnable, entitlement: entitlement)
    }

    private static func snapshot(
        at time: UInt64, a: UInt64, b: UInt64, name: String = "a", bStatus: Snapshot.Status = .sleeping
    ) -> Snapshot {
        Snapshot(
            time: time * 1_000_000, duration: 400_000_000, processors: 1, decisions: 12, incidents: 1,
            nodes: [
                node("root", 0, .running, ran: a + b, runnable: 1, scheduler: true),
                node("alice", 1, .running, ran: a, runnable: 1, scheduler: true, entitlement: 0.6),
                node(name, 2, .running, ran: a, runnable: 1),
                node("b", 1, bStatus, ran: b),
                node("late", 1, .absent, ran: 0),
            ])
    }

    private static let now = snapshot(at: 200, a: 150, b: 40)
    private static let earlier = snapshot(at: 100, a: 80, b: 20)

    @Test func everythingIsInIt() {
        let lines = WatchView.lines(
            Self.now, since: Self.earlier, title: "x.yaml", size: WatchView.Size(columns: 92))
        #expect(
            lines.joined(separator: "\n") == """
                x.yaml  200 ms of 400 ms, 50.0%  ████████████████████░░░░░░░░░░░░░░░░░░░░
                12 decisions, 1 incident

                                    last 100 ms   so far  entitled  runnable
                root     running          90.0%    95.0%         –         1  ███████████████████████████
                  alice  running          70.0%    75.0%     60.0%         1  █████████████████████
                    a    running          70.0%    75.0%         –            █████████████████████
                  b      sleeping         20.0%    20.0%         –            ██████
                  late                     0.0%     0.0%         –
                """)
    }

    /// Shares are of the time of all processors together.
    @Test func sharesOfSeveralProcessors() {
        var now = Self.now
        now.processors = 2
        let lines = WatchView.lines(now, title: "x", size: WatchView.Size(columns: 70))
        #expect(lines[4].contains("47.5%    47.5%"))
    }

    /// Without an earlier snapshot, or with one of another machine, the latest time is all time.
    @Test func sharesBegin() {
        let other = Self.snapshot(at: 100, a: 80, b: 20, name: "other")
        for earlier in [nil, other] {
            let lines = WatchView.lines(
                Self.now, since: earlier, title: "x", size: WatchView.Size(columns: 70))
            #expect(lines[3].contains("last 200 ms") && lines[7].contains("20.0%    20.0%         –"))
        }
    }

    /// What has moved in the tree is the same as before.
    @Test func nodesMove() {
        var earlier = Self.earlier
        earlier.nodes.swapAt(2, 3)
        let size = WatchView.Size(columns: 92)
        let lines = WatchView.lines(Self.now, since: Self.earlier, title: "x.yaml", size: size)
        #expect(WatchView.lines(Self.now, since: earlier, title: "x.yaml", size: size) == lines)
    }

    @Test(arguments: 0...120) func itFitsWhateverTheWidth(columns: Int) {
        for rows in [nil, 0, 1, 4, 5, 6, 7, 9, 50] as [Int?] {
            let size = WatchView.Size(columns: columns, rows: rows)
            let lines = WatchView.lines(Self.now, since: Self.earlier, title: "x.yaml", size: size)
            #expect(lines.allSatisfy { ReportFormat.width($0) <= max(1, columns) })
            #expect(lines.count <= max(1, rows ?? 9))
        }
    }

    /// Who is not there goes first, then whoever is last; how many says the last line.
    @Test func whatHasNoRoomIsCounted() {
        func names(_ rows: Int, _ now: Snapshot = Self.now) -> [String] {
            let size = WatchView.Size(columns: 60, rows: rows)
            return WatchView.lines(now, title: "x", size: size).dropFirst(4).map {
                String($0.drop { $0 == " " }.prefix { $0 != " " })
            }
        }
        #expect(names(9) == ["root", "alice", "a", "b", "late"])
        #expect(names(8) == ["root", "alice", "a", "…"])
        #expect(names(6) == ["root", "…"])
        var other = Self.now
        other.nodes.swapAt(1, 4)
        #expect(names(9, other) == ["root", "late", "a", "b", "alice"])
        #expect(names(8, other) == ["root", "a", "b", "…"])
        let last = WatchView.lines(Self.now, title: "x", size: WatchView.Size(columns: 60, rows: 7)).last
        #expect(last == "… and 3 more")
    }

    @Test func columnsKeepTheirPlace() {
        let one = WatchView.lines(
            Self.now, since: Self.earlier, title: "x", size: WatchView.Size(columns: 100))
        let idle = Self.snapshot(at: 300, a: 150, b: 40, bStatus: .runnable)
        let other = WatchView.lines(idle, since: Self.now, title: "x", size: WatchView.Size(columns: 100))
        func places(_ lines: [String]) -> [Int] {
            lines.dropFirst(4).flatMap { line in
                line.indices.filter { line[$0] == "%" }.map { line.distance(from: line.startIndex, to: $0) }
            }
        }
        #expect(places(one) == places(other))
    }

    @Test func namesCannotSteerTheTerminal() {
        let hostile = Self.snapshot(at: 200, a: 1, b: 1, name: "\u{1B}[2J\n\u{7}")
        let size = WatchView.Size(columns: 100)
        let plain = WatchView.lines(hostile, title: "\u{1B}]0;x\u{7}", size: size)
        #expect(plain.allSatisfy { line in line.unicodeScalars.allSatisfy { !$0.isControl } })
        let styled = WatchView.lines(hostile, title: "\u{1B}]0;x\u{7}", size: size, styled: true)
        #expect(styled[4].hasPrefix("\u{1B}[1m") && styled[8].hasPrefix("\u{1B}[2m"))
    }

    @Test func nothingAtAll() {
        let empty = Snapshot(time: 0, duration: 0, processors: 1, decisions: 0, incidents: 0, nodes: [])
        #expect(WatchView.lines(empty, title: "", size: WatchView.Size(columns: 80)).count == 4)
    }
}
