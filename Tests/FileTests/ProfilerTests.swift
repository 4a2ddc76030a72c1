import Foundation
import Testing

/// `--perf-map` and `--jitdump`: what perf finds, read plainly from the specifications.
@Suite struct ProfilerTests {
    private static let program = """
        accept plain
        region data: physical rw, 64
        fragment half(n: ul = 8, at: p = data) {
            ldul    x, at, 0
            divul   x, x, n
            accept  x
        }
        """

    /// Runs `scodec` by way of a shell, which says what its process number will be and can do something with it before.
    private static func run(_ arguments: String, before: String = "", in folder: URL) throws
        -> (process: Int, status: Int32)
    {
        let tool: URL? = FileTests.tool
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/sh")
        let path = try #require(tool, "scodec is not built").path
        process.arguments = ["-c", "echo $$; \(before)\nexec '\(path)' \(arguments) >/dev/null 2>&1"]
        process.currentDirectoryURL = folder
        process.standardInput = FileHandle.nullDevice
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        let number = try #require(text.split(separator: "\n").first.flatMap { Int($0) })
        return (number, process.terminationStatus)
    }

    private static func mode(_ path: String) throws -> Int? {
        try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
    }

    @Test func perfMapsNameFragments() throws {
        try SimCommandTests.inFolder { folder in
            try Self.program.write(
                to: folder.appendingPathComponent("half.scode"), atomically: true, encoding: .utf8)
            let (process, status) = try Self.run("run half.scode --perf-map", in: folder)
            #expect(status == 0)
            let path = "/tmp/perf-\(process).map"
            defer { try? FileManager.default.removeItem(atPath: path) }
            #expect(try Self.mode(path) == 0o600)
            let lines = try String(contentsOfFile: path, encoding: .utf8).components(separatedBy: "\n")
            #expect(lines.count == 2 && lines[1].isEmpty, "\(lines)")
            let words = lines[0].split(separator: " ")
            #expect(words.count == 3 && words[2] == "half")
            #expect(UInt64(words[0], radix: 16) ?? 0 > 4096)
            #expect((32..<4096).contains(Int(words[1], radix: 16) ?? 0))

            let other = try Self.run("run half.scode", in: folder)
            #expect(!FileManager.default.fileExists(atPath: "/tmp/perf-\(other.process).map"))
        }
    }

    @Test func dumpsHoldCodeAndLines() throws {
        try SimCommandTests.inFolder { folder in
            let name = "ha\nlf\u{1B}.scode"
            try Self.program.write(to: folder.appendingPathComponent(name), atomically: true, encoding: .utf8)
            let (process, status) = try Self.run("run ./ha* --jitdump .", in: folder)
            #expect(status == 0)
            let path = folder.appendingPathComponent("jit-\(process).dump").path
            #expect(try Self.mode(path) == 0o600)
            let dump = try #require(JITDump([UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))))
            #expect(dump.process == process && dump.machine == 62)
            let code = try #require(dump.loads.first)
            #expect(dump.loads.count == 1 && dump.debugged.count == 1)
            #expect(code.name == "half" && code.process == process && code.bytes.count > 32)
            let lines = try #require(dump.debugged.first)
            #expect(lines.address == code.address && lines.entries.first?.address == code.address)
            #expect(Set(lines.entries.map(\.line)) == [3, 4, 5, 6])
            #expect(lines.entries.allSatisfy { $0.file.hasPrefix("/") && $0.file.hasSuffix("/ha?lf?.scode") })
            let end = code.address + UInt64(code.bytes.count)
            #expect(lines.entries.allSatisfy { (code.address..<end).contains($0.address) })
        }
    }

