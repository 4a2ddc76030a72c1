import SCode
import Testing

/// V1: what the text form cannot express, and a binary module can.
@Suite struct OperandRuleTests {
    private func rules(_ instruction: Instruction) -> [VerifierRule] {
        let code = FragmentCode(
            name: "f", instructions: [instruction, Instruction(Opcode(.macro))],
            macroCalls: [MacroCall(name: "refuse", operands: [])])
        return Verifier.verify(Program(fragments: [code]), acceptor: .plain).diagnostics.compactMap(\.rule)
    }

    @Test func combinationsOutsideTheTableAreRefused() {
        #expect(rules(Instruction(Opcode(.mul, .p))) == [.operands])
        #expect(rules(Instruction(Opcode(.convert, .i, from: .i))) == [.operands])
        #expect(rules(Instruction(Opcode(.set, .ul, .symbol))) == [.operands])
    }

    @Test func operandsThatTheOpcodeDoesNotTakeAreRefused() {
        #expect(
            rules(Instruction(Opcode(.set, .u, .immediate), rs1: Register(3), immediate: 1)) == [.operands])
        #expect(rules(Instruction(Opcode(.set, .u, .immediate), index: 7, immediate: 1)) == [.operands])
    }

    @Test func constantsFitTheirType() {
        #expect(rules(Instruction(Opcode(.set, .u, .immediate), immediate: -1)) == [.operands])
        #expect(rules(Instruction(Opcode(.set, .u, .immediate), immediate: 0xffff_ffff)) == [])
    }

    @Test func indicesNameSomething() {
        #expect(rules(Instruction(Opcode(.jump), index: 0)) == [.labels])
        #expect(rules(Instruction(Opcode(.set, .p, .symbol), index: 0)) == [.operands])
        #expect(rules(Instruction(Opcode(.macro), index: 9)) == [.macros])
    }
}
