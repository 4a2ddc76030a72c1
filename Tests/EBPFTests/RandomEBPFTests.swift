import Foundation
import SCode
import Testing

@testable import scodec_bpf_plugin

/// What random programs do, on both engines, is what the reference machine says.
@Suite struct RandomEBPFTests {
    private static func number(_ name: String) -> UInt64? {
        ProcessInfo.processInfo.environment[name].flatMap { UInt64($0) }
    }
    private static let count = number("SCODE_EBPF_PROGRAMS") ?? 2000
    private static let seconds = number("SCODE_EBPF_SECONDS").map { Int64(clamping: $0) } ?? .max
    private static let first = number("SCODE_EBPF_SEED") ?? 1
    private static let memory = [UInt8]((0..<48).map { UInt8($0 * 37 & 0xff) })

    private struct Outcome: Hashable {
        var end: ReferenceMachine.End
        var memory: [UInt8]
        var budget: UInt64
    }

    @Test func enginesDoWhatTheReferenceDoes() throws {
        var ends: [String: Int] = [:]
        let start = ContinuousClock.now
        for seed in Self.first..<Self.first + Self.count {
            if (ContinuousClock.now - start).components.seconds >= Self.seconds { break }
            let instructions = RandomEBPF.program(seed: seed)
            let program = try Program(
                ebpf: EBPFAssembler.bytes(instructions), for: [ConformanceMachine.acceptor],
                named: "conformance",
                memorySize: UInt64(Self.memory.count))
            // Read once more as text and as a module, it is the same.
            #expect(parse(program.printed()).program.withoutPositions == program, "seed \(seed)")
            #expect(try Program(decoding: program.encoded()) == program, "seed \(seed)")
            // What can be read can be verified: what is not proved is guarded.
            let module = try Module(program: program, acceptor: ConformanceMachine.acceptor)
            let code = try #require(module.fragment())
            let outcomes = try EngineKind.allCases.map { try Self.run(code, $0) }
            #expect(outcomes[0] == outcomes[1], "seed \(seed)\n\(program.printed())")

            let stack = code.regions.last { $0.name == "stack" }
            var reference = ReferenceMachine(
                memory: Self.memory, memoryBase: 1 << 32, stackSize: Int(stack?.size ?? 0), stackBase: 2 << 32
            )
            let end = reference.run(instructions, steps: 5_000)
            ends[Self.kind(end), default: 0] += 1
            // Loops that never end end otherwise there.
            if end == .tooLong || outcomes[0].end == .tooLong { continue }
            #expect(outcomes[0].end == end, "seed \(seed)\n\(program.printed())")
            #expect(outcomes[0].memory == reference.memory, "seed \(seed)\n\(program.printed())")
        }
        let kinds = ends.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: ", ")
        print("ebpf: \(ends.values.reduce(0, +)) programs; ends: \(kinds)")
        // The generator is worth its while: most programs get to their end, some go wrong.
        if Self.count >= 1000 {
            for kind in ["value", "outside", "misaligned"] { #expect(ends[kind, default: 0] > 20, "\(ends)") }
        }
    }

    private static func kind(_ end: ReferenceMachine.End) -> String {
        switch end {
        case .value: "value"
        case .outside: "outside"
        case .misaligned: "misaligned"
        case .tooLong: "tooLong"
        }
    }

    private static func run(_ code: VerifiedFragment, _ engine: EngineKind) throws -> Outcome {
        let regions = RegionMemory(code.regions, filling: memory)
        let fragment = try Fragment(code, regions: regions.bindings, engine: engine)
        let invocation = fragment.invoke(
            arguments: [regions.base(of: 0), UInt64(memory.count)], budget: 10_000)
        let end: ReferenceMachine.End =
            switch invocation.exit {
            case .accept(let value): .value(value)
            case .refuse: .tooLong
            case .abort(let abort):
                switch abort.reason {
                case .outOfBounds: .outside
                case .misaligned: .misaligned
                default: .tooLong
                }
            }
        return Outcome(
            end: end, memory: regions.bytes(of: 0, count: memory.count), budget: invocation.remainingBudget)
    }
}
