/// Who gets how much of the processor, and when: a row for each scheduler and each environment, indented as the tree
/// is, with its share of the machine's time from window to window, and a dashed line at what it is entitled to.
///
/// Siblings are drawn to one scale, so that they can be compared. What the top of a row means stands left of it, where
/// it differs from the row above. Several simulations stand one below the other, over one axis.
public enum SharesChart {
    /// - Parameter window: the length of a window in nanoseconds; nil: about 50 of them, a round number. Windows too
    ///   short to be seen are made longer.
    public static func svg(_ comparison: Comparison, window: UInt64? = nil, title: String = "") -> String {
        var drawing = Drawing(comparison)
        for row in comparison.rows { drawing.add(Panel(row, window: window)) }
        return drawing.document(title: title)
    }

    private typealias Layout = GanttChart.Layout
    private typealias Colours = GanttChart.Colours

    /// One simulation, and what all its rows need.
    private struct Panel {
        let row: Comparison.Row
        let series: ShareSeries
        let tree: Timeline.Tree
        let entitlements: [Double?]
        /// For each node, the share at the top of its row.
        let scales: [Double]

        var timeline: Timeline { row.timeline }

        init(_ row: Comparison.Row, window: UInt64?) {
            self.row = row
            series = ShareSeries(row.timeline, window: window)
            tree = Timeline.Tree(row.timeline.nodes)
            entitlements = row.timeline.entitlementsOfTheWhole(tree).map { $0.flatMap { $0 < 1 ? $0 : nil } }
            var scales = Array(repeating: 1.0, count: row.timeline.nodes.count)
            for siblings in tree.children where !siblings.isEmpty {
                var most = 0.0
                for index in siblings {
                    most = max(most, series.shares[index].max() ?? 0, entitlements[index] ?? 0)
                }
                let scale = [0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75].first { most <= $0 } ?? 1
                for index in siblings { scales[index] = scale }
            }
            self.scales = scales
        }

        /// What hangs below one child of the root has one colour.
        func colour(_ index: Int) -> String {
            var (node, below) = (index, index)
            while let above = tree.parent[node] { (node, below) = (above, node) }
            guard below != node, let place = tree.children[node].firstIndex(of: below) else {
                return Colours.faintInk
            }
            return Colours.strong[place % Colours.strong.count]
        }
    }

    /// The picture as it grows downwards.
    private struct Drawing {
        private let isComparison: Bool
        private let rowHeight: Double
        private var canvas: ChartCanvas
        private var y = Layout.top
        private var subtitle = ""
        /// The scale that was written last; it holds until there is another one.
        private var shownScale: Double?
        private var hasEntitlements = false
        private var hasIncidents = false

        init(_ comparison: Comparison) {
            isComparison = comparison.rows.count > 1
            canvas = ChartCanvas(length: comparison.length)
            let rows = comparison.rows.reduce(0) { $0 + $1.timeline.nodes.count }
            rowHeight = rows <= 24 ? 36 : rows <= 60 ? 26 : rows <= 150 ? 18 : 13
        }

        mutating func add(_ panel: Panel) {
            shownScale = nil
            let window = "windows of \(ReportFormat.time(panel.series.window))"
            if isComparison {
                canvas.separator(y)
                canvas.text(
                    ReportFormat.shortened(panel.row.name, to: 80), x: Layout.margin, y: y + 20, "heading")
                canvas.text("\(panel.row.caption)  ·  \(window)", x: Layout.left, y: y + 20, "number")
                y += 30
            } else {
                subtitle =
                    "\(GanttChart.Frame.summary(panel.timeline, panel.row.statistics))  ·  \(window)"
            }
            hasEntitlements = hasEntitlements || panel.entitlements.contains { $0 != nil }
            hasIncidents = hasIncidents || !panel.timeline.incidents.isEmpty
            let incidents = Dictionary(grouping: panel.timeline.incidents) { incident in
                incident.node.flatMap { panel.scales.indices.contains($0) ? $0 : nil }
                    ?? panel.tree.preorder.first
            }
            for index in panel.tree.preorder {
                addRow(index, panel)
                if let incidents = incidents[index] {
                    canvas.incidents(incidents, of: panel.timeline, y: y + 8)
                }
                y += rowHeight
            }
            if isComparison { y += 10 }
        }

