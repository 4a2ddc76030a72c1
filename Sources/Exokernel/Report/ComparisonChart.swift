/// Who has the processor under each policy: one row a simulation, one colour an environment.
public enum ComparisonChart {
    private typealias Layout = GanttChart.Layout
    private static let rowHeight = 30.0
    private static let rowStep = 58.0
    private static let top = 104.0
    /// Environments beyond these are grey, and not in the legend.
    private static let named = GanttChart.Colours.strong.count

    public static func svg(_ comparison: Comparison, title: String = "") -> String {
        let length = max(1, comparison.rows.map(\.timeline.end).max() ?? 1)
        func x(_ time: UInt64) -> Double { Layout.left + Double(time) / Double(length) * plotWidth }
        let names = environmentNames(comparison)
        let bottom = top + Double(comparison.rows.count) * rowStep
        var parts = axis(length, bottom: bottom, x: x)
        for (index, row) in comparison.rows.enumerated() {
            let y = top + Double(index) * rowStep
            parts.append(
                "<rect x=\"\(px(Layout.left))\" y=\"\(px(y))\" width=\"\(px(plotWidth))\" height=\"\(px(rowHeight))\" fill=\"\(GanttChart.Colours.lane)\"/>"
            )
            parts += spans(row.timeline, names, y: y, x: x)
            parts.append(
                text(
                    ReportFormat.shortened(row.name, to: 27), x: Layout.left - 12, y: y + 20, "heading",
                    anchor: "end"))
            parts.append(text(caption(row), x: Layout.left, y: y + rowHeight + 15, "number"))
        }
        parts += legend(names)
        let head = text(title.isEmpty ? "Who has the processor" : title, x: Layout.margin, y: 40, "title")
        return GanttChart.Frame.opening(height: bottom + 44) + "\n" + head + "\n"
            + parts.joined(separator: "\n") + "\n</svg>\n"
    }

    private static var plotWidth: Double { Layout.width - Layout.margin - Layout.left }

    private static func text(
        _ text: String, x: Double, y: Double, _ style: String, anchor: String = "start"
    ) -> String {
        "<text x=\"\(px(x))\" y=\"\(px(y))\" class=\"\(style)\" text-anchor=\"\(anchor)\">\(ReportFormat.xml(text))</text>"
    }

    /// In the order of their first appearance, so that the same environment has one colour in every row.
    private static func environmentNames(_ comparison: Comparison) -> [String] {
        var names: [String] = []
        var seen: Set<String> = []
        for row in comparison.rows {
            for node in row.timeline.nodes where !node.isScheduler && seen.insert(node.name).inserted {
                names.append(node.name)
            }
        }
        return names
    }

    private static func colour(_ place: Int) -> String {
        place < named ? GanttChart.Colours.strong[place] : GanttChart.Colours.hatch
    }

    private static func spans(
        _ timeline: Timeline, _ names: [String], y: Double, x: (UInt64) -> Double
    ) -> [String] {
        let places = Dictionary(uniqueKeysWithValues: names.enumerated().map { ($1, $0) })
        var marks: [Int: GanttMarks] = [:]
        for span in timeline.spans where span.state == .running {
            // Timelines may come from anywhere.
            guard timeline.nodes.indices.contains(span.node), span.start <= span.end,
                span.end <= timeline.end,
                let place = places[timeline.nodes[span.node].name]
            else { continue }
            // Those without a colour of their own are drawn together.
            marks[min(place, named), default: GanttMarks(thinnest: 0.6)].add(
                .running, from: x(span.start), to: x(span.end))
        }
        return marks.keys.sorted().flatMap { place in
            marks[place]?.finished().elements(y: y, height: rowHeight, colour: colour(place)) ?? []
        }
    }

    private static func caption(_ row: Comparison.Row) -> String {
        let statistics = row.statistics
        var parts = [
            ReportFormat.count(statistics.switches, "switch", "switches"),
            ReportFormat.count(statistics.preemptions, "preemption"),
            "\(row.ended) of \(row.applications.count) ended",
        ]
        if let time = row.meanTurnaround { parts.append("mean turnaround \(ReportFormat.time(time))") }
        if statistics.wakeups.count > 0 {
            parts.append("wake-up p50 \(ReportFormat.time(statistics.wakeups.median))")
            parts.append("p99 \(ReportFormat.time(statistics.wakeups.p99))")
        }
        if let fairness = row.fairness { parts.append("fairness \(ReportFormat.fixed(fairness, 3))") }
        if statistics.incidents > 0 { parts.append(ReportFormat.count(statistics.incidents, "incident")) }
        return parts.joined(separator: "  ·  ")
    }

    private static func axis(_ length: UInt64, bottom: Double, x: (UInt64) -> Double) -> [String] {
        let (name, ticks) = GanttChart.Drawing.ticks(length)
        var parts = [text(name, x: Layout.left - 12, y: top - 14, "tick", anchor: "end")]
        for (tick, number) in ticks {
            let place = px(x(tick))
            parts.append(
                "<line x1=\"\(place)\" x2=\"\(place)\" y1=\"\(px(top - 8))\" y2=\"\(px(bottom - 8))\" stroke=\"\(GanttChart.Colours.grid)\"/>"
            )
            parts.append(text(number, x: x(tick), y: top - 14, "tick", anchor: "middle"))
        }
        return parts
    }

    private static func legend(_ names: [String]) -> [String] {
        var parts: [String] = []
        var x = Layout.margin
        func entry(_ name: String, _ colour: String) {
            parts.append(
                "<rect x=\"\(px(x))\" y=\"56\" width=\"12\" height=\"12\" rx=\"2\" fill=\"\(colour)\"/>")
            let shown = ReportFormat.shortened(name, to: 18)
            parts.append(text(shown, x: x + 17, y: 66, "label"))
            x += 17 + Double(shown.count) * 6.4 + 16
        }
        for (place, name) in names.prefix(named).enumerated() { entry(name, colour(place)) }
        if names.count > named { entry("\(names.count - named) others", colour(named)) }
        return parts
    }
}
