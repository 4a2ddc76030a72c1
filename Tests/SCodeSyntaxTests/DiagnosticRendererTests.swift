import SCodeIR
import SCodeSyntax
import Testing

@Suite struct DiagnosticRendererTests {
    @Test func allParts() {
        let source = SourceText("first\n\tsecond line\r\n")
        let diagnostic = Diagnostic(
            .error, SourceRange(line: 2, column: 2, length: 6), "wrong", rule: .registersMapped,
            notes: [.init(SourceRange(line: 1, column: 1, length: 5), "because")], suggestion: "do that")
        let text = DiagnosticRenderer(source: source, fileName: "a.scode").render(diagnostic)
        #expect(
            text == """
                a.scode:2:2: error[V2]: wrong
                        second line
                        ^~~~~~
                a.scode:1:1: note: because
                    first
                    ^~~~~
                suggestion: do that

                """)
    }

    @Test func nothingReachesTheTerminal() {
        let evil = "a\u{1B}[2J\u{7}\u{202E}\u{85}b"
        let diagnostic = Diagnostic(
            .warning, SourceRange(line: 1, column: 7, length: 1), evil,
            notes: [.init(.none, evil)], suggestion: evil)
        let text = DiagnosticRenderer(source: SourceText(evil), fileName: evil).render(diagnostic)
        #expect(text.unicodeScalars.allSatisfy { $0 == "\n" || $0.properties.generalCategory != .control })
        #expect(!text.unicodeScalars.contains("\u{202E}"))
        #expect(text.contains("a\\u{1B}[2J\\u{7}\\u{202E}\\u{85}b"))
    }

    @Test func colourOnlyWhenAsked() {
        let diagnostic = Diagnostic(.error, .none, "m", suggestion: "s")
        let text = DiagnosticRenderer(source: nil, fileName: "f", usesColour: true).render(diagnostic)
        #expect(text == "f: \u{1B}[1;31merror:\u{1B}[0m m\n\u{1B}[1;32msuggestion:\u{1B}[0m s\n")
        #expect(
            DiagnosticRenderer(source: nil, fileName: "f").render(diagnostic)
                == "f: error: m\nsuggestion: s\n")
    }

    @Test func longLinesAreCut() {
        let source = SourceText(
            String(repeating: "x", count: 1000) + "y" + String(repeating: "z", count: 1_000_000))
        let renderer = DiagnosticRenderer(source: source, fileName: "f")
        let text = renderer.render(Diagnostic(.error, SourceRange(line: 1, column: 1001, length: .max), "m"))
        let lines = text.split(separator: "\n")
        #expect(lines.count == 3)
        #expect(lines.allSatisfy { $0.count < 200 })
        let mark = lines[2].firstIndex(of: "^").map { lines[2].distance(from: lines[2].startIndex, to: $0) }
        let place = lines[1].firstIndex(of: "y").map { lines[1].distance(from: lines[1].startIndex, to: $0) }
        #expect(mark == place)
    }

    @Test func placesOutsideTheTextShowNoLine() {
        let renderer = DiagnosticRenderer(source: SourceText("abc"), fileName: "f")
        for (line, column) in [(9, 1), (1, .max), (1, 0), (UInt32.max, .max)] as [(UInt32, UInt32)] {
            let range = SourceRange(line: line, column: column, length: .max)
            #expect(renderer.render(Diagnostic(.error, range, "m")) == "f:\(line):\(column): error: m\n")
        }
        let end = SourceRange(line: 1, column: 4, length: 1)
        #expect(renderer.render(Diagnostic(.error, end, "m")).hasSuffix("    abc\n       ^\n"))
    }
}
