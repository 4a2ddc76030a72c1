import SCodeIR
import SCodeSyntax
import Testing

@Suite struct FormatterTests {
    /// Formatting every file that has no errors changes neither program nor comments, and twice is once.
    @Test func everyFileOfTheRepository() throws {
        var formatted = 0
        for (path, text) in try Files.allSources() {
            let parsed = Files.parse(text, path: path)
            guard parsed.diagnostics.isEmpty else {
                // What is wrong in, or with, an included file is not the formatter's business.
                if parsed.files.count > 1 || text.contains("include \"") { continue }
                #expect(throws: DiagnosticsError.self) { try format(text) }
                continue
            }
            let once = try format(text)
            #expect(try format(once) == once, "\(path)")
            let again = Files.parse(once, path: path)
            #expect(again.program.withoutPositions == parsed.program.withoutPositions, "\(path)")
            #expect(comments(once) == comments(text), "\(path)")
            formatted += 1
        }
        #expect(formatted > 5)
    }

    @Test func examplesAreFormatted() throws {
        for (path, text) in try Files.allSources() where path.hasPrefix("scode-examples") {
            #expect(try format(text) == text, "\(path)")
        }
    }

    @Test func commentsStayWhereverTheyStand() throws {
        // A comment at every place between two tokens, in turn.
        let text = "const a=1\nfragment f(x:u=a,y:u){l:addu x,x,(a+1)*-2\ntable t={l,l}\nj l\n}\n"
        let cuts = text.indices.filter { !text[$0].isLetter && !text[$0].isNumber }
        for cut in cuts {
            for comment in ["/* é */", "/*1*//*2*/"] {
                let commented = text[..<cut] + comment + text[cut...]
                let once = try format(String(commented))
                #expect(comments(once) == comments(String(commented)), "\(once)")
                #expect(try format(once) == once, "\(commented) gives \(once)")
                #expect(parse(once).program.withoutPositions == parse(text).program.withoutPositions)
            }
        }
        for cut in text.indices where text[cut] == "\n" || text[cut] == "{" {
            for comment in ["// a  \n", "/* a\n   b */", "\n\n\n// a\n\n\n/* b */\n\n"] {
                let commented = text[...cut] + comment + text[text.index(after: cut)...]
                let once = try format(String(commented))
                #expect(comments(once) == comments(String(commented)), "\(once)")
                #expect(try format(once) == once, "\(commented) gives \(once)")
            }
        }
    }

    /// The comments of a text, found without the lexer's help: no test text has a quote in it.
    private func comments(_ text: String) -> [String] {
        var found: [String] = []
        var rest = text[...]
        while let slash = rest.firstIndex(of: "/") {
            rest = rest[slash...]
            if rest.hasPrefix("//") {
                let end = rest.firstIndex(of: "\n") ?? rest.endIndex
                found.append(String(rest[..<end]).trimmingTrailingSpaces)
                rest = rest[end...]
            } else if rest.hasPrefix("/*"), let end = rest.dropFirst(2).firstRange(of: "*/") {
                found.append(String(rest[..<end.upperBound]))
                rest = rest[end.upperBound...]
            } else {
                rest = rest.dropFirst()
            }
        }
        return found
    }
}

extension String {
    fileprivate var trimmingTrailingSpaces: String {
        var copy = self
        while copy.last == " " { copy.removeLast() }
        return copy
    }
}
