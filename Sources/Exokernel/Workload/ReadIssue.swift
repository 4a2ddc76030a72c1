import SCode

/// One thing that is wrong, or odd, in a workload or a scenario, and where.
public struct ReadIssue: Error, Hashable, Sendable, CustomStringConvertible {
    public var path: String
    /// Counted from 1; 0 when the place is not known.
    public var line: Int
    /// In characters (Unicode scalars), counted from 1.
    public var column: Int
    public var problem: ReadProblem
    public init(path: String, line: Int, column: Int, problem: ReadProblem) {
        self.path = path
        self.line = line
        self.column = column
        self.problem = problem
    }

    /// `file:line:column: message`, fit for a terminal: control characters of the input are shown escaped.
    public var description: String {
        let place = line > 0 ? "\(path.escapedForTerminal):\(line):\(column)" : path.escapedForTerminal
        return "\(place): \(problem.message)"
    }
}

/// Why a workload or a scenario was refused: all that was found, at least one.
public struct ReadFailure: Error, Hashable, Sendable, CustomStringConvertible {
    public let issues: [ReadIssue]
    public init(_ issues: [ReadIssue]) { self.issues = issues }
    public var description: String { issues.map(\.description).joined(separator: "\n") }
}

/// Everything that the readers of workloads and scenarios complain about. The first group ends the reading;
/// the second are warnings.
public enum ReadProblem: Hashable, Sendable {
    // The text
    case syntax(String)
    case unexpected(found: String, expected: String)
    case unterminated(String)
    case badNumber(String)
    case fileTooLarge(limit: Int)
    case fileUnreadable(path: String, reason: String)
    case nestedTooDeeply(limit: Int)
    case expandsTooFar(limit: Int)
    // What it says
    case expected(String, at: String)
    case missingKey(String, of: String)
    case unknownKey(String, of: String, suggestion: String?)
    case duplicateKey(String)
    case unknownName(String, what: String, suggestion: String?)
    case duplicateName(String)
    case badName(String)
    case badQuantity(String, expected: String)
    case outOfRange(String, String)
    case excludes(String, String)
    case tooMany(String, limit: Int)
    case sharesExceedWhole
    case loopTakesNoTime(String)
    case endlessInnerLoop
    // Warnings
    case unknownKeyIgnored(String, suggestion: String?)
    case keyIgnored(String, reason: String)
    case standIn(String, String)

    /// The reason, a sentence without a full stop.
    public var message: String {
        switch self {
        case .syntax(let text): text.escapedForTerminal
        case .unexpected(let found, let expected): "\(expected) expected, not \(quote(found))"
        case .unterminated(let what): "\(what) without an end"
        case .badNumber(let text): "\(quote(text)) is not a number that can be used here"
        case .fileTooLarge(let limit): "the file has more than \(limit) bytes"
        case .fileUnreadable(let path, let reason):
            "\(quote(path)) cannot be read: \(reason.escapedForTerminal)"
        case .nestedTooDeeply(let limit): "nested more than \(limit) deep"
        case .expandsTooFar(let limit): "comes to more than \(limit) values once its aliases are filled in"
        case .expected(let what, let at): "\(at.escapedForTerminal) must be \(what)"
        case .missingKey(let key, let of): "\(of.escapedForTerminal) needs \(quote(key))"
        case .unknownKey(let key, let of, let suggestion):
            "\(of.escapedForTerminal) has no key \(quote(key))\(hint(suggestion))"
        case .duplicateKey(let key): "\(quote(key)) is given twice"
        case .unknownName(let name, let what, let suggestion): "no \(what) \(quote(name))\(hint(suggestion))"
        case .duplicateName(let name): "the name \(quote(name)) is used twice"
        case .badName(let name):
            "\(quote(name)) is not a name: 1 to 255 printable characters, no blank at either end"
        case .badQuantity(let text, let expected): "\(quote(text)) is not \(expected)"
        case .outOfRange(let what, let range): "\(what.escapedForTerminal) must be \(range)"
        case .excludes(let one, let other): "\(quote(one)) and \(quote(other)) exclude each other"
        case .tooMany(let what, let limit): "more than \(limit) \(what)"
        case .sharesExceedWhole: "the shares of one level come to more than 100%"
        case .loopTakesNoTime(let name):
            "\(quote(name)) repeats for ever, or very often, without using or waiting for any time"
        case .endlessInnerLoop: "a loop without end cannot stand inside another loop, or before other actions"
        case .unknownKeyIgnored(let key, let suggestion):
            "unknown key \(quote(key)) ignored\(hint(suggestion))"
        case .keyIgnored(let key, let reason): "\(quote(key)) ignored: \(reason)"
        case .standIn(let key, let what): "\(quote(key)) is taken as \(what)"
        }
    }

    private func quote(_ text: String) -> String {
        let limit = 60
        let shown = text.unicodeScalars.count > limit ? String(text.unicodeScalars.prefix(limit)) + "…" : text
        return "'\(shown.escapedForTerminal)'"
    }

    private func hint(_ suggestion: String?) -> String {
        suggestion.map { "; did you mean \(quote($0))?" } ?? ""
    }
}

extension String {
    /// The same text with control characters written out, so that a name cannot steer a terminal.
    var escapedForTerminal: String {
        guard unicodeScalars.contains(where: \.isControl) else { return self }
        var result = ""
        for scalar in unicodeScalars {
            if scalar.isControl {
                result += "\\u{" + String(scalar.value, radix: 16) + "}"
            } else {
                result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}

/// What a task, node or lock may be called.
func isValidName(_ name: String) -> Bool {
    !name.isEmpty && name.utf8.count <= ScenarioLimits.nameLength
        && name.unicodeScalars.allSatisfy { !$0.isControl } && name.first != " " && name.last != " "
}
