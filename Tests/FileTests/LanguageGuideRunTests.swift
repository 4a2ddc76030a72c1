import Foundation
import SCodeTestSupport
import Testing

/// The programs of the language reference do what it says, on both engines, and its commands print what it shows.
/// SCODE_UPDATE=1 rewrites what commands print.
@Suite struct LanguageGuideRunTests {
    static let guide = LanguageGuide.shared

    /// A folder with a file in it, for as long as `body` takes.
    private func withFile<Result>(
        _ name: String, _ text: String, _ body: (_ folder: URL) throws -> Result
    ) throws -> Result {
        let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        try text.write(to: folder.appending(path: name), atomically: true, encoding: .utf8)
        return try body(folder)
    }

    @Test func examplesLeaveAsTheySay() throws {
        var count = 0
        for block in Self.guide.blocks where block.language == "scode" {
            guard let exit = block.comment("exit") else { continue }
            count += 1
            let lines = try withFile("example.scode", block.text) {
                try FileTests.run(["run", "example.scode", "--engine", "both"], in: $0)
            }
            let place = "docs/language.md:\(block.line)"
            #expect(lines.first == "//> \(exit.text)", "\(place): \(lines)")
            #expect(lines.contains("//! interpreter and native code agree"), "\(place): \(lines)")
            let isAbort = exit.text.hasPrefix("abort ")
            #expect(lines.last == (isAbort ? "//= 134" : "//= 0"), "\(place): \(lines)")
            if isAbort {
                #expect(
                    lines.contains { $0.hasPrefix("//! example.scode:\(exit.line):") }, "\(place): \(lines)")
            }
        }
        #expect(count >= 40)
    }

    @Test func commandsPrintWhatIsShown() throws {
        var lines = Self.guide.lines
        var program = ""
        var count = 0
        // From the end, so that lines above keep their numbers when something is rewritten.
        var actual: [(block: LanguageGuide.Block, output: [String])] = []
        for block in Self.guide.blocks {
            if block.language == "scode" { program = block.text }
            guard block.language == "console" else { continue }
            var output: [String] = []
            for line in block.lines where line.hasPrefix("$ scodec ") {
                count += 1
                output += [line] + (try print(line, program, "docs/language.md:\(block.line)"))
            }
            actual.append((block, output))
        }
        #expect(count >= 8)
        if ProcessInfo.processInfo.environment["SCODE_UPDATE"] == "1" {
            for (block, output) in actual.reversed() {
                lines.replaceSubrange(block.line..<block.line + block.lines.count, with: output)
            }
            try lines.joined(separator: "\n").write(to: LanguageGuide.url, atomically: true, encoding: .utf8)
            return
        }
        for (block, output) in actual { #expect(block.lines == output, "docs/language.md:\(block.line)") }
    }

    /// What a command prints about the program; it is the file that the command names.
    private func print(_ line: String, _ program: String, _ place: String) throws -> [String] {
        let arguments = line.split(separator: " ").dropFirst(2).map(String.init)
        let name = try #require(arguments.first { $0.hasSuffix(".scode") }, "\(place)")
        return try withFile(name, program) { folder in
            let lines = try FileTests.run(arguments, in: folder)
            if arguments.first == "run" {
                let both = try FileTests.run(arguments + ["--engine", "both"], in: folder)
                #expect(both.last == lines.last, "\(place): \(both)")
                #expect(!both.contains { $0.contains("disagree") }, "\(place): \(both)")
            }
            return lines.dropLast().map { String($0.dropFirst("//> ".count)) }
        }
    }
}
