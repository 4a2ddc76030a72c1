import Benchmark
import CRoundTrip
import Exokernel
import Workbench

/// What `figures` prints in short, to compare one version with another.
let benchmarks: @Sendable () -> Void = {
    Benchmark.defaultConfiguration = .init(
        metrics: [.wallClock, .throughput], scalingFactor: .kilo, maxDuration: .seconds(2))

    Benchmark(
        "100,000 decisions: three levels of schedulers, 100 environments",
        configuration: .init(scalingFactor: .one)
    ) {
        benchmark in
        let machine = Machine.measured(Scenarios.decisions(100_000))
        benchmark.startMeasurement()
        machine.run(until: .max)
        benchmark.stopMeasurement()
    }
    let chain = Chain()
    Benchmark("the three fragments of a decision") { benchmark in
        for _ in benchmark.scaledIterations { blackHole(chain.decide()) }
    }
    for (name, kind) in [("a pipe", PEER_PIPE), ("a futex", PEER_FUTEX)] {
        Benchmark("the same decision in another process, over \(name)") { benchmark in
            guard let peer = peer_start(kind, 100, 0) else { return benchmark.error("no process") }
            benchmark.startMeasurement()
            for _ in benchmark.scaledIterations { blackHole(peer_decide(peer)) }
            benchmark.stopMeasurement()
            peer_stop(peer)
        }
    }
}
