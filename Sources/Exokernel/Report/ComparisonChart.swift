/// Who has the processor under each policy: one row a simulation, one colour an environment.
public enum ComparisonChart {
    private typealias Layout = GanttChart.Layout
    private static let rowHeight = 30.0
    private static let rowStep = 58.0
    private static let top = 104.0
    /// Environments beyond these are grey, and not in the legend.
    private static let named = GanttChart.Colours.strong.count

    public static func svg(_ comparison: Comparison, title: String = "") -> String {
        var canvas = ChartCanvas(length: comparison.length, plotWidth: plotWidth)
        let names = environmentNames(comparison)
        for (index, row) in comparison.rows.enumerated() {
            let y = top + Double(index) * rowStep
            canvas.lane(y, rowHeight)
            canvas.add(spans(row.timeline, names, y: y, x: canvas.x))
            canvas.text(
                ReportFormat.shortened(row.name, to: 27), x: Layout.left - 12, y: y + 20, "heading",
                anchor: "end")
            canvas.text(row.caption, x: Layout.left, y: y + rowHeight + 15, "number")
        }
        let bottom = top + Double(comparison.rows.count) * rowStep
        canvas.axis(top: top, bottom: bottom - 8, below: false)
        addLegend(names, to: &canvas)
        return canvas.document(height: bottom + 44, GanttChart.Frame(title: title, subtitle: ""))
    }

    private static var plotWidth: Double { Layout.width - Layout.margin - Layout.left }

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

    private static func addLegend(_ names: [String], to canvas: inout ChartCanvas) {
        var x = Layout.margin
        func entry(_ name: String, _ colour: String) {
            canvas.add(
                "<rect x=\"\(px(x))\" y=\"56\" width=\"12\" height=\"12\" rx=\"2\" fill=\"\(colour)\"/>")
            let shown = ReportFormat.shortened(name, to: 18)
            canvas.text(shown, x: x + 17, y: 66, "label")
            x += 17 + Double(shown.count) * 6.4 + 16
        }
        for (place, name) in names.prefix(named).enumerated() { entry(name, colour(place)) }
        if names.count > named { entry("\(names.count - named) others", colour(named)) }
    }
}

extension Comparison {
    /// Of the longest simulation, in nanoseconds; at least 1.
    var length: UInt64 { max(1, rows.map(\.timeline.end).max() ?? 1) }
}

extension Comparison.Row {
    /// What stands below the row, or panel, of a chart.
    var caption: String {
        var parts = [
            ReportFormat.count(statistics.switches, "switch", "switches"),
            ReportFormat.count(statistics.preemptions, "preemption"),
            "\(ended) of \(applications.count) ended",
        ]
        if let time = meanTurnaround { parts.append("mean turnaround \(ReportFormat.time(time))") }
        if statistics.wakeups.count > 0 {
            parts.append("wake-up p50 \(ReportFormat.time(statistics.wakeups.median))")
            parts.append("p99 \(ReportFormat.time(statistics.wakeups.p99))")
        }
        if let fairness { parts.append("fairness \(ReportFormat.fixed(fairness, 3))") }
        if statistics.incidents > 0 { parts.append(ReportFormat.count(statistics.incidents, "incident")) }
        return parts.joined(separator: "  ·  ")
    }
}
