import Foundation

/// A document in which a run's results stand.
enum Document {
    private static let begin = "<!-- results -->"
    private static let end = "<!-- /results -->"

    /// - Throws: when there is no place for results.
    static func check(_ path: String) throws { _ = try parts(path) }

    static func replaceResults(in path: String, with text: String) throws {
        let (before, after) = try parts(path)
        let replaced = before + "\n" + text.trimmingCharacters(in: .newlines) + "\n" + after
        try replaced.write(toFile: path, atomically: true, encoding: .utf8)
    }

    /// What stands around the results, with the marks.
    private static func parts(_ path: String) throws -> (before: String, after: String) {
        guard let document = try? String(contentsOfFile: path, encoding: .utf8) else {
            throw EngineFailure("\(path) cannot be read")
        }
        guard let first = document.range(of: begin),
            let last = document.range(of: end, range: first.upperBound..<document.endIndex)
        else {
            throw EngineFailure("\(path) has no '\(begin)' … '\(end)'")
        }
        return (String(document[..<first.upperBound]), String(document[last.lowerBound...]))
    }
}
