import SCode
import SCodeTestSupport
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

    /// Whatever the fields hold, the rules say what one reading of the table, operand by operand, does.
    @Test func fieldsAreHeldAgainstTheTable() {
        let acceptor = Acceptor(
            name: "some", registers: RegisterSet(rawValue: 0x0000_ffff_0000_ffff),
            readOnlyRegisters: RegisterSet(rawValue: 0x0000_0100_0000_0100),
            macros: [MacroInstruction("refuse", [], .refuse, meaning: "")])
        let region = Region(name: "r", policy: .physical, isWritable: true, size: 64)
        let structural: Set<VerifierRule> = [.operands, .registersMapped, .readOnlyRegisters, .labels]
        var random = SeededGenerator(seed: 1)
        var fine = 0
        for _ in 0..<60_000 {
            let instruction = Self.instruction(&random)
            var code = FragmentCode(
                name: "f", instructions: [instruction, Instruction(Opcode(.macro))],
                macroCalls: [MacroCall(name: "refuse", operands: [])])
            code.labels = [Label(name: "", position: 1)]
            let broken = Verifier.verify(Program(regions: [region], fragments: [code]), acceptor: acceptor)
                .diagnostics.compactMap(\.rule).filter(structural.contains)
            let isFine = Self.isFine(instruction, acceptor, labels: 1, regions: 1)
            #expect(broken.isEmpty == isFine, "\(instruction): \(broken)")
            fine += isFine ? 1 : 0
        }
        // Both happen often.
        #expect((6_000..<54_000).contains(fine))
    }

    /// Mostly one that the table knows, with operands that it takes.
    private static func instruction(_ random: inout SeededGenerator) -> Instruction {
        var opcode = Opcode.all[random.below(Opcode.all.count)]
        while opcode.shape.isExpanded || opcode.shape == .return || opcode.shape == .jumpTable {
            opcode = Opcode.all[random.below(Opcode.all.count)]
        }
        let types = ValueType.allCases
        if random.oneIn(16) { opcode.type = types[random.below(types.count)] }
        if random.oneIn(16) { opcode.sourceType = types[random.below(types.count)] }
        if random.oneIn(16) { opcode.form = OperandForm.allCases[random.below(3)] }
        var instruction = Instruction(opcode)
        for operand in opcode.operands {
            let bank = opcode.bank(operand) == .float ? Register.bankSize : 0
            let register = Register(bank + random.below(random.oneIn(8) ? 20 : 16))
            switch operand {
            case .destination, .value, .exchanged: instruction.rd = register
            case .source: instruction.rs1 = register
            case .source2: instruction.rs2 = register
            case .immediate: instruction.immediate = random.constant(opcode.type)
            case .symbol: (instruction.index, instruction.immediate) = (0, random.constant(.ul))
            case .label, .table, .procedure: instruction.index = random.oneIn(4) ? 1 : 0
            }
        }
        if random.oneIn(6) {
            switch random.below(5) {
            case 0: instruction.rd = Register(random.below(256))
            case 1: instruction.rs1 = Register(random.below(256))
            case 2: instruction.rs2 = Register(random.below(256))
            case 3: instruction.index = UInt32(random.below(3))
            default: instruction.immediate = random.constant(.l)
            }
        }
        return instruction
    }

    private static func isFine(
        _ instruction: Instruction, _ acceptor: Acceptor, labels: UInt32, regions: UInt32
    ) -> Bool {
        let opcode = instruction.opcode
        guard opcode.isDefined else { return false }
        // What is left of the fields when every operand has been looked at.
        var rest = instruction
        for operand in opcode.operands {
            func takes(_ register: Register) -> Bool {
                register.number < 64 && acceptor.registers.contains(register)
                    && register.bank == opcode.bank(operand)
            }
            let index = instruction.index
            switch operand {
            case .destination, .value, .exchanged:
                guard takes(instruction.rd) else { return false }
                if operand != .value, acceptor.readOnlyRegisters.contains(instruction.rd) { return false }
                rest.rd = Register(0)
            case .source:
                guard takes(instruction.rs1) else { return false }
                rest.rs1 = Register(0)
            case .source2:
                guard takes(instruction.rs2) else { return false }
                rest.rs2 = Register(0)
            case .immediate:
                let value = instruction.immediate
                let isStored =
                    opcode.shape.isAccess
                    ? Int32(exactly: value) != nil : opcode.type.immediate(value) == value
                guard isStored else { return false }
                rest.immediate = 0
            case .symbol:
                guard index < regions else { return false }
                (rest.index, rest.immediate) = (0, 0)
            case .label:
                guard index < labels else { return false }
                rest.index = 0
            case .table, .procedure: return false
            }
        }
        return rest == Instruction(opcode)
    }
}

extension SeededGenerator {
    fileprivate mutating func below(_ count: Int) -> Int { Int.random(in: 0..<count, using: &self) }

    /// One that fits the type, or just does not.
    fileprivate mutating func constant(_ type: ValueType) -> Int64 {
        let value = type.immediate(Int64(truncatingIfNeeded: interestingValue()))
        return oneIn(4) ? Int64(truncatingIfNeeded: interestingValue()) : value
    }
}
