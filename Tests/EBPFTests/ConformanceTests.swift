import Foundation
import SCode
import Testing

@testable import scodec_bpf_plugin

/// Programs of the public conformance suite (github.com/Alan-Jowett/bpf_conformance), in its format.
struct ConformanceCase {
    var program: [UInt8] = []
    var memory: [UInt8] = []
    /// r0 at the end; nil where the suite wants the program to fail.
    var result: UInt64?

    init(_ text: String) throws {
        var parts: [String: String] = [:]
        var part = ""
        for line in text.split(separator: "\n") {
            let line = line.prefix { $0 != "#" }
            if line.hasPrefix("-- ") {
                part = line.dropFirst(3).trimmingCharacters(in: .whitespaces)
            } else {
                parts[part, default: ""] += line + "\n"
            }
        }
        func words(_ part: String) -> [Substring] {
            (parts[part] ?? "").split { " \n\t\r".contains($0) }
        }
        func number(_ word: Substring) -> UInt64? {
            word.hasPrefix("0x") ? UInt64(word.dropFirst(2), radix: 16) : UInt64(word)
        }
        memory = words("mem").compactMap { UInt8($0, radix: 16) }
        result = words("result").first.flatMap(number)
        let raw = words("raw").compactMap(number)
        program = try raw.isEmpty ? EBPFAssembler.bytes(parts["asm"] ?? "") : EBPFAssembler.bytes(of: raw)
    }

    /// Where the cases lie: beside the checkout, or in the folder that `SCODE_BPF_CONFORMANCE` names.
    static let folder: URL = {
        if let path = ProcessInfo.processInfo.environment["SCODE_BPF_CONFORMANCE"] {
            return URL(fileURLWithPath: path)
        }
        return URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appending(path: "../shared/data/bpf-conformance").standardizedFileURL
    }()

    static let names: [String] = {
        let all = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
        return all.filter { $0.hasSuffix(".data") }.sorted()
    }()

    static func named(_ name: String) throws -> ConformanceCase {
        try ConformanceCase(String(contentsOf: folder.appending(path: name), encoding: .utf8))
    }
}

@Suite struct ConformanceTests {
    /// Every case on both engines. Says how many there were.
    @Test func suite() throws {
        var failed: [String] = []
        for name in ConformanceCase.names {
            for engine in EngineKind.allCases {
                do {
                    let test = try ConformanceCase.named(name)
                    let result = try? ConformanceMachine(engine: engine).run(
                        test.program, memory: test.memory)
                    if result != test.result {
                        let outcome = try Self.outcome(test, engine)
                        failed.append("\(name), \(engine.rawValue): \(outcome)")
                    }
                } catch { failed.append("\(name): \(error)") }
            }
        }
        if ConformanceCase.names.isEmpty {
            print("skipped: there are no conformance cases in \(ConformanceCase.folder.path)")
        } else {
            let count = ConformanceCase.names.count
            print("conformance: \(count) cases on 2 engines, \(failed.count) failed")
        }
        #expect(failed == [])
    }

    private static func outcome(_ test: ConformanceCase, _ engine: EngineKind) throws -> String {
        do {
            let result = try ConformanceMachine(engine: engine).run(test.program, memory: test.memory)
            return "0x\(String(result, radix: 16))"
        } catch { return "\(error)" }
    }
}
