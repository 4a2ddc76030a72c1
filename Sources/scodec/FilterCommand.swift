import ArgumentParser
import SCode
import SCodeFilter

struct Filter: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Counts and writes the packets of a capture that filters take.",
        discussion: """
            An expression is what tcpdump takes: 'tcp port 80 and not host 10.0.0.1'. It is compiled to classic BPF \
            (by tcpdump, or by libpcap when that is built in), and that to SCODE, which is verified and run natively. \
            A file of -F is what 'tcpdump -ddd' prints.

              scodec filter 'tcp port 80' capture.pcap
              scodec filter -e 'tcp port 80' -e udp capture.pcap --write matches.pcap
              scodec filter -F compiled.ddd capture.pcap --count
              scodec filter 'tcp port 80' capture.pcap --explain
              scodec filter 'tcp port 80' --dump ir

            Several filters become one decision. A packet belongs to the first that takes it: those of -e come first, \
            then those of -F, each in the order given. Captures are classic ones (not pcapng); '-' is standard input. \
            Of one that is cut short, the whole packets count, and the exit code is 1.
            """)

    @Argument(help: "The expression, unless -e or -F gives one, and then the capture.")
    var words: [String] = []
    @Option(
        name: [.customShort("e"), .customLong("expression")], parsing: .unconditionalSingleValue,
        help: "A filter expression. May be repeated.")
    var expressions: [String] = []
    @Option(
        name: [.customShort("F"), .customLong("file")],
        help: ArgumentHelp(
            "A filter that is compiled already, as 'tcpdump -ddd' prints it. May be repeated.",
            valueName: "file"))
    var files: [String] = []
    @Option(
        help: ArgumentHelp(
            "Write the packets that a filter takes to a capture; '-' is standard output.", valueName: "file"))
    var write: String?
    @Flag(help: "Print the numbers of packets only: one line for each filter.") var count = false
    @Flag(help: "Say of each packet that no filter takes which test failed.") var explain = false
    @Flag(help: "Print the result as JSON.") var json = false
    @Option(help: "Which engine executes the filters; 'both' compares them.") var engine = EngineChoice.native
    @Option(
        help: ArgumentHelp("Print what a stage of the compiler makes of the filters.", valueName: "stage"))
    var dump: Stage?
    @OptionGroup(title: "Profilers and debuggers") var observers: ObserverOptions

    private var hasOptions: Bool { !expressions.isEmpty || !files.isEmpty }

    func validate() throws {
        let least = (hasOptions ? 0 : 1) + (dump == nil ? 1 : 0)
        let most = hasOptions ? 1 : 2
        if words.count < least {
            throw ValidationError(
                hasOptions || !words.isEmpty ? "Missing the capture." : "Missing an expression and a capture."
            )
        }
        if words.count > most {
            throw ValidationError("'\(words[most])' is too many; quote an expression of several words.")
        }
        if files.filter({ $0 == "-" }).count + (words.last == "-" && dump == nil ? 1 : 0) > 1 {
            throw ValidationError("'-' can be read once.")
        }
        if count, explain || json { throw ValidationError("--count is for numbers only.") }
        if write == "-", json || explain || count {
            throw ValidationError("--write - leaves no place for other output.")
        }
        if dump == .tokens { throw ValidationError("--dump tokens is for text; filters have none.") }
    }

    func run() throws {
        let expressions = hasOptions ? self.expressions : Array(words.prefix(1))
        let path = hasOptions ? words.first : words.dropFirst().first
        let capture = try dump == nil ? path.map(readCapture) : nil
        let linkType = capture?.linkType ?? FilterExpression.ethernet
        var filters: [NamedFilter] = []
        for expression in expressions { filters.append(try compile(expression, linkType)) }
        for file in files { filters.append(try read(file)) }
        let program = try merged(filters)
        if let dump { return try self.dump(dump, program) }
        guard let capture, let path else { return }
        try observers.attach()
        let sorted = try sort(capture, program, filters)
        if let write { try Terminal.write(capture.file(of: sorted.taken), to: write) }
        let report = FilterReport(
            capture: capture, path: path, filters: filters, verdicts: sorted.verdicts, explains: explain)
        if json {
            Terminal.write(report.json)
        } else if count {
            Terminal.write(report.numbers)
        } else if write != "-" {
            Terminal.write(report.text)
        }
        if engine == .both { Terminal.message("interpreter and native code agree") }
        if let failure = capture.failure {
            Terminal.message("\(shown(path)): error: \(failure)")
            throw ExitCode.diagnostics
        }
    }

    // MARK: Reading

    private func readCapture(_ path: String) throws -> CaptureFile {
        let bytes = try Terminal.read(path)
        do { return try CaptureFile(bytes) } catch {
            Terminal.message("\(shown(path)): error: \(error)")
            throw ExitCode.diagnostics
        }
    }

    private func compile(_ expression: String, _ linkType: UInt32) throws -> NamedFilter {
        do {
            return NamedFilter(
                name: expression, program: try FilterExpression.compile(expression, linkType: linkType))
        } catch {
            Terminal.message("scodec: '\(shown(expression))': \(DiagnosticRenderer.escaped("\(error)"))")
            throw ExitCode.diagnostics
        }
    }

    private func read(_ path: String) throws -> NamedFilter {
        let text = try Terminal.read(path)
        do { return NamedFilter(name: path, program: try ClassicProgram(dump: text)) } catch {
            Terminal.message("\(shown(path)): error: \(error)")
            throw ExitCode.diagnostics
        }
    }

    private func merged(_ filters: [NamedFilter]) throws -> Program {
        do {
            var set = FilterSet()
            for (index, filter) in filters.enumerated() {
                try set.insert(filter.program, number: UInt64(index) + 1)
            }
            return try set.program()
        } catch {
            Terminal.message("scodec: error: \(error)")
            throw ExitCode.diagnostics
        }
    }

    private func dump(_ stage: Stage, _ program: Program) throws {
        // As text, so that positions in listings mean something.
        try scodec.dump(stage, Source(program.printed(), fileName: "<filters>"), nil)
    }

    // MARK: Running

    /// Which filter takes each packet, by its place; and the packets that one takes.
    private func sort(
        _ capture: CaptureFile, _ program: Program, _ filters: [NamedFilter]
    ) throws -> (verdicts: [Int?], taken: [CaptureFile.Packet]) {
        let engines = try engine.kinds.map { try PacketFilter(program, engine: $0) }
        var verdicts: [Int?] = []
        var taken: [CaptureFile.Packet] = []
        for packet in capture.packets {
            let answers = engines.map { filter in
                capture.withBytes(of: packet) { filter.decide($0, wireLength: packet.wireLength) }
            }
            if let other = answers.first(where: { $0 != answers[0] }) {
                Terminal.message(
                    "error: the engines disagree about packet \(verdicts.count + 1): \(answers[0]), \(other)")
                throw ExitCode.diagnostics
            }
            switch answers.first {
            case .accept(let number)?:
                verdicts.append(Int(exactly: number).map { $0 - 1 })
                taken.append(packet)
            case .refuse?, nil: verdicts.append(nil)
            case .abort(let reason)?:
                Terminal.message("error: packet \(verdicts.count + 1): aborted: \(reason.name)")
                throw ExitCode.aborted
            }
        }
        return (verdicts, taken)
    }
}
