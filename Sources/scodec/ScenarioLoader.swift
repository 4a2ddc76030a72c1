import ArgumentParser
import Exokernel
import SCode
import SCodeAcceptors

/// Reads scenarios and builds machines; whatever is wrong with them goes to standard error.
final class ScenarioLoader {
    private let engine: EngineKind
    /// In place of the scenario's own.
    private let seed: UInt64?
    /// The files that have been read, in that order.
    private(set) var inputs: [TraceOrigin.Input] = []
    /// Whether a file was there, and no program.
    private var isRejected = false

    init(engine: EngineKind, seed: UInt64? = nil) {
        self.engine = engine
        self.seed = seed
    }

    func read(_ path: String) throws -> Scenario {
        do {
            let (scenario, warnings) = try ScenarioReader.read(path: path) { path in
                let text = try text(path)
                inputs.append(TraceOrigin.Input(path: path, text: text))
                return text
            }
            for warning in warnings { Terminal.message("warning: \(warning)") }
            return scenario
        } catch {
            Terminal.message("\(error)")
            // What cannot be read is input that is missing.
            if isRejected { throw ExitCode.diagnostics }
            throw error.issues.contains { if case .fileUnreadable = $0.problem { true } else { false } }
                ? ExitCode.noInput : ExitCode.diagnostics
        }
    }

    func machine(_ scenario: Scenario, _ path: String) throws -> Machine {
        var scenario = scenario
        if let seed { scenario.machine.seed = seed }
        do { return try Machine(scenario: scenario, engine: engine) } catch {
            if case .fragment(let file, let diagnostics) = error {
                // As `check` would: every mistake, with its line.
                let source = scenario.source(path: file).map { SourceText($0) }
                let renderer = DiagnosticRenderer(
                    source: source, fileName: file, usesColour: Terminal.usesColour(2))
                Terminal.message(renderer.render(diagnostics))
            } else {
                Terminal.message("\(path): error: \(error)")
            }
            throw ExitCode.diagnostics
        }
    }

    func policyText(_ path: String) throws -> String {
        do { return try text(path) } catch {
            Terminal.message("scodec: cannot read '\(path)': \(error)")
            throw isRejected ? ExitCode.diagnostics : ExitCode.noInput
        }
    }

    /// A file's text; of a module or an eBPF object file, the text of the program in it.
    private func text(_ path: String) throws -> String {
        let bytes = try Terminal.contents(path)
        do {
            if bytes.starts(with: Program.moduleMagic) { return try Program(decoding: bytes).printed() }
            if bytes.starts(with: Program.objectMagic) {
                return try Program(
                    ebpf: bytes, for: Acceptor.standard, fallback: Acceptor.scheduler.name
                ).printed()
            }
        } catch {
            isRejected = true
            throw Terminal.Unreadable(description: "\(error)")
        }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw Terminal.Unreadable(description: "it is not UTF-8 text")
        }
        return text
    }
}
