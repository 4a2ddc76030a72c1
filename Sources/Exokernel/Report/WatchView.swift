/// A snapshot as text, for whoever watches a simulation: who has the processor, shares lately and so far, who could run.
public enum WatchView {
    /// The place that there is for the text.
    public struct Size: Sendable, Hashable {
        public var columns: Int
        /// nil: as many as it takes.
        public var rows: Int?
        public init(columns: Int, rows: Int? = nil) {
            self.columns = columns
            self.rows = rows
        }
    }

    /// - Parameters:
    ///   - title: what is simulated.
    ///   - earlier: a snapshot of the same machine; shares are shown of the time since then, too. nil: since the start.
    ///   - styled: with the escape sequences of a terminal for bold and dim. Names never bring any of their own.
    /// - Returns: lines without an end, none wider or more than the size allows.
    public static func lines(
        _ now: Snapshot, since earlier: Snapshot? = nil, title: String, size: Size, styled: Bool = false
    ) -> [String] {
        let table = Table(now, earlier, columns: size.columns)
        let head = [progress(now, title, size.columns), state(now), "", table.header]
        let (shown, hidden) = chosen(now, rows: size.rows.map { max(1, $0 - head.count) })
        var lines = head.enumerated().map { place, line in
            styledLine(line, place == 0 ? .strong : place == 3 ? .faint : .plain, size.columns, styled)
        }
        lines += shown.map { index in
            let node = now.nodes[index]
            let emphasis: TextTable.Emphasis =
                node.status == .running ? .strong : node.status == .absent ? .faint : .plain
            return styledLine(table.line(index), emphasis, size.columns, styled)
        }
        if hidden > 0 { lines.append(styledLine("… and \(hidden) more", .faint, size.columns, styled)) }
        return Array(lines.prefix(max(1, size.rows ?? .max)))
    }

    private static func styledLine(
        _ line: String, _ emphasis: TextTable.Emphasis, _ columns: Int, _ styled: Bool
    ) -> String {
        var line = ReportFormat.shortened(line, to: max(1, columns))
        while line.hasSuffix(" ") { line.removeLast() }
        return TextTable.style(line, emphasis, styled)
    }

    private static func progress(_ now: Snapshot, _ title: String, _ columns: Int) -> String {
        let done = now.duration == 0 ? 1 : Double(now.time) / Double(now.duration)
        let name = ReportFormat.shortened(title.escapedForTerminal, to: 40)
        let words =
            "\(name)  \(ReportFormat.time(now.time)) of \(ReportFormat.time(now.duration)), \(ReportFormat.percent(done))"
        let room = min(40, columns - ReportFormat.width(words) - 2)
        return room < 8 ? words : words + "  " + bar(done, room, rest: "░")
    }

    private static func state(_ now: Snapshot) -> String {
        ReportFormat.count(now.decisions, "decision") + ", " + ReportFormat.count(now.incidents, "incident")
    }

    /// The nodes that are shown. Where there is no room for all, those that have not begun or have ended are left out
    /// first, then the last ones.
    private static func chosen(_ now: Snapshot, rows: Int?) -> (shown: [Int], hidden: Int) {
        let all = Array(now.nodes.indices)
        guard let rows, all.count > rows else { return (all, 0) }
        let alive = all.filter { now.nodes[$0].status != .absent }
        let shown = Array(alive.prefix(rows - 1))
        return (shown, all.count - shown.count)
    }

    private static func bar(_ part: Double, _ columns: Int, rest: String = " ") -> String {
        let full = Int((max(0, min(1, part)) * Double(columns)).rounded())
        return String(repeating: "█", count: full) + String(repeating: rest, count: columns - full)
    }

    /// Columns that keep their place from one snapshot to the next.
    private struct Table {
        private static let mostNames = 40
        private static let mostBar = 40

        private let now: Snapshot
        private let earlier: Snapshot?
        /// Processor time at the earlier moment, by name: places in the tree change.
        private let ranBefore: [String: UInt64]
        private let nameWidth: Int
        private let lately: String
        private let barWidth: Int

        init(_ now: Snapshot, _ earlier: Snapshot?, columns: Int) {
            self.now = now
            let before = Dictionary((earlier?.nodes ?? []).map { ($0.name, $0.ran) }) { first, _ in first }
            // Other nodes, another machine.
            let isSame = now.nodes.allSatisfy { before[$0.name] != nil }
            self.earlier = isSame ? earlier : nil
            ranBefore = isSame ? before : [:]
            lately = "last " + ReportFormat.time(now.time - min(now.time, self.earlier?.time ?? 0))
            nameWidth = now.nodes.reduce(1) { max($0, ReportFormat.width(Self.label($1))) }
            let others = nameWidth + 2 + 8 + 2 + 12 + 2 + 7 + 2 + 8 + 2 + 8
            barWidth = columns - others - 2 < 8 ? 0 : min(Self.mostBar, columns - others - 2)
        }

        private static func label(_ node: Snapshot.Node) -> String {
            let name = ReportFormat.shortened(node.name.escapedForTerminal, to: mostNames)
            return String(repeating: "  ", count: min(node.depth, 16)) + name
        }

        var header: String { line("", "", lately, "so far", "entitled", "runnable", bar: "") }

        func line(_ index: Int) -> String {
            let node = now.nodes[index]
            let before = ranBefore[node.name] ?? 0
            let length = now.time - min(now.time, earlier?.time ?? 0)
            let share = self.share(node.ran - min(node.ran, before), length)
            return line(
                Self.label(node), node.status.rawValue, ReportFormat.percent(share),
                ReportFormat.percent(self.share(node.ran, now.time)),
                node.entitlement.map(ReportFormat.percent) ?? "–",
                node.isScheduler ? "\(node.runnable)" : "", bar: WatchView.bar(share, barWidth))
        }

        /// Of the time of all processors.
        private func share(_ part: UInt64, _ time: UInt64) -> Double {
            time == 0 ? 0 : Double(part) / (Double(time) * Double(max(1, now.processors)))
        }

        private func line(
            _ name: String, _ status: String, _ lately: String, _ soFar: String, _ entitled: String,
            _ runnable: String, bar: String
        ) -> String {
            func left(_ text: String, _ width: Int) -> String {
                text + String(repeating: " ", count: max(0, width - ReportFormat.width(text)))
            }
            func right(_ text: String, _ width: Int) -> String {
                String(repeating: " ", count: max(0, width - ReportFormat.width(text))) + text
            }
            let cells = [
                left(name, nameWidth), left(status, 8), right(lately, 12), right(soFar, 7),
                right(entitled, 8),
                right(runnable, 8),
            ]
            return cells.joined(separator: "  ") + (barWidth > 0 ? "  " + bar : "")
        }
    }
}
