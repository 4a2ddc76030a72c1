// swift-tools-version: 6.2
import PackageDescription

// Measures fragment invocation and compile time, scheduling decisions, and what they would cost in another process; and
// fragments against C and other systems. A package of its own, so that nobody who embeds SCODE resolves a benchmark library.
let package = Package(
    name: "scode-benchmarks",
    dependencies: [
        .package(name: "scode", path: ".."),
        .package(url: "https://github.com/ordo-one/benchmark", from: "1.38.1", traits: []),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    ],
    targets: [
        .executableTarget(
            name: "FragmentBenchmarks",
            dependencies: [
                .product(name: "SCode", package: "scode"),
                .product(name: "Benchmark", package: "benchmark"),
            ],
            path: "Benchmarks/FragmentBenchmarks",
            plugins: [.plugin(name: "BenchmarkPlugin", package: "benchmark")]),
        // What emission in place costs; `scripts/emission-cost` counts.
        .executableTarget(
            name: "emission", dependencies: [.product(name: "InPlaceEmission", package: "scode")],
            path: "Benchmarks/Emission"),
        // What the benchmarks of the machine measure, and `figures` prints.
        .target(name: "CRoundTrip", path: "Benchmarks/CRoundTrip"),
        .target(
            name: "Workbench",
            dependencies: [
                .product(name: "Exokernel", package: "scode"), .product(name: "SCode", package: "scode"),
                .product(name: "SCodeAcceptors", package: "scode"),
            ],
            path: "Benchmarks/Workbench"),
        .executableTarget(
            name: "figures",
            dependencies: [
                "Workbench", "CRoundTrip", .product(name: "Exokernel", package: "scode"),
                .product(name: "SCode", package: "scode"), .product(name: "SCodeAcceptors", package: "scode"),
                .product(name: "SCodeFilter", package: "scode"),
            ],
            path: "Benchmarks/Figures"),
        .executableTarget(
            name: "MachineBenchmarks",
            dependencies: [
                "Workbench", "CRoundTrip", .product(name: "Exokernel", package: "scode"),
                .product(name: "Benchmark", package: "benchmark"),
            ],
            path: "Benchmarks/MachineBenchmarks",
            plugins: [.plugin(name: "BenchmarkPlugin", package: "benchmark")]),
        // The kernels of docs/performance.md, here and in other systems: `scripts/bench`.
        .target(name: "CPeers", path: "Benchmarks/CPeers", linkerSettings: [.linkedLibrary("dl")]),
        .executableTarget(
            name: "kernels",
            dependencies: [
                "CPeers", .product(name: "SCode", package: "scode"),
                .product(name: "SCodeAcceptors", package: "scode"),
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            path: "Benchmarks/Kernels", swiftSettings: [.treatAllWarnings(as: .error)]),
    ]
)
