import ArgumentParser
import SCode

struct Check: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Verifies a program and reports every mistake in it.")

    @OptionGroup var source: SourceOptions
    @Flag(help: "Print the result as JSON.") var json = false
    @Flag(
        help:
            "Say of each load, store, backward jump and call what is proved, and what is guarded at what cost."
    )
    var explain = false

    func run() throws {
        let input = try Source(source)
        if let stage = source.dump {
            try dump(stage, input, source.acceptor)
            return
        }
        let verified = try input.verify(source.acceptor, keepsStates: explain)
        if explain {
            let explanations = verified.fragments.map { Explanation($0) }
            Terminal.write(
                json
                    ? "{\"acceptor\":\"\(verified.acceptor.name)\",\"fragments\":[\(explanations.map(\.json).joined(separator: ","))]}\n"
                    : explanations.map { $0.listing(input.text) }.joined(separator: "\n"))
            return
        }
        if json {
            let fragments = verified.fragments.map {
                "{\"name\":\(JSONText.quoted($0.code.name)),\"instructions\":\($0.code.instructions.count),\"guardedAccesses\":\($0.guardedAccesses)}"
            }
            Terminal.write(
                "{\"acceptor\":\"\(verified.acceptor.name)\",\"fragments\":[\(fragments.joined(separator: ","))]}\n"
            )
            return
        }
        for fragment in verified.fragments {
            Terminal.message(
                "\(input.fileName): fragment '\(fragment.code.name)' is fine: \(fragment.code.instructions.count) instructions, \(fragment.guardedAccesses) of \(fragment.accessCount) accesses guarded"
            )
        }
    }
}

extension VerifiedFragment {
    /// Loads and stores.
    var accessCount: Int {
        code.instructions.filter(\.opcode.shape.isAccess).count
    }
    /// Those that the verifier could not prove to be inside their region.
    var guardedAccesses: Int {
        let proved = facts.filter(\.access.isProved).count
        return accessCount - proved
    }
}

struct Format: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fmt", abstract: "Formats SCODE text; comments stay.")

    @Argument(help: "Files, or '-' for standard input to standard output.") var files: [String]
    @Flag(help: "Change nothing; exit with 1 if a file is not formatted.") var check = false

    func run() throws {
        var unformatted = false
        for file in files {
            let input = try Source(file, isParsed: false)
            let formatted: String
            do { formatted = try format(input.raw) } catch {
                input.report(error.diagnostics)
                throw ExitCode.diagnostics
            }
            if check {
                if formatted != input.raw {
                    Terminal.message("\(input.fileName): not formatted")
                    unformatted = true
                }
            } else if file == "-" {
                Terminal.write(formatted)
            } else if formatted != input.raw {
                try Terminal.write([UInt8](formatted.utf8), to: file)
            }
        }
        if unformatted { throw ExitCode.diagnostics }
    }
}

struct Build: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Verifies a program and writes it as a binary module.")

    @OptionGroup var source: SourceOptions
    @Option(name: .shortAndLong, help: "The module to write; '-' is standard output.") var output: String

    func run() throws {
        let input = try Source(source)
        let verified = try input.verify(source.acceptor)
        try Terminal.write(verified.program.encoded(), to: output)
    }
}
