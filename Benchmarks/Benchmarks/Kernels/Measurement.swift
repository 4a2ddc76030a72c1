import CPeers
import Foundation

/// How much is measured.
struct Effort {
    /// Times that every system is measured, in turns.
    var rounds: Int
    /// Times that a kernel is loaded for that, each time to another place: where code lies can make a tenth.
    var loadings: Int
    /// Nanoseconds that the reference takes in a sample.
    var sample: Double

    static let full = Effort(rounds: 105, loadings: 7, sample: 1e6)
    static let quick = Effort(rounds: 21, loadings: 3, sample: 3e5)
}

extension Collection<Double> {
    /// The middle one; of an even number, the upper of the two. Not a number when there is none.
    var median: Double {
        let sorted = sorted()
        return sorted.isEmpty ? .nan : sorted[sorted.count / 2]
    }

    var geometricMean: Double {
        isEmpty ? .nan : exp(reduce(0) { $0 + log($1) } / Double(count))
    }
}

/// What a system did with a kernel.
struct Timing: Codable {
    var engine: String
    /// The median of all calls, in nanoseconds.
    var nanoseconds: Double
    /// The median of what it was to the reference, round by round.
    var ratio: Double
    /// Bytes of machine code.
    var codeSize: Int?
}

/// Measures a kernel on several systems at once.
struct Measurement {
    let kernel: Kernel
    let effort: Effort
    private typealias Contestant = (name: String, loaded: any LoadedKernel)
    /// As often as the effort says, the same systems in the same order.
    private let loadings: [[Contestant]]

    /// Loads the kernel everywhere, and sees that all do the same.
    /// - Parameter engines: the first one is the reference.
    /// - Throws: `EngineFailure` that names whoever does something else.
    init(_ kernel: Kernel, _ engines: [any Engine], _ effort: Effort) throws {
        self.kernel = kernel
        self.effort = effort
        loadings = try (0..<effort.loadings).map { _ in try Measurement.load(kernel, engines) }
        for (name, loaded) in loadings[0] {
            kernel.reset(loaded.memory)
            let result = try loaded.call(1)
            if result != kernel.answer {
                throw EngineFailure("\(name): \(kernel.name) gives \(result), not \(kernel.answer)")
            }
        }
        for contestants in loadings {
            try Measurement.checkAgreement(kernel, contestants, calls: [1, 2, 99, 150])
        }
        for length: UInt64 in [0, 1, 2, 3, 34, 37, 61] {
            let shorter = kernel.shortened(to: length)
            try Measurement.checkAgreement(shorter, Measurement.load(shorter, engines), calls: [1, 3])
        }
    }

    private static func load(_ kernel: Kernel, _ engines: [any Engine]) throws -> [Contestant] {
        try engines.map { engine in
            do { return (engine.name, try engine.load(kernel)) } catch {
                throw EngineFailure("\(engine.name) does not run \(kernel.name): \(error)")
            }
        }
    }

    /// After so many calls, during which kernels change what they find, results and memory are the same everywhere.
    private static func checkAgreement(
        _ kernel: Kernel, _ contestants: [Contestant], calls: [UInt64]
    ) throws {
        for count in calls {
            var expected: (result: UInt64, memory: [UInt8])?
            for (name, loaded) in contestants {
                kernel.reset(loaded.memory)
                let result = try loaded.call(count)
                let memory = [UInt8](UnsafeRawBufferPointer(start: loaded.memory, count: kernel.size))
                guard let known = expected else {
                    expected = (result, memory)
                    continue
                }
                let call = "\(name): call \(count) of \(kernel.name) of \(kernel.length)"
                guard result == known.result else {
                    throw EngineFailure("\(call) gives \(result), not \(known.result)")
                }
                guard memory == known.memory else {
                    let place = zip(memory, known.memory).enumerated().first { $1.0 != $1.1 }?.offset ?? 0
                    throw EngineFailure("\(call) leaves other memory at byte \(place)")
                }
            }
        }
    }

    func run() throws -> [Timing] {
        let count = try callsOfASample()
        var times = Array(repeating: [Double](), count: loadings[0].count)
        for round in 0..<effort.rounds {
            let contestants = loadings[round % loadings.count]
            var expected: UInt64?
            // Everybody has each place in the order in turn.
            for place in contestants.indices {
                let index = (place + round) % contestants.count
                let (name, loaded) = contestants[index]
                kernel.reset(loaded.memory)
                let start = peer_time()
                let result = try loaded.call(count)
                times[index].append(Double(peer_time() - start) / Double(count))
                guard result == expected ?? result else {
                    throw EngineFailure("\(name): \(kernel.name) gave another result while it was timed")
                }
                expected = result
            }
        }
        return loadings[0].enumerated().map { index, contestant in
            Timing(
                engine: contestant.name, nanoseconds: times[index].median,
                ratio: zip(times[index], times[0]).map { $0 / $1 }.median,
                codeSize: contestant.loaded.codeSize)
        }
    }

    /// So many that the reference takes as long as the effort wants.
    private func callsOfASample() throws -> UInt64 {
        let reference = loadings[0][0].loaded
        var count: UInt64 = 1
        while true {
            kernel.reset(reference.memory)
            let start = peer_time()
            _ = try reference.call(count)
            let time = Double(peer_time() - start)
            if time > effort.sample / 2 { return max(1, UInt64(Double(count) * effort.sample / time)) }
            count *= 2
        }
    }
}
