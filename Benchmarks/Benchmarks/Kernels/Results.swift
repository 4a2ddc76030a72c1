import Foundation

/// All that a run has found; what `--json` writes.
struct Results: Codable {
    struct EngineNote: Codable {
        var name: String
        var isMemorySafe: Bool
        var isBounded: Bool
        var note: String
    }
    struct Absence: Codable {
        var name: String
        var reason: String
    }
    struct KernelTimings: Codable {
        var kernel: String
        var timings: [Timing]

        func timing(_ engine: String) -> Timing? { timings.first { $0.engine == engine } }
    }

    /// Ours again, under a policy of memory, with fewer passes of the compiler; the reference has all.
    struct PassTimings: Codable {
        var policy: String
        var kernels: [KernelTimings] = []
    }

    var date: String
    var machine: String
    var rounds: Int
    var engines: [EngineNote]
    var absent: [Absence]
    /// The kernels whose ratios are averaged.
    var kernels: [KernelTimings] = []
    var passes: [PassTimings] = []
    /// What a call costs.
    var empty: [Timing] = []
    /// Nanoseconds of each further level of a chain of schedulers.
    var chainLevel: Double?
    var compileTimes: [CompileTime] = []
    var compileSteps: [CompileSteps] = []
    var footprint: Footprint?
    var bars: [Bar] = []

    func timing(_ kernel: String, _ engine: String) -> Timing? {
        kernels.first { $0.kernel == kernel }?.timing(engine)
    }

    func emptyCall(_ engine: String) -> Double? { empty.first { $0.engine == engine }?.nanoseconds }

    /// Of the ratios of all kernels.
    func geometricMean(_ engine: String) -> Double? {
        kernels.geometricMean(engine)
    }

    func compileTime(_ program: Kernel, _ engine: String) -> CompileTime? {
        compileTimes.first { $0.program == program.name && $0.engine == engine }
    }

    /// Bytes of machine code of a kernel or program.
    func codeSize(_ name: String, _ engine: String) -> Int? {
        timing(name, engine)?.codeSize
            ?? compileTimes.first { $0.program == name && $0.engine == engine }?.codeSize
    }
}

extension [Results.KernelTimings] {
    /// Of the ratios of a system that ran all; nil when it did not.
    func geometricMean(_ engine: String) -> Double? {
        let ratios = compactMap { $0.timing(engine)?.ratio }
        return isEmpty || ratios.count < count ? nil : ratios.geometricMean
    }
}

extension Results {
    /// Processor and system, as they name themselves.
    static var thisMachine: String {
        let processor = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8))?
            .split(separator: "\n").first { $0.hasPrefix("model name") }?
            .split(separator: ":").last?.trimmingCharacters(in: .whitespaces)
        let system = (try? String(contentsOfFile: "/etc/os-release", encoding: .utf8))?
            .split(separator: "\n").first { $0.hasPrefix("PRETTY_NAME=") }?
            .dropFirst("PRETTY_NAME=".count).trimmingCharacters(in: ["\""])
        return
            "\(processor ?? "unknown processor"), \(ProcessInfo.processInfo.activeProcessorCount) processors, "
            + (system ?? "unknown system")
    }

    static var today: String { Date.now.formatted(.iso8601.year().month().day()) }
}