        private mutating func addRow(_ index: Int, _ panel: Panel) {
            let node = panel.timeline.nodes[index]
            let colour = panel.colour(index)
            let (top, height) = (y + 2, rowHeight - 4)
            let ended = node.ended.map { min($0, panel.timeline.end) } ?? panel.timeline.end
            canvas.lane(top, height, from: node.isScheduler ? 0 : node.created, to: ended)
            let tooltip = ReportFormat.xml(tooltip(index, panel))
            canvas.add("<g><title>\(tooltip)</title>")
            canvas.add(
                "<path d=\"\(area(index, panel, bottom: top + height, height: height))\" fill=\"\(colour)\" "
                    + "fill-opacity=\"\(node.isScheduler ? "0.5" : "0.9")\"/></g>")
            if let entitlement = panel.entitlements[index] {
                let level = px(top + height - height * min(1, entitlement / panel.scales[index]))
                let (left, right) = (px(canvas.x(node.created)), px(canvas.x(ended)))
                canvas.add(
                    "<path class=\"entitled\" d=\"M\(left) \(level)H\(right)\"/>")
            }
            addLabels(index, panel)
            canvas.share(
                panel.row.statistics.nodes[index].shareOfTotal, entitlement: panel.entitlements[index],
                colour: colour, y: y + rowHeight / 2, thick: node.isScheduler ? 7 : 4)
        }

        /// Steps over the windows, filled down to the bottom.
        private func area(_ index: Int, _ panel: Panel, bottom: Double, height: Double) -> String {
            var path = ""
            var level = 0.0
            for (place, share) in panel.series.shares[index].enumerated() {
                let next = height * min(1, share / panel.scales[index])
                guard px(next) != px(level) else { continue }
                let left = px(canvas.x(panel.series.bounds(place).start))
                if path.isEmpty { path = "M\(left) \(px(bottom))" }
                path += "H\(left)V\(px(bottom - next))"
                level = next
            }
            return path.isEmpty ? "" : path + "H\(px(canvas.x(panel.series.end)))V\(px(bottom))Z"
        }

        private mutating func addLabels(_ index: Int, _ panel: Panel) {
            let node = panel.timeline.nodes[index]
            let (scaleWidth, letter) = (34.0, node.isScheduler ? 7.2 : 6.4)
            let indent = Double(min(panel.tree.depth[index], 8)) * 11
            let columns = Int((Layout.labels - scaleWidth - indent) / letter)
            let middle = y + rowHeight / 2 + 4
            canvas.text(
                ReportFormat.shortened(node.name, to: columns), x: Layout.margin + indent, y: middle,
                node.isScheduler ? "label strong" : "label")
            guard panel.scales[index] != shownScale else { return }
            shownScale = panel.scales[index]
            let scale = ReportFormat.withoutTrailingZeros(ReportFormat.fixed(panel.scales[index] * 100, 1))
            canvas.text("\(scale)%", x: Layout.left - 6, y: y + 10, "tick", anchor: "end")
        }

        private func tooltip(_ index: Int, _ panel: Panel) -> String {
            let node = panel.row.statistics.nodes[index]
            var text = "\(node.name): \(ReportFormat.percent(node.shareOfTotal)) of all"
            if let entitlement = panel.entitlements[index] {
                text += ", entitled to \(ReportFormat.percent(entitlement))"
            }
            let shares = panel.series.shares[index]
            if let least = shares.min(), let most = shares.max() {
                text +=
                    "; \(ReportFormat.percent(least)) to \(ReportFormat.percent(most)) in a window"
            }
            return text
        }

        mutating func document(title: String) -> String {
            canvas.axis(top: Layout.top, bottom: y + 4)
            canvas.text("share of the processor", x: Layout.shareLeft, y: Layout.top - 14, "tick")
            var frame = GanttChart.Frame(
                title: title.isEmpty ? "Shares of the processor" : title, subtitle: subtitle)
            frame.addLegend(
                [GanttChart.Frame.share] + (hasEntitlements ? [GanttChart.Frame.entitledOverTime] : [])
                    + (hasIncidents ? [GanttChart.Frame.incident] : []))
            return canvas.document(height: y + 44, frame)
        }
    }
}
