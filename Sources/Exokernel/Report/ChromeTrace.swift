import SCode

/// The timeline in the JSON format of Chrome's tracing, which Perfetto reads too.
///
/// An environment has a track with its states. A scheduler has one that shows who below it had the processor: its
/// children, in these theirs; on several processors it has one for each. Arrows lead from who lost a processor to who
/// got it. `TraceTracks` says where tracks stand. Each event has a line of its own.
public enum ChromeTrace {
    private static let machine = TraceTracks.machine

    /// - Parameter origin: what the simulation was of; with it the trace can be made again.
    public static func text(_ timeline: Timeline, origin: TraceOrigin? = nil) -> String {
        let tree = Timeline.Tree(timeline.nodes)
        let tracks = TraceTracks(timeline, tree)
        var trace = TraceText()
        trace.name(process: machine, "machine", order: 0)
        addProcessors(timeline, tracks, to: &trace)
        addCounters(timeline, to: &trace)
        for (order, top) in tracks.tops.enumerated() {
            trace.name(process: tracks.tracks[top].process, timeline.nodes[top].name, order: order + 1)
        }
        let slices = TraceSlices(timeline, tree).slices
        for (order, node) in tree.preorder.enumerated() {
            for processor in slices.indices {
                let slices = timeline.nodes[node].isScheduler ? slices[processor][node] : []
                guard processor == 0 || !slices.isEmpty else { continue }
                let track = tracks.track(node, on: processor)
                let place = order * timeline.processors + processor
                trace.name(thread: track.thread, of: track.process, track.name, order: place)
                for slice in slices {
                    let name = timeline.nodes[slice.node].name
                    trace.slice(track, name, "scheduler", slice.start, slice.end)
                }
            }
        }
        let running = addEnvironments(timeline, tree, tracks, to: &trace)
        addHandOvers(timeline, tracks, running, to: &trace)
        addIncidents(timeline, tracks, to: &trace)
        return trace.text(origin)
    }

    /// What each processor did: environments, fragments, the kernel.
    private static func addProcessors(_ timeline: Timeline, _ tracks: TraceTracks, to trace: inout TraceText)
    {
        let overheads = timeline.overheadsByProcessor()
        for (processor, stretches) in timeline.processorStretches().enumerated() {
            let track = tracks.processor(processor)
            trace.name(thread: track.thread, of: machine, track.name, order: processor)
            var slices = stretches.map { ($0.start, $0.end, timeline.nodes[$0.node].name, "processor") }
            for overhead in overheads[processor] {
                let scheduler = overhead.scheduler.flatMap {
                    timeline.nodes.indices.contains($0) ? timeline.nodes[$0].name : nil
                }
                let category = scheduler == nil ? "kernel" : "fragment"
                slices.append((overhead.start, overhead.end, scheduler ?? "kernel", category))
            }
            slices.sort { ($0.0, $0.1) < ($1.0, $1.1) }
            var covered: UInt64 = 0
            for (start, end, name, category) in slices where end > covered {
                trace.slice(track, name, category, max(start, covered), end)
                covered = end
            }
        }
    }

    /// How many environments wait for the processor, and what the decisions cost.
    private static func addCounters(_ timeline: Timeline, to trace: inout TraceText) {
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

    /// A moment in the life of a node.
    private struct Moment: Hashable {
        var node: Int
        var time: UInt64
    }

    /// When environments begin and stop running, as the trace shows it.
    private struct Running {
        var starts: Set<Moment> = []
        var ends: Set<Moment> = []
    }

    private static func addEnvironments(
        _ timeline: Timeline, _ tree: Timeline.Tree, _ tracks: TraceTracks, to trace: inout TraceText
    ) -> Running {
        var running = Running()
        let spans = timeline.spansByNode()
        for node in tree.preorder where !timeline.nodes[node].isScheduler {
            var covered: UInt64 = 0
            for span in spans[node] where span.end > max(covered, span.start) {
                let start = max(covered, span.start)
                let name = "\(span.state)"
                trace.slice(tracks.tracks[node], name, name, start, span.end)
                covered = span.end
                guard span.state == .running else { continue }
                running.starts.insert(Moment(node: node, time: start))
                running.ends.insert(Moment(node: node, time: span.end))
            }
        }
        return running
    }

    /// An arrow leaves the slice of who ran in its last nanosecond, and reaches the other's as that begins: viewers
    /// bind it to the slices that are open at these moments. Who had the processor for no time has no slice: the arrow
    /// leads past it.
    private static func addHandOvers(
        _ timeline: Timeline, _ tracks: TraceTracks, _ running: Running, to trace: inout TraceText
    ) {
        var number = 0
        var past: [UInt8: Timeline.HandOver] = [:]
        for handOver in timeline.handOvers {
            var arrow = handOver
            if let before = past.removeValue(forKey: arrow.processor), before.arrival == arrow.time,
                before.to == arrow.from, !running.ends.contains(Moment(node: arrow.from, time: arrow.time))
            {
                (arrow.from, arrow.time, arrow.kind) = (before.from, before.time, before.kind)
            }
            guard running.starts.contains(Moment(node: arrow.to, time: arrow.arrival)) else {
                past[arrow.processor] = arrow
                continue
            }
            guard running.ends.contains(Moment(node: arrow.from, time: arrow.time)), arrow.from != arrow.to
            else { continue }
            number += 1
            let name = arrow.kind.rawValue
            trace.flow("s", tracks.tracks[arrow.from], name, id: number, arrow.time - 1)
            trace.flow("f", tracks.tracks[arrow.to], name, id: number, arrow.arrival)
        }
    }

    private static func addIncidents(_ timeline: Timeline, _ tracks: TraceTracks, to trace: inout TraceText) {
        for incident in timeline.incidents {
            let node = incident.node.flatMap { timeline.nodes.indices.contains($0) ? $0 : nil }
            let process = node.map { tracks.tracks[$0].process } ?? machine
            let scheduler = node.map { timeline.nodes[$0].name }
            trace.instant(process, incident.message, incident.time, scheduler: scheduler)
        }
    }
}

/// The events of a trace as they are written, one a line.
struct TraceText {
    private var events: [String] = []

