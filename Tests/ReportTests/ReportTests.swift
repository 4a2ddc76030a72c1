import Foundation
import Testing

@testable import Exokernel

@Suite struct ReportTests {
    // MARK: Numbers

    @Test(
        arguments: [
            (0, "0 ns"), (999, "999 ns"), (1_000, "1 µs"), (1_250, "1.25 µs"), (12_500, "12.5 µs"),
            (999_499, "999 µs"),
            (999_500, "1 ms"), (100_000_000, "100 ms"), (1_234_567_890, "1.23 s"),
            (86_400_000_000_000, "86400 s"),
        ] as [(UInt64, String)])
    func times(_ value: UInt64, text: String) {
        #expect(ReportFormat.time(value) == text)
    }

    @Test func fixed() {
        #expect(ReportFormat.fixed(0.05, 1) == "0.1")
        #expect(ReportFormat.fixed(-12.345, 2) == "-12.35")
        #expect(ReportFormat.fixed(.nan, 2) == "–")
        #expect(ReportFormat.fixed(1e300, 2) == "–")
        #expect(ReportFormat.withoutTrailingZeros("100") == "100")
        #expect(ReportFormat.withoutTrailingZeros("1.500") == "1.5")
        #expect(ReportFormat.withoutTrailingZeros("1.0") == "1")
    }

    @Test(arguments: [100, 90_000, 600_000_000, 2_000_000_000, 60_000_000_000, .max] as [UInt64])
    func ticks(_ length: UInt64) {
        let step = ChartCanvas.tickStep(length)
        #expect((4...12).contains(length / step))
    }

    // MARK: Table

