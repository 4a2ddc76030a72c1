import Foundation

/// A trace in Chrome's format, and whether viewers can show it as it is meant.
public struct TraceShape {
    public struct Event: Decodable {
        public struct Arguments: Decodable {
            public var name: String?
            public var sort_index: Int?
            public var value: UInt64?
            public var scheduler: String?
        }
        public var ph: String
        public var pid: Int
        public var tid: Int
        /// Microseconds, exactly: binary fractions would not do.
        public var ts: Decimal?
        public var dur: Decimal?
        public var name: String
        public var cat: String?
        public var id: Int?
        public var bp: String?
        public var args: Arguments?

        public var start: Decimal { ts ?? 0 }
        public var end: Decimal { start + (dur ?? 0) }
    }
    private struct Document: Decodable { var traceEvents: [Event] }

    public let events: [Event]
    /// Slices by thread, in the order of the text.
    public let slices: [Int: [Event]]

    public init(_ text: String) throws {
        events = try JSONDecoder().decode(Document.self, from: Data(text.utf8)).traceEvents
        slices = Dictionary(grouping: events.filter { $0.ph == "X" }, by: \.tid)
    }

    /// Events of a kind.
    public func all(_ phase: String) -> [Event] { events.filter { $0.ph == phase } }

    /// The names that processes or threads are given, in the order of their sort indices.
    public func names(_ kind: String) -> [String] {
        let orders = events.filter { $0.name == "\(kind)_sort_index" }
            .reduce(into: [Int: Int]()) { $0[$1.tid] = $1.args?.sort_index }
        return events.filter { $0.name == "\(kind)_name" }
            .sorted { (orders[$0.tid] ?? -1) < (orders[$1.tid] ?? -1) }.compactMap { $0.args?.name }
    }

    /// Empty when all is well.
    public var problems: [String] { tracks + slices.keys.sorted().flatMap(nesting) + flows }

    /// Numbers are unique, and each track that has events has a name and a place.
    private var tracks: [String] {
        var problems: [String] = []
        var processes: [Int: Int] = [:]
        for event in events
        where processes.updateValue(event.pid, forKey: event.tid) ?? event.pid != event.pid {
            problems.append("thread \(event.tid) is in two processes")
        }
        for kind in ["process", "thread"] {
            for what in ["name", "sort_index"] {
                let named = events.filter { $0.name == "\(kind)_\(what)" }.map(\.tid)
                if Set(named).count != named.count { problems.append("\(kind)_\(what) twice") }
                let used = kind == "process" ? Set(events.map(\.pid)) : Set(slices.keys)
                let missing = used.subtracting(named)
                if !missing.isEmpty { problems.append("\(missing) has no \(kind)_\(what)") }
            }
            let orders = events.filter { $0.name == "\(kind)_sort_index" }.map {
                [$0.pid, $0.args?.sort_index ?? -1]
            }
            if Set(orders).count != orders.count { problems.append("two in one place: \(kind)") }
        }
        return problems
    }

    /// As a viewer stacks them: sorted by start, in the order of the text where that is equal.
    private func nesting(_ thread: Int) -> [String] {
        var open: [Event] = []
        let sorted = (slices[thread] ?? []).enumerated()
            .sorted { ($0.element.start, $0.offset) < ($1.element.start, $1.offset) }.map(\.element)
        for slice in sorted {
            if slice.end <= slice.start { return ["an empty slice in thread \(thread)"] }
            while let last = open.last, last.end <= slice.start { open.removeLast() }
            if let last = open.last, slice.end > last.end {
                return [
                    "'\(slice.name)' at \(slice.start) does not end inside '\(last.name)', thread \(thread)"
                ]
            }
            open.append(slice)
        }
        return []
    }

    /// Arrows have two ends and a number of their own, and lead from a slice of who runs to the beginning of another.
    private var flows: [String] {
        var problems: [String] = []
        let starts = all("s")
        let ends = Dictionary(all("f").map { ($0.id, $0) }) { first, _ in first }
        if Set(starts.map(\.id)).count != starts.count || starts.count != all("f").count {
            problems.append("flows do not come in pairs with a number each")
        }
        for start in starts {
            guard let end = ends[start.id], end.name == start.name, end.cat == start.cat, end.bp == "e" else {
                problems.append("flow \(start.id ?? -1) has no end")
                continue
            }
            let from = (slices[start.tid] ?? []).last { $0.start <= start.start }
            let to = (slices[end.tid] ?? []).last { $0.start <= end.start }
            // The arrow leaves in the last nanosecond.
            if from?.cat != "running" || from?.end != start.start + Decimal(1) / 1000 {
                problems.append("flow \(start.id ?? -1) leaves no slice of who runs, at \(start.start)")
            }
            if to?.cat != "running" || to?.start != end.start || end.start <= start.start {
                problems.append("flow \(start.id ?? -1) reaches no slice of who runs, at \(end.start)")
            }
        }
        return problems
    }
}
