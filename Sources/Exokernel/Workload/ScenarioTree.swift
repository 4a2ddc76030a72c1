import SCode
import Yams

/// The YAML tree as the readers of a scenario see it: typed access that complains at the right place.
///
/// Complaints are collected. After one, reading goes on with what is there, so that all are found at once.
final class ScenarioTree {
    /// Values handed out, aliases counted as often as they are used.
    static let valueLimit = 1 << 18
    private static let issueLimit = 50

    let path: String
    private(set) var issues: [ReadIssue] = []
    private(set) var warnings: [ReadIssue] = []
    private var valuesLeft = ScenarioTree.valueLimit

    init(path: String) { self.path = path }

    struct Entry {
        var key: String
        var keyNode: Node
        var value: Node
    }

    // MARK: Complaints

    func report(_ problem: ReadProblem, at node: Node?) {
        guard issues.count < Self.issueLimit else { return }
        issues.append(
            ReadIssue(
                path: path, line: node?.mark?.line ?? 0, column: node?.mark?.column ?? 0, problem: problem))
    }

    /// What another file's reader had to say.
    func add(issues: [ReadIssue], warnings: [ReadIssue]) {
        self.issues += issues.prefix(Self.issueLimit - min(Self.issueLimit, self.issues.count))
        self.warnings += warnings.prefix(Self.issueLimit - min(Self.issueLimit, self.warnings.count))
    }

    private func spend(_ count: Int, at node: Node) -> Bool {
        guard valuesLeft >= count else {
            if valuesLeft >= 0 { report(.expandsTooFar(limit: Self.valueLimit), at: node) }
            valuesLeft = -1
            return false
        }
        valuesLeft -= count
        return true
    }

    // MARK: Collections

    /// All entries of a mapping; nil when it is none.
    func entries(_ node: Node, _ what: String) -> [Entry]? {
        guard case .mapping(let mapping) = node else {
            report(.expected("a mapping (key: value)", at: what), at: node)
            return nil
        }
        guard spend(mapping.count, at: node) else { return nil }
        return mapping.compactMap { key, value in
            guard case .scalar(let scalar) = key else {
                report(.expected("a plain word", at: "a key"), at: key)
                return nil
            }
            return Entry(key: scalar.string, keyNode: key, value: value)
        }
    }

    /// The entries by key; a key that is not among `keys` is complained about.
    func mapping(_ node: Node, _ what: String, keys: [String]) -> [String: Node]? {
        guard let entries = entries(node, what) else { return nil }
        var result: [String: Node] = [:]
        for entry in entries {
            if keys.contains(entry.key) {
                result[entry.key] = entry.value
            } else {
                let suggestion = Spelling.nearest(to: entry.key, in: keys)
                report(.unknownKey(entry.key, of: what, suggestion: suggestion), at: entry.keyNode)
            }
        }
        return result
    }

    func sequence(_ node: Node, _ what: String) -> [Node] {
        guard case .sequence(let sequence) = node else {
            report(.expected("a list", at: what), at: node)
            return []
        }
        return spend(sequence.count, at: node) ? Array(sequence) : []
    }

    // MARK: Values

    func text(_ node: Node, _ what: String) -> String? {
        guard case .scalar(let scalar) = node, !scalar.string.isEmpty else {
            report(.expected("a word", at: what), at: node)
            return nil
        }
        return scalar.string
    }

    func name(_ node: Node, _ what: String) -> String? {
        guard let text = text(node, what) else { return nil }
        guard isValidName(text) else {
            report(.badName(text), at: node)
            return nil
        }
        return text
    }

    func duration(
        _ node: Node, _ what: String, atLeast least: UInt64 = 0, atMost most: UInt64 = ScenarioLimits.duration
    ) -> UInt64? {
        guard let text = text(node, what) else { return nil }
        guard let value = Quantity.duration(text) else {
            report(.badQuantity(text, expected: "a time, like 250us, 1.5ms or 2s"), at: node)
            return nil
        }
        guard value >= least, value <= most else {
            let range = "\(Quantity.describe(least)) to \(Quantity.describe(most))"
            report(.outOfRange(what, range), at: node)
            return nil
        }
        return value
    }

    func integer<Value: FixedWidthInteger>(
        _ node: Node, _ what: String, in range: ClosedRange<Value>
    ) -> Value? {
        guard let text = text(node, what) else { return nil }
        guard let value = Quantity.integer(text) else {
            report(.badQuantity(text, expected: "a whole number"), at: node)
            return nil
        }
        guard let value = Value(exactly: value), range.contains(value) else {
            report(.outOfRange(what, "\(range.lowerBound) to \(range.upperBound)"), at: node)
            return nil
        }
        return value
    }
}
