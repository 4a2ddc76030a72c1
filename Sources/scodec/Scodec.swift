import ArgumentParser
import SCode

@main
struct Scodec: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "scodec",
        abstract: "Checks, runs, disassembles and simulates SCODE.",
        discussion: """
            SCODE is a language for fragments of code that a program downloads into a host that does not trust
            it. Files are text (.scode) or binary modules (.sco); '-' is standard input.

            Exit codes: 0 fine; 1 the code was rejected; 64 wrong usage; 66 a file cannot be read;
            74 a file cannot be written; 134 the fragment was aborted.
            """,
        version: "0.1.0",
        subcommands: [
            Check.self, Run.self, Disasm.self, Format.self, Build.self, Strip.self, Simulate.self,
            Filter.self,
        ])
}

/// The exit codes of sysexits.h that people expect, and ours.
extension ExitCode {
    static let diagnostics = ExitCode(1)
    static let noInput = ExitCode(66)
    static let inputOutput = ExitCode(74)
    static let aborted = ExitCode(134)
}

/// A stage whose product `--dump` prints.
enum Stage: String, CaseIterable, ExpressibleByArgument {
    case tokens, ir, facts, vcode, regalloc, asm
}

extension EngineKind: ExpressibleByArgument {}
