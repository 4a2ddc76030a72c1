// swift-tools-version: 6.2
import PackageDescription

// Feeds the parser, the decoder, the verifier and both engines with what libFuzzer thinks up; `scripts/fuzz-targets`
// builds and runs it. A package of its own, as executables without a main function need an unsafe flag.
let package = Package(
    name: "scode-fuzz",
    dependencies: [.package(name: "scode", path: "..")],
    targets: [
        .target(
            name: "SCodeFuzzing",
            dependencies: [
                .product(name: "SCode", package: "scode"), .product(name: "SCodeAcceptors", package: "scode"),
            ],
            path: "SCodeFuzzing"),
        // Declares what the targets call of libFuzzer.
        .systemLibrary(name: "CLibFuzzer", path: "CLibFuzzer"),
        .fuzzer("FuzzText"),
        .fuzzer("FuzzModule"),
        .fuzzer("FuzzVerifier"),
        .fuzzer("FuzzPipeline"),
        .fuzzer("FuzzEbpf"),
    ]
)

extension Target {
    /// libFuzzer brings the main function.
    static func fuzzer(_ name: String) -> Target {
        .executableTarget(
            name: name, dependencies: ["SCodeFuzzing", "CLibFuzzer"], path: "Targets/\(name)",
            swiftSettings: [.unsafeFlags(["-parse-as-library"])])
    }
}