    /// All fragments of a simulation, each with a number of its own.
    @Test func simulationsAreDumped() throws {
        try SimCommandTests.inFolder { folder in
            let scenario = FileTests.root.appendingPathComponent("scode-examples/two-users.yaml").path
            let (process, status) = try Self.run("sim '\(scenario)' --jitdump .", in: folder)
            #expect(status == 0)
            let file = folder.appendingPathComponent("jit-\(process).dump")
            let dump = try #require(JITDump([UInt8](try Data(contentsOf: file))))
            #expect(dump.loads.contains { $0.name == "halves" })
            #expect(dump.loads.count > 1 && Set(dump.loads.map(\.number)).count == dump.loads.count)
            let files = dump.debugged.flatMap { $0.entries.map(\.file) }
            #expect(Set(files).count > 1)
            for file in Set(files) { #expect(FileManager.default.fileExists(atPath: file), "\(file)") }
        }
    }

    /// A module's text is made up: its lines are those of no file.
    @Test func modulesHaveNoLinesInSimulations() throws {
        try SimCommandTests.inFolder { folder in
            try SimCommandTests.write(SimCommandTests.scheduler, "first.scode", in: folder)
            _ = try FileTests.run(["build", "first.scode", "-o", "first.sco"], in: folder)
            let scenario = SimCommandTests.scenario
            for (suffix, hasLines) in [(".scode", true), (".sco", false)] {
                let text = scenario.replacingOccurrences(of: "first.scode", with: "first\(suffix)")
                try SimCommandTests.write(text, "work.yaml", in: folder)
                let (process, status) = try Self.run("sim work.yaml --jitdump .", in: folder)
                #expect(status == 0)
                let file = folder.appendingPathComponent("jit-\(process).dump")
                let dump = try #require(JITDump([UInt8](try Data(contentsOf: file))))
                #expect(dump.loads.contains { $0.name == "first" })
                #expect(dump.debugged.isEmpty == !hasLines)
            }
        }
    }

    /// A file that lies where a dump is to lie, by chance or as a trap, is replaced and not written to.
    @Test func whatLiesThereIsNotWrittenTo() throws {
        try SimCommandTests.inFolder { folder in
            try Self.program.write(
                to: folder.appendingPathComponent("half.scode"), atomically: true, encoding: .utf8)
            let (process, status) = try Self.run(
                "run half.scode --jitdump .", before: "echo mine >victim; ln -s victim jit-$$.dump",
                in: folder)
            #expect(status == 0)
            let victim = folder.appendingPathComponent("victim")
            #expect(try String(contentsOf: victim, encoding: .utf8) == "mine\n")
            let path = folder.appendingPathComponent("jit-\(process).dump").path
            let type = try FileManager.default.attributesOfItem(atPath: path)[.type] as? FileAttributeType
            #expect(type == .typeRegular)
            let refused = try Self.run("run half.scode --jitdump .", before: "mkdir jit-$$.dump", in: folder)
            #expect(refused.status == 74)
        }
    }

    @Test func foldersThatAreNotThere() throws {
        let lines = try FileTests.run(["run", "filetests/run/procedures.scode", "--jitdump", "/no/such"])
        #expect(lines.count == 2 && lines.last == "//= 74", "\(lines)")
        #expect(lines.first?.hasPrefix("//! scodec: cannot write '/no/such/jit-") == true, "\(lines)")
    }
}

/// A jitdump, as tools/perf/Documentation/jitdump-specification.txt describes it.
private struct JITDump {
    struct Load {
        var process: Int
        var address: UInt64
        var number: UInt64
        var name: String
        var bytes: [UInt8]
    }
    struct Lines {
        var address: UInt64
        var entries: [(address: UInt64, line: Int, file: String)]
    }
    var machine = 0
    var process = 0
    var loads: [Load] = []
    var debugged: [Lines] = []

    /// nil when a record is not as long as it says, lines do not come before their code, or time runs backwards.
    init?(_ bytes: [UInt8]) {
        func word(_ offset: Int, _ size: Int) -> UInt64 {
            (0..<size).reduce(0) { $0 | UInt64(bytes[offset + $1]) << UInt64($1 * 8) }
        }
        func text(_ offset: Int) -> String {
            String(decoding: bytes[offset...].prefix { $0 != 0 }, as: UTF8.self)
        }
        guard bytes.count > 40, word(0, 4) == 0x4A69_5444, word(4, 4) == 1, word(8, 4) == 40 else {
            return nil
        }
        (machine, process) = (Int(word(12, 4)), Int(word(20, 4)))
        var (at, time) = (40, word(24, 8))
        var described: UInt64?
        while at < bytes.count {
            let (kind, end) = (word(at, 4), at + Int(word(at + 4, 4)))
            guard end <= bytes.count, end >= at + 16, word(at + 8, 8) >= time else { return nil }
            time = word(at + 8, 8)
            switch kind {
            case 0:
                let name = text(at + 56)
                let code = Array(bytes[(at + 57 + name.utf8.count)..<end])
                guard code.count == Int(word(at + 40, 8)), word(at + 24, 8) == word(at + 32, 8) else {
                    return nil
                }
                loads.append(
                    Load(
                        process: Int(word(at + 16, 4)), address: word(at + 24, 8), number: word(at + 48, 8),
                        name: name, bytes: code))
                if let address = described, address != word(at + 24, 8) { return nil }
                described = nil
            case 2:
                var lines = Lines(address: word(at + 16, 8), entries: [])
                var entry = at + 32
                for _ in 0..<word(at + 24, 8) {
                    let file = text(entry + 16)
                    lines.entries.append((word(entry, 8), Int(word(entry + 8, 4)), file))
                    entry += 17 + file.utf8.count
                }
                guard entry == end else { return nil }
                debugged.append(lines)
                described = lines.address
            default: return nil
            }
            at = end
        }
    }
}
