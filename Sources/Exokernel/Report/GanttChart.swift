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
        private var canvas: ChartCanvas
        private var y = Layout.top
        private let rowHeight: Double
        private let environmentColours: [String]
        private let entitlements: [Double?]
        private let incidents: [Int: [Timeline.Incident]]
        private let thinnestMark: Double

        init(_ timeline: Timeline, _ statistics: Statistics) {
            self.timeline = timeline
            self.statistics = statistics
            canvas = ChartCanvas(length: timeline.end)
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
            entitlements = timeline.entitlementsOfTheWhole(tree)
            incidents = Self.incidentsByGroup(timeline, tree, groups)
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

        // MARK: Rows

        mutating func addProcessor(_ index: Int) {
            if index > 0 { y += 2 }
            canvas.text(
                timeline.processorName(index), x: Layout.left - 12, y: y + 13, "label strong", anchor: "end")
            canvas.lane(y, Layout.processorHeight)
            var marks: [String: GanttMarks] = [:]
            for stretch in stretches[index] {
                let colour = environmentColours[stretch.node]
                marks[colour, default: GanttMarks(thinnest: thinnestMark)]
                    .add(.running, from: canvas.x(stretch.start), to: canvas.x(stretch.end))
            }
            for overhead in overheads[index] {
                marks[Colours.faintInk, default: GanttMarks(thinnest: thinnestMark)]
                    .add(.running, from: canvas.x(overhead.start), to: canvas.x(overhead.end))
            }
            for (colour, marks) in marks.sorted(by: { $0.key < $1.key }) {
                canvas.add(
                    marks.finished().elements(y: y, height: Layout.processorHeight, colour: colour))
            }
            if index == 0 { canvas.incidents(incidents[-1] ?? [], of: timeline, y: y - 3) }
            let busy = statistics.processors[index].busy
            let share = timeline.end == 0 ? 0 : Double(busy) / Double(timeline.end)
            canvas.share(
                share, entitlement: nil, colour: Colours.faintInk, y: y + Layout.processorHeight / 2, thick: 7
            )
            y += Layout.processorHeight
        }

        mutating func addGroup(_ place: Int) {
            let group = groups[place]
            let colour = groups.count == 1 ? Colours.faintInk : Colours.strong[place % Colours.strong.count]
            y += Layout.groupGap
            let middle = y + Layout.headingHeight / 2
            canvas.add(
                "<rect x=\"\(px(Layout.margin))\" y=\"\(px(middle - 5))\" width=\"10\" height=\"10\" rx=\"2\" "
                    + "fill=\"\(colour)\"/>")
            let name = ReportFormat.shortened(group.name, to: Layout.labelLength)
            canvas.text(name, x: Layout.margin + 17, y: middle + 4.5, "heading")
            canvas.separator(y)
            canvas.incidents(incidents[place] ?? [], of: timeline, y: middle + 5)
            let time = group.members.reduce(0.0) { $0 + statistics.nodes[$1].shareOfTotal }
            canvas.share(
                time, entitlement: group.scheduler.flatMap { entitlements[$0] }.flatMap { $0 < 1 ? $0 : nil },
                colour: colour, y: middle, thick: 9)
            y += Layout.headingHeight
            for member in group.members { addEnvironment(member, of: group) }
        }

        private mutating func addEnvironment(_ index: Int, of group: Timeline.Group) {
            let node = timeline.nodes[index]
            var marks = GanttMarks(thinnest: thinnestMark)
            for span in spans[index] {
                marks.add(span.state, from: canvas.x(span.start), to: canvas.x(span.end))
            }
            canvas.add("<g><title>\(ReportFormat.xml(tooltip(index)))</title>")
            canvas.lane(y + 1, rowHeight - 2)
            canvas.add(
                marks.finished().elements(
                    y: y + 2, height: rowHeight - 4, colour: environmentColours[index]))
            canvas.add("</g>")
            var name = node.name
            if let parent = statistics.nodes[index].parent, parent != group.scheduler {
                name = timeline.nodes[parent].name + " / " + name
            }
            canvas.text(
                ReportFormat.shortened(name, to: Layout.labelLength), x: Layout.left - 12,
                y: y + rowHeight / 2 + 4, "label", anchor: "end")
            canvas.share(
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

        // MARK: The whole

        /// Grid lines behind the rows and times above and below them.
        mutating func addAxis() {
            canvas.axis(top: Layout.top, bottom: y + 4)
            canvas.text("share of the processor", x: Layout.shareLeft, y: Layout.top - 14, "tick")
        }

        /// The picture, once everything is in it.
        func document(title: String) -> String {
            var frame = Frame(title: title, subtitle: Frame.summary(timeline, statistics))
            let hasEntitlements = timeline.nodes.contains { $0.entitlement != nil }
            frame.addLegend(
                Frame.states(colour: groups.count > 1 ? Colours.faintInk : Colours.strong[0])
                    + (hasEntitlements ? [Frame.entitled] : [])
                    + (timeline.incidents.isEmpty ? [] : [Frame.incident]))
            return canvas.document(height: y + 44, frame)
        }
    }
}
