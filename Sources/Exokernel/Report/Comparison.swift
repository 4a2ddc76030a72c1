import SCode

/// Several simulations side by side: of one workload under several policies, or of several scenarios.
public struct Comparison: Sendable {
    /// One simulation.
    public struct Row: Sendable {
        public var name: String
        public var timeline: Timeline
        public var statistics: Statistics
        public init(name: String, timeline: Timeline) {
            self.name = name
            self.timeline = timeline
            statistics = Statistics(timeline)
        }

        /// Environments that are no schedulers.
        var applications: [Statistics.Node] { statistics.nodes.filter { !$0.isScheduler } }
        /// How many of them have ended.
        var ended: Int { applications.count { $0.turnaround != nil } }
        /// Nanoseconds, of those that have ended; nil: none has.
        var meanTurnaround: UInt64? { Self.mean(applications.compactMap(\.turnaround)) }
        /// Nanoseconds, of those that have had the processor; nil: none has.
        var meanResponse: UInt64? { Self.mean(applications.compactMap(\.response)) }
        /// Nanoseconds in which an environment could have run and did not, of all together.
        var wait: UInt64 { applications.reduce(into: 0) { $0.add($1.wait) } }
        /// Of the children of the scheduler at the top.
        var fairness: Double? { statistics.preorder.first.flatMap { statistics.nodes[$0].fairness } }

        private static func mean(_ values: [UInt64]) -> UInt64? {
            guard !values.isEmpty else { return nil }
            // Divided first: the sum of many long times does not fit.
            let count = UInt64(values.count)
            return values.reduce(into: 0) { $0.add($1 / count) }
        }
    }

    public var rows: [Row]
    public init(_ rows: [Row]) { self.rows = rows }

    /// A table, one row a simulation.
    public func text(styled: Bool) -> String {
        var table = TextTable([
            "", "busy", "switches", "preempted", "decisions", "default", "incidents", "fairness", "ended",
            "turnaround", "response", "waited", "wake-ups", "p50", "p95", "p99", "p99.9", "max",
        ])
        for row in rows {
            let statistics = row.statistics
            let wakeups = statistics.wakeups
            let busy = statistics.shareOfCapacity(statistics.busy)
            table.append(
                [
                    ReportFormat.shortened(row.name.escapedForTerminal, to: 40), ReportFormat.percent(busy),
                    "\(statistics.switches)", "\(statistics.preemptions)", "\(statistics.decisions)",
                    statistics.defaultDecisions == 0 ? "" : "\(statistics.defaultDecisions)",
                    statistics.incidents == 0 ? "" : "\(statistics.incidents)",
                    row.fairness.map { ReportFormat.fixed($0, 3) } ?? "–",
                    "\(row.ended)/\(row.applications.count)",
                    row.meanTurnaround.map(ReportFormat.time) ?? "–",
                    row.meanResponse.map(ReportFormat.time) ?? "–", ReportFormat.time(row.wait),
                    "\(wakeups.count)",
                ] + wakeups.cells, statistics.incidents > 0 ? .warning : .plain)
        }
        return table.text(styled: styled)
    }

    /// An array of objects, one a simulation; times in nanoseconds.
    public var json: String {
        let objects = rows.map { row in
            let statistics = row.statistics
            let wakeups = statistics.wakeups
            func optional(_ value: UInt64?) -> String { value.map { "\($0)" } ?? "null" }
            let fields: [(String, String)] = [
                ("name", JSONText.quoted(row.name)), ("length", "\(statistics.total)"),
                ("busy", "\(statistics.busy)"), ("switches", "\(statistics.switches)"),
                ("preemptions", "\(statistics.preemptions)"), ("decisions", "\(statistics.decisions)"),
                ("defaultDecisions", "\(statistics.defaultDecisions)"),
                ("incidents", "\(statistics.incidents)"),
                ("fairness", row.fairness.map { ReportFormat.fixed($0, 6) } ?? "null"),
                ("ended", "\(row.ended)"), ("environments", "\(row.applications.count)"),
                ("meanTurnaround", optional(row.meanTurnaround)),
                ("meanResponse", optional(row.meanResponse)), ("wait", "\(row.wait)"),
                ("wakeups", "\(wakeups.count)"), ("p50", "\(wakeups.median)"), ("p95", "\(wakeups.p95)"),
                ("p99", "\(wakeups.p99)"), ("p99.9", "\(wakeups.p999)"), ("max", "\(wakeups.maximum)"),
            ]
            return "  {" + fields.map { "\"\($0)\": \($1)" }.joined(separator: ", ") + "}"
        }
        return "[\n" + objects.joined(separator: ",\n") + "\n]\n"
    }
}