    /// The whole: what it was made from is in the first line.
    func text(_ origin: TraceOrigin?) -> String {
        let origin = origin.map { "\"otherData\": \($0.json), " } ?? ""
        return "{\"displayTimeUnit\": \"ms\", \(origin)\"traceEvents\": [\n"
            + events.joined(separator: ",\n") + "\n]}\n"
    }

    mutating func name(process: Int, _ name: String, order: Int) {
        self.name("process", process, process, name, order)
    }

    mutating func name(thread: Int, of process: Int, _ name: String, order: Int) {
        self.name("thread", process, thread, name, order)
    }

    private mutating func name(_ kind: String, _ process: Int, _ thread: Int, _ name: String, _ order: Int) {
        let place = "\"pid\":\(process),\"tid\":\(thread)"
        let name = JSONText.quoted(name)
        events.append("{\"ph\":\"M\",\(place),\"name\":\"\(kind)_name\",\"args\":{\"name\":\(name)}}")
        events.append(
            "{\"ph\":\"M\",\(place),\"name\":\"\(kind)_sort_index\",\"args\":{\"sort_index\":\(order)}}")
    }

    mutating func slice(
        _ track: TraceTracks.Track, _ name: String, _ category: String, _ start: UInt64, _ end: UInt64
    ) {
        add("X", track, start, "\"dur\":\(microseconds(end - start)),", name, category)
    }

    /// One end of an arrow; both have the same name and number.
    mutating func flow(_ phase: String, _ track: TraceTracks.Track, _ name: String, id: Int, _ time: UInt64) {
        let binding = phase == "f" ? "\"bp\":\"e\"," : ""
        add(phase, track, time, "\(binding)\"id\":\(id),", name, "hand-over")
    }

    private mutating func add(
        _ phase: String, _ track: TraceTracks.Track, _ time: UInt64, _ fields: String, _ name: String,
        _ category: String
    ) {
        events.append(
            "{\"ph\":\"\(phase)\",\"pid\":\(track.process),\"tid\":\(track.thread),"
                + "\"ts\":\(microseconds(time)),\(fields)\"name\":\(JSONText.quoted(name)),"
                + "\"cat\":\"\(category)\"}")
    }

    mutating func counter(_ process: Int, _ name: String, _ time: UInt64, _ value: UInt64) {
        events.append(
            "{\"ph\":\"C\",\"pid\":\(process),\"tid\":\(process),\"ts\":\(microseconds(time)),"
                + "\"name\":\"\(name)\",\"args\":{\"value\":\(value)}}")
    }

    mutating func instant(_ process: Int, _ name: String, _ time: UInt64, scheduler: String?) {
        let arguments = scheduler.map { ",\"args\":{\"scheduler\":\(JSONText.quoted($0))}" } ?? ""
        events.append(
            "{\"ph\":\"I\",\"s\":\"p\",\"pid\":\(process),\"tid\":\(process),\"ts\":\(microseconds(time)),"
                + "\"name\":\(JSONText.quoted(name)),\"cat\":\"incident\"\(arguments)}")
    }

    private func microseconds(_ nanoseconds: UInt64) -> String {
        let rest = String(nanoseconds % 1000)
        guard rest != "0" else { return "\(nanoseconds / 1000)" }
        return "\(nanoseconds / 1000)." + String(repeating: "0", count: 3 - rest.utf8.count) + rest
    }
}
