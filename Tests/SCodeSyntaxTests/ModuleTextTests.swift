import Foundation
import SCodeIR
import SCodeSyntax
import SCodeTestSupport
import Testing

/// Text to module and back to text.
@Suite struct ModuleTextTests {
    /// Every program of the package, and random ones.
    private static func programs() throws -> [(name: String, program: Program)] {
        var programs: [(String, Program)] = []
        for (path, text) in try Files.allSources() {
            let result = parse(text)
            guard !result.diagnostics.contains(where: { $0.severity == .error }) else { continue }
            programs.append((path, result.program))
        }
        var generator = SeededGenerator(seed: 31)
        for number in 0..<200 {
            programs.append(("random program \(number)", Program.random(using: &generator)))
        }
        return programs
    }

    @Test func textSurvivesTheModule() throws {
        let programs = try Self.programs()
        #expect(programs.count > 220)
        for (name, program) in programs {
            let text = program.printed()
            let decoded = try Program(decoding: program.encoded())
            #expect(decoded == program, "\(name)")
            #expect(decoded.printed() == text, "\(name)")
            // And once more, through the text.
            let bytes = parse(text).program.encoded()
            #expect(try Program(decoding: bytes).printed() == text, "\(name)")
        }
    }

    /// Without names a program still prints as text that parses, to a program that does the same.
    @Test func strippedProgramsPrintAsTextThatParses() throws {
        for (name, program) in try Self.programs() {
            let stripped = program.stripped()
            let text = stripped.printed()
            let result = parse(text)
            #expect(result.diagnostics.filter { $0.severity == .error } == [], "\(name)")
            #expect(result.program.printed() == text, "\(name)")
            let again = result.program.stripped()
            #expect(again.fragments.map(\.instructions) == stripped.fragments.map(\.instructions), "\(name)")
            #expect(again.encoded() == stripped.encoded(), "\(name)")
        }
    }

    /// The example of the module format's description is what its text says.
    @Test func theWorkedExampleIsItsText() throws {
        let guide = try Files.text("docs/module-format.md").components(separatedBy: "```")
        let text = try #require(guide.first { $0.hasPrefix("scode\n") }).dropFirst("scode\n".count)
        let dump = try #require(guide.first { $0.hasPrefix("hex\n") }).dropFirst("hex\n".count)
        let bytes = dump.split(separator: "\n").flatMap { line in
            line.split(separator: "|").dropFirst().prefix(1).flatMap { $0.split(separator: " ") }
        }
        var program = parse(String(text)).program
        program.sourceFiles = ["sum.scode"]
        #expect(program.encoded() == bytes.compactMap { UInt8($0, radix: 16) })
    }
}
