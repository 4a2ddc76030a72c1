import Foundation
import SCodeIR
import SCodeSyntax
import SCodeTestSupport
import Testing

/// Text from anywhere is refused or read; it never traps and never takes long.
@Suite struct RobustnessTests {
    @Test func mutatedTextNeverTraps() throws {
        var generator = SeededGenerator(seed: 21)
        var texts = try Files.allSources().map { Array($0.text.utf8) }
        for _ in 0..<20 { texts.append(Array(Program.random(using: &generator).printed().utf8)) }
        texts.append(Array(Self.macros.utf8))
        let renderer = DiagnosticRenderer(source: nil, fileName: "x")
        for round in 0..<20_000 {
            guard var bytes = texts.randomElement(using: &generator) else { continue }
            for _ in 0..<Int.random(in: 1...4, using: &generator) { mutate(&bytes, texts, &generator) }
            let text = String(decoding: bytes, as: UTF8.self)
            let result = parse(text, fileName: "main") { path, _ in
                if path.utf8.count % 3 == 0 { return .failure(IncludeError("no")) }
                let other = texts.randomElement(using: &generator) ?? []
                return .success(IncludedFile(name: path, text: String(decoding: other, as: UTF8.self)))
            }
            #expect(result.fragmentsWithErrors.allSatisfy { result.program.fragments.indices.contains($0) })
            for diagnostic in result.diagnostics { _ = renderer.render(diagnostic) }
            for fragment in result.program.fragments { expectSound(fragment) }
            guard round % 8 == 0 else { continue }
            _ = DiagnosticRenderer(files: result.files).render(result.diagnostics)
            if let once = try? format(text) {
                #expect(try format(once) == once)
                #expect(parse(once).program.withoutPositions == parse(text).program.withoutPositions)
            }
        }
    }

    /// Every part of macros and includes, in a small space so that mutations meet.
    private static let macros = """
        include "a"
        include "bb"
        host h(u, d): f
        const k = 1.5
        macro m(a, b) {
            setu t, a + b
        l:
            bneu t, b, l
            n a, l, m
        }
        macro n(a, l, k) { j l; n a
            callh h, x, a, y }
        fragment f(x: u, y: d) {
            m x, 1 + 2
            setd z, k
            setf w, nan(0x7fc00000)
            callh h, w, x, y
            call p
        procedure p: m x, 3
            ret
        }
        """

    /// What the parser lets through is in order, whatever it left out.
    private func expectSound(_ fragment: FragmentCode) {
        let isSound =
            fragment.sourceRanges.count == fragment.instructions.count
            && fragment.registerNames.count == Register.count
            && fragment.labels.allSatisfy { Int($0.position) <= fragment.instructions.count }
            && fragment.procedures.allSatisfy { Int($0.start) <= fragment.instructions.count }
            && zip(fragment.procedures, fragment.procedures.dropFirst()).allSatisfy { $0.start <= $1.start }
            && fragment.parameters.allSatisfy { $0.type.isFloat == ($0.register.bank == .float) }
            && fragment.tables.allSatisfy { $0.labels.allSatisfy { Int($0) < fragment.labels.count } }
            && fragment.instructions.allSatisfy { instruction in
                let index = Int(instruction.index)
                switch instruction.opcode.operation {
                case .jump: return index < fragment.labels.count
                case .call: return index < fragment.procedures.count
                case .jumpTable: return index < fragment.tables.count
                case .macro, .hostCall: return index < fragment.macroCalls.count
                default: return instruction.opcode.isDefined
                }
            }
        #expect(isSound)
    }

