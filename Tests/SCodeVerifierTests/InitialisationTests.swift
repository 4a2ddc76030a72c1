import SCode
import SCodeTestSupport
import Testing

/// V8, held against walks along every path, with every set of registers that can be written on the way.
@Suite struct InitialisationTests {
    private static let registers = 4

    /// Small programs full of jumps; some instructions cannot be reached, and many read what nobody wrote.
    private static func program(_ random: inout SeededGenerator) -> Program {
        let count = Int.random(in: 2...9, using: &random)
        var code = FragmentCode(name: "f")
        code.labels = (0..<count).map { Label(name: "", position: UInt32($0)) }
        if random.oneIn(2) { code.parameters = [Parameter(name: "p", register: Register(0), type: .ul)] }
        func register() -> Register { Register(Int.random(in: 0..<Self.registers, using: &random)) }
        func label() -> UInt32 { UInt32(Int.random(in: 0..<count, using: &random)) }
        for _ in 1..<count {
            switch Int.random(in: 0..<8, using: &random) {
            case 0..<4: code.instructions.append(Instruction(Opcode(.set, .ul, .immediate), rd: register()))
            case 4:
                code.instructions.append(
                    Instruction(Opcode(.add, .ul), rd: register(), rs1: register(), rs2: register()))
            case 5: code.instructions.append(Instruction(Opcode(.jump), index: label()))
            default:
                code.instructions.append(
                    Instruction(Opcode(.beq, .ul, .immediate), rs1: register(), index: label()))
            }
        }
        code.instructions.append(Instruction(Opcode(.macro)))
        code.macroCalls = [MacroCall(name: "refuse", operands: [])]
        return Program(fragments: [code])
    }

    /// Per instruction: what is written before it on every path; nil where none leads. And whether something is read that
    /// is not written.
    private static func walk(_ code: FragmentCode, _ entry: RegisterSet) -> (
        before: [RegisterSet?], isFine: Bool
    ) {
        var before = [RegisterSet?](repeating: nil, count: code.instructions.count)
        var isFine = true
        var seen: Set<[UInt64]> = []
        var paths = [(0, entry)]
        while let (index, written) = paths.popLast() {
            guard seen.insert([UInt64(index), written.rawValue]).inserted else { continue }
            before[index] = before[index].map { $0.intersection(written) } ?? written
            let instruction = code.instructions[index]
            if instruction.opcode.operation == .macro { continue }
            if !instruction.reads(code, []).isSubset(of: written) { isFine = false }
            let after = written.union(instruction.writes(code, []))
            if instruction.opcode.operation != .jump { paths.append((index + 1, after)) }
            if instruction.opcode.effects.contains(.endsBlock) {
                paths.append((Int(instruction.index), after))
            }
        }
        return (before, isFine)
    }

    @Test func whatIsReadIsWrittenOnEveryPath() throws {
        var random = SeededGenerator(seed: 8)
        var fine = 0
        for number in 0..<20_000 {
            let program = Self.program(&random)
            let code = program.fragments[0]
            let expected = Self.walk(code, code.parameters.isEmpty ? [] : RegisterSet(rawValue: 1))
            let (verified, diagnostics) = Verifier.verify(program, acceptor: .plain)
            #expect((verified != nil) == expected.isFine, "program \(number): \(diagnostics)")
            guard let fragment = verified?.fragments.first else { continue }
            fine += 1
            #expect(fragment.isWrittenWhenLive)
            for (written, before) in zip(fragment.written(), expected.before) {
                #expect(written.all == before ?? .all, "program \(number)")
            }
            for (facts, before) in zip(fragment.facts, expected.before) where before != nil {
                #expect(facts.liveBefore.isSubset(of: before ?? []), "program \(number)")
            }
        }
        #expect((1_000..<19_000).contains(fine))
    }
}