    @Test func table() {
        let timeline = Timelines.small
        let text = TableReport.text(timeline, Statistics(timeline))
        #expect(
            text == """
                100 ns simulated, 3 environments: busy 90.0%, idle 10.0%
                5 decisions (1 by default, 1 idle), 4 switches, 2 preemptions, 1 incident

                          time  of all  of level  entitled  fairness  waited  response  turnaround  switches  preempted  decisions  default  incidents
                root     90 ns   90.0%    100.0%         –     0.681   50 ns      0 ns           –         4          2          4        1
                  alice  80 ns   80.0%     88.9%     60.0%     0.941   40 ns      0 ns           –         3          2          3        1
                    a    50 ns   50.0%     62.5%         –             30 ns      0 ns           –         2          2          2        1
                    b    30 ns   30.0%     37.5%         –             10 ns     10 ns       40 ns         1          0          1
                  bob    10 ns   10.0%     11.1%     40.0%     1.000   10 ns     90 ns           –         1          0          1                   1
                    c    10 ns   10.0%    100.0%         –             10 ns     90 ns           –         1          0          1

                From wake-up to running
                         wake-ups    p50    p95    p99  p99.9    max
                root            2   0 ns  10 ns  10 ns  10 ns  10 ns
                  alice         1   0 ns   0 ns   0 ns   0 ns   0 ns
                    a           1   0 ns   0 ns   0 ns   0 ns   0 ns
                    b           0      –      –      –      –      –
                  bob           1  10 ns  10 ns  10 ns  10 ns  10 ns
                    c           1  10 ns  10 ns  10 ns  10 ns  10 ns

                Incidents
                50 ns        bob  refused by everyone

                """)
    }

    @Test func tableOfAHostileTimelineHasNoEscapes() {
        let timeline = Timelines.hostile
        let text = TableReport.text(timeline, Statistics(timeline))
        #expect(text.unicodeScalars.allSatisfy { $0 == "\n" || !$0.isControl })
        #expect(TableReport.text(timeline, Statistics(timeline), styled: true).contains("\u{1B}[1m"))
    }

    @Test func fragmentTimeIsShownOnlyIfMeasured() {
        var timeline = Timelines.small
        #expect(!JSONReport.text(timeline, Statistics(timeline)).contains("fragmentNanoseconds"))
        timeline.fragmentNanoseconds = 5_000
        let statistics = Statistics(timeline)
        #expect(JSONReport.text(timeline, statistics).contains("\"fragmentNanoseconds\": 5000"))
        let table = TableReport.text(timeline, statistics)
        #expect(table.contains("fragments took 5 µs of real time, 1 µs a decision"))
    }

    // MARK: JSON

    static let all: [(name: String, timeline: Timeline)] = [
        ("empty", Timeline()), ("small", Timelines.small), ("hostile", Timelines.hostile),
        ("nonsense", Timelines.nonsense), ("busy", Timelines.busy),
    ]

    @Test func jsonIsValid() throws {
        for (name, timeline) in Self.all {
            let data = Data(JSONReport.text(timeline, Statistics(timeline)).utf8)
            let value = try #require(
                try JSONSerialization.jsonObject(with: data) as? [String: Any], "\(name)")
            let nodes = try #require(value["nodes"] as? [[String: Any]])
            #expect(Set(nodes.compactMap { $0["name"] as? String }) == Set(timeline.nodes.map(\.name)))
        }
    }

    @Test func jsonSaysWhatTheStatisticsSay() throws {
        let timeline = Timelines.small
        let data = Data(JSONReport.text(timeline, Statistics(timeline)).utf8)
        let value = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
        #expect(value["busy"] as? Int == 90)
        let nodes = try #require(value["nodes"] as? [[String: Any]])
        #expect(nodes.map { $0["name"] as? String } == ["root", "alice", "a", "b", "bob", "c"])
        #expect(nodes.map { $0["parent"] as? Int } == [nil, 0, 1, 1, 0, 4])
        #expect(nodes[3]["turnaround"] as? Int == 40)
        #expect(nodes[1]["shareOfSiblings"] as? Double == 0.888889)
    }

    // MARK: Chart

    @Test func chartIsWellFormed() {
        for (name, timeline) in Self.all {
            let svg = GanttChart.svg(timeline, Statistics(timeline), title: "<\(name)> & \u{1}")
            let shape = Shape(svg)
            #expect(shape.isWellFormed, "\(name)")
            #expect(shape.count["svg"] == 1)
            #expect(shape.count["script"] == nil)
            let environments = timeline.nodes.count { !$0.isScheduler }
            #expect(shape.count["g"] ?? 0 == environments, "\(name)")
        }
    }

    @Test func chartNamesWhatIsInIt() {
        let timeline = Timelines.small
        let shape = Shape(GanttChart.svg(timeline, Statistics(timeline), title: "Small"))
        for text in [
            "Small", "processor", "alice", "bob", "a", "b", "c", "80.0%", "10.0%", "running", "incident",
        ] {
            #expect(shape.texts.contains(text), "\(text)")
        }
        #expect(shape.texts.contains("a: ran 50 ns (50.0%), waited 30 ns, response 0 ns"))
        #expect(shape.texts.contains("50 ns bob: refused by everyone"))
    }

    @Test func manyRowsAndSpansStaySmall() {
        let users = (0..<12).map { (name: "user\($0)", share: 1.0 / 12, environments: 40) }
        let timeline = Timelines.simulated(users: users, length: 20_000_000_000, quantum: 2_000_000)
        #expect(timeline.spans.count > 20_000)
        let svg = GanttChart.svg(timeline, Statistics(timeline))
        #expect(svg.utf8.count < 4_000_000)
        #expect(Shape(svg).isWellFormed)
    }

    @Test func thinSpansAreMerged() {
        var marks = GanttMarks(thinnest: 1)
        for step in 0..<100_000 {
            let x = Double(step) * 0.001
            marks.add(step.isMultiple(of: 2) ? .running : .runnable, from: x, to: x + 0.001)
        }
        let size = marks.finished().elements(y: 0, height: 10, colour: "#000").reduce(0) {
            $0 + $1.utf8.count
        }
        #expect(size < 500)
    }

    /// Writes samples to look at, when asked to.
    @Test func samples() throws {
        guard let folder = ProcessInfo.processInfo.environment["REPORT_SAMPLES"] else { return }
        let users = (0..<8).map { (name: "user\($0)", share: 1.0 / 8, environments: 25) }
        let samples: [(String, Timeline)] = [
            ("small", Timelines.small), ("busy", Timelines.busy), ("hostile", Timelines.hostile),
            ("many", Timelines.simulated(users: users, length: 5_000_000_000, quantum: 4_000_000)),
            (
                "solo",
                Timelines.simulated(
                    users: [("root", 1, 6)], length: 300_000_000, quantum: 9_000_000, rest: 50)
            ),
        ]
        for (name, timeline) in samples {
            let statistics = Statistics(timeline)
            for (ending, text) in [
                ("svg", GanttChart.svg(timeline, statistics, title: "Shares of three users")),
                ("txt", TableReport.text(timeline, statistics)), ("json", ChromeTrace.text(timeline)),
            ] {
                try text.write(toFile: "\(folder)/\(name).\(ending)", atomically: true, encoding: .utf8)
            }
        }
    }
}
