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

    /// What a macro-instruction reads must be mapped (V2), and what it writes may not be read-only either (V3).
    @Test func operandsOfMacrosObeyTheAcceptor() {
        let acceptor = Acceptor(
            name: "few", registers: RegisterSet(rawValue: 0b111),
            readOnlyRegisters: RegisterSet(rawValue: 0b100),
            suppliedArguments: 1,
            macros: [
                MacroInstruction("refuse", [], .refuse, meaning: ""),
                MacroInstruction("give", [.value(.ul)], .subSchedule, meaning: ""),
                MacroInstruction("take", [.result(.ul)], .systemCall(1), meaning: ""),
            ])
        func rules(_ name: String, _ register: Int) -> [VerifierRule] {
            var code = FragmentCode(
                [], [.set(r(0), 1), .macro(name, [.register(r(register))]), .macro("refuse", [])])
            // A parameter, so that what is read has been written.
            code.parameters = [Parameter(name: "p", register: r(2), type: .ul)]
            return Verifier.verify(Program(fragments: [code]), acceptor: acceptor).diagnostics.compactMap(
                \.rule)
        }
        #expect(rules("give", 0) == [])
        #expect(rules("give", 2) == [])
        #expect(rules("give", 3).contains(.registersMapped))
        #expect(rules("take", 0) == [])
        #expect(rules("take", 2).contains(.readOnlyRegisters))
        #expect(rules("take", 3).contains(.registersMapped))
    }
}
