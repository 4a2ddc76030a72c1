import SCode

/// The statistics as JSON, for programs. Keys stand in the same order each time; times are nanoseconds, shares
/// 0 … 1. Real time is in it only if it was measured.
public enum JSONReport {
    public static func text(_ timeline: Timeline, _ statistics: Statistics) -> String {
        var fields = [
            ("total", "\(statistics.total)"),
            ("busy", "\(statistics.busy)"),
            ("kernel", "\(statistics.kernel)"),
            ("fragments", "\(statistics.fragments)"),
            ("idle", "\(statistics.idle)"),
            ("tick", "\(timeline.tick)"),
            ("switches", "\(statistics.switches)"),
            ("preemptions", "\(statistics.preemptions)"),
            ("decisions", "\(statistics.decisions)"),
            ("defaultDecisions", "\(statistics.defaultDecisions)"),
            ("idleDecisions", "\(statistics.idleDecisions)"),
            ("budgetUsed", "\(statistics.budgetUsed)"),
            ("directedYields", "\(statistics.directedYields)"),
            ("wakeups", latencies(statistics.wakeups)),
        ]
        let processors = statistics.processors.map {
            object([
                ("busy", "\($0.busy)"), ("kernel", "\($0.kernel)"), ("fragments", "\($0.fragments)"),
                ("idle", "\($0.idle)"),
            ])
        }
        fields.append(("processors", array(processors)))
        if let time = statistics.fragmentNanoseconds { fields.append(("fragmentNanoseconds", "\(time)")) }
        // Parents are given by their place in this list.
        var places = Array(repeating: 0, count: statistics.nodes.count)
        for (place, index) in statistics.preorder.enumerated() { places[index] = place }
        let nodes = statistics.preorder.map { index in
            node(
                statistics.nodes[index], parent: statistics.nodes[index].parent.map { places[$0] },
                exit: timeline.nodes.indices.contains(index) ? timeline.nodes[index].exit : nil)
        }
        let incidents = timeline.incidents.map { incident in
            let node = incident.node.flatMap {
                timeline.nodes.indices.contains($0) ? JSONText.quoted(timeline.nodes[$0].name) : nil
            }
            return object([
                ("time", "\(incident.time)"), ("node", node ?? "null"),
                ("message", JSONText.quoted(incident.message)),
                ("registers", incident.registers.map(JSONText.quoted) ?? "null"),
            ])
        }
        fields.append(("nodes", array(nodes)))
        fields.append(("incidents", array(incidents)))
        return "{\n" + fields.map { "  \"\($0)\": \($1)" }.joined(separator: ",\n") + "\n}\n"
    }

    private static func node(_ node: Statistics.Node, parent: Int?, exit: UInt64?) -> String {
        var fields = [
            ("name", JSONText.quoted(node.name)),
            ("isScheduler", "\(node.isScheduler)"),
            ("parent", optional(parent)),
            ("processorTime", "\(node.processorTime)"),
            ("fragmentTime", "\(node.fragmentTime)"),
            ("shareOfTotal", share(node.shareOfTotal)),
            ("shareOfSiblings", share(node.shareOfSiblings)),
            ("entitlement", share(node.entitlement)),
            ("fairness", share(node.fairness)),
            ("turnaround", optional(node.turnaround)),
            ("response", optional(node.response)),
            ("wait", "\(node.wait)"),
            ("sleeping", "\(node.sleeping)"),
            ("blocked", "\(node.blocked)"),
            ("switches", "\(node.switches)"),
            ("preemptions", "\(node.preemptions)"),
            ("decisions", "\(node.decisions)"),
            ("defaultDecisions", "\(node.defaultDecisions)"),
            ("incidents", "\(node.incidents)"),
            ("wakeups", latencies(node.wakeups)),
        ]
        if let exit { fields.append(("exit", "\(exit)")) }
        return object(fields)
    }

    private static func latencies(_ latencies: Statistics.Latencies) -> String {
        guard latencies.count > 0 else { return object([("count", "0")]) }
        return object([
            ("count", "\(latencies.count)"), ("p50", "\(latencies.median)"), ("p95", "\(latencies.p95)"),
            ("p99", "\(latencies.p99)"), ("p99.9", "\(latencies.p999)"), ("max", "\(latencies.maximum)"),
        ])
    }

    private static func object(_ fields: [(String, String)]) -> String {
        "{" + fields.map { "\"\($0)\": \($1)" }.joined(separator: ", ") + "}"
    }

    private static func array(_ values: [String]) -> String {
        values.isEmpty ? "[]" : "[\n" + values.map { "    \($0)" }.joined(separator: ",\n") + "\n  ]"
    }

    private static func optional(_ value: (some BinaryInteger)?) -> String { value.map { "\($0)" } ?? "null" }

    private static func share(_ value: Double?) -> String {
        guard let value, value.isFinite, value.magnitude < 1e9 else { return "null" }
        return ReportFormat.withoutTrailingZeros(ReportFormat.fixed(value, 6))
    }
}
