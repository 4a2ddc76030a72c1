extension GanttChart.Drawing {
    private typealias Layout = GanttChart.Layout

    /// Grid lines behind the rows and times above and below them.
    mutating func addAxis() {
        let bottom = y + 4
        let (name, ticks) = Self.ticks(timeline.end)
        for (tick, number) in ticks {
            let place = x(tick)
            addBackground(
                "<line x1=\"\(px(place))\" x2=\"\(px(place))\" y1=\"\(px(Layout.top - 8))\" y2=\"\(px(bottom))\" "
                    + "stroke=\"\(GanttChart.Colours.grid)\"/>")
            for height in [Layout.top - 14, bottom + 16] {
                text(number, x: place, y: height, "tick", anchor: "middle")
            }
        }
        for height in [Layout.top - 14, bottom + 16] {
            text(name, x: Layout.left - 12, y: height, "tick", anchor: "end")
        }
        text("share of the processor", x: Layout.shareLeft, y: Layout.top - 14, "tick")
    }

    /// The unit of a time axis, and its ticks with their numbers.
    static func ticks(_ length: UInt64) -> (unit: String, ticks: [(time: UInt64, number: String)]) {
        let (step, unit, name) = tickStep(length)
        let ticks = (0...length / max(1, step)).map { count in
            let time = count * step
            return (
                time, ReportFormat.withoutTrailingZeros(ReportFormat.fixed(Double(time) / Double(unit), 3))
            )
        }
        return (name, ticks)
    }

    /// A step of 1, 2 or 5 that gives about ten ticks, and the unit to write them in.
    static func tickStep(_ length: UInt64) -> (step: UInt64, unit: UInt64, name: String) {
        let most: UInt64 = 12
        var decade: UInt64 = 1
        var step: UInt64 = 1
        while length / step > most {
            if let factor = [2, 5].first(where: { length / (decade * $0) <= most }) {
                step = decade * factor
                break
            }
            // The loop ends before this could overflow: length / 10^19 is at most 1.
            decade *= 10
            step = decade
        }
        if length >= 20_000_000_000 { return (step, 1_000_000_000, "s") }
        if length >= 2_000_000 { return (step, 1_000_000, "ms") }
        return length >= 5_000 ? (step, 1_000, "µs") : (step, 1, "ns")
    }
}

extension GanttChart {
    /// What stands around the rows: style, title, legend.
    struct Frame {
        private(set) var elements: [String] = []
        private let hasIncidents: Bool
        private let hasEntitlements: Bool

        init(_ timeline: Timeline, _ statistics: Statistics, title: String) {
            hasIncidents = !timeline.incidents.isEmpty
            hasEntitlements = timeline.nodes.contains { $0.entitlement != nil }
            let shown = ReportFormat.shortened(title.isEmpty ? "Who has the processor" : title, to: 90)
            add(shown, x: Layout.margin, y: 40, "title")
            let environments = statistics.nodes.count { !$0.isScheduler }
            let busy = statistics.shareOfCapacity(statistics.busy)
            var parts = [
                ReportFormat.time(timeline.end), ReportFormat.count(environments, "environment"),
                "busy \(ReportFormat.percent(busy))",
                ReportFormat.count(statistics.switches, "switch", "switches"),
                ReportFormat.count(statistics.preemptions, "preemption"),
            ]
            if statistics.wakeups.count > 0 {
                parts.append("wake-up p99 \(ReportFormat.time(statistics.wakeups.p99))")
            }
            if hasIncidents { parts.append(ReportFormat.count(statistics.incidents, "incident")) }
            add(parts.joined(separator: "  ·  "), x: Layout.margin, y: 62, "subtitle")
        }

        static func opening(height: Double) -> String {
            let (width, height) = (px(Layout.width), px(height))
            return """
                <svg xmlns="http://www.w3.org/2000/svg" width="\(width)" height="\(height)" \
                viewBox="0 0 \(width) \(height)">
                <defs>
                <pattern id="blocked" width="5" height="5" patternUnits="userSpaceOnUse">
                <path d="M0 0h5v5h-5z" fill="#f1f3f5"/>
                <path d="M0 0h2v5h-2z" fill="\(Colours.hatch)"/>
                </pattern>
                <style>
                text { font-family: Inter, "Helvetica Neue", Arial, "DejaVu Sans", sans-serif; \
                fill: \(Colours.ink); }
                .title { font-size: 20px; font-weight: 600; }
                .subtitle { font-size: 12px; fill: \(Colours.faintInk); }
                .heading { font-size: 13px; font-weight: 600; }
                .label { font-size: 11px; }
                .number { font-size: 10.5px; fill: \(Colours.faintInk); }
                .strong { font-weight: 600; fill: \(Colours.ink); }
                .tick { font-size: 10.5px; fill: \(Colours.faintInk); }
                .incident { fill: \(Colours.alarm); stroke: #fff; stroke-width: 0.8; }
                </style>
                </defs>
                <rect width="100%" height="100%" fill="#fff"/>
                """
        }

        /// At the top, to the right: a sample of each state and what it is called.
        mutating func addLegend(withGroups: Bool) {
            let colour = withGroups ? Colours.faintInk : Colours.strong[0]
            var entries: [(name: String, sample: (Double) -> String)] = Timeline.State.allCases.map { state in
                (
                    "\(state)",
                    { x in
                        var marks = GanttMarks(thinnest: 0.8)
                        marks.add(state, from: x, to: x + 22)
                        return marks.finished().elements(y: 30, height: 12, colour: colour).joined()
                    }
                )
            }
            if hasEntitlements {
                let size = "y=\"29\" width=\"1.5\" height=\"14\""
                entries.append(
                    ("entitled", { x in "<rect x=\"\(px(x + 14))\" \(size) fill=\"\(Colours.ink)\"/>" }))
            }
            if hasIncidents {
                entries.append(
                    ("incident", { x in "<path class=\"incident\" d=\"M\(px(x + 15)) 40l-4.5 -8h9z\"/>" }))
            }
            let letter = 6.2
            let width = entries.reduce(0) { $0 + 28 + Double($1.name.count) * letter + 16 }
            var x = Layout.width - Layout.margin - width + 16
            for entry in entries {
                elements.append(entry.sample(x))
                add(entry.name, x: x + 28, y: 40, "label")
                x += 28 + Double(entry.name.count) * letter + 16
            }
        }

        private mutating func add(_ text: String, x: Double, y: Double, _ style: String) {
            elements.append(
                "<text x=\"\(px(x))\" y=\"\(px(y))\" class=\"\(style)\">\(ReportFormat.xml(text))</text>")
        }
    }
}
