import ArgumentParser
import Exokernel
import SCode

struct Simulate: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sim", abstract: "Simulates a machine whose applications schedule each other.")

    @Argument(help: "A scenario in YAML.") var scenario: String

    func run() throws {}
}
