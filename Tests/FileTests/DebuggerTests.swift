import Foundation
import Testing

private let gdb = ["/usr/bin/gdb", "/usr/local/bin/gdb"].first {
    FileManager.default.isExecutableFile(atPath: $0)
}

/// `--gdb`, with GDB itself.
@Suite(.enabled(if: gdb != nil, "gdb is not installed: apt-get install gdb"))
struct DebuggerTests {

    /// What GDB prints when it does what a script says with `scodec`.
    private static func debug(_ arguments: [String], in folder: URL = FileTests.root, _ script: String) throws
        -> [String]
    {
        let output = Pipe()
        let tool: URL? = FileTests.tool
        let process = Process()
        let path: String? = gdb
        process.executableURL = URL(fileURLWithPath: "/usr/bin/timeout")
        let file = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
        defer { try? FileManager.default.removeItem(at: file) }
        let settings = [
            "pagination off", "confirm off", "breakpoint pending on", "print frame-arguments none",
        ]
        let lines = settings.map { "set " + $0 } + ["set backtrace limit 64", script]
        try lines.joined(separator: "\n").write(to: file, atomically: true, encoding: .utf8)
        process.arguments =
            [
                "60", try #require(path), "-nx", "-batch", "-iex", "set debuginfod enabled off", "-iex",
                "set disable-randomization off",
            ]
            + ["-x", file.path, "--args", try #require(tool, "scodec is not built").path] + arguments
        process.currentDirectoryURL = folder
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        // The threads that run tests block signals, which a process inherits; GDB waits for SIGCHLD.
        var none = sigset_t()
        var blocked = sigset_t()
        sigemptyset(&none)
        pthread_sigmask(SIG_SETMASK, &none, &blocked)
        defer { pthread_sigmask(SIG_SETMASK, &blocked, nil) }
        try process.run()
        let text = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return String(decoding: text, as: UTF8.self).components(separatedBy: "\n")
    }

    /// A frame of a backtrace: `#3  0x… in NAME () at FILE:LINE`.
    private struct Frame {
        var name: String
        var place: String
        /// What the caller's registers hold that are to be preserved.
        var registers = ""

        init?(_ line: String) {
            guard line.hasPrefix("#") else { return nil }
            var words = line.split(separator: " ").dropFirst()
            if words.first?.hasPrefix("0x") == true { words = words.dropFirst(2) }
            guard let name = words.first else { return nil }
            self.name = String(name)
            place = words.last.flatMap { $0.split(separator: "/").last }.map(String.init) ?? ""
        }

        var isOfSwift: Bool { name.hasPrefix("$s") }
    }

    /// The backtraces behind each line that begins with `mark`.
    private static func backtraces(_ lines: [String], after mark: String) -> [[Frame]] {
        var all: [[Frame]] = []
        for line in lines {
            if line.hasPrefix(mark) {
                all.append([])
            } else if !all.isEmpty, let frame = Frame(line) {
                all[all.count - 1].append(frame)
            } else if line.hasPrefix("registers "), let frame = all.last?.indices.last {
                all[all.count - 1][frame].registers = line
            }
        }
        return all
    }

    private static func write(_ text: String, _ name: String, in folder: URL) throws {
        try text.write(to: folder.appendingPathComponent(name), atomically: true, encoding: .utf8)
    }

    /// Nine numbers are needed to the end, so that every register that a callee has to preserve is used.
    private static let program = """
        accept plain
        region data: virtual rw, 8192
        fragment sum(count: ul = 2, divisor: ul = 2, a: ul = 1, b: ul = 2, c: ul = 3, d: ul = 4) {
            setp    at, data
            setul   i, 0
            setul   total, 0
        next:
            ldul    x, at, 4092
            addul   total, total, x
            addul   i, i, 1
            bltul   i, count, next
            call    halve
            addul   total, total, a
            addul   total, total, b
            addul   total, total, c
            addul   total, total, d
            accept  total
        procedure halve:
            divul   total, total, divisor
            ret
        }
        """

    /// Line breakpoints, and the frames of the fragment, of C and of Swift.
    @Test func linesAreSeen() throws {
        try SimCommandTests.inFolder { folder in
            try Self.write(Self.program, "sum.scode", in: folder)
            let lines = try Self.debug(
                ["run", "sum.scode", "--gdb"], in: folder,
                """
                break sum.scode:19
                run
                echo here\\n
                backtrace
                info line
                """)
            let frames = try #require(Self.backtraces(lines, after: "here").first, "\(lines)")
            #expect(frames.prefix(2).map(\.name) == ["sum", "sum.entry"], "\(lines)")
            #expect(frames.prefix(2).map(\.place) == ["sum.scode:19", "sum.scode:3"], "\(lines)")
            #expect(frames.dropFirst(2).contains { $0.isOfSwift }, "\(lines)")
            #expect(frames.last?.name.hasSuffix("main") == true, "\(lines)")
            // GDB shows the source itself.
            #expect(lines.contains("19\t    divul   total, total, divisor"), "\(lines)")
        }
    }

    /// One breakpoint for all aborts of a fragment; the caller is the line that is aborted.
    @Test func abortsAreSeen() throws {
        try SimCommandTests.inFolder { folder in
            try Self.write(Self.program, "sum.scode", in: folder)
            let lines = try Self.debug(
                ["run", "sum.scode", "--gdb", "2", "0"], in: folder,
                """
                break 'sum.abort'
                run
                echo here\\n
                backtrace
                """)
            let frames = try #require(Self.backtraces(lines, after: "here").first, "\(lines)")
            #expect(frames.prefix(3).map(\.name) == ["sum.abort", "sum", "sum.entry"], "\(lines)")
            #expect(frames.dropFirst().first?.place == "sum.scode:19", "\(lines)")
        }
    }

    /// A fragment called by a fragment called by the simulated kernel, and the lines of both.
    @Test func chainsAreSeen() throws {
        let lines = try Self.debug(
            ["sim", "scode-examples/two-users.yaml", "--gdb"],
            """
            break round-robin.scode:49
            run
            echo here\\n
            backtrace
            """)
        let frames = try #require(Self.backtraces(lines, after: "here").first, "\(lines)")
        #expect(frames.prefix(3).map(\.name) == ["round_robin", "halves", "halves.entry"], "\(lines)")
        let source = try String(
            contentsOf: FileTests.root.appendingPathComponent("scode-examples/two-users.scode"),
            encoding: .utf8)
        let calls = source.components(separatedBy: "\n").enumerated().filter {
            $0.element.contains("s_sub_sched")
        }
        let places = calls.map { "two-users.scode:\($0.offset + 1)" }
        #expect(places.contains(frames.dropFirst().first?.place ?? ""), "\(lines)")
        #expect(frames.dropFirst(3).contains { $0.isOfSwift }, "\(lines)")
    }

    /// A program that stops, for a page or because its time is up, runs on a stack of its own; who resumed it is found
    /// on another.
    @Test(arguments: [
        ("copy-on-write", "scode_page_fault", "main", "copy-on-write.scode:64"),
        ("demand-paging", "scode_interrupt", "fault", "demand-paging.scode:"),
    ])
    func activationsAreSeen(_ scenario: String, _ function: String, _ name: String, _ place: String) throws {
        let lines = try Self.debug(
            ["sim", "scode-examples/programs/\(scenario).yaml", "--gdb"],
            """
            break \(function)
            run
            echo here\\n
            backtrace
            """)
        let frames = try #require(Self.backtraces(lines, after: "here").first, "\(lines)")
        let names = frames.map(\.name)
        #expect(Self.isSubsequence(["\(name).stubs", name, "\(name).entry"], of: names), "\(lines)")
        let places = frames.filter { $0.name == name }.map(\.place)
        #expect(places.first?.hasPrefix(place) == true, "\(lines)")
        let below = names.drop { $0 != "scode_activation_entry" }
        #expect(below.contains { $0.hasPrefix("$s5SCode10ActivationC6resume") }, "\(lines)")
    }

    private static func isSubsequence(_ part: [String], of whole: [String]) -> Bool {
        guard part.count <= whole.count else { return false }
        return (0...whole.count - part.count).contains { Array(whole[$0..<$0 + part.count]) == part }
    }

    /// At every instruction of the fragment the frames of those who called it are found, with their registers: where registers are saved, in
    /// the body, on the way to the runtime for a page that the TLB does not have and an access that straddles two, in
    /// the stub of an abort, and on all ways back.
    @Test(arguments: [(["2", "2"], false), (["2", "0"], true), (["0xffff_ffff", "2"], true)])
    func everyInstructionCanBeUnwound(_ arguments: [String], aborts: Bool) throws {
        try SimCommandTests.inFolder { folder in
            try Self.write(Self.program, "sum.scode", in: folder)
            let lines = try Self.debug(
                ["run", "sum.scode", "--gdb", "--budget", "3"] + arguments, in: folder,
                """
                break 'sum.entry'
                run
                delete
                set $top = $rsp
                set $low = (unsigned long)&'sum'
                set $high = (unsigned long)&'sum.entry' + 256
                while $rsp <= $top
                  if $pc >= $low && $pc < $high
                    echo step\\n
                    frame apply all -c printf "registers %lx %lx %lx %lx %lx %lx\\n", $rbx, $rbp, $r12, $r13, $r14, $r15
                    stepi
                  else
                    finish
                  end
                end
                """)
            let steps = Self.backtraces(lines, after: "step")
            #expect(steps.count > 80, "\(lines)")
            let callers = steps.first.map { $0.drop { $0.name.hasPrefix("sum") }.map(\.name) } ?? []
            #expect(callers.count > 3 && callers.last?.hasSuffix("main") == true, "\(callers)")
            var seen: Set<String> = []
            var registers: Set<String> = []
            for step in steps {
                let own = step.prefix { $0.name.hasPrefix("sum") }.map(\.name)
                seen.insert(own.joined(separator: " < "))
                #expect(step.dropFirst(own.count).map(\.name) == callers, "\(step)")
                registers.insert(step.dropFirst(own.count).first?.registers ?? "")
            }
            #expect(registers.count == 1 && registers.first?.isEmpty == false, "\(registers)")
            // What accesses of one kind share on the way to the runtime, or to fill a page cache, calls what all of them do.
            let expected: Set = [
                "sum.entry", "sum < sum.entry", "sum.stubs < sum < sum.entry",
                "sum.stubs < sum.stubs < sum < sum.entry",
            ]
            // An abort's last part leaves the fragment.
            let ends: Set = ["sum.abort < sum < sum.entry", "sum.abort < sum.entry"]
            #expect(seen == expected.union(aborts ? ends : []), "\(seen)")
        }
    }
}
