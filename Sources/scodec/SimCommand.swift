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

            With --watch the tree is shown while it runs: in place on a terminal, else as ten snapshots.

            A trace says what it was made from. --replay makes it again and compares, byte for byte:
              scodec sim work.yaml --trace trace.json && scodec sim --replay trace.json --engine interpreter
            """)

    @Argument(help: "A scenario in YAML; '-' is standard input. Several with --compare.")
    var scenarios: [String] = []
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
    @Flag(help: "Show who has the processor while the simulation runs.") var watch = false
    @Option(
        help: ArgumentHelp(
            "How much simulated time passes in a second of --watch, like 500ms, or 'max'; default: a tenth of all.",
            valueName: "time"))
    var speed: WatchSpeed?
    @Option(
        help: ArgumentHelp(
            "Run again what a trace was made from, and say whether the same trace comes of it.",
            valueName: "trace"))
    var replay: String?
    @Option(help: "The seed; default: the scenario's.") var seed: UInt64?
    @Option(help: "Which engine executes the fragments.") var engine = EngineKind.native
    @Flag(help: "Print the result as JSON.") var json = false
    @Flag(
        name: .customLong("time"), inversion: .prefixedNo,
        help:
            "Report the time spent in fragments; it differs from run to run. Default: with a table, not with JSON."
    )
    var time: Bool?

    @OptionGroup(title: "Profilers and debuggers") var observers: ObserverOptions

    private var compares: Bool { compare || !policies.isEmpty }

    func validate() throws {
        if replay != nil {
            let others = [trace, gantt, shares].contains { $0 != nil }
            guard scenarios.isEmpty, !compares, !others, !watch, !json, seed == nil, time == nil else {
                throw ValidationError("--replay takes everything but --engine from the trace.")
            }
        } else if scenarios.isEmpty {
            throw ValidationError("Missing expected argument '<scenarios> ...'")
        }
        if compares, watch {
            throw ValidationError("--watch is for one simulation, not for a comparison.")
        }
        if speed != nil, !watch {
            throw ValidationError("--speed is for --watch.")
        }
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
        try observers.attach()
        if let replay { return try Replay(path: replay, engine: engine).run() }
        if compares { return try runComparison() }
        guard let path = scenarios.first else { return }
        let loader = ScenarioLoader(engine: engine, seed: seed)
        let machine = try loader.machine(loader.read(path), path)
        let measures = time ?? !json
        machine.measuresInvocations = measures
        if watch { Watch(machine: machine, title: Self.name(path), speed: speed).run() }
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
            let origin = TraceOrigin(seed: machine.scenario.machine.seed, inputs: loader.inputs)
            try Terminal.write([UInt8](ChromeTrace.text(timeline, origin: origin).utf8), to: trace)
            if trace != "-" { Terminal.message("trace: \(trace) (open it at https://ui.perfetto.dev)") }
        }
        let name = Self.name(path)
        try writePicture(GanttChart.svg(timeline, statistics, title: name), to: gantt)
        try writeShares(Comparison([Comparison.Row(name: name, timeline: timeline)]))
    }

    private func writePicture(_ svg: @autoclosure () -> String, to path: String?) throws {
        guard let path else { return }
        try Terminal.write([UInt8](svg().utf8), to: path)
        if path != "-" { Terminal.message("picture: \(path)") }
    }

    private func writeShares(_ comparison: Comparison) throws {
        let title = comparison.rows.count == 1 ? comparison.rows[0].name : ""
        try writePicture(
            SharesChart.svg(comparison, window: window?.nanoseconds, title: title), to: shares)
    }

    /// One row a scenario, or one for each policy below each scenario.
    private func runComparison() throws {
        let loader = ScenarioLoader(engine: engine, seed: seed)
        var rows: [Comparison.Row] = []
        func add(_ scenario: Scenario, _ name: String, _ path: String) throws {
            rows.append(Comparison.Row(name: name, timeline: Self.run(try loader.machine(scenario, path))))
        }
        for path in scenarios {
            let scenario = try loader.read(path)
            try add(scenario, Self.name(path), path)
            for policy in policies {
                var other = scenario
                other.root.source = Scenario.FragmentSource(
                    path: policy, text: try loader.policyText(policy))
                other.root.data = []
                let name =
                    scenarios.count > 1 ? "\(Self.name(path)), \(Self.name(policy))" : Self.name(policy)
                try add(other, name, policy)
            }
        }
        let comparison = Comparison(rows)
        Terminal.write(json ? comparison.json : comparison.text(styled: Terminal.usesColour(1)))
        try writePicture(ComparisonChart.svg(comparison), to: gantt)
        try writeShares(comparison)
    }

    /// Runs to the end; says how far it is, on a terminal, when it takes longer than a second.
    static func run(_ machine: Machine) -> Timeline {
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

    static func name(_ path: String) -> String {
        path.split(separator: "/").last.map(String.init) ?? path
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
