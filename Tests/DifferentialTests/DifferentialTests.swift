import Foundation
import SCode
import SCodeTestSupport
import Testing

/// Random verified programs mean the same to the interpreter and to the processor.
@Suite struct DifferentialTests {
    static let programs =
        Int(ProcessInfo.processInfo.environment["SCODE_DIFFERENTIAL_PROGRAMS"] ?? "") ?? 20_000
    static let firstSeed = UInt64(ProcessInfo.processInfo.environment["SCODE_DIFFERENTIAL_SEED"] ?? "") ?? 1

    @Test func randomProgramsAgree() throws {
        let machine = TestMachine()
        var statistics = Statistics()
        var seed = Self.firstSeed
        var previous: [VerifiedFragment] = []
        while statistics.accepted < Self.programs {
            defer { seed += 1 }
            statistics.generated += 1
            // A generator that is mostly rejected tests the verifier and not the engines.
            try #require(statistics.generated < 100 + 4 * Self.programs, "the verifier rejects too much")
            guard let (fragment, program) = TestMachine.randomFragment(seed) else { continue }
            statistics.count(fragment)
            let chain = [fragment] + previous.suffix(2)
            previous = [fragment] + previous.prefix(1)
            if let difference = try difference(machine, chain, seed, &statistics) {
                Issue.record("seed \(seed): \(difference)\n\(program.printed())")
                return
            }
        }
        print(statistics.summary)
        if ProcessInfo.processInfo.environment["SCODE_DIFFERENTIAL_TABLE"] != nil { print(statistics.table) }
        let missing = Opcode.all.filter { statistics.opcodes[$0] == nil }.map(\.mnemonic)
        #expect(missing.isEmpty, "every opcode, at every type and in every form, was in some program")
    }

    private func difference(
        _ machine: TestMachine, _ chain: [VerifiedFragment], _ seed: UInt64, _ statistics: inout Statistics
    ) throws -> String? {
        for observing in [RegisterObservation.live, .all] {
            let tlb = seed & 32 == 0
            let expected = try machine.run(
                chain, seed: seed, engine: .interpreter, observing: observing, tlb: tlb)
            let actual = try machine.run(chain, seed: seed, engine: .native, observing: observing, tlb: tlb)
            if observing == .live { statistics.count(expected.exit) }
            if let difference = expected.difference(from: actual) { return "\(difference) (\(observing))" }
        }
        return nil
    }

    private struct Statistics {
        var generated = 0
        var accepted = 0
        var instructions = 0
        var opcodes: [Opcode: Int] = [:]
        var exits: [String: Int] = [:]

        mutating func count(_ fragment: VerifiedFragment) {
            accepted += 1
            instructions += fragment.code.instructions.count
            for instruction in fragment.code.instructions where instruction.opcode.operation != .macro {
                opcodes[instruction.opcode, default: 0] += 1
            }
        }

        mutating func count(_ exit: Exit) { exits[exit.kind, default: 0] += 1 }

        /// How often each opcode stood in a program, and how the programs ended.
        var table: String {
            let rows = Opcode.all.map { opcode in
                let form = opcode.form == .symbol ? " (region)" : ""
                return "\(opcodes[opcode] ?? 0)\t\(opcode.mnemonic)\(form)"
            }
            let ends = exits.sorted { $0.key < $1.key }.map { "\($0.value)\t\($0.key)" }
            return (rows + ends).joined(separator: "\n")
        }

        var summary: String {
            let kinds = exits.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(
                separator: ", ")
            return """
                differential: \(accepted) programs of \(generated) generated, \(instructions) instructions, \
                \(opcodes.count) of \(Opcode.all.count) opcodes; exits: \(kinds)
                """
        }
    }
}
