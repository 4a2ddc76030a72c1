import Foundation

/// Where two traces differ first, in simulated time.
public struct TraceDifference: Hashable, Sendable, CustomStringConvertible {
    /// Nanoseconds; nil: before anything happens, in what the trace says of itself or of its tracks.
    public var time: UInt64?
    /// The path of the environment or scheduler whose track it is; nil: it is nobody's.
    public var node: String?
    /// What the trace has there, and what the replay has; nil: nothing.
    public var recorded: String?
    public var made: String?

    public var description: String {
        var place: [String] = []
        if let time {
            let milliseconds = ReportFormat.fixed(Double(time) / 1e6, 6)
            place.append("at \(ReportFormat.withoutTrailingZeros(milliseconds)) ms")
        } else {
            place.append("before the start")
        }
        if let node { place.append("in the track of '\(node.escapedForTerminal)'") }
        func shown(_ event: String?) -> String { (event ?? "nothing").escapedForTerminal }
        return """
            first difference \(place.joined(separator: ", ")):
              the trace has   \(shown(recorded))
              the replay has  \(shown(made))
            """
    }

    /// nil: they are the same, byte for byte.
    public static func first(recorded: String, made: String) -> TraceDifference? {
        // Characters that look alike are not the same bytes.
        if recorded.utf8.elementsEqual(made.utf8) { return nil }
        let (ofTrace, ofReplay) = (Lines(recorded), Lines(made))
        let (lost, new) = (ofTrace.first(notIn: ofReplay), ofReplay.first(notIn: ofTrace))
        guard let first = [lost, new].compactMap({ $0 }).min(by: { $0.isBefore($1) }) else {
            let recorded = "the same events, in another order or written in another way"
            return TraceDifference(recorded: recorded, made: "them as they are written now")
        }
        // What only one of them has at another moment, or on another track, comes later, and is another difference.
        func describe(_ line: Line?) -> String? {
            line.flatMap { $0.time == first.time && $0.track == first.track ? $0.description : nil }
        }
        return TraceDifference(
            time: first.time, node: first.track.flatMap { ofReplay.names[$0] ?? ofTrace.names[$0] },
            recorded: describe(lost), made: describe(new))
    }

    /// An event of the trace format, as far as it matters here.
    private struct Event: Decodable {
        struct Arguments: Decodable {
            var name: String?
            var value: UInt64?
        }
        var ph: String
        var pid: Int?
        var tid: Int?
        var dur: Double?
        var name: String?
        var cat: String?
        var args: Arguments?
    }

    private struct Line {
        let text: Substring
        /// Nanoseconds.
        let time: UInt64?
        /// What happens to an environment tells more than the same seen from above.
        let rank: Int
        private let event: Event?

        init(_ text: Substring) {
            self.text = text
            time = Self.time(text)
            event = try? JSONDecoder().decode(Event.self, from: Data(text.utf8))
            rank =
                event?.ph == "X" && event?.pid != TraceTracks.machine && event?.cat != "scheduler" ? 0 : 1
        }

        var track: Int? { event.flatMap { $0.pid == TraceTracks.machine ? nil : $0.tid } }

        var description: String {
            guard let event else { return ReportFormat.shortened(String(text), to: 100) }
            let name = event.name ?? ""
            switch event.ph {
            case "X":
                let length = ReportFormat.fixed((event.dur ?? 0) / 1000, 6)
                return "'\(name)' for \(ReportFormat.withoutTrailingZeros(length)) ms"
            case "C": return "'\(name)' is \(event.args?.value ?? 0)"
            case "s", "f": return "the processor is \(name)"
            case "M": return "\(name) '\(event.args?.name ?? "")'"
            default: return "'\(name)'"
            }
        }

        func isBefore(_ other: Line) -> Bool { (time ?? 0, rank) < (other.time ?? 0, other.rank) }

        /// In the text of an event no quotation mark stands unescaped in a name, so this is found where it should be.
        static func time(_ text: Substring) -> UInt64? {
            guard let mark = text.firstRange(of: "\"ts\":") else { return nil }
            return Quantity.decimal(text[mark.upperBound...].prefix { $0 != "," && $0 != "}" }, scale: 1000)
        }
    }

    /// The lines of a trace, and how often each is in it.
    private struct Lines {
        private let lines: [Substring]
        private let count: [Substring: Int]
        /// Paths of nodes by thread.
        let names: [Int: String]

        init(_ trace: String) {
            lines = trace.utf8.split(separator: UInt8(ascii: "\n")).map {
                Substring($0.last == UInt8(ascii: ",") ? $0.dropLast() : $0)
            }
            count = lines.reduce(into: [:]) { $0[$1, default: 0] += 1 }
            names = lines.lazy.filter { $0.contains("\"thread_name\"") }.reduce(into: [:]) { names, line in
                guard let event = try? JSONDecoder().decode(Event.self, from: Data(line.utf8)),
                    event.name == "thread_name", let thread = event.tid, let name = event.args?.name
                else { return }
                names[thread] = name
            }
        }

        /// The earliest line of which the others do not have as many.
        func first(notIn others: Lines) -> Line? {
            var left = others.count
            var earliest: [Substring] = []
            var time = UInt64.max
            for line in lines {
                if let more = left[line], more > 0 {
                    left[line] = more - 1
                    continue
                }
                let moment = Line.time(line) ?? 0
                if moment < time { (earliest, time) = ([], moment) }
                if moment == time { earliest.append(line) }
            }
            return earliest.lazy.map(Line.init).min { $0.isBefore($1) }
        }
    }
}
