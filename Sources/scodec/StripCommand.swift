import ArgumentParser
import SCode

struct Strip: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Removes names and source positions from a module.",
        discussion: """
            What the program does stays the same. Names that others refer to stay: those of the acceptor, of \
            fragments, regions, host functions and macro-instructions.
            """)

    @Argument(help: "A .sco or .scode file, or '-' for standard input.") var file: String
    @Option(name: .shortAndLong, help: "The module to write; '-' is standard output.") var output: String
    @Flag(help: "Remove source positions only.") var keepNames = false
    @Flag(help: "Remove names only.") var keepPositions = false

    func validate() throws {
        if keepNames, keepPositions {
            throw ValidationError("with --keep-names and --keep-positions there is nothing to remove")
        }
    }

    func run() throws {
        let input = try Source(file)
        input.report(input.diagnostics)
        if input.diagnostics.contains(where: { $0.severity == .error }) { throw ExitCode.diagnostics }
        let stripped = input.program.stripped(names: !keepNames, positions: !keepPositions)
        try Terminal.write(stripped.encoded(), to: output)
    }
}