    private func mutate(_ bytes: inout [UInt8], _ texts: [[UInt8]], _ generator: inout SeededGenerator) {
        guard let index = bytes.indices.randomElement(using: &generator) else { return }
        switch Int.random(in: 0..<6, using: &generator) {
        case 0: bytes[index] = UInt8.random(in: .min ... .max, using: &generator)
        case 1:
            bytes[index] = Array("{}()[]:=,.*/-+<>'\"\n 09arfxpe~".utf8).randomElement(using: &generator) ?? 0
        case 2:
            bytes.removeSubrange(index..<min(bytes.count, index + Int.random(in: 1...20, using: &generator)))
        case 3: bytes.removeSubrange(index...)
        case 4: bytes.insert(contentsOf: bytes[index..<min(bytes.count, index + 30)], at: index)
        default:
            let other = texts.randomElement(using: &generator) ?? []
            guard let from = other.indices.randomElement(using: &generator) else { return }
            bytes.insert(contentsOf: other[from..<min(other.count, from + 40)], at: index)
        }
    }

    private static let million = 1_000_000

    @Test(
        arguments: [
            "(", "-", "~", "-(", "sizeof(", "(1+", "((((1)+", "1+", "1<<", "{", "}", "[", "a:", "a.", "'",
        ])
    func deepNestingIsRefused(_ piece: String) {
        // Deep enough to overflow any stack that recursion without a bound would need.
        let deep = String(repeating: piece, count: piece == "(" ? Self.million : 60_000)
        for text in [
            "const a = \(deep)", "fragment f() {\n    setu x, \(deep)\n}\n",
            "fragment f(a: u = \(deep)) {\n}\n", deep, "struct s { a: u[\(deep)] }",
        ] {
            let result = parse(text)
            #expect(!result.diagnostics.isEmpty)
            #expect(result.diagnostics.count <= SyntaxLimits.diagnostics + 1)
        }
    }

    @Test func balancedParenthesesAreRefusedToo() {
        let deep =
            String(repeating: "(", count: Self.million) + "1" + String(repeating: ")", count: Self.million)
        let result = parse("const a = \(deep)\nconst b = ((((2))))\nregion q: virtual rw, b\n")
        #expect(result.diagnostics.map(\.message) == ["the expression is nested deeper than 64"])
        #expect(result.program.regions.first?.size == 2)
    }

    /// Work grows with the text and not with its square.
    @Test func largeTextsAreReadInTime() {
        let lines = 100_000
        let unknown = (0..<lines).map { "    j label\($0)\n" }.joined()
        let labels = (0..<lines).map { "here\($0):\n" }.joined()
        let names = (0..<lines).map { "    setu name\($0), 1\n" }.joined()
        let oneLine = String(repeating: "a, ", count: lines)
        let clock = ContinuousClock()
        let time = clock.measure {
            for body in [
                unknown + labels, names, "    macro \(oneLine)\n", String(repeating: "@ ", count: lines),
            ] {
                let text = "fragment f() {\n\(body)}\n"
                let result = parse(text)
                _ = DiagnosticRenderer(source: SourceText(text), fileName: "x").render(result.diagnostics)
            }
        }
        #expect(time < .seconds(60))
    }

    @Test func limitsAreErrors() {
        func messages(_ text: String) -> [String] { parse(text).diagnostics.map(\.message) }
        let long = String(repeating: "n", count: 256)
        #expect(messages("const \(long) = 1") == ["a name has at most 255 characters"])
        #expect(messages("const \(long.dropLast()) = 1") == [])
        let fragments = (0..<4097).map { "fragment x\($0)() {\n}\n" }.joined()
        #expect(messages(fragments) == ["a program has at most 4096 fragments"])
        let entries = String(repeating: "a, ", count: ProgramLimits.tableEntries + 1)
        #expect(
            messages("fragment f() {\na:\n table t = { \(entries) }\n j a\n}")
                == ["a table has at most 65536 labels"])
        let many = String(repeating: "    refuse\n", count: ProgramLimits.instructionsPerFragment + 2)
        let result = parse("fragment f() {\n\(many)}\n")
        #expect(
            result.diagnostics.map(\.message) == [
                "a fragment has at most \(ProgramLimits.instructionsPerFragment) instructions"
            ])
        #expect(result.program.fragments.first?.instructions.count == ProgramLimits.instructionsPerFragment)
        #expect(result.fragmentsWithErrors == [0])
        #expect(messages("/* never closed\n\n") == ["the comment is never closed"])
        #expect(messages("const a = \(String(repeating: "@ ", count: 2000))").count == 1001)
    }
}
