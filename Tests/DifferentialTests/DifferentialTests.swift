import Foundation
import SCode
import SCodeTestSupport
import Testing

/// Random verified programs mean the same to the interpreter and to the processor.
@Suite struct DifferentialTests {
    private static func number(_ name: String) -> Int? {
        ProcessInfo.processInfo.environment[name].flatMap { Int($0) }
    }
    private static func report(_ run: DifferentialRun) {
        print("differential: \(run.statistics.summary)")
        if ProcessInfo.processInfo.environment["SCODE_DIFFERENTIAL_TABLE"] != nil {
            print(run.statistics.table)
        }
    }

    @Test func randomProgramsAgree() throws {
        var run = DifferentialRun(seed: UInt64(Self.number("SCODE_DIFFERENTIAL_SEED") ?? 1))
        run.programs = Self.number("SCODE_DIFFERENTIAL_PROGRAMS") ?? 20_000
        run.seconds = Self.number("SCODE_DIFFERENTIAL_SECONDS").map { Double($0) } ?? .infinity
        try run.run()
        Self.report(run)
        if let finding = run.finding {
            Issue.record("seed \(finding.seed): \(finding.difference)\n\(finding.program.printed())")
            return
        }
        // A generator that is mostly rejected tests the verifier and not the engines.
        #expect(run.statistics.generated < 100 + 4 * run.statistics.accepted, "the verifier rejects too much")
        let missing = Opcode.all.filter { run.statistics.opcodes[$0] == nil }.map(\.mnemonic)
        #expect(missing.isEmpty, "every opcode, at every type and in every form, was in some program")
    }

    /// The long run of `scripts/fuzz`, which reads what it prints.
    @Test(.enabled(if: number("SCODE_FUZZ_SECONDS") != nil)) func longRun() throws {
        var run = DifferentialRun(seed: UInt64(Self.number("SCODE_DIFFERENTIAL_SEED") ?? 1) << 32)
        run.seconds = Double(Self.number("SCODE_FUZZ_SECONDS") ?? 0)
        run.emulates = 20
        run.progress = 60
        try run.run()
        Self.report(run)
        guard let finding = run.finding else { return }
        let path = try DifferentialFileTests.write(finding.program, seed: finding.seed)
        Issue.record("seed \(finding.seed): \(finding.difference)\nwritten to \(path)")
    }

    /// What is to be shrunk is shrunk, and stays faulty.
    @Test func whatIsFoundIsMadeSmall() throws {
        let text = """
            fragment f(n: ul) {
                setul   a, 1
                setul   b, 2
                bneul   n, 0, over
                mulul   a, a, b
            over:
                addul   b, b, n
                divul   a, a, b
                addul   a, a, a
                accept  a
            }
            """
        let program = parse(text).program
        #expect(Verifier.verify(program, acceptor: TestMachine.acceptor).program != nil)
        func divides(_ program: Program) -> Bool {
            let verified = Verifier.verify(program, acceptor: TestMachine.acceptor).program
            return verified?.fragments[0].code.instructions.contains { $0.opcode.operation == .div } ?? false
        }
        let small = withoutActuallyEscaping(divides) { divides in
            var shrinker = Shrinker(isFaulty: divides)
            return shrinker.shrink(program)
        }
        #expect(divides(small))
        // Two numbers, the division, and the exit.
        #expect(small.fragments[0].instructions.count == 4)
    }
}

/// Programs that once meant different things: files of `filetests/differential`, each with the state of the machine that
/// it is run from. `scripts/fuzz` writes what it finds there.
@Suite struct DifferentialFileTests {
    static let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "filetests/differential")
    private static let heading = "// $ differential seed="

    static let files: [String] = {
        let all = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
        return all.filter { $0.hasSuffix(".scode") }.sorted()
    }()

    /// - Returns: the file's path.
    static func write(_ program: Program, seed: UInt64) throws -> String {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let file = folder.appending(path: "seed-\(seed).scode")
        try "\(heading)\(seed)\n\(program.printed())".write(to: file, atomically: true, encoding: .utf8)
        return file.path
    }

    @Test(arguments: files) func file(_ name: String) throws {
        let text = try String(contentsOf: Self.folder.appending(path: name), encoding: .utf8)
        let first = text.prefix { $0 != "\n" }
        let seed = try #require(
            first.hasPrefix(Self.heading) ? UInt64(first.dropFirst(Self.heading.count)) : nil,
            "the first line is \(Self.heading)N")
        let parsed = parse(text)
        #expect(parsed.diagnostics == [])
        let (verified, diagnostics) = Verifier.verify(parsed.program, acceptor: TestMachine.acceptor)
        let fragments = try #require(verified?.fragments, "\(diagnostics.map(\.message))")
        var comparer = try Comparer(emulates: 1)
        // The seed says what memory holds, what the budget is, and which way of compiling is looked at besides.
        for variation in [seed, seed ^ 32, seed ^ 64, seed ^ 128, seed ^ 192] {
            let difference = try comparer.compare(fragments, seed: variation).difference
            #expect(difference == nil)
        }
    }
}
