import ArgumentParser
import Exokernel
import Foundation
import SCode

struct Simulate: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sim",
        abstract: "Simulates a machine whose applications schedule each other.",
        discussion: """
            Prints a table: shares against entitlements, turnaround, response, wait, wake-up latencies, switches,
            incidents. The same scenario and seed give the same simulation, on either engine.

            With --compare, or with --policy, one table for several simulations, one row each:
              scodec sim --compare monday.yaml tuesday.yaml
              scodec sim work.yaml --policy round-robin.scode --policy stride.scode --gantt policies.svg
            """)

    @Argument(help: "A scenario in YAML; '-' is standard input. Several with --compare.")
    var scenarios: [String]
    @Flag(help: "Run all scenarios, and print one table with a row for each.") var compare = false
    @Option(
        name: .customLong("policy"), parsing: .singleValue,
        help: ArgumentHelp(
            "Run the scenario again with this fragment for the scheduler at the top, and compare. May be repeated.",
            valueName: "file"))
    var policies: [String] = []
    @Option(help: "Write a trace for Perfetto (ui.perfetto.dev) or chrome://tracing.") var trace: String?
    @Option(help: "Write a Gantt chart as SVG.") var gantt: String?
    @Option(help: "Write a chart of everybody's share of the processor over time as SVG.") var shares: String?
    @Option(
        help: ArgumentHelp(
            "How long each window of --shares is, like 100ms; default: what gives about 50 of them.",
            valueName: "time"))
    var window: SimulatedTime?
    @Option(help: "The seed; default: the scenario's.") var seed: UInt64?
    @Option(help: "Which engine executes the fragments.") var engine = EngineKind.native
    @Flag(help: "Print the result as JSON.") var json = false
    @Flag(
        name: .customLong("time"), inversion: .prefixedNo,
        help:
            "Report the time spent in fragments; it differs from run to run. Default: with a table, not with JSON."
    )
    var time: Bool?

    private var compares: Bool { compare || !policies.isEmpty }

    func validate() throws {
        if scenarios.count > 1, !compare {
            throw ValidationError("Several scenarios are for --compare.")
        }
        if compares, trace != nil {
            throw ValidationError("--trace is for one simulation, not for a comparison.")
        }
        if compares, time == true {
            throw ValidationError("--time is for one simulation, not for a comparison.")
        }
        if window != nil, shares == nil {
            throw ValidationError("--window is for --shares.")
        }
    }

    func run() throws {
        if compares { return try runComparison() }
        guard let path = scenarios.first else { return }
        let machine = try machine(read(path), path)
        let measures = time ?? !json
        machine.measuresInvocations = measures
        var timeline = Self.run(machine)
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
            let title = Self.name(path)
            try Terminal.write([UInt8](GanttChart.svg(timeline, statistics, title: title).utf8), to: gantt)
            if gantt != "-" { Terminal.message("picture: \(gantt)") }
        }
        try writeShares(Comparison([Comparison.Row(name: Self.name(path), timeline: timeline)]))
    }

    private func writeShares(_ comparison: Comparison) throws {
        guard let shares else { return }
        let title = comparison.rows.count == 1 ? comparison.rows[0].name : ""
        let svg = SharesChart.svg(comparison, window: window?.nanoseconds, title: title)
        try Terminal.write([UInt8](svg.utf8), to: shares)
        if shares != "-" { Terminal.message("picture: \(shares)") }
    }

    /// One row a scenario, or one for each policy below each scenario.
    private func runComparison() throws {
        var rows: [Comparison.Row] = []
        func add(_ scenario: Scenario, _ name: String, _ path: String) throws {
            rows.append(Comparison.Row(name: name, timeline: Self.run(try machine(scenario, path))))
        }
        for path in scenarios {
            let scenario = try read(path)
            try add(scenario, Self.name(path), path)
            for policy in policies {
                var other = scenario
                other.root.source = Scenario.FragmentSource(path: policy, text: try policyText(policy))
                other.root.data = []
                let name =
                    scenarios.count > 1 ? "\(Self.name(path)), \(Self.name(policy))" : Self.name(policy)
                try add(other, name, policy)
            }
        }
        let comparison = Comparison(rows)
        Terminal.write(json ? comparison.json : comparison.text(styled: Terminal.usesColour(1)))
        if let gantt {
            try Terminal.write([UInt8](ComparisonChart.svg(comparison).utf8), to: gantt)
            if gantt != "-" { Terminal.message("picture: \(gantt)") }
        }
        try writeShares(comparison)
    }

    /// Runs to the end; says how far it is, on a terminal, when it takes longer than a second.
    private static func run(_ machine: Machine) -> Timeline {
        guard isatty(2) == 1 else { return machine.run() }
        let start = ContinuousClock.now
        let duration = machine.scenario.machine.duration
        var shown = false
        for step: UInt64 in 1...100 {
            machine.run(until: duration / 100 * step)
            guard ContinuousClock.now - start > .seconds(1), !machine.isStopped else { continue }
            Terminal.status("\(step)% of the simulated time")
            shown = true
        }
        if shown { Terminal.status("") }
        return machine.run()
    }

    private static func name(_ path: String) -> String {
        path.split(separator: "/").last.map(String.init) ?? path
    }

    private func machine(_ scenario: Scenario, _ path: String) throws -> Machine {
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

    private static func text(_ path: String) throws -> String {
        guard let text = String(validating: try Terminal.contents(path), as: UTF8.self) else {
            throw Terminal.Unreadable(description: "it is not UTF-8 text")
        }
        return text
    }

    private func policyText(_ path: String) throws -> String {
        do { return try Self.text(path) } catch {
            Terminal.message("scodec: cannot read '\(path)': \(error)")
            throw ExitCode.noInput
        }
    }

    private func read(_ path: String) throws -> Scenario {
        do {
            let (scenario, warnings) = try ScenarioReader.read(path: path) { try Self.text($0) }
            for warning in warnings { Terminal.message("warning: \(warning)") }
            return scenario
        } catch {
            Terminal.message("\(error)")
            // What cannot be read is input that is missing.
            throw error.issues.contains { if case .fileUnreadable = $0.problem { true } else { false } }
                ? ExitCode.noInput : ExitCode.diagnostics
        }
    }
}

/// A stretch of simulated time, as scenarios write it.
struct SimulatedTime: ExpressibleByArgument {
    let nanoseconds: UInt64

    init?(argument: String) {
        guard let nanoseconds = Quantity.duration(argument), nanoseconds > 0 else { return nil }
        self.nanoseconds = nanoseconds
    }
}
