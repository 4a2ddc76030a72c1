import SCodeIR
import SCodeSyntax
import SCodeTestSupport
import Testing

/// Expansion: whose names are whose, what an argument is, and where it ends.
@Suite struct MacroTests {
    private func parsed(_ text: String) -> Program {
        let result = parse(text)
        #expect(result.diagnostics == [])
        return result.program
    }

    private func messages(_ text: String) -> [String] { parse(text).diagnostics.map(\.message) }

    /// The same code, written out by hand, with names that need not be fresh.
    private func expectSame(_ text: String, _ expanded: String) {
        let result = parsed(text).fragments.first
        let expected = parsed(expanded).fragments.first
        #expect(result?.instructions == expected?.instructions)
        #expect(result?.labels.map(\.position) == expected?.labels.map(\.position))
        #expect(result?.macroCalls == expected?.macroCalls)
    }

    @Test func registersOfABodyAreItsOwn() {
        expectSame(
            """
            macro swap(a, b) {
                movul t, a
                movul a, b
                movul b, t
            }
            fragment f(t: ul, u: ul) {
                swap t, u
                swap u, t
            }
            """,
            """
            fragment f(t: ul, u: ul) {
                movul own, t
                movul t, u
                movul u, own
                movul own, u
                movul u, t
                movul t, own
            }
            """)
    }

    /// Two macros that use the same name inside one another do not share the register.
    @Test func nestedBodiesDoNotShareNames() {
        expectSame(
            """
            macro inner(x) {
                setul t, 1
                addul x, x, t
            }
            macro outer(x) {
                setul t, 2
                inner t
                addul x, x, t
            }
            fragment f(x: ul) { outer x }
            """,
            """
            fragment f(x: ul) {
                setul a, 2
                setul b, 1
                addul a, a, b
                addul x, x, a
            }
            """)
    }

    @Test func labelsOfABodyAreOfOneExpansion() {
        expectSame(
            """
            macro wait(n) {
            loop:
                subul n, n, 1
                bneul n, 0, loop
            }
            fragment f(n: ul) {
            loop:
                wait n
                wait n
                j loop
            }
            """,
            """
            fragment f(n: ul) {
            a:
            b:
                subul n, n, 1
                bneul n, 0, b
            c:
                subul n, n, 1
                bneul n, 0, c
                j a
            }
            """)
    }

    /// However the text tries, none of its names is one that an expansion makes.
    @Test func madeNamesMeetNoOthers() {
        let written = (0..<40).flatMap { ["loop__\($0)", "t__m", "t__m_", "t__\($0)"] }
        let labels = Set(written).sorted().map { "\($0):\n" }.joined()
        let text = """
            macro m(x) {
                setul t, 1
            loop:
                bneul x, t, loop
            }
            fragment f(x: ul) {
            \(labels)
                setul t__m, 5
                m x
                m x
                addul x, x, t__m
            }
            """
        let fragment = parsed(text).fragments[0]
        #expect(Set(fragment.labels.map(\.name)).count == fragment.labels.count)
        #expect(fragment.instructions[0].rd != fragment.instructions[1].rd)
        #expect(fragment.labels.allSatisfy { TextForm.isDeclarable($0.name) })
        // What it prints is a program, and the same.
        let program = parsed(text)
        #expect(parsed(program.printed()).withoutPositions.fragments[0].instructions == fragment.instructions)
    }

    /// Long names are cut to make room for what tells them apart, and are still told apart.
    @Test func longNamesStayDifferent() {
        let long = String(repeating: "n", count: 254)
        let text = """
            macro m\(String(repeating: "m", count: 250))(x) {
                setul \(long)a, 1
                setul \(long)b, 2
                addul x, \(long)a, \(long)b
            }
            fragment f(x: ul) { m\(String(repeating: "m", count: 250)) x }
            """
        let fragment = parsed(text).fragments[0]
        #expect(fragment.instructions[0].rd != fragment.instructions[1].rd)
        #expect(fragment.registerNames.compactMap(\.self).allSatisfy { TextForm.isDeclarable($0) })
    }

    @Test func argumentsStayOneValue() {
        expectSame(
            """
            const two = 2
            macro m(x, n, minus) {
                setul x, n * two
                setul x, 10 - minus
                setul x, -n
                setul x, n
                setul x, 100 / n / 2
            }
            fragment f(x: ul) { m x, 1 + two, 3 - 5 }
            """,
            """
            fragment f(x: ul) {
                setul x, 6
                setul x, 12
                setul x, -3
                setul x, 3
                setul x, 16
            }
            """)
    }

