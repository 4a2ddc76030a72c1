import ArgumentParser
import Exokernel
import SCode

struct Simulate: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sim",
        abstract: "Simulates a machine whose applications schedule each other.",
        discussion: """
            Prints a table: shares against entitlements, turnaround, response, wait, wake-up latencies, switches,
            incidents. The same scenario and seed give the same simulation, on either engine.
            """)

    @Argument(help: "A scenario in YAML; '-' is standard input.") var scenario: String
    @Option(help: "Write a trace for Perfetto (ui.perfetto.dev) or chrome://tracing.") var trace: String?
    @Option(help: "Write a Gantt chart as SVG.") var gantt: String?
    @Option(help: "The seed; default: the scenario's.") var seed: UInt64?
    @Option(help: "Which engine executes the fragments.") var engine = EngineKind.native
    @Flag(help: "Print the result as JSON.") var json = false
    @Flag(
        name: .customLong("time"), inversion: .prefixedNo,
        help:
            "Report the time spent in fragments; it differs from run to run. Default: with a table, not with JSON."
    )
    var time: Bool?

    func run() throws {
        var scenario = try read()
        if let seed { scenario.machine.seed = seed }
        let machine: Machine
        do { machine = try Machine(scenario: scenario, engine: engine) } catch {
            Terminal.message("\(self.scenario): error: \(error)")
            throw ExitCode.diagnostics
        }
        let measures = time ?? !json
        machine.measuresInvocations = measures
        var timeline = machine.run()
        if measures {
            let (seconds, attoseconds) = machine.invocationTime.components
            timeline.fragmentNanoseconds =
                UInt64(max(seconds, 0)) * 1_000_000_000 + UInt64(max(attoseconds, 0)) / 1_000_000_000
        }
        let statistics = Statistics(timeline)
        if json {
            Terminal.write(JSONReport.text(timeline, statistics))
        } else {
            Terminal.write(TableReport.text(timeline, statistics, styled: Terminal.usesColour(1)))
        }
        if measures, machine.invocations > 0, let total = timeline.fragmentNanoseconds {
            Terminal.message(
                "\(machine.invocations) chains of fragments, \(total / UInt64(machine.invocations)) ns each")
        }
        if let trace {
            try Terminal.write([UInt8](ChromeTrace.text(timeline).utf8), to: trace)
            if trace != "-" { Terminal.message("trace: \(trace) (open it at https://ui.perfetto.dev)") }
        }
        if let gantt {
            let title = self.scenario.split(separator: "/").last.map(String.init) ?? self.scenario
            try Terminal.write([UInt8](GanttChart.svg(timeline, statistics, title: title).utf8), to: gantt)
            if gantt != "-" { Terminal.message("picture: \(gantt)") }
        }
    }

    private func read() throws -> Scenario {
        do {
            let (scenario, warnings) = try ScenarioReader.read(path: scenario) { path in
                guard let text = String(validating: try Terminal.read(path), as: UTF8.self) else {
                    Terminal.message("scodec: '\(path)' is not UTF-8 text")
                    throw ExitCode.diagnostics
                }
                return text
            }
            for warning in warnings { Terminal.message("warning: \(warning)") }
            return scenario
        } catch {
            Terminal.message("\(error)")
            // A file that cannot be read has been reported; it is the input that is missing.
            throw error.issues.contains { if case .fileUnreadable = $0.problem { true } else { false } }
                ? ExitCode.noInput : ExitCode.diagnostics
        }
    }
}
