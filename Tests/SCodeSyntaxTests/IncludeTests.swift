import SCodeIR
import SCodeSyntax
import Testing

@Suite struct IncludeTests {
    /// Files by name; counts how often one was asked for.
    private final class Library {
        var files: [String: String]
        var requests = 0
        init(_ files: [String: String]) { self.files = files }

        func parse(_ name: String) -> ParseResult {
            SCodeSyntax.parse(files[name] ?? "", fileName: name) { path, _ in
                self.requests += 1
                guard let text = self.files[path] else {
                    return .failure(IncludeError("there is no file '\(path)'"))
                }
                return .success(IncludedFile(name: path, text: text))
            }
        }
    }

    @Test func withoutAResolverNothingIsIncluded() {
        let result = parse("include \"a\"\nconst b = 1\n")
        #expect(result.diagnostics.map(\.message) == ["files cannot be included here"])
        #expect(result.program.sourceFiles == [])
        #expect(parse("fragment f {\n    refuse\n}\n").program.sourceFiles == [])
    }

    @Test func declarationsStandWhereTheIncludeStands() {
        let library = Library([
            "main": "const a = 1\ninclude \"b\"\nconst d = c + 1\nregion r: virtual rw, d\n",
            "b": "const c = a + 1",
        ])
        let result = library.parse("main")
        #expect(result.diagnostics == [])
        #expect(result.program.regions.first?.size == 3)
        #expect(result.program.sourceFiles == ["main", "b"])
    }

    @Test func eachFileIsReadOnce() {
        let library = Library([
            "main": String(repeating: "include \"a\"\n", count: 1000) + "include \"b\"\ninclude \"main\"\n",
            "a": "include \"b\"\nconst x = 1", "b": "include \"a\"\ninclude \"b\"\nconst y = 1",
        ])
        let result = library.parse("main")
        #expect(result.diagnostics == [])
        #expect(result.files.map(\.name) == ["main", "a", "b"])
        #expect(library.requests == 6)
    }

    /// A file that is missing is one mistake, and not one for each name that it would have declared.
    @Test func missingFilesAreOneMistake() {
        let library = Library([
            "main": """
            include "absent"
            region r: virtual rw, size
            fragment f {
                setul x, limit
                m x, 1.5
            }
            """
        ])
        let result = library.parse("main")
        #expect(result.diagnostics.map(\.message) == ["there is no file 'absent'"])
        #expect(result.fragmentsWithErrors == [0])
    }

    @Test func placesNameTheirFile() {
        let library = Library([
            "main": "include \"a\"\nfragment f {\n    m\n}\n",
            "a": "macro m {\n    refuse\n}\nfragment g {\n    j     nowhere\n}\n",
        ])
        let result = library.parse("main")
        #expect(result.diagnostics.map(\.range) == [SourceRange(line: 5, column: 11, length: 7, file: 1)])
        let fragments = result.program.fragments
        #expect(fragments.map(\.name) == ["g", "f"])
        #expect(fragments.map(\.range.file) == [1, 0])
        #expect(fragments[1].sourceRanges == [SourceRange(line: 2, column: 5, length: 6, file: 1)])
        let text = DiagnosticRenderer(files: result.files).render(result.diagnostics)
        #expect(text.hasPrefix("a:5:11: error: no label 'nowhere'"))
        #expect(text.contains("    j     nowhere\n"))
    }

    @Test func depthAndNumberAreBounded() {
        var files = ["main": "include \"f0\"\n"]
        for index in 0..<20 { files["f\(index)"] = "include \"f\(index + 1)\"\n" }
        #expect(
            Library(files).parse("main").diagnostics.map(\.message) == [
                "files include one another at most 16 deep"
            ])
        files = ["main": (0..<300).map { "include \"f\($0)\"\n" }.joined()]
        for index in 0..<300 { files["f\(index)"] = "const c\(index) = 1\n" }
        let result = Library(files).parse("main")
        #expect(result.files.count == ProgramLimits.sourceFiles)
        #expect(Set(result.diagnostics.map(\.message)) == ["a program includes at most 255 files"])
    }

    /// A resolver that gives one file many names is not asked for ever.
    @Test func requestsAreBounded() {
        var requests = 0
        let text = (0..<5000).map { "include \"\($0)\"\n" }.joined()
        _ = parse(text, fileName: "main") { _, _ in
            requests += 1
            return .success(IncludedFile(name: "same", text: ""))
        }
        #expect(requests == SyntaxLimits.includes)
    }

    @Test func bytesAreBounded() {
        let large = String(repeating: " ", count: SyntaxLimits.textBytes - 10)
        let library = Library(["main": "include \"a\"\n", "a": large])
        #expect(
            library.parse("main").diagnostics.map(\.message)
                == ["a text and what it includes have at most 67108864 bytes"])
    }

    /// The formatter does not need what is included, whatever the text uses from there.
    @Test func filesAreFormattedWithoutWhatTheyInclude() throws {
        let text = """
            include "somewhere"
            const half = third / 2
            const pi = -tau
            struct pair { a: entry[slots], b: u }
            region r: virtual rw, slots * sizeof(entry) + pair.a.pid + other.field.more
            fragment f(a: u = slots, b: p = queue, c: d = tau) {
                setu    x, slots
                addu    x, x, slots
                addu    x, unknown, x
                ldu     x, b, pair.a.pid
                ldu     x, queue, offset
                setp    y, queue + 8
                setd    z, tau
                setd    z, -tau
                callh   somewhere, x, 1.5
                sum     x, 1.5, inf, there, 1, 2, 3, 4, 5, 6
                bltu    x, slots, there
                setu    w, limit
                sum     limit
            there:
            }

            """
        #expect(try format(text) == text)
        #expect(throws: DiagnosticsError.self) { try format("include \"a\"\nfragment f {\n    addu x\n}\n") }
        #expect(throws: DiagnosticsError.self) { try format("include \"a\"\nfragment f {\n    j x\n}\n") }
        #expect(throws: DiagnosticsError.self) { try format("include a\n") }
        #expect(throws: DiagnosticsError.self) { try format("fragment f(a: u = slots) {\n}\n") }
    }
}
