import Foundation
import SCode
import SCodeTestSupport
import Testing

/// The interpreter holds every claim of the verifier, at each instruction, against what happens.
@Suite struct SoundnessTests {
    static let programs =
        Int(ProcessInfo.processInfo.environment["SCODE_SOUNDNESS_PROGRAMS"] ?? "") ?? 2_000
    static let firstSeed = UInt64(ProcessInfo.processInfo.environment["SCODE_SOUNDNESS_SEED"] ?? "") ?? 1

    private struct Statistics {
        var programs = 0
        var accesses = 0
        var proved = 0
        var loops = 0
        var bounded = 0
        var prepaid = 0
        var exits: [String: Int] = [:]

        mutating func count(_ fragment: VerifiedFragment) {
            programs += 1
            for (index, instruction) in fragment.code.instructions.enumerated()
            where instruction.opcode.shape.isAccess {
                accesses += 1
                proved += fragment.facts[index].access.isProved ? 1 : 0
            }
            loops += fragment.loops.count
            bounded += fragment.loops.filter { $0.total != nil }.count
            prepaid += fragment.costs.filter(\.isPrepaid).count
        }
    }

    @Test func claimsHoldInStructuredPrograms() throws {
        var statistics = Statistics()
        var random = SeededGenerator(seed: Self.firstSeed)
        for seed in Self.firstSeed..<Self.firstSeed + UInt64(Self.programs) {
            let program = StructuredProgram.make(seed: seed)
            let (verified, diagnostics) = Verifier.verify(program, acceptor: .plain, keepsStates: true)
            guard let fragment = verified?.fragments.first else {
                // Only what may lie outside a static region is refused.
                #expect(
                    diagnostics.allSatisfy { $0.severity != .error || $0.rule == .staticAccess },
                    "seed \(seed)")
                continue
            }
            statistics.count(fragment)
            for _ in 0..<3 {
                let arguments = random.oneIn(3) ? [] : [UInt64(bitPattern: random.interestingValue())]
                let invocation = try Self.run(fragment, arguments)
                statistics.exits[Self.name(invocation.exit), default: 0] += 1
                if let violation = invocation.violation {
                    Issue.record("seed \(seed), arguments \(arguments): \(violation)\n\(program.printed())")
                    return
                }
            }
        }
        print(
            """
            soundness: \(statistics.programs) programs, \(statistics.proved) of \(statistics.accesses) accesses proved, \
            \(statistics.bounded) of \(statistics.loops) loops bounded, \(statistics.prepaid) jumps and calls prepaid; \
            exits: \(statistics.exits.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: ", "))
            """)
        // A verifier that proves nothing claims nothing: the programs must give it something to say.
        #expect(statistics.proved > statistics.accesses / 10)
        #expect(statistics.bounded > statistics.loops / 4)
    }

    private static func name(_ exit: Exit) -> String {
        switch exit {
        case .accept: "accept"
        case .refuse: "refuse"
        case .abort(let abort): abort.reason.name
        }
    }

    private static func run(_ fragment: VerifiedFragment, _ arguments: [UInt64]) throws -> Invocation {
        let memory = PhysicalMemory(size: 3 * 4096)
        for offset in 0..<memory.size {
            memory.base.storeBytes(
                of: UInt8(truncatingIfNeeded: offset &* 37), toByteOffset: offset, as: UInt8.self)
        }
        let bindings = fragment.regions.enumerated().map { index, region in
            RegionBinding.physical(
                base: (1 << 32) + UInt64(index) << 20, host: memory.base + index * 4096,
                size: Int(region.size),
                writable: true)
        }
        let installed = try Fragment(fragment, regions: bindings, engine: .interpreter, checksFacts: true)
        return installed.invoke(arguments: arguments, budget: 20_000)
    }
}
