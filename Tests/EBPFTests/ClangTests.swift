import Foundation
import SCode
import SCodeAcceptors
import Testing

/// The compiler of Swift's toolchain, which knows eBPF.
enum Clang {
    static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "scode-examples/ebpf")
    static let examples = ["checksum.c", "filter.c", "round-robin.c"]

    /// Whether there is one; says so when there is none.
    static let isThere: Bool = {
        let isThere = (try? compile("checksum.c")) != nil
        if !isThere { print("skipped: there is no clang that compiles for eBPF") }
        return isThere
    }()

    /// The object file of a C file in `scode-examples/ebpf`, or of a text.
    static func compile(_ name: String, options: [String] = ["-O2", "-g"]) throws -> [UInt8] {
        let process = Process()
        let output = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString + ".o")
        defer { try? FileManager.default.removeItem(at: output) }
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments =
            ["clang"] + options + ["--target=bpf", "-c", name, "-o", output.path(percentEncoded: false)]
        process.currentDirectoryURL = folder
        process.standardInput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        return [UInt8](try Data(contentsOf: output))
    }

    static func compile(text: String, options: [String] = ["-O2", "-g"]) throws -> [UInt8] {
        let file = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString + ".c")
        defer { try? FileManager.default.removeItem(at: file) }
        try text.write(to: file, atomically: true, encoding: .utf8)
        let include = "-I" + folder.path(percentEncoded: false)
        return try compile(file.path(percentEncoded: false), options: options + [include])
    }
}

/// Programs in C, at every level of optimisation and every version of the instruction set that the compiler knows.
@Suite(.enabled(if: Clang.isThere)) struct ClangTests {
    private static let variants = ["-O0", "-O1", "-O2", "-Os"].flatMap { level in
        ["-mcpu=v1", "-mcpu=v2", "-mcpu=v3", "-mcpu=v4"].map { [level, $0] }
    }

    private func run(_ object: [UInt8], _ engine: EngineKind, _ arguments: [UInt64]) throws -> Exit {
        let program = try Program(ebpf: object, for: Acceptor.standard)
        let module = try Module(program: program, acceptor: .plain)
        let code = try #require(module.fragment())
        let memory = TestMemory(code.regions)
        let fragment = try Fragment(code, regions: memory.bindings, engine: engine)
        return fragment.invoke(arguments: arguments, budget: 10_000_000).exit
    }

    @Test(arguments: variants) func languageOfC(_ options: [String]) throws {
        let isSigned = options.contains("-mcpu=v4")
        // Division of signed numbers is an instruction from version 4 on; before, the compiler refuses it.
        let object = try Clang.compile(
            text: """
                #include "scode.h"
                static const char text[] = "abcdefghijklmnopqrstuvwxyz";
                static u64 calls;
                static int table[4] = {5, -6, 7, -8};
                LOCAL u64 mix(u64 a, u64 b, u64 c, u64 d, u64 e) {
                    calls++;
                    return a + 3 * b - c * d + (e << 3);
                }
                LOCAL u64 twice(u64 a, u64 b) {
                    volatile u64 kept[4] = {a, b, a ^ b, 7};
                    u64 x = mix(kept[0], kept[1], kept[2], kept[3], 1);
                    return x + mix(kept[3], kept[2], kept[1], kept[0], 2);
                }
                SEC("plain") u64 test(u64 a, u64 b) {
                    u64 sum = 0;
                    for (u32 i = 0; i < 26; i++) sum = sum * 31 + text[(a + i) % 26];
                    for (int i = 0; i < 4; i++) sum += table[(i + b) & 3] * (i + 1);
                    sum ^= twice(a, sum) + mix(sum, b, 1, 2, 3);
                    short half = (short)(sum >> 5);
                    sum += half;
                    if ((int)sum < -5 || (signed char)sum > 7) sum -= \(isSigned ? "(long)half / -3" : "half");
                    return sum + calls;
                }
                """, options: options)
        let a: UInt64 = 19
        let b: UInt64 = 0xffff_0001
        let expected = Self.model(a, b, isSigned: isSigned)
        for engine in EngineKind.allCases {
            #expect(try run(object, engine, [a, b]) == .accept(expected), "\(options)")
        }
    }

    /// The same in Swift.
    private static func model(_ a: UInt64, _ b: UInt64, isSigned: Bool) -> UInt64 {
        var calls: UInt64 = 0
        func mix(_ a: UInt64, _ b: UInt64, _ c: UInt64, _ d: UInt64, _ e: UInt64) -> UInt64 {
            calls += 1
            return a &+ 3 &* b &- c &* d &+ (e << 3)
        }
        let table: [Int64] = [5, -6, 7, -8]
        var sum: UInt64 = 0
        for i: UInt64 in 0..<26 { sum = sum &* 31 &+ (97 + (a + i) % 26) }
        for i: UInt64 in 0..<4 {
            sum = sum &+ UInt64(bitPattern: table[Int((i + b) & 3)] * Int64(i + 1))
        }
        let kept = [a, sum, a ^ sum, 7]
        let twice = mix(kept[0], kept[1], kept[2], kept[3], 1) &+ mix(kept[3], kept[2], kept[1], kept[0], 2)
        sum ^= twice &+ mix(sum, b, 1, 2, 3)
        let half = Int64(Int16(truncatingIfNeeded: sum >> 5))
        sum = sum &+ UInt64(bitPattern: half)
        if Int32(truncatingIfNeeded: sum) < -5 || Int8(truncatingIfNeeded: sum) > 7 {
            sum = sum &- UInt64(bitPattern: isSigned ? half / -3 : half)
        }
        return sum &+ calls
    }

    @Test func linesOfTheSource() throws {
        let program = try Program(ebpf: try Clang.compile("filter.c"), for: Acceptor.standard)
        let filter = try #require(program.fragments.first)
        #expect(filter.sourceRanges.count == filter.instructions.count)
        let files = Set(filter.sourceRanges.map { program.sourceFiles[Int($0.file)] })
        #expect(files.count == 1 && files.first?.hasSuffix("filter.c") == true)
        let source = try String(contentsOf: Clang.folder.appending(path: "filter.c"), encoding: .utf8)
        let lines = source.split(separator: "\n", omittingEmptySubsequences: false)
        let last = try #require(filter.sourceRanges.last)
        try #require(lines.indices.contains(Int(last.line) - 1))
        #expect(lines[Int(last.line) - 1].contains("return") || lines[Int(last.line) - 1] == "}")
        // Without -g there are none.
        let bare = try Program(ebpf: try Clang.compile("filter.c", options: ["-O2"]), for: Acceptor.standard)
        #expect(bare.fragments.first?.sourceRanges == [])
        #expect(bare.withoutPositions == program.withoutPositions)
    }

    @Test(arguments: Clang.examples) func examplesAreVerified(_ name: String) throws {
        for options in Self.variants {
            let program = try Program(ebpf: try Clang.compile(name, options: options), for: Acceptor.standard)
            let acceptor = try #require(Acceptor.standard.first { $0.name == program.acceptorName })
            #expect(throws: Never.self) { try Module(program: program, acceptor: acceptor) }
            #expect(parse(program.printed()).program.withoutPositions == program.withoutPositions)
        }
    }
}
