/// The timeline as a picture: an SVG with a row for each environment, grouped by user.
///
/// A running environment fills its row with its group's colour; one that could run but does not is pale, one
/// that waits for somebody is hatched, one that sleeps is a thin line. Beside the rows stand the shares of the
/// processor, with a mark at what the node is entitled to.
public enum GanttChart {
    public static func svg(_ timeline: Timeline, _ statistics: Statistics, title: String = "") -> String {
        var drawing = Drawing(timeline, statistics)
        for processor in statistics.processors.indices { drawing.addProcessor(processor) }
        for index in drawing.groups.indices { drawing.addGroup(index) }
        drawing.addAxis()
        return drawing.document(title: title)
    }

    /// Where things stand, in pixels.
    enum Layout {
        static let width = 1280.0
        static let margin = 28.0
        static let labels = 180.0
        static let shares = 190.0
        static let left = margin + labels
        static let right = width - margin - shares
        static let plotWidth = right - left
        static let top = 112.0
        static let processorHeight = 18.0
        static let headingHeight = 26.0
        static let groupGap = 8.0
        static let labelLength = 27
        static let shareLeft = right + 20
        static let shareWidth = 100.0
    }

    enum Colours {
        /// For groups: distinct in hue and, mostly, in lightness.
        static let strong = [
            "#2f6fdb", "#e8702a", "#2f9e5b", "#b4378f", "#7a52cc", "#0d93a3", "#b58a00", "#c8403f", "#5a6b7d",
            "#6f9a1e",
        ]
        static let ink = "#1f2933"
        static let faintInk = "#6b7785"
        static let grid = "#e4e8ec"
        static let lane = "#f7f9fa"
        static let sleeping = "#ccd3da"
        static let hatch = "#a9b3bd"
        static let alarm = "#d6293e"
    }

    /// The picture as it grows downwards.
    struct Drawing {
        let timeline: Timeline
        let statistics: Statistics
        let groups: [Timeline.Group]
        let spans: [[Timeline.Span]]
        /// Per processor who had it.
        private let stretches: [[Timeline.Span]]
        private let overheads: [[Timeline.Overhead]]
        private(set) var body: [String] = []
        /// What stands behind the rows.
        private var background: [String] = []
        private(set) var y = Layout.top
        private let rowHeight: Double
        private let environmentColours: [String]
        private let entitlements: [Double?]
        private let incidents: [Int: [Timeline.Incident]]
        private let thinnestMark: Double

        init(_ timeline: Timeline, _ statistics: Statistics) {
            self.timeline = timeline
            self.statistics = statistics
            let tree = Timeline.Tree(timeline.nodes)
            let groups = timeline.groups(tree)
            self.groups = groups
            spans = timeline.spansByNode()
            stretches = timeline.processorStretches()
            overheads = timeline.overheadsByProcessor()
            let rows = groups.reduce(0) { $0 + $1.members.count }
            rowHeight = rows <= 40 ? 20 : rows <= 120 ? 15 : 12
            // The file stays small however many spans there are.
            let markLimit = 150_000.0
            thinnestMark = max(0.8, Double(rows) * Layout.plotWidth / markLimit)
            var colours = Array(repeating: Colours.strong[0], count: timeline.nodes.count)
            for (place, group) in groups.enumerated() {
                for (order, member) in group.members.enumerated() {
                    let number = groups.count == 1 ? order : place
                    colours[member] = Colours.strong[number % Colours.strong.count]
                }
            }
            environmentColours = colours
            entitlements = Self.ofTheWhole(timeline, tree)
            incidents = Self.incidentsByGroup(timeline, tree, groups)
        }

        /// What each node is entitled to of the machine's whole time.
        private static func ofTheWhole(_ timeline: Timeline, _ tree: Timeline.Tree) -> [Double?] {
            var result: [Double?] = Array(repeating: nil, count: timeline.nodes.count)
            for index in tree.preorder {
                let own = timeline.nodes[index].entitlement
                guard let parent = tree.parent[index] else {
                    result[index] = own ?? 1
                    continue
                }
                if let own, let above = result[parent] { result[index] = own * above }
            }
            return result
        }

