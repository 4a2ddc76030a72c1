/// The timeline in the JSON format of Chrome's tracing, which Perfetto reads too.
///
/// Process 1 is the machine: a track for each processor that says who has it, and counters. Each further process is a
/// group of environments, a thread each; the slices of a thread follow one another, so they nest trivially.
public enum ChromeTrace {
    private static let machine = 1
    /// That of the first processor; the others follow.
    private static let processorTrack = 1

    public static func text(_ timeline: Timeline) -> String {
        var trace = Trace()
        let groups = timeline.groups(Timeline.Tree(timeline.nodes))
        let spans = timeline.spansByNode()

        trace.name(process: machine, "machine", order: 0)
        addProcessors(timeline, to: &trace)
        addHandOvers(timeline, to: &trace)
        addCounters(timeline, to: &trace)

        var processOfScheduler: [Int: Int] = [:]
        for (place, group) in groups.enumerated() {
            let process = machine + 1 + place
            if let scheduler = group.scheduler { processOfScheduler[scheduler] = process }
            trace.name(process: process, group.name, order: place + 1)
            for (order, member) in group.members.enumerated() {
                // Thread 0 would be taken for the process itself.
                let thread = member + 1
                trace.name(process: process, thread: thread, timeline.nodes[member].name, order: order)
                var covered: UInt64 = 0
                for span in spans[member] where span.end > max(covered, span.start) {
                    let name = "\(span.state)"
                    trace.slice(process, thread, name, name, max(covered, span.start), span.end)
                    covered = span.end
                }
            }
        }
        addIncidents(timeline, processOfScheduler, to: &trace)
        return trace.text
    }

    /// What each processor did: environments, fragments, the kernel.
    private static func addProcessors(_ timeline: Timeline, to trace: inout Trace) {
        let overheads = timeline.overheadsByProcessor()
        for (index, stretches) in timeline.processorStretches().enumerated() {
            let track = processorTrack + index
            trace.name(process: machine, thread: track, timeline.processorName(index), order: index)
            var slices = stretches.map { ($0.start, $0.end, timeline.nodes[$0.node].name, "processor") }
            for overhead in overheads[index] {
                let scheduler = overhead.scheduler.flatMap {
                    timeline.nodes.indices.contains($0) ? timeline.nodes[$0].name : nil
                }
                slices.append(
                    (
                        overhead.start, overhead.end, scheduler ?? "kernel",
                        scheduler == nil ? "kernel" : "fragment"
                    ))
            }
            slices.sort { ($0.0, $0.1) < ($1.0, $1.1) }
            var covered: UInt64 = 0
            for (start, end, name, category) in slices where end > covered {
                trace.slice(machine, track, name, category, max(start, covered), end)
                covered = end
            }
        }
    }

    /// Directed yields, on the track of their processor.
    private static func addHandOvers(_ timeline: Timeline, to trace: inout Trace) {
        for yield in timeline.handOvers
        where timeline.nodes.indices.contains(yield.from) && timeline.nodes.indices.contains(yield.to) {
            let track = processorTrack + Int(yield.processor)
            let names = [timeline.nodes[yield.from].name, timeline.nodes[yield.to].name]
            trace.handOver(machine, track, from: names[0], to: names[1], yield.time)
        }
    }

    /// How many environments wait for the processor, and what the decisions cost.
    private static func addCounters(_ timeline: Timeline, to trace: inout Trace) {
        var changes: [(time: UInt64, step: Int)] = []
        for span in timeline.spans where span.state == .runnable && span.start < span.end {
            changes.append((span.start, 1))
            changes.append((span.end, -1))
        }
        changes.sort { $0.time < $1.time }
        var waiting = 0
        for (place, change) in changes.enumerated() {
            waiting += change.step
            if place + 1 == changes.count || changes[place + 1].time > change.time {
                trace.counter(machine, "runnable", change.time, UInt64(max(0, waiting)))
            }
        }
        guard timeline.decisions.contains(where: { $0.budgetUsed > 0 }) else { return }
        for decision in timeline.decisions {
            trace.counter(machine, "budget used", decision.time, decision.budgetUsed)
        }
    }

    private static func addIncidents(
        _ timeline: Timeline, _ processOfScheduler: [Int: Int], to trace: inout Trace
    ) {
        for incident in timeline.incidents {
            let node = incident.node.flatMap { timeline.nodes.indices.contains($0) ? $0 : nil }
            let process = node.flatMap { processOfScheduler[$0] } ?? machine
            let scheduler = node.map { timeline.nodes[$0].name }
            trace.instant(process, incident.message, incident.time, scheduler: scheduler)
        }
    }

    /// The list of events as it grows.
    private struct Trace {
        private var events: [String] = []

        var text: String {
            "{\"displayTimeUnit\": \"ms\", \"traceEvents\": [\n" + events.joined(separator: ",\n") + "\n]}\n"
        }

        mutating func name(process: Int, thread: Int? = nil, _ name: String, order: Int) {
            let kind = thread == nil ? "process" : "thread"
            let place = "\"pid\":\(process),\"tid\":\(thread ?? 0)"
            let name = ReportFormat.json(name)
            events.append("{\"ph\":\"M\",\(place),\"name\":\"\(kind)_name\",\"args\":{\"name\":\(name)}}")
            events.append(
                "{\"ph\":\"M\",\(place),\"name\":\"\(kind)_sort_index\",\"args\":{\"sort_index\":\(order)}}")
        }

        mutating func slice(
            _ process: Int, _ thread: Int, _ name: String, _ category: String, _ start: UInt64, _ end: UInt64
        ) {
            events.append(
                "{\"ph\":\"X\",\"pid\":\(process),\"tid\":\(thread),\"ts\":\(microseconds(start)),"
                    + "\"dur\":\(microseconds(end - start)),\"name\":\(ReportFormat.json(name)),"
                    + "\"cat\":\"\(category)\"}")
        }

        mutating func counter(_ process: Int, _ name: String, _ time: UInt64, _ value: UInt64) {
            events.append(
                "{\"ph\":\"C\",\"pid\":\(process),\"tid\":0,\"ts\":\(microseconds(time)),"
                    + "\"name\":\"\(name)\",\"args\":{\"value\":\(value)}}")
        }

        mutating func instant(_ process: Int, _ name: String, _ time: UInt64, scheduler: String?) {
            let arguments = scheduler.map { ",\"args\":{\"scheduler\":\(ReportFormat.json($0))}" } ?? ""
            events.append(
                "{\"ph\":\"I\",\"s\":\"p\",\"pid\":\(process),\"tid\":0,\"ts\":\(microseconds(time)),"
                    + "\"name\":\(ReportFormat.json(name)),\"cat\":\"incident\"\(arguments)}")
        }

        mutating func handOver(_ process: Int, _ thread: Int, from: String, to: String, _ time: UInt64) {
            events.append(
                "{\"ph\":\"I\",\"s\":\"t\",\"pid\":\(process),\"tid\":\(thread),\"ts\":\(microseconds(time)),"
                    + "\"name\":\"directed yield\",\"cat\":\"yield\",\"args\":{\"from\":\(ReportFormat.json(from)),"
                    + "\"to\":\(ReportFormat.json(to))}}")
        }

        private func microseconds(_ nanoseconds: UInt64) -> String {
            let rest = String(nanoseconds % 1000)
            guard rest != "0" else { return "\(nanoseconds / 1000)" }
            return "\(nanoseconds / 1000)." + String(repeating: "0", count: 3 - rest.utf8.count) + rest
        }
    }
}
