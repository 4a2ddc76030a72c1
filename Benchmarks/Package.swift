// swift-tools-version: 6.2
import PackageDescription

// Measures fragment invocation and compile time. A package of its own, so that nobody who embeds SCODE
// resolves a benchmark library.
let package = Package(
    name: "scode-benchmarks",
    dependencies: [
        .package(name: "scode", path: ".."),
        .package(url: "https://github.com/ordo-one/benchmark", from: "1.38.1", traits: []),
    ],
    targets: [
        .executableTarget(
            name: "FragmentBenchmarks",
            dependencies: [
                .product(name: "SCode", package: "scode"),
                .product(name: "Benchmark", package: "benchmark"),
            ],
            path: "Benchmarks/FragmentBenchmarks",
            plugins: [.plugin(name: "BenchmarkPlugin", package: "benchmark")])
    ]
)