    /// The file's declarations mean in a body what they mean in the file; parameters come before them.
    @Test func declarationsOfTheFileAreSeen() {
        expectSame(
            """
            macro m(x, slots) {
                ldul x, x, entry.ticks
                setul x, size
                setul x, slots
                setp x, queue + slots
                setul x, sizeof(entry)
                ldul x, x, entry.slots
            }
            struct entry { pid: u, slots: u, ticks: ul }
            const size = 7
            const slots = 9
            region queue: virtual rw, 64
            fragment f(x: ul) { m x, 3 }
            """,
            """
            region queue: virtual rw, 64
            fragment f(x: ul) {
                ldul x, x, 8
                setul x, 7
                setul x, 3
                setp x, queue + 3
                setul x, 16
                ldul x, x, 4
            }
            """)
    }

    @Test func positionsAreThoseOfTheBody() {
        let text =
            "macro m(x) {\n    setul x, 1\n    addul x,   x, 2\n}\nfragment f() {\n    m y\n    movul y, y\n}\n"
        let ranges = parsed(text).fragments[0].sourceRanges
        #expect(ranges.map(\.line) == [2, 3, 7])
        #expect(ranges[1] == SourceRange(line: 3, column: 5, length: 15))
    }

    @Test func notesLeadToTheUse() {
        let text = """
            macro inner(x) { setuc x, 256 }
            macro outer(x) { inner x }
            fragment f() {
                outer y
                outer y
            }
            """
        let diagnostics = parse(text).diagnostics
        #expect(diagnostics.count == 1)
        #expect(
            diagnostics.first?.notes == [
                .init(SourceRange(line: 2, column: 18, length: 7), "in the expansion of 'inner'"),
                .init(SourceRange(line: 4, column: 5, length: 7), "in the expansion of 'outer'"),
            ])
        #expect(parse(text).fragmentsWithErrors == [0])
    }

    /// A fragment that lost instructions because of a wrong macro counts as one with errors.
    @Test func usesOfWrongMacrosMakeFragmentsIncomplete() {
        let text =
            "macro m(x) {\n    table t = { x }\n}\nfragment f() {\n    m y\n}\nfragment g {\n    refuse\n}\n"
        let result = parse(text)
        #expect(result.diagnostics.map(\.message) == ["a macro holds instructions and labels only"])
        #expect(result.fragmentsWithErrors == [0])
    }

    // MARK: Bounds

    private func chain(_ count: Int, _ body: (Int) -> String, _ last: String) -> String {
        (0..<count).map { "macro m\($0)(x) {\n\(body($0 + 1))}\n" }.joined()
            + "macro m\(count)(x) {\n\(last)\n}\n"
    }

    @Test func depthIsBounded() {
        for depth in [15, 16] {
            let text = chain(depth, { "    m\($0) x\n" }, "    setul x, 1") + "fragment f() {\n    m0 y\n}\n"
            #expect(messages(text) == (depth < 16 ? [] : ["macros expand at most 16 deep"]))
        }
    }

    /// Sixteen macros, each of which uses the next many times: with nothing in the last, with an instruction, and
    /// with an argument that grows.
    @Test func workIsBounded() {
        let many = { (next: Int) in String(repeating: "    m\(next) x\n", count: 30) }
        let use = (0..<50).map { "fragment g\($0) {\n    m0 y\n}\n" }.joined()
        #expect(
            messages(chain(15, many, "") + use)
                == ["macros expand to more than 1048576 instructions, labels and uses"])
        #expect(
            messages(chain(15, many, "    setul x, 1") + use).contains {
                $0 == "macros expand to more than 1048576 instructions, labels and uses"
                    || $0 == "a fragment has at most 131072 instructions"
            })
        let growing = { (next: Int) in "    m\(next) x + x + x + x + x + x + x + x\n" }
        let result = parse(chain(15, growing, "    setul y, x") + "fragment f() {\n    m0 1\n}\n")
        #expect(!result.diagnostics.isEmpty)
    }

    @Test func recursionIsNamed() {
        #expect(
            messages("macro a { b }\nmacro b { c }\nmacro c { b }\nfragment f() { a }")
                == ["macro 'b' expands to itself: b -> c -> b"])
        let count = 20_000
        let ring = (0..<count).map { "macro m\($0) {\n m\(($0 + 1) % count)\n}\n" }.joined()
        #expect(
            messages(ring) == [
                "macro 'm0' expands to itself: m0 -> m1 -> m2 -> m3 -> m4 -> m5 -> m6 -> m7 -> … -> m0"
            ])
    }
}
