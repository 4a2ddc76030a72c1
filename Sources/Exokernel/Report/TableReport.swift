/// The statistics as plain text, as `scodec sim` prints them.
public enum TableReport {
    private static let incidentLimit = 10
    private static let nameLimit = 40

    /// - Parameter styled: with the escape sequences of a terminal. Names never bring any of their own.
    public static func text(_ timeline: Timeline, _ statistics: Statistics, styled: Bool = false) -> String {
        var result = summary(statistics, styled: styled) + "\n"
        result += processorTable(timeline, statistics, styled: styled)
        if statistics.wakeups.count > 0 {
            result += "\n" + TextTable.style("From wake-up to running", .strong, styled) + "\n"
            result += latencyTable(statistics, styled: styled)
        }
        if !timeline.incidents.isEmpty {
            result += "\n" + TextTable.style("Incidents", .strong, styled) + "\n"
            result += incidents(timeline, styled: styled)
        }
        return result
    }

    private static func summary(_ statistics: Statistics, styled: Bool) -> String {
        func share(_ part: UInt64) -> String {
            statistics.total == 0 ? "–" : ReportFormat.percent(statistics.shareOfCapacity(part))
        }
        let environments = statistics.nodes.count { !$0.isScheduler }
        let first =
            "\(ReportFormat.time(statistics.total)) simulated, \(ReportFormat.count(environments, "environment")): "
            + "busy \(share(statistics.busy)), "
            + (statistics.hasOverhead
                ? "kernel \(share(statistics.kernel)), fragments \(share(statistics.fragments)), " : "")
            + "idle \(share(statistics.idle))"
            + (statistics.processors.count == 1
                ? "" : " of \(ReportFormat.count(statistics.processors.count, "processor"))")
        var second =
            "\(ReportFormat.count(statistics.decisions, "decision")) (\(statistics.defaultDecisions) by default, "
            + "\(statistics.idleDecisions) idle), \(ReportFormat.count(statistics.switches, "switch", "switches")), "
            + "\(ReportFormat.count(statistics.preemptions, "preemption")), "
            + ReportFormat.count(statistics.incidents, "incident")
        if statistics.directedYields > 0 {
            second += ", \(ReportFormat.count(statistics.directedYields, "directed yield"))"
        }
        if statistics.processors.count > 1 {
            for (index, processor) in statistics.processors.enumerated() {
                func share(_ part: UInt64) -> String {
                    ReportFormat.percent(
                        statistics.total == 0 ? 0 : Double(part) / Double(statistics.total))
                }
                second += "\nprocessor \(index): busy \(share(processor.busy)), "
                if statistics.hasOverhead {
                    second += "kernel \(share(processor.kernel)), fragments \(share(processor.fragments)), "
                }
                second += "idle \(share(processor.idle))"
            }
        }
        if let time = statistics.fragmentNanoseconds {
            second += "\nfragments took \(ReportFormat.time(time)) of real time"
            if statistics.decisions > 0 {
                second += ", \(ReportFormat.time(time / UInt64(statistics.decisions))) a decision"
            }
        }
        return TextTable.style(first, .strong, styled) + "\n" + second + "\n"
    }

    private static func processorTable(_ timeline: Timeline, _ statistics: Statistics, styled: Bool) -> String
    {
        // What decisions cost has a column only if they cost anything.
        let ofFragments = statistics.hasOverhead ? ["fragments"] : []
        var table = TextTable(
            ["", "time"] + ofFragments + [
                "of all", "of level", "entitled", "fairness", "waited", "response", "turnaround",
                "switches", "preempted", "decisions", "default", "incidents", "exit",
            ])
        for index in statistics.preorder {
            let node = statistics.nodes[index]
            table.append(
                [label(node), ReportFormat.time(node.processorTime)]
                    + ofFragments.map { _ in node.isScheduler ? ReportFormat.time(node.fragmentTime) : "" }
                    + [
                        ReportFormat.percent(node.shareOfTotal),
                        node.shareOfSiblings.map(ReportFormat.percent) ?? "–",
                        node.entitlement.map(ReportFormat.percent) ?? "–",
                        node.isScheduler ? node.fairness.map { ReportFormat.fixed($0, 3) } ?? "–" : "",
                        ReportFormat.time(node.wait), node.response.map(ReportFormat.time) ?? "–",
                        node.turnaround.map(ReportFormat.time) ?? "–", "\(node.switches)",
                        "\(node.preemptions)",
                        "\(node.decisions)", node.defaultDecisions == 0 ? "" : "\(node.defaultDecisions)",
                        node.incidents == 0 ? "" : "\(node.incidents)",
                        timeline.nodes.indices.contains(index)
                            ? timeline.nodes[index].exit.map(String.init) ?? "" : "",
                    ], node.incidents > 0 ? .warning : node.isScheduler ? .strong : .plain)
        }
        return table.text(styled: styled)
    }

    private static func latencyTable(_ statistics: Statistics, styled: Bool) -> String {
        var table = TextTable(["", "wake-ups", "p50", "p95", "p99", "p99.9", "max"])
        for index in statistics.preorder {
            let node = statistics.nodes[index]
            let latencies = node.wakeups
            table.append(
                [label(node), "\(latencies.count)"] + latencies.cells, node.isScheduler ? .strong : .plain)
        }
        return table.text(styled: styled)
    }

    private static func label(_ node: Statistics.Node) -> String {
        let name = ReportFormat.shortened(node.name.escapedForTerminal, to: nameLimit)
        return String(repeating: "  ", count: min(node.depth, 32)) + name
    }

    private static func incidents(_ timeline: Timeline, styled: Bool) -> String {
        var table = TextTable(["at", "scheduler"])
        var lines: [String] = []
        for incident in timeline.incidents.prefix(incidentLimit) {
            let node = incident.node.flatMap {
                timeline.nodes.indices.contains($0) ? timeline.nodes[$0].name : nil
            }
            table.append([ReportFormat.time(incident.time), (node ?? "–").escapedForTerminal])
            let registers = incident.registers.map { $0.isEmpty ? "" : " (\($0))" } ?? ""
            lines.append("  " + (incident.message + registers).escapedForTerminal)
        }
        let rows = table.text(styled: false).split(separator: "\n", omittingEmptySubsequences: false)
        let shown = zip(rows.dropFirst(), lines).map { TextTable.style("\($0)\($1)", .warning, styled) }
        let rest = timeline.incidents.count - incidentLimit
        return (shown + (rest > 0 ? ["… and \(rest) more"] : [])).joined(separator: "\n") + "\n"
    }
}

extension Statistics.Latencies {
    /// p50, p95, p99, p99.9 and the longest, for a table.
    var cells: [String] {
        [median, p95, p99, p999, maximum].map { count > 0 ? ReportFormat.time($0) : "–" }
    }
}
