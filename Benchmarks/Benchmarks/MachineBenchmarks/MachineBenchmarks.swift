import Benchmark
import Exokernel
import Workbench

let benchmarks: @Sendable () -> Void = {
    Benchmark("decisions, three schedulers and 100 environments") { benchmark in
        let machine = Machine.measured(Scenarios.decisions(100_000))
        benchmark.startMeasurement()
        machine.run(until: .max)
    }
}
