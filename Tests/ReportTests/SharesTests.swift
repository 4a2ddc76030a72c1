import Testing

@testable import Exokernel

/// Shares over time: the numbers, and the picture of them.
@Suite struct SharesTests {
    @Test func windowsOfTheSmallTimeline() {
        let series = ShareSeries(Timelines.small, window: 40)
        #expect(series.window == 40)
        // Windows 0–40, 40–80 and 80–100.
        let expected: [[Double]] = [
            [1, 0.75, 1], [1, 0.75, 0.5], [0, 0, 0.5],  // root, alice, bob
            [0.5, 0.5, 0.5], [0.5, 0.25, 0], [0, 0, 0.5],  // a, b, c
        ]
        #expect(series.shares == expected)
    }

    /// Whatever the windows, the parts of the roots come to the time in which somebody ran.
    @Test(arguments: [nil, 1, 7, 33_333_333, 10_000_000_000] as [UInt64?])
    func nothingIsLost(window: UInt64?) {
        for timeline in [Timelines.small, Timelines.busy] {
            let series = ShareSeries(timeline, window: window)
            let statistics = Statistics(timeline)
            for index in timeline.nodes.indices {
                var time = 0.0
                for (place, share) in series.shares[index].enumerated() {
                    let bounds = series.bounds(place)
                    time += share * Double(bounds.end - bounds.start)
                }
                #expect(abs(time - Double(statistics.nodes[index].processorTime)) < 1)
            }
            #expect(series.bounds(series.shares[0].count - 1).end == timeline.end)
            #expect(series.shares[0].count <= Int(ShareSeries.mostWindows))
        }
    }

    @Test(arguments: [0, 1, 51, 2_000_000_000, .max] as [UInt64])
    func anyLength(_ length: UInt64) {
        var timeline = Timelines.small
        timeline.end = length
        #expect(ShareSeries(timeline, window: 1).shares[0].count <= Int(ShareSeries.mostWindows))
        #expect(Shape(Self.svg(timeline)).isWellFormed)
    }

    @Test func thePictureIsWellFormed() {
        for (name, timeline) in ReportTests.all {
            let shape = Shape(Self.svg(timeline, title: "<\(name)> & \u{1}"))
            #expect(shape.isWellFormed, "\(name)")
            #expect(shape.count["script"] == nil)
            #expect(shape.count["g"] ?? 0 == timeline.nodes.count, "\(name)")
        }
        #expect(Shape(SharesChart.svg(Comparison([]))).isWellFormed)
    }

    @Test func thePictureSaysWhatTheNumbersAre() {
        let svg = Self.svg(Timelines.small, window: 40, title: "Small")
        let shape = Shape(svg)
        for text in [
            "Small", "root", "alice", "bob", "a", "80.0%", "entitled", "incident",
            "alice: 80.0% of all, entitled to 60.0%; 50.0% to 100.0% in a window",
            "c: 10.0% of all; 0.0% to 50.0% in a window",
        ] {
            #expect(shape.texts.contains(text), "\(text)")
        }
        // Two have an entitlement, and the legend explains it.
        #expect(svg.components(separatedBy: "class=\"entitled\"").count - 1 == 3)
        #expect(svg.contains("windows of 40 ns"))
    }

    /// A step in the picture is where the share changes: alice falls from all to three quarters, then to half.
    @Test func stepsStandWhereTheyBelong() throws {
        let svg = Self.svg(Timelines.small, window: 40)
        // The plot is 854 pixels wide and begins at 208; alice's row is 36 high, from 148 on, with a scale of 100%.
        #expect(svg.contains("d=\"M208 182H208V150H549.6V158H891.2V166H1062V182Z\""))
    }

    @Test func simulationsStandOneBelowTheOther() {
        let rows = [("one.yaml", Timelines.small), ("two.yaml", Timelines.busy)]
        let comparison = Comparison(rows.map { Comparison.Row(name: $0.0, timeline: $0.1) })
        let shape = Shape(SharesChart.svg(comparison))
        #expect(shape.isWellFormed)
        #expect(shape.texts.isSuperset(of: ["one.yaml", "two.yaml", "alice", "carol"]))
        #expect(shape.count["g"] == Timelines.small.nodes.count + Timelines.busy.nodes.count)
    }

    private static func svg(_ timeline: Timeline, window: UInt64? = nil, title: String = "") -> String {
        SharesChart.svg(
            Comparison([Comparison.Row(name: "x", timeline: timeline)]), window: window, title: title)
    }
}
