// swift-tools-version: 6.2
import PackageDescription

// Every target of ours is compiled with warnings as errors.
let strict: [SwiftSetting] = [.treatAllWarnings(as: .error)]

// The modules, lowest first: a target imports only what stands above it here.
// scripts/test enforces this with --explicit-target-dependency-import-check error.
let package = Package(
    name: "scode",
    products: [
        .library(name: "SCode", targets: ["SCode"]),
        .library(name: "SCodeAcceptors", targets: ["SCodeAcceptors"]),
        .library(name: "SCodeFilter", targets: ["SCodeFilter"]),
        .library(name: "InPlaceEmission", targets: ["InPlaceEmission"]),
        .library(name: "Exokernel", targets: ["Exokernel"]),
        .executable(name: "scodec", targets: ["scodec"]),
        .executable(name: "scodec-bpf-plugin", targets: ["scodec-bpf-plugin"]),
    ],
    traits: [
        // Needs libpcap-dev. Without it, expressions are compiled by the program tcpdump.
        .trait(name: "libpcap", description: "Compiles filter expressions with libpcap.")
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    ],
    targets: [
        // MARK: C and system libraries
        .target(name: "CSCodeRuntime", cSettings: [.define("_GNU_SOURCE")]),
        .systemLibrary(name: "CFFI", pkgConfig: "libffi", providers: [.apt(["libffi-dev"])]),
        .systemLibrary(name: "CCapstone", pkgConfig: "capstone", providers: [.apt(["libcapstone-dev"])]),
        // Without pkgConfig: whoever does not use it need not have it.
        .systemLibrary(name: "CPcap", providers: [.apt(["libpcap-dev"])]),

        // MARK: The language
        .target(name: "SCodeIR", swiftSettings: strict),
        .target(name: "SCodeSyntax", dependencies: ["SCodeIR"], swiftSettings: strict),
        .target(name: "SCodeVerifier", dependencies: ["SCodeIR"], swiftSettings: strict),
        .target(name: "SCodeBPF", dependencies: ["SCodeIR"], swiftSettings: strict),

        // MARK: The two engines
        .target(
            name: "SCodeInterpreter", dependencies: ["SCodeIR", "SCodeVerifier", "CSCodeRuntime"],
            swiftSettings: strict),
        .target(name: "X86Assembler", swiftSettings: strict),
        .target(
            name: "SCodeJIT",
            dependencies: ["SCodeIR", "SCodeVerifier", "X86Assembler", "CSCodeRuntime", "CFFI"],
            swiftSettings: strict),

        // MARK: Unverified code, for generators that are trusted
        .target(
            name: "InPlaceEmission", dependencies: ["X86Assembler", "CSCodeRuntime"], swiftSettings: strict),

        // MARK: What embedders import
        .target(
            name: "SCode",
            dependencies: [
                "SCodeIR", "SCodeSyntax", "SCodeVerifier", "SCodeBPF", "SCodeInterpreter", "SCodeJIT",
                "CSCodeRuntime",
            ],
            swiftSettings: strict),

        // MARK: Acceptors that come with the system, written as an embedder would
        .target(name: "SCodeAcceptors", dependencies: ["SCode"], swiftSettings: strict),

        // MARK: Packet filters, from classic BPF
        .target(
            name: "SCodeFilter",
            dependencies: [
                "SCode", "SCodeAcceptors", .target(name: "CPcap", condition: .when(traits: ["libpcap"])),
            ],
            swiftSettings: strict),

        // MARK: The simulated exokernel
        .target(
            name: "Exokernel",
            dependencies: ["SCode", "SCodeAcceptors", .product(name: "Yams", package: "Yams")],
            swiftSettings: strict),

        // MARK: The command line
        .executableTarget(
            name: "scodec",
            dependencies: [
                "SCode", "SCodeAcceptors", "SCodeFilter", "Exokernel", "CCapstone",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: strict),

        // MARK: eBPF programs from the public conformance suite's runner
        .executableTarget(name: "scodec-bpf-plugin", dependencies: ["SCode"], swiftSettings: strict),

        // MARK: Tests
        .systemLibrary(
            name: "CUnicorn", path: "Tests/CUnicorn", pkgConfig: "unicorn",
            providers: [.apt(["libunicorn-dev"])]),
        .systemLibrary(name: "CMalloc", path: "Tests/CMalloc"),
        .target(
            name: "SCodeTestSupport", dependencies: ["SCodeIR", "CCapstone"], path: "Tests/SCodeTestSupport",
            swiftSettings: strict),
        .testTarget(
            name: "SCodeIRTests", dependencies: ["SCodeIR", "SCodeTestSupport"], swiftSettings: strict),
        // What the fuzzers of the package in Fuzz/ check; the tests replay it.
        .target(
            name: "SCodeFuzzing", dependencies: ["SCode", "SCodeAcceptors"], path: "Fuzz/SCodeFuzzing",
            swiftSettings: strict),
        .testTarget(
            name: "FuzzReplayTests", dependencies: ["SCode", "SCodeAcceptors", "SCodeFuzzing"],
            swiftSettings: strict),
        .testTarget(
            name: "SCodeSyntaxTests",
            dependencies: ["SCodeIR", "SCodeSyntax", "SCodeVerifier", "SCodeAcceptors", "SCodeTestSupport"],
            swiftSettings: strict),
        .testTarget(
            name: "EmbeddingTests", dependencies: ["SCode", "SCodeAcceptors", "CMalloc"],
            swiftSettings: strict),
        .testTarget(
            name: "SCodeVerifierTests",
            dependencies: ["SCodeIR", "SCodeSyntax", "SCodeVerifier", "SCode", "SCodeTestSupport"],
            swiftSettings: strict),
        .testTarget(
            name: "X86AssemblerTests", dependencies: ["X86Assembler", "SCode", "SCodeTestSupport"],
            swiftSettings: strict),
        .testTarget(
            name: "InPlaceEmissionTests", dependencies: ["InPlaceEmission", "SCodeTestSupport"],
            swiftSettings: strict),
        .testTarget(
            name: "DifferentialTests",
            dependencies: [
                "SCode", "SCodeIR", "SCodeJIT", "SCodeVerifier", "CSCodeRuntime", "SCodeTestSupport",
                "CUnicorn",
                "SCodeFuzzing",
            ],
            swiftSettings: strict),
        .testTarget(name: "FileTests", dependencies: ["scodec", "SCodeTestSupport"], swiftSettings: strict),
        .testTarget(
            name: "EBPFTests",
            dependencies: ["SCode", "SCodeBPF", "SCodeAcceptors", "SCodeTestSupport", "scodec-bpf-plugin"],
            swiftSettings: strict),
        .testTarget(
            name: "FilterTests",
            dependencies: ["SCodeFilter", "SCode", "SCodeAcceptors", "SCodeTestSupport"],
            exclude: ["expressions.txt"], swiftSettings: strict),
        .testTarget(
            name: "ReportTests", dependencies: ["Exokernel", "SCodeTestSupport"], swiftSettings: strict),
        .testTarget(
            name: "MachineTests", dependencies: ["Exokernel", "SCode", "SCodeTestSupport"],
            exclude: ["Goldens"],
            swiftSettings: strict),
    ]
)
