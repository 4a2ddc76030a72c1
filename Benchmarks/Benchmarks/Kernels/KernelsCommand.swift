import ArgumentParser
import CPeers
import Foundation

/// Measures fragments against C and other systems; `scripts/bench` builds what it needs, and runs it.
@main
struct KernelsCommand: ParsableCommand {
    enum Section: String, CaseIterable, ExpressibleByArgument {
        case kernels, passes, calls, compile, footprint
    }

    static let configuration = CommandConfiguration(
        commandName: "kernels",
        abstract: "Measures fragments of SCODE against C and other systems.",
        discussion: """
            All systems run the same kernels in one process, in turns, on one processor. Before a kernel is timed, \
            all of them must give the same results and leave the same memory.
            """)

    @Option(name: .customLong("kernel"), help: "Only this kernel; may be repeated.")
    var wantedKernels: [String] = []

    @Option(help: "Only these columns, separated by commas; c, the reference, is always there.")
    var only: String?

    @Option(name: .customLong("section"), help: "Only this section; may be repeated.")
    var wantedSections: [Section] = []

    @Flag(help: "Fewer and shorter rounds.")
    var quick = false

    @Option(help: "The processor on which everything runs.")
    var processor = 0

    @Option(help: "How many fragments 'footprint' installs.")
    var fragments = 100_000

    @Option(help: ArgumentHelp("Where to write the results as JSON.", valueName: "file"))
    var json: String?

    @Option(help: ArgumentHelp("Where to write a chart.", valueName: "file"))
    var svg: String?

    @Option(help: ArgumentHelp("A document, whose part between '<!-- results -->' marks is replaced."))
    var update: String?

    @Option(help: "Where the sources of the kernels lie.")
    var sources = Self.package.appending(path: "Kernels").path

    @Option(help: "Where 'scripts/bench' has put what it built from them.")
    var built = Self.package.appending(path: ".build/kernels").path

    private static let package = URL(filePath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    func validate() throws {
        let names = Kernel.all.filter { $0.kind != .compiled }.map(\.name)
        if let unknown = wantedKernels.first(where: { !names.contains($0) }) {
            throw ValidationError(
                "There is no kernel '\(unknown)'; there are \(names.joined(separator: ", ")).")
        }
        guard (1...10_000_000).contains(fragments) else {
            throw ValidationError("The number of fragments is 1 to 10,000,000.")
        }
        if let update { try Document.check(update) }
    }

    func run() throws {
        guard peer_pin(Int32(clamping: processor)) else {
            throw ValidationError("There is no processor \(processor).")
        }
        let results = try measure()
        print(Report(results: results).text, terminator: "")
        if let json {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
            try encoder.encode(results).write(to: URL(filePath: json))
        }
        if let svg { try Chart(results).text.write(toFile: svg, atomically: true, encoding: .utf8) }
        if let update { try Document.replaceResults(in: update, with: Report(results: results).markdown) }
    }

    private func isWanted(_ section: Section) -> Bool {
        wantedSections.isEmpty || wantedSections.contains(section)
    }

    private func measure() throws -> Results {
        let places = Places(sources: URL(filePath: sources), built: URL(filePath: built))
        let engines = try Engines(
            places, wanted: only.map { Set($0.split(separator: ",").map(String.init)) })
        let effort = quick ? Effort.quick : .full
        var results = Results(
            date: Results.today, machine: Results.thisMachine, rounds: effort.rounds,
            engines: engines.present.map {
                .init(
                    name: $0.name, isMemorySafe: $0.isMemorySafe, isBounded: $0.isBounded, note: $0.note)
            },
            absent: engines.absent.map { .init(name: $0.name, reason: $0.reason) })
        if isWanted(.kernels) {
            for kernel in Kernel.all where kernel.kind == .timed && isWanted(kernel) {
                report("measuring \(kernel.name)")
                let timings = try Measurement(kernel, engines.present, effort).run()
                results.kernels.append(.init(kernel: kernel.name, timings: timings))
            }
        }
        if isWanted(.passes) {
            for engine in engines.present.compactMap({ $0 as? SCodeEngine }) {
                var measured = Results.PassTimings(policy: engine.policy.name)
                for kernel in Kernel.all where kernel.kind == .timed && isWanted(kernel) {
                    report("measuring \(kernel.name) with fewer passes")
                    let timings = try Measurement(kernel, [engine] + engine.withFewerPasses(), effort).run()
                    measured.kernels.append(.init(kernel: kernel.name, timings: timings))
                }
                results.passes.append(measured)
            }
        }
        if isWanted(.calls) {
            for kernel in Kernel.all where kernel.kind == .empty && isWanted(kernel) {
                report("measuring calls")
                results.empty = try Measurement(kernel, engines.present, effort).run()
                results.chainLevel = try Chain.nanosecondsOfALevel(rounds: effort.rounds)
            }
        }
        if isWanted(.compile), wantedKernels.isEmpty {
            report("measuring compilation")
            results.compileTimes = try CompileTimes.run(engines.present, places, rounds: effort.rounds)
            results.compileSteps = try CompileTimes.steps(places, rounds: effort.rounds)
        }
        if isWanted(.footprint), wantedKernels.isEmpty {
            report("measuring memory")
            results.footprint = try Footprint.measure(count: fragments)
        }
        results.bars = Bar.all(results)
        return results
    }

    private func isWanted(_ kernel: Kernel) -> Bool {
        wantedKernels.isEmpty || wantedKernels.contains(kernel.name)
    }

    /// Says what is going on, to whoever waits.
    private func report(_ message: String) { FileHandle.standardError.write(Data((message + "\n").utf8)) }
}