        /// Incidents under the place of the group in whose heading they are marked, -1 is the processor's row.
        private static func incidentsByGroup(
            _ timeline: Timeline, _ tree: Timeline.Tree, _ groups: [Timeline.Group]
        ) -> [Int: [Timeline.Incident]] {
            var placeOfScheduler: [Int: Int] = [:]
            for (place, group) in groups.enumerated() {
                if let scheduler = group.scheduler { placeOfScheduler[scheduler] = place }
            }
            var result: [Int: [Timeline.Incident]] = [:]
            for incident in timeline.incidents {
                var node = incident.node.flatMap { timeline.nodes.indices.contains($0) ? $0 : nil }
                while let index = node, placeOfScheduler[index] == nil { node = tree.parent[index] }
                result[node.flatMap { placeOfScheduler[$0] } ?? -1, default: []].append(incident)
            }
            return result
        }

        func x(_ time: UInt64) -> Double {
            guard timeline.end > 0 else { return Layout.left }
            return Layout.left + min(1, Double(time) / Double(timeline.end)) * Layout.plotWidth
        }

        // MARK: Rows

        mutating func addProcessor(_ index: Int) {
            if index > 0 { y += 2 }
            text(timeline.processorName(index), x: Layout.left - 12, y: y + 13, "label strong", anchor: "end")
            lane(y, Layout.processorHeight)
            var marks: [String: GanttMarks] = [:]
            for stretch in stretches[index] {
                let colour = environmentColours[stretch.node]
                marks[colour, default: GanttMarks(thinnest: thinnestMark)]
                    .add(.running, from: x(stretch.start), to: x(stretch.end))
            }
            for overhead in overheads[index] {
                marks[Colours.faintInk, default: GanttMarks(thinnest: thinnestMark)]
                    .add(.running, from: x(overhead.start), to: x(overhead.end))
            }
            for (colour, marks) in marks.sorted(by: { $0.key < $1.key }) {
                body += marks.finished().elements(y: y, height: Layout.processorHeight, colour: colour)
            }
            if index == 0 { addIncidents(of: -1, y: y - 3) }
            let busy = statistics.processors[index].busy
            let share = timeline.end == 0 ? 0 : Double(busy) / Double(timeline.end)
            addShare(
                share, entitlement: nil, colour: Colours.faintInk, y: y + Layout.processorHeight / 2, thick: 7
            )
            y += Layout.processorHeight
        }

        mutating func addGroup(_ place: Int) {
            let group = groups[place]
            let colour = groups.count == 1 ? Colours.faintInk : Colours.strong[place % Colours.strong.count]
            y += Layout.groupGap
            let middle = y + Layout.headingHeight / 2
            body.append(
                "<rect x=\"\(px(Layout.margin))\" y=\"\(px(middle - 5))\" width=\"10\" height=\"10\" rx=\"2\" "
                    + "fill=\"\(colour)\"/>")
            let name = ReportFormat.shortened(group.name, to: Layout.labelLength)
            text(name, x: Layout.margin + 17, y: middle + 4.5, "heading")
            background.append(
                "<line x1=\"\(px(Layout.margin))\" x2=\"\(px(Layout.width - Layout.margin))\" "
                    + "y1=\"\(px(y))\" y2=\"\(px(y))\" stroke=\"\(Colours.grid)\"/>")
            addIncidents(of: place, y: middle + 5)
            let time = group.members.reduce(0.0) { $0 + statistics.nodes[$1].shareOfTotal }
            addShare(
                time, entitlement: group.scheduler.flatMap { entitlements[$0] }.flatMap { $0 < 1 ? $0 : nil },
                colour: colour, y: middle, thick: 9)
            y += Layout.headingHeight
            for member in group.members { addEnvironment(member, of: group) }
        }

        private mutating func addEnvironment(_ index: Int, of group: Timeline.Group) {
            let node = timeline.nodes[index]
            var marks = GanttMarks(thinnest: thinnestMark)
            for span in spans[index] { marks.add(span.state, from: x(span.start), to: x(span.end)) }
            body.append("<g><title>\(ReportFormat.xml(tooltip(index)))</title>")
            lane(y + 1, rowHeight - 2)
            body += marks.finished().elements(
                y: y + 2, height: rowHeight - 4, colour: environmentColours[index])
            body.append("</g>")
            var name = node.name
            if let parent = statistics.nodes[index].parent, parent != group.scheduler {
                name = timeline.nodes[parent].name + " / " + name
            }
            text(
                ReportFormat.shortened(name, to: Layout.labelLength), x: Layout.left - 12,
                y: y + rowHeight / 2 + 4, "label", anchor: "end")
            addShare(
                statistics.nodes[index].shareOfTotal,
                entitlement: entitlements[index].flatMap { $0 < 1 ? $0 : nil },
                colour: environmentColours[index], y: y + rowHeight / 2, thick: 4)
            y += rowHeight
        }

