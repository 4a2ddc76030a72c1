import Foundation

/// A document in which a run's results stand.
enum Document {
    static let begin = "<!-- results -->"
    static let end = "<!-- /results -->"

    static func replaceResults(in path: String, with text: String) throws {
        let document = try String(contentsOfFile: path, encoding: .utf8)
        guard let first = document.range(of: begin),
            let last = document.range(of: end, range: first.upperBound..<document.endIndex)
        else {
            throw EngineFailure("\(path) has no '\(begin)' … '\(end)'")
        }
        let replaced =
            document[..<first.upperBound] + "\n" + text.trimmingCharacters(in: .newlines) + "\n"
            + document[last.lowerBound...]
        try String(replaced).write(toFile: path, atomically: true, encoding: .utf8)
    }
}
