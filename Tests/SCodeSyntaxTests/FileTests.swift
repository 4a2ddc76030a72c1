import Foundation
import SCodeIR
import SCodeSyntax
import Testing

/// Runs the files in `filetests/syntax`. The first line of each is `//! ` and a command:
///
/// - `parse`: the other `//!` lines are the diagnostics, each `LINE:COLUMN SEVERITY: part of the message`,
///   where the severity may also be `note` or `suggestion` (its place is the diagnostic's); the name of an
///   included file stands before the line.
/// - `print`: the `//|` lines are the program as the printer writes it.
/// - `format`: the `//|` lines are the file as the formatter writes it, without these lines.
/// - `render`: the `//|` lines are the diagnostics as a user sees them.
///
/// With the environment variable `SCODE_UPDATE=1` the expectations are written anew, at the end of the file.
@Suite struct FileTests {
    static let folder = "filetests/syntax"
    static let isUpdating = ProcessInfo.processInfo.environment["SCODE_UPDATE"] == "1"

    @Test(arguments: Files.names(in: folder)) func file(_ name: String) throws {
        let path = "\(Self.folder)/\(name)"
        let text = try Files.text(path)
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        let command = try #require(lines.first)
        let actual = try outcome(of: command, text, lines, name)
        let expected = lines.dropFirst().filter(isExpectation)
        if Self.isUpdating {
            // Messages in a file may be parts of the real ones; those that still match stay as they are.
            let kept = actual.count == expected.count && zip(actual, expected).allSatisfy(matches)
            guard !kept else { return }
            var rest = lines.filter { !isExpectation($0) || $0 == command }
            while rest.last == "" { rest.removeLast() }
            let updated = (rest + actual).joined(separator: "\n") + "\n"
            try updated.write(to: Files.package.appending(path: path), atomically: true, encoding: .utf8)
            return
        }
        #expect(actual.count == expected.count, "\(actual.joined(separator: "\n"))")
        for (actual, expected) in zip(actual, expected) {
            #expect(matches(actual, expected), "expected \(expected), got \(actual)")
        }
    }

    @Test func thereAreFiles() { #expect(Files.names(in: Self.folder).count > 10) }

    private func isExpectation(_ line: String) -> Bool { line.hasPrefix("//! ") || line.hasPrefix("//|") }

    private func matches(_ actual: String, _ expected: String) -> Bool {
        guard expected.hasPrefix("//! ") else { return actual == expected }
        // Place and severity are exact, of the message a part will do.
        let cut = expected.split(separator: ": ", maxSplits: 1, omittingEmptySubsequences: false).map(
            String.init)
        return cut.count == 2 && actual.hasPrefix(cut[0] + ": ") && actual.contains(cut[1])
    }

    private func outcome(of command: String, _ text: String, _ lines: [String], _ name: String) throws
        -> [String]
    {
        func quoted(_ text: String) -> [String] {
            text.split(separator: "\n", omittingEmptySubsequences: false).dropLast().map {
                $0.isEmpty ? "//|" : "//| \($0)"
            }
        }
        let result = Files.parse(text, path: "\(Self.folder)/\(name)")
        switch command {
        case "//! parse":
            return result.diagnostics.flatMap { expectations(of: $0, in: result.files) }
        case "//! print":
            #expect(result.diagnostics == [])
            return quoted(result.program.printed())
        case "//! format":
            let source = lines.dropFirst().filter { !isExpectation($0) }.joined(separator: "\n")
            return quoted(try format(source))
        case "//! render":
            let renderer = DiagnosticRenderer(files: result.files)
            return quoted(renderer.render(result.diagnostics))
        default:
            Issue.record("\(name): unknown command \(command)")
            return []
        }
    }

    private func expectations(of diagnostic: Diagnostic, in files: [SourceFile]) -> [String] {
        func line(_ range: SourceRange, _ what: String, _ message: String) -> String {
            let file = range.file == 0 ? "" : "\(files[Int(range.file)].name):"
            return "//! \(file)\(range.line):\(range.column) \(what): \(message)"
        }
        var lines = [line(diagnostic.range, "error", diagnostic.message)]
        lines += diagnostic.notes.map { line($0.range, "note", $0.message) }
        if let suggestion = diagnostic.suggestion {
            lines.append(line(diagnostic.range, "suggestion", suggestion))
        }
        return lines
    }
}
