/// Writes the timeline: turns changes of state into gapless spans, sees who hands the processor to whom, and counts
/// repeated incidents.
struct TimelineRecorder {
    private(set) var timeline = Timeline()
    /// Per node: the state that it is in, since when, and the span that it continues. Nodes come and never go, and a copy
    /// of the recorder closes spans without changing this.
    private let open = Table<OpenSpan>()
    private var incidents = IncidentLog()
    /// Per processor who had it last, until when, and how it lost it; nil once nobody has had it for a while.
    private var stopped: [(node: Int, time: UInt64, kind: Timeline.HandOver.Kind)?]
    /// Per processor the last time that it spent on nobody's task.
    private var lastOverhead: [Int?]
    /// How those who run give their processor away, when the state that they are in afterwards does not tell.
    private var announced: [Int: Timeline.HandOver.Kind] = [:]

    private struct OpenSpan {
        /// Whether the node lives.
        var isOpen = false
        var state = Timeline.State.runnable
        var processor: UInt8 = 0
        var start: UInt64 = 0
        /// The span that ends where this one starts, when that has the same state; -1: none.
        var continues = -1
        /// The last span that was written for the node; -1: none. And what it is, so that nobody has to look for it among
        /// millions.
        var last = -1
        var lastState = Timeline.State.runnable
        var lastProcessor: UInt8 = 0

        /// Goes on in another state.
        mutating func change(to state: Timeline.State, at time: UInt64, on processor: UInt8) {
            self.state = state
            self.processor = processor
            start = time
            continues = last >= 0 && lastState == state && lastProcessor == processor ? last : -1
        }

        /// What was open has been written as that span.
        mutating func close(as span: Int) {
            last = span
            lastState = state
            lastProcessor = processor
        }
    }

    init(tick: UInt64, processors: Int) {
        timeline.tick = tick
        timeline.processors = processors
        stopped = Array(repeating: nil, count: processors)
        lastOverhead = Array(repeating: nil, count: processors)
    }

    /// Makes room for what many decisions leave, so that the lists need not be moved as they grow.
    mutating func reserve(decisions: Int) {
        timeline.decisions.reserveCapacity(decisions)
        timeline.spans.reserveCapacity(2 * decisions)
        timeline.handOvers.reserveCapacity(decisions)
    }

    mutating func add(_ node: Timeline.Node) {
        timeline.nodes.append(node)
        open.append(OpenSpan())
    }

    /// An environment begins.
    mutating func begin(_ node: Int, _ state: Timeline.State, at time: UInt64) {
        timeline.nodes[node].created = time
        open[node] = OpenSpan(isOpen: true, state: state, start: time)
    }

    /// An environment changes its state. States that last no time leave no span.
    /// - Parameter processor: the one that it has, if it begins to run.
    mutating func change(
        _ node: Int, to state: Timeline.State, at time: UInt64, on processor: UInt8 = 0
    ) {
        guard open[node].isOpen, open[node].state != state else { return }
        if open[node].state == .running {
            stop(node, on: open[node].processor, canGoOn: state == .runnable, at: time)
        }
        if state == .running { start(node, on: processor, at: time) }
        if time > open[node].start { open[node].close(as: close(node, at: time)) }
        open[node].change(to: state, at: time, on: processor)
    }

    /// An environment ends.
    mutating func end(_ node: Int, at time: UInt64) {
        guard open[node].isOpen else { return }
        if open[node].state == .running { stop(node, on: open[node].processor, canGoOn: false, at: time) }
        if time > open[node].start { _ = close(node, at: time) }
        open[node].isOpen = false
        timeline.nodes[node].ended = time
    }

    // MARK: Hand-overs

    /// Whoever runs is about to give its processor away in that way.
    mutating func announce(_ kind: Timeline.HandOver.Kind, by node: Int) { announced[node] = kind }

    private mutating func stop(_ node: Int, on processor: UInt8, canGoOn: Bool, at time: UInt64) {
        let kind = announced.isEmpty ? nil : announced.removeValue(forKey: node)
        stopped[Int(processor)] = (node, time, canGoOn ? kind ?? .revoked : .released)
    }

