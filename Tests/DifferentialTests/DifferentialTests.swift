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
            var generator = ProgramGenerator(
                seed: seed, acceptor: TestMachine.acceptor, regions: TestMachine.regions)
            let program = generator.make()
            statistics.generated += 1
            // A generator that is mostly rejected tests the verifier and not the engines.
            try #require(statistics.generated < 100 + 4 * Self.programs, "the verifier rejects too much")
            guard let verified = Verifier.verify(program, acceptor: TestMachine.acceptor).program,
                var fragment = verified.fragments.first
            else { continue }
            var random = SeededGenerator(seed: ~seed)
            if random.oneIn(2) { fragment = fragment.forcing(generator.facts, &random) }
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
            if expected.exit != actual.exit {
                return "exit \(actual.exit), expected \(expected.exit) (\(observing))"
            }
            if expected.budget != actual.budget {
                return "budget \(actual.budget), expected \(expected.budget)"
            }
            if expected.registers != actual.registers {
                return "registers \(actual.registers), expected \(expected.registers)"
            }
            if expected.leftIn != actual.leftIn {
                return "left in \(actual.leftIn), expected \(expected.leftIn)"
            }
            if expected.memory != actual.memory {
                let first = zip(expected.memory, actual.memory).enumerated().first {
                    $0.element.0 != $0.element.1
                }
                return "memory differs at byte \(first?.offset ?? -1)"
            }
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

        mutating func count(_ exit: Exit) {
            switch exit {
            case .accept: exits["accept", default: 0] += 1
            case .refuse: exits["refuse", default: 0] += 1
            case .abort(let abort): exits[abort.reason.name, default: 0] += 1
            }
        }

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
