import Foundation
import Testing

/// eBPF on the command line: raw instructions, what is wrong with them, and the examples in C.
@Suite struct EBPFCommandTests {
    /// Runs a command with `%s` for a file of these bytes.
    private func run(_ command: String, _ bytes: [UInt8]) throws -> [String] {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        try Data(bytes).write(to: folder.appendingPathComponent("program"))
        let arguments = command.split(separator: " ").map { $0 == "%s" ? "program" : String($0) }
        return try FileTests.run(arguments, in: folder)
    }

    private static func hex(_ text: String) -> [UInt8] {
        text.split(separator: " ").compactMap { UInt8($0, radix: 16) }
    }

    /// r0 := r1 + 5, exit
    private static let sum = hex(
        "bf 10 00 00 00 00 00 00 07 00 00 00 05 00 00 00 95 00 00 00 00 00 00 00")

    @Test func rawInstructions() throws {
        #expect(
            try run("run --from=ebpf %s 37 --engine both", Self.sum) == [
                "//> accept 42", "//! interpreter and native code agree", "//= 0",
            ])
        #expect(
            try run("check --from=ebpf %s --memory 16 --dump ir", Self.sum) == [
                "//> accept plain", "//> ", "//> region memory: physical rw, 16", "//> ",
                "//> fragment main(base: p in r1 = memory, length: ul in r2 = 16) {",
                "//>     movul   r0, base",
                "//>     adduli  r0, r0, 5", "//>     accept  r0", "//> }", "//= 0",
            ])
        #expect(try run("build --from=ebpf %s -o program", Self.sum) == ["//= 0"])
        #expect(
            try run("build --from=ebpf %s --acceptor filter -o -", Self.sum).first?.hasPrefix("//> SCOD")
                == true)
    }

    @Test(arguments: [
        ("95", "1 bytes are no whole number of instructions of 8 bytes"),
        ("", "there are no instructions"),
        ("ff 00 00 00 00 00 00 00", "instruction 0: no instruction has the code 0xff"),
        (
            "b7 00 01 00 00 00 00 00 95 00 00 00 00 00 00 00",
            "instruction 0: of an instruction with the code 0xb7, offset cannot hold this value"
        ),
        ("b7 0b 00 00 00 00 00 00 95 00 00 00 00 00 00 00", "instruction 0: there is no register r11"),
        ("b7 00 00 00 00 00 00 00", "instruction 0: control can run off the end"),
        (
            "05 00 05 00 00 00 00 00 95 00 00 00 00 00 00 00",
            "instruction 0: the target, instruction 6, lies outside"
        ),
        (
            "85 00 00 00 63 00 00 00 95 00 00 00 00 00 00 00",
            "instruction 0: acceptor 'plain' has no helper 99"
        ),
        (
            "85 10 00 00 ff ff ff ff 95 00 00 00 00 00 00 00",
            "instruction 0: function 'main' can come to call itself"
        ),
        ("7f 45 4c 46 02 01 01 00", "no eBPF object file: the file ends in the middle"),
    ]) func mistakes(_ text: String, _ message: String) throws {
        for command in ["check --from=ebpf %s", "run --from=ebpf %s", "build --from=ebpf %s -o -"] {
            #expect(
                try run(command, Self.hex(text)) == ["//! program: error: \(message)", "//= 1"], "\(command)")
        }
    }

    @Test func usage() throws {
        #expect(
            try run("check --from=ebpf --acceptor nobody %s", Self.sum) == [
                "//! program: error: there is no acceptor 'nobody'", "//= 1",
            ])
        #expect(
            try run("check --from=ebpf --acceptor application %s", Self.sum) == [
                "//! program: error: acceptor 'application' takes no eBPF", "//= 1",
            ])
        #expect(try run("check --from=pascal %s", Self.sum).last == "//= 64")
        #expect(try run("check --from=ebpf nowhere", Self.sum).last == "//= 66")
        #expect(try run("build --from=ebpf %s -o nowhere/x.sco", Self.sum).last == "//= 74")
    }

    // MARK: Examples

    /// An example as an object file, in a folder of its own; nil when there is no clang for eBPF.
    private static func compile(_ name: String, to object: URL) throws -> Bool {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = [
            "clang", "-O2", "-g", "--target=bpf", "-c", "scode-examples/ebpf/\(name)", "-o", object.path,
        ]
        process.currentDirectoryURL = FileTests.root
        process.standardError = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        if process.terminationStatus != 0 { print("skipped: there is no clang that compiles for eBPF") }
        return process.terminationStatus == 0
    }

    private func withExample(_ name: String, _ body: (URL) throws -> Void) throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let object = folder.appendingPathComponent(name).appendingPathExtension("o")
        guard try Self.compile("\(name).c", to: object) else { return }
        try body(object)
    }

    @Test func filterAndChecksum() throws {
        // The CRC-32 is what `python3 -c "import zlib; …"` says of the file.
        for (name, result) in [("checksum", "2484772248"), ("filter", "1")] {
            try withExample(name) { object in
                let data = "scode-examples/packet.bin"
                let lines = try FileTests.run(["run", object.path, "--data-in", data, "--engine", "both"])
                #expect(lines == ["//> accept \(result)", "//! interpreter and native code agree", "//= 0"])
            }
        }
    }

    @Test func scheduler() throws {
        try withExample("round-robin") { object in
            let scenario = object.deletingLastPathComponent().appendingPathComponent("round-robin.yaml")
            try FileManager.default.copyItem(
                at: FileTests.root.appendingPathComponent("scode-examples/ebpf/round-robin.yaml"),
                to: scenario)
            let inC = try FileTests.run(["sim", scenario.path, "--json"])
            let inSCODE = try FileTests.run(["sim", "scode-examples/schedulers/round-robin.yaml", "--json"])
            // The two decide alike, so that the reports are the same but for the backward jumps that it took.
            func report(_ lines: [String]) -> [String] {
                lines.filter { $0.hasPrefix("//>") && !$0.contains("\"budgetUsed\"") }
            }
            #expect(inC.last == "//= 0")
            #expect(report(inC) == report(inSCODE))

            // An object file that is damaged is no missing file.
            try Data([UInt8](try Data(contentsOf: object)).prefix(100)).write(to: object)
            #expect(try FileTests.run(["sim", scenario.path]).last == "//= 1")
        }
    }
}
