import Yams

/// Turns YAML text that nobody vouches for into a tree.
///
/// The parser underneath recurses over nesting, and compares keys by their whole content, aliases filled in;
/// a few lines can make that take for ever or exhaust the stack. So the text is looked through first, and
/// what no scenario needs is refused: keys that are not plain words, deep nesting, more than a few aliases.
/// Aliases that remain cost what they expand to; `ScenarioTree` counts that.
enum YAMLTree {
    static let flowNestingLimit = 32
    static let indentationLimit = 100
    static let aliasLimit = 64

    static func compose(_ text: String, path: String) throws(ReadIssue) -> Node {
        func issue(_ problem: ReadProblem, _ line: Int = 0, _ column: Int = 0) -> ReadIssue {
            ReadIssue(path: path, line: line, column: column, problem: problem)
        }
        guard text.utf8.count <= ScenarioLimits.fileSize else {
            throw issue(.fileTooLarge(limit: ScenarioLimits.fileSize))
        }
        var scan = Scan(text)
        if let problem = scan.firstProblem() { throw issue(problem, scan.line, scan.column) }
        do {
            guard let root = try Yams.compose(yaml: text, .basic, .default, .utf8) else {
                throw issue(.syntax("the file is empty"), 1, 1)
            }
            return root
        } catch let error as YamlError {
            switch error {
            case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
                .composer(_, let problem, let mark, _):
                throw issue(.syntax(problem), mark.line, mark.column)
            case .duplicatedKeysInMapping(let duplicates, let context):
                throw issue(.duplicateKey(duplicates.first ?? ""), context.mark.line, context.mark.column)
            case .reader(let problem, _, _, _): throw issue(.syntax(problem))
            case .no, .memory, .writer, .emitter, .representer, .dataCouldNotBeDecoded:
                throw issue(.syntax("this is not YAML"))
            }
        } catch let error as ReadIssue {
            throw error
        } catch {
            throw issue(.syntax("this is not YAML"))
        }
    }

    /// Looks through the text without understanding it: it sees too much (in comments and strings too), never
    /// too little.
    private struct Scan {
        private let bytes: [UInt8]
        private var offset = 0
        private(set) var line = 1
        private var lineStart = 0
        var column: Int { offset - lineStart + 1 }

        init(_ text: String) { bytes = Array(text.utf8) }

        /// The place is where `offset` then stands.
        mutating func firstProblem() -> ReadProblem? {
            var flowNesting = 0
            var aliases = 0
            // Whether only blanks, dashes, or an opening or separating mark stand before this byte, so that a
            // token may begin here.
            var atTokenStart = true
            var atLineStart = true
            while offset < bytes.count {
                let byte = bytes[offset]
                switch byte {
                case UInt8(ascii: "\n"), UInt8(ascii: "\r"):
                    if byte == UInt8(ascii: "\n") { line += 1 }
                    lineStart = offset + 1
                    atTokenStart = true
                    atLineStart = true
                case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "-"):
                    if atLineStart, column > indentationLimit {
                        return .nestedTooDeeply(limit: indentationLimit)
                    }
                case UInt8(ascii: "["), UInt8(ascii: "{"):
                    flowNesting += 1
                    if flowNesting > flowNestingLimit { return .nestedTooDeeply(limit: flowNestingLimit) }
                    (atTokenStart, atLineStart) = (true, false)
                case UInt8(ascii: ","), UInt8(ascii: ":"):
                    (atTokenStart, atLineStart) = (true, false)
                case UInt8(ascii: "]"), UInt8(ascii: "}"):
                    flowNesting = max(0, flowNesting - 1)
                    if colonFollows(offset + 1) { return .syntax("a key must be a plain word") }
                    (atTokenStart, atLineStart) = (false, false)
                case UInt8(ascii: "?") where atTokenStart:
                    return .syntax("a key must be a plain word, without '?' before it")
                case UInt8(ascii: "*"):
                    var end = offset + 1
                    while end < bytes.count, Self.isAnchor(bytes[end]) { end += 1 }
                    if end > offset + 1 {
                        aliases += 1
                        if aliases > aliasLimit { return .tooMany("aliases", limit: aliasLimit) }
                        if colonFollows(end) { return .syntax("a key must be a plain word, not an alias") }
                    }
                    (atTokenStart, atLineStart) = (false, false)
                default:
                    (atTokenStart, atLineStart) = (false, false)
                }
                offset += 1
            }
            return nil
        }

        private func colonFollows(_ start: Int) -> Bool {
            let next = bytes[start...].first { ![0x20, 0x09, 0x0A, 0x0D].contains($0) }
            return next == UInt8(ascii: ":")
        }

        private static func isAnchor(_ byte: UInt8) -> Bool {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"):
                true
            default: false
            }
        }
    }
}
