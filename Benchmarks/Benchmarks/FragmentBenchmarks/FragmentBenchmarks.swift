import Benchmark
import SCode

/// The fragments that are measured.
enum Sources {
    static let empty = "fragment empty() { accept 42 }"
    static let sum = """
        region data: physical ro, 4096
        fragment sum(base: p = data) {
            setul   i, 0
            setul   total, 0
        next:
            ldu     word, base, i
            addul   total, total, word
            addul   i, i, 4
            bltul   i, 4096, next
            accept  total
        }
        """
    /// About 3,800 instructions without a loop.
    static let long: String = {
        var body = "fragment long(x: ul = 1) {\n    setul y, 3\n"
        for index in 0..<950 {
            body +=
                "    addul x, x, y\n    mulul y, y, 31\n    xorul x, x, y\n    rshuli y, y, \(index % 13)\n"
        }
        return body + "    accept x\n}\n"
    }()
}

let benchmarks: @Sendable () -> Void = {
    Benchmark.defaultConfiguration = .init(
        metrics: [.wallClock, .throughput], scalingFactor: .kilo, maxDuration: .seconds(2))

    func module(_ text: String) -> Module {
        do { return try Module(text: text, acceptor: .plain) } catch { fatalError("\(error)") }
    }
    func install(_ text: String, _ engine: EngineKind, regions: [RegionBinding] = []) -> Fragment {
        guard let code = module(text).fragment() else { fatalError("no fragment") }
        do { return try Fragment(code, regions: regions, engine: engine) } catch { fatalError("\(error)") }
    }

    for engine in EngineKind.allCases {
        let empty = install(Sources.empty, engine)
        Benchmark("invoke an empty fragment, \(engine.rawValue)") { benchmark in
            for _ in benchmark.scaledIterations { blackHole(empty.invoke()) }
        }
        let memory = PhysicalMemory(size: 4096)
        let sum = install(
            Sources.sum, engine,
            regions: [.physical(base: 1 << 32, host: memory.base, size: 4096, writable: true)])
        Benchmark("sum 1,024 words, every load guarded, \(engine.rawValue)") { benchmark in
            for _ in benchmark.scaledIterations { blackHole(sum.invoke()) }
            blackHole(memory)
        }
    }
    Benchmark("read, verify and compile 7 instructions", configuration: .init(scalingFactor: .one)) {
        benchmark in
        for _ in benchmark.scaledIterations {
            blackHole(try? NativeCode.compile(module(Sources.sum).program.fragments[0]))
        }
    }
    Benchmark("read and verify 3,802 instructions", configuration: .init(scalingFactor: .one)) { benchmark in
        for _ in benchmark.scaledIterations { blackHole(module(Sources.long)) }
    }
    let long = module(Sources.long)
    Benchmark("compile 3,802 verified instructions", configuration: .init(scalingFactor: .one)) { benchmark in
        for _ in benchmark.scaledIterations { blackHole(try? NativeCode.compile(long.program.fragments[0])) }
    }
    verifierBenchmarks()
}