        private func tooltip(_ index: Int) -> String {
            let node = statistics.nodes[index]
            var parts = [
                "\(node.name): ran \(ReportFormat.time(node.processorTime)) "
                    + "(\(ReportFormat.percent(node.shareOfTotal)))",
                "waited \(ReportFormat.time(node.wait))",
            ]
            if let response = node.response { parts.append("response \(ReportFormat.time(response))") }
            if let turnaround = node.turnaround {
                parts.append("turnaround \(ReportFormat.time(turnaround))")
            }
            return parts.joined(separator: ", ")
        }

        private mutating func lane(_ y: Double, _ height: Double) {
            background.append(
                "<rect x=\"\(px(Layout.left))\" y=\"\(px(y))\" width=\"\(px(Layout.plotWidth))\" "
                    + "height=\"\(px(height))\" fill=\"\(Colours.lane)\"/>")
        }

        /// A bar for a share of the whole, a mark at the entitlement, the number.
        private mutating func addShare(
            _ share: Double, entitlement: Double?, colour: String, y: Double, thick: Double
        ) {
            func bar(_ part: Double, _ fill: String) -> String {
                "<rect x=\"\(px(Layout.shareLeft))\" y=\"\(px(y - thick / 2))\" "
                    + "width=\"\(px(max(0, min(1, part)) * Layout.shareWidth))\" height=\"\(px(thick))\" "
                    + "rx=\"\(px(thick / 4))\" fill=\"\(fill)\"/>"
            }
            body.append(bar(1, "#eef1f4"))
            if share > 0 { body.append(bar(share, colour)) }
            if let entitlement {
                let place = Layout.shareLeft + max(0, min(1, entitlement)) * Layout.shareWidth
                body.append(
                    "<rect x=\"\(px(place - 0.75))\" y=\"\(px(y - thick / 2 - 2))\" width=\"1.5\" "
                        + "height=\"\(px(thick + 4))\" fill=\"\(Colours.ink)\"/>")
            }
            let style = thick > 5 ? "number strong" : "number"
            text(
                ReportFormat.percent(share), x: Layout.width - Layout.margin, y: y + 4, style, anchor: "end")
        }

        /// Triangles; incidents that lie close together are one.
        private mutating func addIncidents(of place: Int, y: Double) {
            let near = 7.0
            var last: Double?
            for incident in (incidents[place] ?? []).sorted(by: { $0.time < $1.time }) {
                let x = self.x(incident.time)
                if let last, x - last < near { continue }
                last = x
                let scheduler = incident.node.flatMap {
                    timeline.nodes.indices.contains($0) ? timeline.nodes[$0].name + ": " : nil
                }
                let message = "\(ReportFormat.time(incident.time)) \(scheduler ?? "")\(incident.message)"
                body.append(
                    "<path class=\"incident\" d=\"M\(px(x)) \(px(y))l-4.5 -8h9z\">"
                        + "<title>\(ReportFormat.xml(message))</title></path>")
            }
        }

        // MARK: Pieces

        mutating func text(_ text: String, x: Double, y: Double, _ style: String, anchor: String = "start") {
            body.append(
                "<text x=\"\(px(x))\" y=\"\(px(y))\" class=\"\(style)\" text-anchor=\"\(anchor)\">"
                    + "\(ReportFormat.xml(text))</text>")
        }

        mutating func addBackground(_ element: String) { background.append(element) }

        /// The whole, once everything is in it.
        func document(title: String) -> String {
            let height = y + 44
            var frame = Frame(timeline, statistics, title: title)
            frame.addLegend(withGroups: groups.count > 1)
            let lines =
                [Frame.opening(height: height)] + background + body + frame.elements + ["</svg>"]
            return lines.joined(separator: "\n") + "\n"
        }
    }
}

/// A length for SVG, to a tenth of a pixel.
func px(_ value: Double) -> String { ReportFormat.withoutTrailingZeros(ReportFormat.fixed(value, 1)) }
