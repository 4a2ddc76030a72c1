import ArgumentParser
import SCode
import SCodeAcceptors

/// The arguments that every command on a program takes.
struct SourceOptions: ParsableArguments {
    @Argument(help: "A .scode, .sco or eBPF object file, or '-' for standard input.")
    var file: String

    @Option(
        help: ArgumentHelp(
            "What the file is, when it does not say so itself: scode (text or module) or ebpf (an object file, or raw instructions).",
            valueName: "format"))
    var from: SourceFormat?

    @Option(help: ArgumentHelp("Of eBPF: how much memory r1 points to.", valueName: "bytes"))
    var memory: UInt64?

    @Option(help: "The acceptor to verify against; default: the one that the file names, else plain.")
    var acceptor: String?

    @Option(help: ArgumentHelp("Print what a stage of the compiler makes of it.", valueName: "stage"))
    var dump: Stage?
}

/// What `--from` can say.
enum SourceFormat: String, CaseIterable, ExpressibleByArgument {
    case scode, ebpf
}

/// A program as it was read, before anybody has verified it.
struct Source {
    var fileName: String
    var text: SourceText?
    /// The text and what it includes; none for a module.
    var files: [SourceFile] = []
    var raw: String
    var program: Program
    var diagnostics: [Diagnostic] = []
    var incomplete: Set<Int> = []
    /// Whether it was eBPF.
    var isForeign = false

    init(_ options: SourceOptions) throws {
        try self.init(
            options.file, from: options.from, acceptor: options.acceptor, memory: options.memory)
        if options.memory != nil, !isForeign { throw ValidationError("--memory is for eBPF") }
    }

    /// Reads a text or, when it begins with their magic numbers, a binary module or an object file.
    /// - Parameters:
    ///   - format: what it is, if the user says so.
    ///   - acceptor: whose code it is, if the user says so.
    ///   - memory: bytes that code that was eBPF finds at r1.
    ///   - isParsed: false for those who look at the text alone; what it includes is not read then.
    init(
        _ path: String, from format: SourceFormat? = nil, acceptor: String? = nil, memory: UInt64? = nil,
        isParsed: Bool = true
    ) throws {
        fileName = path == "-" ? "<stdin>" : path
        let bytes = try Terminal.read(path)
        if format == .ebpf || format == nil && isParsed && bytes.starts(with: Program.objectMagic) {
            raw = ""
            isForeign = true
            do {
                program = try Program(
                    ebpf: bytes, for: Acceptor.standard, named: acceptor, memorySize: memory)
            } catch {
                Terminal.message("\(fileName): error: \(error)")
                throw ExitCode.diagnostics
            }
            return
        }
        if bytes.starts(with: Program.moduleMagic) {
            raw = ""
            do { program = try Program(decoding: bytes) } catch {
                Terminal.message("\(fileName): error: \(error)")
                throw ExitCode.diagnostics
            }
            return
        }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            Terminal.message("\(fileName): error: neither a binary module nor UTF-8 text")
            throw ExitCode.diagnostics
        }
        raw = text
        let source = SourceText(text)
        self.text = source
        files = [SourceFile(name: fileName, text: source)]
        program = Program()
        guard isParsed else { return }
        let parsed = parse(text, fileName: fileName, including: IncludedFiles(of: path).resolve)
        files = parsed.files
        program = parsed.program
        diagnostics = parsed.diagnostics
        incomplete = parsed.fragmentsWithErrors
    }

    /// A program that was made here, as the text that it prints as.
    init(_ text: String, fileName: String) {
        self.fileName = fileName
        raw = text
        let source = SourceText(text)
        self.text = source
        files = [SourceFile(name: fileName, text: source)]
        let parsed = parse(text)
        program = parsed.program
        diagnostics = parsed.diagnostics
        incomplete = parsed.fragmentsWithErrors
    }

    func report(_ diagnostics: [Diagnostic]) {
        guard !diagnostics.isEmpty else { return }
        let colour = Terminal.usesColour(2)
        let renderer =
            files.isEmpty
            ? DiagnosticRenderer(fileName: fileName, sourceFiles: program.sourceFiles, usesColour: colour)
            : DiagnosticRenderer(files: files, usesColour: colour)
        Terminal.message(renderer.render(diagnostics))
    }

    /// Verifies; every mistake goes to standard error.
    func verify(_ acceptorName: String?, keepsStates: Bool = false) throws -> VerifiedProgram {
        let name = acceptorName ?? program.acceptorName ?? "plain"
        guard let acceptor = Acceptor.standard.first(where: { $0.name == name }) else {
            let known = Acceptor.standard.map(\.name).joined(separator: ", ")
            Terminal.message("\(fileName): error: there is no acceptor '\(name)'; known: \(known)")
            throw ExitCode.diagnostics
        }
        let (verified, broken) = Verifier.verify(
            program, acceptor: acceptor, incomplete: incomplete, keepsStates: keepsStates)
        report(
            (diagnostics + broken).sorted {
                ($0.range.file, $0.range.line, $0.range.column) < (
                    $1.range.file, $1.range.line, $1.range.column
                )
            })
        guard let verified, !diagnostics.contains(where: { $0.severity == .error }) else {
            let count = (diagnostics + broken).filter { $0.severity == .error }.count
            Terminal.message("\(count) error\(count == 1 ? "" : "s")")
            throw ExitCode.diagnostics
        }
        return verified
    }
}

extension VerifiedProgram {
    /// The fragment of that name, or the first.
    func fragment(named name: String?, in fileName: String) throws -> VerifiedFragment {
        if let name {
            if let found = fragments.first(where: { $0.code.name == name }) { return found }
            let all = fragments.map(\.code.name)
            let near = Spelling.nearest(to: name, in: all).map { "; did you mean '\($0)'?" } ?? ""
            Terminal.message(
                "\(fileName): error: there is no fragment '\(name)'\(near) (there are: \(all.joined(separator: ", ")))"
            )
            throw ExitCode.diagnostics
        }
        guard let first = fragments.first else { throw ExitCode.diagnostics }
        return first
    }
}

/// Prints the product of a stage, for every fragment.
func dump(_ stage: Stage, _ source: Source, _ acceptor: String?) throws {
    switch stage {
    case .tokens: Terminal.write(dumpTokens(source.raw))
    case .ir: Terminal.write(source.program.printed())
    case .facts, .vcode, .regalloc, .asm:
        for fragment in try source.verify(acceptor, keepsStates: stage == .facts).fragments {
            Terminal.write("fragment \(fragment.code.name)\n")
            switch stage {
            case .facts: Terminal.write(fragment.printedFacts())
            case .vcode: Terminal.write(CompilerDump.vcode(fragment))
            case .regalloc: Terminal.write(CompilerDump.allocation(fragment))
            case .tokens, .ir, .asm: Terminal.write(try Listing(fragment, source.files).text)
            }
        }
    }
}
