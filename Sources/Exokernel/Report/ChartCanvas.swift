/// What all charts over time are made of: a picture that grows piece by piece, with time from left to right.
struct ChartCanvas {
    private typealias Layout = GanttChart.Layout
    private typealias Colours = GanttChart.Colours

    /// Nanoseconds from the left end of the plot to the right one.
    let length: UInt64
    /// Pixels between those.
    let plotWidth: Double
    private var body: [String] = []
    /// What stands behind everything else.
    private var background: [String] = []

    init(length: UInt64, plotWidth: Double = GanttChart.Layout.plotWidth) {
        self.length = length
        self.plotWidth = plotWidth
    }

    func x(_ time: UInt64) -> Double {
        guard length > 0 else { return Layout.left }
        return Layout.left + min(1, Double(time) / Double(length)) * plotWidth
    }

    // MARK: Pieces

    mutating func add(_ element: String) { body.append(element) }
    mutating func add(_ elements: [String]) { body += elements }
    mutating func addBehind(_ element: String) { background.append(element) }

    mutating func text(_ text: String, x: Double, y: Double, _ style: String, anchor: String = "start") {
        add(
            "<text x=\"\(px(x))\" y=\"\(px(y))\" class=\"\(style)\" text-anchor=\"\(anchor)\">"
                + "\(ReportFormat.xml(text))</text>")
    }

    /// The ground of a row, from one moment to another; as long as the plot unless stated.
    mutating func lane(_ y: Double, _ height: Double, from: UInt64 = 0, to: UInt64? = nil) {
        let left = x(from)
        let width = to.map { max(0, x($0) - left) } ?? plotWidth
        addBehind(
            "<rect x=\"\(px(left))\" y=\"\(px(y))\" width=\"\(px(width))\" "
                + "height=\"\(px(height))\" fill=\"\(Colours.lane)\"/>")
    }

    /// A thin line across the whole picture.
    mutating func separator(_ y: Double) {
        addBehind(
            "<line x1=\"\(px(Layout.margin))\" x2=\"\(px(Layout.width - Layout.margin))\" "
                + "y1=\"\(px(y))\" y2=\"\(px(y))\" stroke=\"\(Colours.grid)\"/>")
    }

    /// Right of the plot: a bar for a share of the whole, a mark at the entitlement, the number.
    mutating func share(_ share: Double, entitlement: Double?, colour: String, y: Double, thick: Double) {
        func bar(_ part: Double, _ fill: String) -> String {
            "<rect x=\"\(px(Layout.shareLeft))\" y=\"\(px(y - thick / 2))\" "
                + "width=\"\(px(max(0, min(1, part)) * Layout.shareWidth))\" height=\"\(px(thick))\" "
                + "rx=\"\(px(thick / 4))\" fill=\"\(fill)\"/>"
        }
        add(bar(1, "#eef1f4"))
        if share > 0 { add(bar(share, colour)) }
        if let entitlement {
            let place = Layout.shareLeft + max(0, min(1, entitlement)) * Layout.shareWidth
            add(
                "<rect x=\"\(px(place - 0.75))\" y=\"\(px(y - thick / 2 - 2))\" width=\"1.5\" "
                    + "height=\"\(px(thick + 4))\" fill=\"\(Colours.ink)\"/>")
        }
        let style = thick > 5 ? "number strong" : "number"
        text(ReportFormat.percent(share), x: Layout.width - Layout.margin, y: y + 4, style, anchor: "end")
    }

    /// Triangles; incidents that lie close together are one.
    mutating func incidents(_ incidents: [Timeline.Incident], of timeline: Timeline, y: Double) {
        let near = 7.0
        var last: Double?
        for incident in incidents.sorted(by: { $0.time < $1.time }) {
            let x = self.x(incident.time)
            if let last, x - last < near { continue }
            last = x
            let scheduler = incident.node.flatMap {
                timeline.nodes.indices.contains($0) ? timeline.nodes[$0].name + ": " : nil
            }
            let message = "\(ReportFormat.time(incident.time)) \(scheduler ?? "")\(incident.message)"
            add(
                "<path class=\"incident\" d=\"M\(px(x)) \(px(y))l-4.5 -8h9z\">"
                    + "<title>\(ReportFormat.xml(message))</title></path>")
        }
    }

    // MARK: The axis

    /// Grid lines behind the rows, times above them and, if there is room, below.
    mutating func axis(top: Double, bottom: Double, below: Bool = true) {
        let (name, ticks) = Self.ticks(length)
        let heights = below ? [top - 14, bottom + 16] : [top - 14]
        for (tick, number) in ticks {
            let place = x(tick)
            addBehind(
                "<line x1=\"\(px(place))\" x2=\"\(px(place))\" y1=\"\(px(top - 8))\" y2=\"\(px(bottom))\" "
                    + "stroke=\"\(Colours.grid)\"/>")
            for height in heights { text(number, x: place, y: height, "tick", anchor: "middle") }
        }
        for height in heights { text(name, x: Layout.left - 12, y: height, "tick", anchor: "end") }
    }

    /// The unit of a time axis, and its ticks with their numbers.
    static func ticks(_ length: UInt64) -> (unit: String, ticks: [(time: UInt64, number: String)]) {
        let step = tickStep(length)
        let (unit, name): (UInt64, String) =
            if length >= 10_000_000_000 {
                (1_000_000_000, "s")
            } else if length >= 2_000_000 {
                (1_000_000, "ms")
            } else if length >= 5_000 {
                (1_000, "µs")
            } else {
                (1, "ns")
            }
        let ticks = (0...length / max(1, step)).map { count in
            let time = count * step
            return (
                time, ReportFormat.withoutTrailingZeros(ReportFormat.fixed(Double(time) / Double(unit), 3))
            )
        }
        return (name, ticks)
    }

    /// A step of 1, 2 or 5 times a power of ten, of which a length has about as many as that, and not more.
    static func tickStep(_ length: UInt64, atMost most: UInt64 = 12) -> UInt64 {
        var decade: UInt64 = 1
        while length / decade > most {
            if let factor = [2, 5].first(where: { length / (decade * $0) <= most }) {
                return decade * factor
            }
            // The loop ends before this could overflow: length / 10^19 is at most 1.
            decade *= 10
        }
        return decade
    }

    // MARK: The whole

    func document(height: Double, _ frame: GanttChart.Frame) -> String {
        let lines =
            [GanttChart.Frame.opening(height: height)] + background + body + frame.elements + ["</svg>"]
        return lines.joined(separator: "\n") + "\n"
    }
}

/// A length for SVG, to a tenth of a pixel.
func px(_ value: Double) -> String { ReportFormat.withoutTrailingZeros(ReportFormat.fixed(value, 1)) }