    private mutating func start(_ node: Int, on processor: UInt8, at time: UInt64) {
        if let last = stopped[Int(processor)], last.node != node {
            timeline.handOvers.append(
                Timeline.HandOver(
                    time: last.time, arrival: time, processor: processor, from: last.node, to: node,
                    kind: last.kind))
        }
        stopped[Int(processor)] = nil
    }

    /// Writes the span that is open.
    private mutating func close(_ node: Int, at time: UInt64) -> Int {
        let span = open[node]
        if span.continues >= 0 {
            timeline.spans[span.continues].end = time
            return span.continues
        }
        timeline.spans.append(
            Timeline.Span(
                node: node, state: span.state, processor: span.processor, start: span.start, end: time))
        return timeline.spans.count - 1
    }

    mutating func wakeup(_ node: Int, at time: UInt64) { timeline.wakeups.append((time, node)) }
    /// A processor has spent time on nobody's task.
    mutating func overhead(_ overhead: Timeline.Overhead) {
        // What goes on is one span, whatever the other processors do.
        if let last = lastOverhead[Int(overhead.processor)], timeline.overheads[last].end == overhead.start,
            timeline.overheads[last].scheduler == overhead.scheduler
        {
            timeline.overheads[last].end = overhead.end
        } else {
            lastOverhead[Int(overhead.processor)] = timeline.overheads.count
            timeline.overheads.append(overhead)
        }
    }

    mutating func decision(_ decision: Timeline.Decision) {
        timeline.decisions.append(decision)
        if let chosen = decision.chosen {
            // Who has been chosen again has given nothing away.
            if !announced.isEmpty { announced[chosen] = nil }
        } else {
            stopped[Int(decision.processor)] = nil
        }
    }
    mutating func incident(
        _ message: String, node: Int?, at time: UInt64, always: Bool, registers: String? = nil
    ) {
        incidents.add(message, node: node, at: time, always: always, registers: registers)
    }

    /// A program is over.
    mutating func exit(_ node: Int, with value: UInt64) { timeline.nodes[node].exit = value }

    /// Incidents so far, the same ones counted once.
    var incidentCount: Int { incidents.count }

    /// An environment that was to begin later never will.
    mutating func cancel(_ node: Int, at time: UInt64) {
        timeline.nodes[node].created = time
        timeline.nodes[node].ended = time
    }

    /// A scheduler, which has no states, ends.
    mutating func endScheduler(_ node: Int, at time: UInt64) { timeline.nodes[node].ended = time }

    mutating func moveUnder(_ parent: Int, _ node: Int) { timeline.nodes[node].parent = parent }

    /// Closes what is open, and hands the timeline over.
    func finished(at time: UInt64) -> Timeline {
        var copy = self
        copy.timeline.end = time
        for node in copy.open.indices {
            if open[node].isOpen, time > open[node].start { _ = copy.close(node, at: time) }
            // Who never came to be has no life: not even one that is still to come.
            copy.timeline.nodes[node].created = min(copy.timeline.nodes[node].created, time)
        }
        copy.timeline.incidents = incidents.entries
        return copy.timeline
    }
}

/// Incidents, the same ones once with the number of times, however hostile their cause.
struct IncidentLog {
    /// Different messages that are kept of one node.
    static let messagesPerNode = 32

    private struct Key: Hashable {
        var node: Int?
        var message: String
    }
    private var order: [(incident: Timeline.Incident, times: Int)] = []
    private var indices: [Key: Int] = [:]
    private var messages: [Int?: Int] = [:]

    /// - Parameter always: kept even if there have been many different ones.
    mutating func add(
        _ message: String, node: Int?, at time: UInt64, always: Bool, registers: String? = nil
    ) {
        var key = Key(node: node, message: message)
        if indices[key] == nil, !always, messages[node, default: 0] >= Self.messagesPerNode {
            key.message = "further incidents of other kinds"
        }
        if let index = indices[key] {
            order[index].times += 1
            return
        }
        messages[node, default: 0] += 1
        indices[key] = order.count
        order.append(
            (Timeline.Incident(time: time, node: node, message: key.message, registers: registers), 1))
    }

    var count: Int { order.count }

    /// In the order of their first occurrence; the message says how often it was.
    var entries: [Timeline.Incident] {
        order.map { incident, times in
            var incident = incident
            if times > 1 { incident.message += " × \(times)" }
            return incident
        }
    }
}
