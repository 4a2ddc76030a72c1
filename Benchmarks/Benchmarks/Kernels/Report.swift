import Foundation

/// What a run prints: its results as sections with a table each, for a terminal or for a document.
struct Report {
    let results: Results

    private struct Section {
        var title: String
        var table: Table
    }

    var text: String {
        ([heading] + sections.map { "\($0.title)\n\n\($0.table.text)" }).joined(separator: "\n\n") + "\n"
    }

    var markdown: String {
        ([heading] + sections.map { "**\($0.title)**\n\n\($0.table.markdown)" }).joined(separator: "\n\n")
            + "\n"
    }

    private var heading: String {
        "\(results.date); \(results.machine). Medians of \(results.rounds) rounds."
    }

    private var sections: [Section] {
        [kernels, engines].compactMap { $0 } + passes
            + [compileTimes, steps, sizes, footprint, bars].compactMap { $0 }
    }

    private var names: [String] { results.engines.map(\.name) }

    private var kernels: Section? {
        guard !results.kernels.isEmpty || !results.empty.isEmpty else { return nil }
        var table = Table(["kernel"] + names)
        for kernel in results.kernels {
            table.rows.append(
                [kernel.kernel] + names.map { short(results.timing(kernel.kernel, $0)?.ratio) })
        }
        if results.kernels.count > 1 {
            table.rows.append(["geometric mean"] + names.map { short(results.geometricMean($0)) })
        }
        if !results.empty.isEmpty {
            table.rows.append(["empty call, ns"] + names.map { short(results.emptyCall($0), digits: 1) })
        }
        func say(_ isTrue: Bool) -> String { isTrue ? "yes" : "no" }
        table.rows.append(
            ["memory safe / bounded"]
                + results.engines.map { "\(say($0.isMemorySafe)) / \(say($0.isBounded))" })
        return Section(title: "Time, as a multiple of the time of C (column c); less is better", table: table)
    }

    private var engines: Section? {
        guard !results.kernels.isEmpty || !results.empty.isEmpty || !results.compileTimes.isEmpty else {
            return nil
        }
        var table = Table(["column", "what it is, and what it checks"], holdsWords: true)
        table.rows = results.engines.map { [$0.name, $0.note] }
        table.rows += results.absent.map { [$0.name, "skipped: \($0.reason)"] }
        return Section(title: "Columns", table: table)
    }

    private var passes: [Section] {
        results.passes.compactMap { measured in
            guard let columns = measured.kernels.first?.timings.map(\.engine) else { return nil }
            var table = Table(["regions \(measured.policy)"] + columns)
            for kernel in measured.kernels {
                table.rows.append([kernel.kernel] + columns.map { short(kernel.timing($0)?.ratio) })
            }
            table.rows.append(
                ["geometric mean"] + columns.map { short(measured.kernels.geometricMean($0)) })
            return Section(
                title: "What the compiler's passes buy: time as a multiple of the time with all", table: table
            )
        }
    }

    private var compileTimes: Section? {
        guard !results.compileTimes.isEmpty else { return nil }
        let engines = results.compileTimes.filter { $0.program == Kernel.small.name }.map(\.engine)
        var table = Table(["from bytes to callable code"] + engines)
        func row(_ title: String, _ program: Kernel, _ value: (CompileTime) -> Double) {
            let count = results.compileTime(program, engines[0])?.instructions ?? 0
            table.rows.append(
                ["\(count) instructions, \(title)"]
                    + engines.map { short(results.compileTime(program, $0).map(value), digits: 1) })
        }
        row("µs", .small) { $0.microseconds }
        row("ns each", .long) { $0.nanosecondsPerInstruction }
        return Section(title: "Compiling", table: table)
    }

    private var steps: Section? {
        guard !results.compileSteps.isEmpty else { return nil }
        var table = Table(["scode, µs", "decode", "verify", "compile"])
        table.rows = results.compileSteps.map {
            [$0.program, short($0.decode), short($0.verify), short($0.compile)]
        }
        return Section(title: "Where our own time goes", table: table)
    }

    private var sizes: Section? {
        let all = results.kernels.map(\.kernel) + results.compileTimes.map(\.program).uniqued
        let columns = names.filter { name in all.contains { results.codeSize($0, name) != nil } }
        guard !columns.isEmpty else { return nil }
        var table = Table(["machine code, bytes"] + columns)
        table.rows = all.map { name in
            [name] + columns.map { results.codeSize(name, $0).map(String.init) ?? "–" }
        }
        return Section(title: "Size", table: table)
    }

    private var footprint: Section? {
        guard let footprint = results.footprint else { return nil }
        var table = Table(
            ["\(footprint.wanted) fragments of \(footprint.instructions) instructions", ""], holdsWords: true)
        table.rows = [
            ["installed", footprint.failure.map { "\(footprint.installed), then \($0)" } ?? "all"],
            ["decoding and verifying, s", short(footprint.verifySeconds)],
            ["compiling and installing, s", short(footprint.installSeconds)],
            ["a call of each, s", short(footprint.runSeconds, digits: 3)],
            ["memory of each, bytes", short(footprint.bytesEach)],
            ["the same when all are removed", short(footprint.bytesEachAfterRemoval)],
        ]
        return Section(title: "Memory", table: table)
    }

    private var bars: Section? {
        guard !results.bars.isEmpty else { return nil }
        var table = Table(["bar", "wanted", "measured", ""], holdsWords: true)
        table.rows = results.bars.map { bar in
            let unit = bar.unit.isEmpty ? "" : " \(bar.unit)"
            return [
                bar.title, (bar.isAtLeast ? "at least " : "at most ") + short(bar.limit) + unit,
                short(bar.measured) + unit,
                bar.isMet ? "met" : "short by \(Int((bar.shortBy * 100).rounded(.up))) %",
            ]
        }
        return Section(title: "Bars", table: table)
    }
}

extension Array where Element: Hashable {
    /// Each element where it first stands.
    fileprivate var uniqued: [Element] {
        var seen: Set<Element> = []
        return filter { seen.insert($0).inserted }
    }
}
