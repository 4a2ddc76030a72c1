import SCode
import Foundation

/// What a trace was made from. It stands in the trace's first line, so that the trace can be made again, byte for byte.
public struct TraceOrigin: Sendable, Hashable, Decodable {
    /// A file that the simulation read.
    public struct Input: Sendable, Hashable, Decodable {
        /// As it was given, or as the scenario leads to it.
        public var path: String
        /// The FNV-1a hash of its text, 16 hexadecimal digits. It tells a file from what it was before, not from what
        /// somebody makes in order to deceive: what counts is that the same trace comes of it.
        public var fnv1a: String

        public init(path: String, text: String) {
            self.path = path
            let hash = text.utf8.reduce(0xcbf2_9ce4_8422_2325 as UInt64) {
                ($0 ^ UInt64($1)) &* 0x100_0000_01b3
            }
            let digits = String(hash, radix: 16)
            fnv1a = String(repeating: "0", count: 16 - digits.utf8.count) + digits
        }
    }

    /// Traces of another number are written in another way, and cannot be the same bytes.
    public static let currentFormat = 1
    private static let currentGenerator = "scodec sim"

    private var generator = currentGenerator
    public private(set) var format = currentFormat
    public var seed: UInt64
    /// The scenario first, then what it names.
    public var inputs: [Input]

    /// - Parameter seed: the one that was used, whatever the scenario says.
    public init(seed: UInt64, inputs: [Input]) {
        self.seed = seed
        self.inputs = inputs
    }

    var json: String {
        let inputs = inputs.map {
            "{\"path\": \(JSONText.quoted($0.path)), \"fnv1a\": \(JSONText.quoted($0.fnv1a))}"
        }
        return "{\"generator\": \(JSONText.quoted(generator)), \"format\": \(format), \"seed\": \(seed), "
            + "\"inputs\": [\(inputs.joined(separator: ", "))]}"
    }

    /// The files that are not what they were when a trace was written, one phrase each.
    public func changes(since old: TraceOrigin) -> [String] {
        func hashes(_ origin: TraceOrigin) -> [String: String] {
            Dictionary(origin.inputs.map { ($0.path, $0.fnv1a) }) { first, _ in first }
        }
        let (then, now) = (hashes(old), hashes(self))
        return then.keys.sorted().compactMap { path in
            guard let hash = now[path] else {
                return "'\(path.escapedForTerminal)' was read, and is not any more"
            }
            return hash == then[path] ? nil : "'\(path.escapedForTerminal)' is not what it was"
        }
            + now.keys.sorted().filter { then[$0] == nil }.map {
                "'\($0.escapedForTerminal)' is read, and was not"
            }
    }

    /// Why a trace cannot be made again.
    public enum Problem: Error, Hashable, Sendable, CustomStringConvertible {
        /// It does not begin as traces of `scodec sim` do.
        case notATrace
        case otherFormat(Int)

        public var description: String {
            switch self {
            case .notATrace:
                "this is no trace of 'scodec sim', or one of a version that did not say what it was made from"
            case .otherFormat(let format):
                "the trace has format \(format), and this version writes format \(TraceOrigin.currentFormat)"
            }
        }
    }

    /// Reads the first line of a trace; the rest may be anything.
    public init(trace: String) throws(Problem) {
        /// The object that is the whole trace, as far as it matters here.
        struct Head: Decodable { var otherData: TraceOrigin }
        let end = "\"traceEvents\": ["
        let line = Substring(trace.utf8.prefix { $0 != UInt8(ascii: "\n") })
        guard line.hasSuffix(end),
            let head = try? JSONDecoder().decode(Head.self, from: Data((line + "]}").utf8)),
            head.otherData.generator == Self.currentGenerator, !head.otherData.inputs.isEmpty
        else { throw .notATrace }
        guard head.otherData.format == Self.currentFormat else { throw .otherFormat(head.otherData.format) }
        self = head.otherData
    }
}
