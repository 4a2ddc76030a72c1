/// Something that the project has set itself, held against what was measured.
struct Bar: Codable {
    var title: String
    var measured: Double
    var limit: Double
    /// Whether more is better.
    var isAtLeast: Bool
    var unit: String

    var isMet: Bool { isAtLeast ? measured >= limit : measured <= limit }
    /// How much is missing, in parts of the limit.
    var shortBy: Double { isMet ? 0 : isAtLeast ? 1 - measured / limit : measured / limit - 1 }
}

extension Bar {
    /// Those of which everything was measured that they need.
    static func all(_ results: Results) -> [Bar] {
        kernelBars(results) + callBars(results) + compileBars(results) + sizeBars(results)
            + footprintBars(results)
    }

    private static func kernelBars(_ results: Results) -> [Bar] {
        var bars: [Bar] = []
        let kernels = results.kernels.map(\.kernel)
        // They are about all seven.
        guard kernels.count == Kernel.all.count(where: { $0.kind == .timed }),
            let own = results.geometricMean("scode")
        else { return [] }
        bars.append(atMost("kernels, geometric mean", own, 1.05))
        let ratios = kernels.compactMap { results.timing($0, "scode")?.ratio }
        bars.append(atMost("slowest kernel", ratios.max() ?? .nan, 1.30))
        if let ubpf = results.geometricMean("ubpf") {
            bars.append(atLeast("faster than uBPF's JIT, geometric mean", ubpf / own, 1.25, "times"))
        }
        let withFuel = kernels.compactMap { kernel in
            results.timing(kernel, "wasmtime-fuel").flatMap { fuel in
                results.timing(kernel, "scode").map { $0.ratio / fuel.ratio }
            }
        }
        if let worst = withFuel.max() {
            bars.append(atMost("slowest kernel, against wasmtime with fuel", worst, 1))
        }
        for (engine, limit) in [("scode-virtual", 1.6), ("scode-host", 1.0)] {
            if let mean = results.geometricMean(engine) {
                bars.append(atMost("\(engine), geometric mean", mean, limit))
            }
        }
        return bars
    }

    private static func callBars(_ results: Results) -> [Bar] {
        var bars: [Bar] = []
        if let own = results.emptyCall("scode"), let c = results.emptyCall("c") {
            bars.append(atMost("empty fragment, against a call of C", own / c, 1.5))
        }
        if let level = results.chainLevel {
            bars.append(atMost("further level of a chain of schedulers", level, 2, "ns"))
        }
        return bars
    }

    private static func compileBars(_ results: Results) -> [Bar] {
        var bars: [Bar] = []
        func add(_ program: Kernel, _ peer: String, _ title: String, _ factor: Double) {
            guard let own = results.compileTime(program, "scode"),
                let other = results.compileTime(program, peer)
            else { return }
            let times = other.microseconds / own.microseconds
            bars.append(
                atLeast("\(own.instructions) instructions, faster than \(title)", times, factor, "times"))
        }
        add(.small, "ubpf", "uBPF", 5)
        add(.small, "wasmtime", "wasmtime", 30)
        add(.long, "ubpf", "uBPF", 0.25)
        add(.long, "wasmtime", "wasmtime", 7)
        return bars
    }

    private static func sizeBars(_ results: Results) -> [Bar] {
        let names = results.kernels.map(\.kernel) + [Kernel.long.name]
        return names.compactMap { name in
            guard let own = results.codeSize(name, "scode"), let other = results.codeSize(name, "ubpf")
            else { return nil }
            return atMost("machine code of \(name), against uBPF", Double(own), Double(other), "bytes")
        }
    }

    private static func footprintBars(_ results: Results) -> [Bar] {
        guard let footprint = results.footprint else { return [] }
        // At the rate of those that there was room for.
        let installing =
            footprint.verifySeconds
            + footprint.installSeconds * Double(footprint.wanted) / Double(max(footprint.installed, 1))
        return [
            atMost(
                "a fragment of \(footprint.instructions) instructions", footprint.bytesEach, 1023, "bytes"),
            atLeast("fragments at once", Double(footprint.installed), 100_000, ""),
            atMost("installing them, from bytes", installing, 2, "s"),
            atMost("what is left of each when they are removed", footprint.bytesEachAfterRemoval, 8, "bytes"),
        ]
    }

    private static func atMost(
        _ title: String, _ measured: Double, _ limit: Double, _ unit: String = ""
    ) -> Bar {
        Bar(title: title, measured: measured, limit: limit, isAtLeast: false, unit: unit)
    }

    private static func atLeast(
        _ title: String, _ measured: Double, _ limit: Double, _ unit: String
    ) -> Bar {
        Bar(title: title, measured: measured, limit: limit, isAtLeast: true, unit: unit)
    }
}
