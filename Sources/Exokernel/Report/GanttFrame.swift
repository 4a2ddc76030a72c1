extension GanttChart {
    /// What stands around the rows: style, title, legend.
    struct Frame {
        private(set) var elements: [String] = []

        init(title: String, subtitle: String) {
            let shown = ReportFormat.shortened(title.isEmpty ? "Who has the processor" : title, to: 90)
            add(shown, x: Layout.margin, y: 40, "title")
            if !subtitle.isEmpty { add(subtitle, x: Layout.margin, y: 62, "subtitle") }
        }

        /// A simulation in one line.
        static func summary(_ timeline: Timeline, _ statistics: Statistics) -> String {
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
            if !timeline.incidents.isEmpty {
                parts.append(ReportFormat.count(statistics.incidents, "incident"))
            }
            return parts.joined(separator: "  ·  ")
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
                .entitled { fill: none; stroke: \(Colours.ink); stroke-width: 1.2; stroke-dasharray: 5 3; }
                .incident { fill: \(Colours.alarm); stroke: #fff; stroke-width: 0.8; }
                </style>
                </defs>
                <rect width="100%" height="100%" fill="#fff"/>
                """
        }

        // MARK: Legend

        /// What a mark is called, and how it looks at a place 28 pixels wide, 12 high, from 30 down.
        struct Sample: Sendable {
            var name: String
            var draw: @Sendable (_ x: Double) -> String
        }

        static func states(colour: String) -> [Sample] {
            Timeline.State.allCases.map { state in
                Sample(name: "\(state)") { x in
                    var marks = GanttMarks(thinnest: 0.8)
                    marks.add(state, from: x, to: x + 22)
                    return marks.finished().elements(y: 30, height: 12, colour: colour).joined()
                }
            }
        }

        static let entitled = Sample(name: "entitled") { x in
            "<rect x=\"\(px(x + 14))\" y=\"29\" width=\"1.5\" height=\"14\" fill=\"\(Colours.ink)\"/>"
        }

        static let share = Sample(name: "share in a window") { x in
            "<path d=\"M\(px(x)) 42V36H\(px(x + 8))V31H\(px(x + 15))V34H\(px(x + 22))V42Z\" "
                + "fill=\"\(Colours.faintInk)\" fill-opacity=\"0.7\"/>"
        }

        static let entitledOverTime = Sample(name: "entitled") { x in
            "<path class=\"entitled\" d=\"M\(px(x)) 36H\(px(x + 22))\"/>"
        }

        static let incident = Sample(name: "incident") { x in
            "<path class=\"incident\" d=\"M\(px(x + 15)) 40l-4.5 -8h9z\"/>"
        }

        /// At the top, to the right.
        mutating func addLegend(_ samples: [Sample]) {
            let letter = 6.2
            let width = samples.reduce(0) { $0 + 28 + Double($1.name.count) * letter + 16 }
            var x = Layout.width - Layout.margin - width + 16
            for sample in samples {
                elements.append(sample.draw(x))
                add(sample.name, x: x + 28, y: 40, "label")
                x += 28 + Double(sample.name.count) * letter + 16
            }
        }

        private mutating func add(_ text: String, x: Double, y: Double, _ style: String) {
            elements.append(
                "<text x=\"\(px(x))\" y=\"\(px(y))\" class=\"\(style)\">\(ReportFormat.xml(text))</text>")
        }
    }
}
