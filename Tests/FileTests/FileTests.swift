import Foundation
import Testing

/// Runs every file in filetests/ as its first line says, and holds what happens against the comments at its
/// end. SCODE_UPDATE=1 rewrites those.
///
///     // $ scodec run %s --engine both 3
///     …
///     //> a line of standard output
///     //! a line of standard error
///     //= exit code
@Suite struct FileTests {
    static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    static let files: [String] = {
        let directory = root.appendingPathComponent("filetests")
        let all = FileManager.default.enumerator(atPath: directory.path)?.compactMap { $0 as? String } ?? []
        // What the parser alone says, and programs for a machine of their own, are tested elsewhere.
        return all.filter {
            $0.hasSuffix(".scode") && !$0.hasPrefix("syntax/") && !$0.hasPrefix("differential/")
        }.sorted()
    }()

    /// The command line tool lies beside the test bundle.
    static let tool: URL? = {
        var directory = Bundle.main.bundleURL
        for candidate in [Bundle.main.executableURL, URL(fileURLWithPath: CommandLine.arguments[0])] {
            directory = candidate?.deletingLastPathComponent() ?? directory
            for _ in 0..<4 {
                let tool = directory.appendingPathComponent("scodec")
                if FileManager.default.isExecutableFile(atPath: tool.path) { return tool }
                directory.deleteLastPathComponent()
            }
        }
        let built = root.appendingPathComponent(".build/debug/scodec")
        return FileManager.default.isExecutableFile(atPath: built.path) ? built : nil
    }()

    @Test func thereAreFiles() { #expect(Self.files.count >= 20) }

    @Test(arguments: files) func file(_ name: String) throws {
        let path = "filetests/\(name)"
        let text = try String(contentsOf: Self.root.appendingPathComponent(path), encoding: .utf8)
        let lines = text.components(separatedBy: "\n")
        let prefix = "// $ scodec "
        guard let first = lines.first, first.hasPrefix(prefix) else {
            Issue.record("\(path): the first line is no command: // $ scodec …")
            return
        }
        let arguments = first.dropFirst(prefix.count).split(separator: " ").map {
            $0 == "%s" ? path : String($0)
        }
        let actual = try Self.run(arguments)
        let code = lines.filter { !Self.isExpectation($0) }
        if ProcessInfo.processInfo.environment["SCODE_UPDATE"] == "1" {
            var kept = code
            while kept.last?.isEmpty == true { kept.removeLast() }
            let updated = (kept + [""] + actual + [""]).joined(separator: "\n")
            try updated.write(to: Self.root.appendingPathComponent(path), atomically: true, encoding: .utf8)
            return
        }
        let expected = lines.filter(Self.isExpectation)
        #expect(actual == expected, "\(path)")
    }

    /// Every fragment of every example runs, and means the same on both engines.
    @Test func examplesRun() throws {
        let directory = Self.root.appendingPathComponent("scode-examples")
        let names = try FileManager.default.contentsOfDirectory(atPath: directory.path)
        let examples = names.filter { $0.hasSuffix(".scode") }.sorted()
        #expect(examples.count >= 5)
        let readme = try String(contentsOf: Self.root.appendingPathComponent("README.md"), encoding: .utf8)
        for name in examples {
            #expect(readme.contains("| `\(name)`"), "README.md does not list \(name)")
            let path = "scode-examples/\(name)"
            let text = try String(contentsOf: directory.appendingPathComponent(name), encoding: .utf8)
            for line in text.components(separatedBy: "\n") where line.hasPrefix("fragment ") {
                let fragment = String(line.dropFirst("fragment ".count).prefix { $0 != "(" && $0 != " " })
                let lines = try Self.run(["run", path, "--fragment", fragment, "--engine", "both"])
                #expect(lines.contains("//! interpreter and native code agree"), "\(path): \(lines)")
                let code = name == "fault.scode" ? "//= 134" : "//= 0"
                #expect(lines.last == code, "\(path): \(lines)")
            }
        }
    }

    /// What the benchmarks measure is a program, laid out, and means the same on both engines: here with memory that is zero.
    @Test(
        arguments: [
            ("fnv1a", 0xb93a_0c83_ce3b_6325), ("sum32", 0), ("sieve", 1028), ("pktfilter", 0),
            ("rr_pick", .max),
            ("matmul16", 0), ("collatz", 59542), ("empty", 42),
        ] as [(String, UInt64)]) func kernelsOfTheBenchmarksRun(_ name: String, _ answer: UInt64) throws
    {
        let path = "Benchmarks/Kernels/\(name).scode"
        #expect(try Self.run(["fmt", "--check", path]) == ["//= 0"])
        let lines = try Self.run(["run", path, "--engine", "both"])
        #expect(lines == ["//> accept \(answer)", "//! interpreter and native code agree", "//= 0"])
    }

    private static func isExpectation(_ line: String) -> Bool {
        line.hasPrefix("//> ") || line.hasPrefix("//! ") || line.hasPrefix("//= ")
    }

    /// What the command line tool prints, and its exit code, as expectations have them.
    static func run(_ arguments: [String], in folder: URL = root) throws -> [String] {
        let process = Process()
        let executable: URL? = tool
        process.executableURL = executable
        try #require(executable != nil, "scodec is not built")
        process.arguments = arguments
        process.currentDirectoryURL = folder
        process.standardInput = FileHandle.nullDevice
        let output = Pipe()
        let errors = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
        try Data().write(to: errors)
        defer { try? FileManager.default.removeItem(at: errors) }
        process.standardOutput = output
        process.standardError = try FileHandle(forWritingTo: errors)
        try process.run()
        let data = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        func lines(_ data: Data, _ mark: String) -> [String] {
            var lines = String(decoding: data, as: UTF8.self).components(separatedBy: "\n")
            if lines.last == "" { lines.removeLast() }
            return lines.map { "\(mark) \($0)" }
        }
        return lines(data, "//>") + lines(try Data(contentsOf: errors), "//!")
            + ["//= \(process.terminationStatus)"]
    }
}
