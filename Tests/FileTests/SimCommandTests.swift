import Foundation
import Testing

/// `scodec sim`, as people call it.
@Suite struct SimCommandTests {
    private static let example = "scode-examples/schedulers/fair-users.yaml"

    /// A folder of its own, which goes when the test is over.
    static func inFolder(_ body: (URL) throws -> Void) throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        try body(folder)
    }

    static let scenario = """
        machine: {tick: 1ms, quantum: 10ms, duration: 1s}
        root:
          scheduler: first.scode
          children:
            - {name: one, loops: forever, do: [run: 3ms, sleep: 4ms]}
            - {name: other, loops: forever, do: [run: 5ms]}
        """
    static let scheduler = """
        accept scheduler
        fragment first() {
            s_app_sched 2
        }
        """

    static func write(_ text: String, _ name: String, in folder: URL) throws {
        try text.write(to: folder.appendingPathComponent(name), atomically: true, encoding: .utf8)
    }

    @Test func tracesAreMadeAgain() throws {
        try Self.inFolder { folder in
            try Self.write(Self.scenario, "work.yaml", in: folder)
            try Self.write(Self.scheduler, "first.scode", in: folder)
            _ = try FileTests.run(["sim", "work.yaml", "--seed", "7", "--trace", "t.json"], in: folder)
            let size = try Data(contentsOf: folder.appendingPathComponent("t.json")).count
            for engine in ["native", "interpreter"] {
                let lines = try FileTests.run(["sim", "--replay", "t.json", "--engine", engine], in: folder)
                #expect(lines == ["//> identical: \(size) bytes", "//= 0"])
            }

            let trace = try String(contentsOf: folder.appendingPathComponent("t.json"), encoding: .utf8)
            try Self.write(
                trace.replacingOccurrences(of: "\"ts\":3000,", with: "\"ts\":3001,"), "u.json", in: folder)
            let other = try FileTests.run(["sim", "--replay", "u.json"], in: folder)
            #expect(
                other.first == "//> first difference at 3 ms, in the track of 'one':"
                    && other.last == "//= 1")

            // The scheduler chooses the other one now.
            let changed = Self.scheduler.replacingOccurrences(of: "s_app_sched 2", with: "s_app_sched 3")
            try Self.write(changed, "first.scode", in: folder)
            let lines = try FileTests.run(["sim", "--replay", "t.json"], in: folder)
            #expect(lines.contains("//! since the trace was written: 'first.scode' is not what it was"))
            #expect(
                lines.first?.hasPrefix("//> first difference at 0 ms, in the track of") == true, "\(lines)")
            #expect(lines.last == "//= 1")

            // The same decisions, of another text.
            try Self.write("// other\n" + Self.scheduler, "first.scode", in: folder)
            let same = try FileTests.run(["sim", "--replay", "t.json"], in: folder)
            #expect(same.first == "//> the same events, of other files" && same.last == "//= 1", "\(same)")

            try FileManager.default.removeItem(at: folder.appendingPathComponent("first.scode"))
            #expect(try FileTests.run(["sim", "--replay", "t.json"], in: folder).last == "//= 66")
        }
    }

    /// With the seed that was used, and not the scenario's.
    @Test func theSeedIsReplayed() throws {
        try Self.inFolder { folder in
            let trace = folder.appendingPathComponent("t.json").path
            _ = try FileTests.run([
                "sim", "scode-examples/schedulers/lottery.yaml", "--seed", "7", "--trace", trace,
            ])
            let lines = try FileTests.run(["sim", "--replay", trace])
            #expect(lines.first?.hasPrefix("//> identical: ") == true && lines.last == "//= 0", "\(lines)")
        }
    }

    @Test func whatCannotBeReplayed() throws {
        #expect(try FileTests.run(["sim", "--replay", "no-such.json"]).last == "//= 66")
        let lines = try FileTests.run(["sim", "--replay", Self.example])
        #expect(lines.count == 2 && lines[0].contains("this is no trace") && lines[1] == "//= 1")
    }

    @Test(arguments: [
        [], ["--replay", "t.json", "x.yaml"], ["--replay", "t.json", "--gantt", "x.svg"],
        ["x.yaml", "--speed", "1s"], ["x.yaml", "--watch", "--speed", "fast"], ["x.yaml", "--window", "1s"],
        ["x.yaml", "--shares", "x.svg", "--window", "0"], ["x.yaml", "--watch", "--compare"],
    ]) func wrongUsage(_ arguments: [String]) throws {
        #expect(try FileTests.run(["sim"] + arguments).last == "//= 64")
    }

    @Test func sharesOfOneAndOfSeveral() throws {
        let svg = ["--shares", "-", "--window", "500ms", "--no-time"]
        let one = try FileTests.run(["sim", Self.example] + svg)
        #expect(one.contains { $0.contains("windows of 500 ms") } && one.last == "//= 0")
        let two = try FileTests.run(
            ["sim", Self.example, "--policy", "scode-examples/schedulers/round-robin.scode", "--shares", "-"])
        #expect(two.filter { $0.contains("windows of 200 ms") }.count == 2 && two.last == "//= 0")
    }

    private static let schedulers = FileTests.root.appendingPathComponent("scode-examples/schedulers")
    private static let pages =
        ((try? FileManager.default.contentsOfDirectory(atPath: schedulers.path)) ?? [])
        .filter { $0.hasSuffix(".md") && $0 != "README.md" }.sorted()

    @Test func thereArePages() { #expect(Self.pages.count >= 8) }

    /// What the pages about schedulers show is what is printed.
    @Test(arguments: pages) func pagesShowWhatIsPrinted(_ name: String) throws {
        let page = Self.schedulers.appendingPathComponent(name)
        let blocks = try String(contentsOf: page, encoding: .utf8).components(
            separatedBy: "```console\n$ scodec ")
        #expect(blocks.count > 1)
        for block in blocks.dropFirst() {
            let lines = (block.components(separatedBy: "\n```").first ?? "").components(separatedBy: "\n")
            let printed = try FileTests.run(lines[0].components(separatedBy: " "))
            #expect(printed == lines.dropFirst().map { "//> \($0)" } + ["//= 0"])
        }
    }

    /// No terminal: ten snapshots and the report, which is what it is without them.
    @Test func watchingInPrint() throws {
        let report = try FileTests.run(["sim", Self.example, "--no-time"])
        let lines = try FileTests.run(["sim", Self.example, "--no-time", "--watch"])
        #expect(lines.filter { $0.hasPrefix("//> fair-users.yaml  ") }.count == 10)
        #expect(lines.contains { $0.hasPrefix("//> fair-users.yaml  10 s of 10 s, 100.0%") })
        #expect(Array(lines.suffix(report.count)) == report)
        // The guide shows one of them.
        let guide = try String(
            contentsOf: FileTests.root.appendingPathComponent("docs/scheduling.md"), encoding: .utf8)
        let shown = guide.components(separatedBy: "--watch\n…\n").last?.components(separatedBy: "\n…").first
        let all = lines.map { $0.dropFirst(4) }.joined(separator: "\n")
        #expect(shown.map { $0.hasPrefix("fair-users.yaml  6 s") && all.contains($0) } == true)
        #expect(!lines.contains { $0.contains("\u{1B}") })
    }

    /// Everything that a terminal receives until nobody writes to it any more.
    private static func onTerminal(
        _ arguments: [String], interrupts: Bool = false
    ) throws -> (text: String, process: Process) {
        var (master, slave): (Int32, Int32) = (-1, -1)
        try #require(openpty(&master, &slave, nil, nil, nil) == 0)
        let process = Process()
        let executable: URL? = FileTests.tool
        process.executableURL = executable
        try #require(executable != nil, "scodec is not built")
        process.arguments = arguments
        process.currentDirectoryURL = FileTests.root
        process.environment = ["TERM": "xterm"]
        let end = FileHandle(fileDescriptor: slave, closeOnDealloc: true)
        process.standardOutput = end
        process.standardError = FileHandle.nullDevice
        process.standardInput = FileHandle.nullDevice
        try process.run()
        try end.close()
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        var isInterrupted = false
        while true {
            // The last one to close a terminal makes this fail.
            let count = read(master, &buffer, buffer.count)
            guard count > 0 else { break }
            bytes += buffer[..<count]
            if interrupts, !isInterrupted, String(decoding: bytes, as: UTF8.self).contains("[J") {
                process.interrupt()
                isInterrupted = true
            }
        }
        close(master)
        process.waitUntilExit()
        return (String(decoding: bytes, as: UTF8.self), process)
    }

    private static let enter = "\u{1B}[?1049h\u{1B}[?25l\u{1B}[?7l"
    private static let leave = "\u{1B}[?7h\u{1B}[?25h\u{1B}[?1049l"

    @Test func watchingOnATerminal() throws {
        let (text, process) = try Self.onTerminal(["sim", Self.example, "--watch", "--speed", "max"])
        #expect(text.hasPrefix(Self.enter) && process.terminationStatus == 0)
        let parts = text.components(separatedBy: Self.leave)
        // The report comes on the screen that was there before.
        #expect(parts.count == 2 && parts.last?.contains("10 s simulated") == true)
        #expect(parts[0].components(separatedBy: "\u{1B}[H").count == 101)
    }

    @Test func interruptingLeavesTheTerminalWhole() throws {
        let (text, process) = try Self.onTerminal(
            ["sim", Self.example, "--watch", "--speed", "10ms"], interrupts: true)
        #expect(text.hasPrefix(Self.enter) && text.hasSuffix(Self.leave))
        #expect(process.terminationReason == .uncaughtSignal && process.terminationStatus == SIGINT)
    }
}
