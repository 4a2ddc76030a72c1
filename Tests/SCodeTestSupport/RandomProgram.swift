import SCodeIR

extension Program {
    /// A program that keeps the structural rules and is in the order in which the text form lists things:
    /// labels by position, one macro call for each macro-instruction, a parameter's register called like it.
    public static func random(using generator: inout SeededGenerator) -> Program {
        var program = Program()
        if !generator.oneIn(3) { program.acceptorName = generator.oneIn(2) ? "scheduler" : "plain" }
        if program.acceptorName != nil, generator.oneIn(3) {
            program.acceptorVersion = UInt32.random(in: 1...UInt32.max, using: &generator)
        }
        var names = NameSource()
        for _ in 0..<Int.random(in: 0...4, using: &generator) {
            var function = HostDeclaration(name: names.next(&generator), parameters: [])
            if generator.oneIn(2) { function.result = ValueType.allCases.randomElement(using: &generator) }
            let most = ProgramLimits.macroOperands - (function.result == nil ? 0 : 1)
            for _ in 0..<Int.random(in: 0...most, using: &generator) {
                function.parameters.append(ValueType.allCases.randomElement(using: &generator) ?? .ul)
            }
            program.hostFunctions.append(function)
        }
        for _ in 0..<Int.random(in: 0...ProgramLimits.regions, using: &generator) {
            let size = UInt64(bitPattern: generator.interestingValue())
            var region = Region(
                name: names.next(&generator),
                policy: MemoryPolicy.allCases.randomElement(using: &generator) ?? .virtual,
                isWritable: generator.oneIn(2), size: size)
            if generator.oneIn(3) {
                let most = Int(min(size, 40))
                region.contents = (0..<Int.random(in: 0...most, using: &generator)).map { _ in
                    UInt8.random(in: .min ... .max, using: &generator)
                }
            }
            program.regions.append(region)
        }
        for _ in 0..<Int.random(in: 0...3, using: &generator) {
            program.fragments.append(
                .random(in: program, names: names, using: &generator, called: names.next(&generator)))
        }
        return program
    }
}

/// Names that are told apart by a number; some are words that mean something elsewhere in the language.
private struct NameSource {
    private var count = 0
    private let words = ["next", "static", "rw", "i", "ul", "addu", "in", "_", "j", "slots", "r", "r_1", "p"]

    mutating func next(_ generator: inout SeededGenerator) -> String {
        count += 1
        let word = words.randomElement(using: &generator) ?? ""
        return generator.oneIn(2) ? "\(word)x\(count)" : "\(word)_\(count)"
    }
}

extension FragmentCode {
    fileprivate static func random(
        in program: Program, names: NameSource, using generator: inout SeededGenerator, called name: String
    ) -> FragmentCode {
        var names = names
        var fragment = FragmentCode(name: name)
        fragment.addParameters(in: program, names: &names, using: &generator)
        let parameters = Set(fragment.parameters.map(\.register))
        for register in RegisterSet.all.registers where !parameters.contains(register) && generator.oneIn(4) {
            fragment.registerNames[Int(register.number)] = names.next(&generator)
        }
        let count = generator.oneIn(5) ? 0 : Int.random(in: 1...40, using: &generator)
        func position() -> UInt32 { UInt32.random(in: 0...UInt32(count), using: &generator) }
        for _ in 0..<Int.random(in: 0...5, using: &generator) {
            fragment.labels.append(Label(name: names.next(&generator), position: position()))
        }
        fragment.labels.sort { $0.position < $1.position }
        for _ in 0..<Int.random(in: 0...3, using: &generator) {
            fragment.procedures.append(Procedure(name: names.next(&generator), start: position()))
        }
        fragment.procedures.sort { $0.start < $1.start }
        for _ in 0..<Int.random(in: 0...2, using: &generator) {
            let labels = fragment.labels.indices.filter { _ in generator.oneIn(2) }.map { UInt32($0) }
            fragment.tables.append(JumpTable(name: names.next(&generator), labels: labels))
        }
        for _ in 0..<count {
            let instruction =
                fragment.randomInstruction(in: program, using: &generator)
                ?? fragment.randomMacroInstruction(using: &generator)
            fragment.instructions.append(instruction)
        }
        return fragment
    }

    private mutating func addParameters(
        in program: Program, names: inout NameSource, using generator: inout SeededGenerator
    ) {
        var integers = RegisterSet.integers.registers
        var floats = RegisterSet.floats.registers
        if generator.oneIn(2) {
            integers.shuffle(using: &generator)
            floats.shuffle(using: &generator)
        }
        for _ in 0..<Int.random(in: 0...ProgramLimits.parameters, using: &generator) {
            let type = ValueType.allCases.randomElement(using: &generator) ?? .ul
            let register = type.isFloat ? floats.removeFirst() : integers.removeFirst()
            var parameter = Parameter(name: names.next(&generator), register: register, type: type)
            if generator.oneIn(5) {
                parameter.name = register.name
            } else {
                registerNames[Int(register.number)] = parameter.name
            }
            if type.size == 8, !type.isFloat, !program.regions.isEmpty, generator.oneIn(2) {
                parameter.defaultValue = .region(
                    UInt32.random(in: 0..<UInt32(program.regions.count), using: &generator))
            } else if generator.oneIn(2) {
                parameter.defaultValue = .constant(generator.constant(type))
            }
            self.parameters.append(parameter)
        }
    }

    /// An instruction of the table with operands that exist; nil when the one drawn has none.
    private mutating func randomInstruction(
        in program: Program, using generator: inout SeededGenerator
    ) -> Instruction? {
        guard !generator.oneIn(8), let opcode = Opcode.all.randomElement(using: &generator) else {
            return nil
        }
        var instruction = Instruction(opcode)
        if opcode.shape == .hostCall {
            guard let function = program.hostFunctions.randomElement(using: &generator) else { return nil }
            return randomCall(of: function, using: &generator)
        }
        for kind in opcode.operands {
            let register = generator.register(opcode.bank(kind))
            let choices: Int
            switch kind {
            case .destination, .value, .exchanged:
                instruction.rd = register
                continue
            case .source:
                instruction.rs1 = register
                continue
            case .source2:
                instruction.rs2 = register
                continue
            case .immediate:
                instruction.immediate =
                    opcode.shape.isAccess
                    ? Int64(Int32(truncatingIfNeeded: generator.interestingValue()))
                    : generator.constant(opcode.type)
                continue
            case .label: choices = labels.count
            case .table: choices = tables.count
            case .procedure: choices = procedures.count
            case .symbol:
                choices = program.regions.count
                if generator.oneIn(2) { instruction.immediate = generator.interestingValue() }
            }
            guard choices > 0 else { return nil }
            instruction.index = UInt32.random(in: 0..<UInt32(choices), using: &generator)
        }
        return instruction
    }

    private mutating func randomCall(
        of function: HostDeclaration, using generator: inout SeededGenerator
    ) -> Instruction {
        var call = MacroCall(name: function.name, operands: [])
        if let result = function.result {
            call.operands.append(.register(generator.register(result.isFloat ? .float : .integer)))
        }
        for type in function.parameters {
            call.operands.append(
                type.isFloat || generator.oneIn(2)
                    ? .register(generator.register(type.isFloat ? .float : .integer))
                    : .immediate(generator.constant(type)))
        }
        macroCalls.append(call)
        return Instruction(Opcode(.hostCall), index: UInt32(macroCalls.count - 1))
    }

    private mutating func randomMacroInstruction(using generator: inout SeededGenerator) -> Instruction {
        let names = ["s_refuse", "accept", "in", "x", "static", "host", "macro"]
        var call = MacroCall(name: names.randomElement(using: &generator) ?? "x", operands: [])
        for _ in 0..<Int.random(in: 0...ProgramLimits.macroOperands, using: &generator) {
            call.operands.append(
                generator.oneIn(2)
                    ? .register(Register(Int.random(in: 0..<Register.count, using: &generator)))
                    : .immediate(generator.interestingValue()))
        }
        macroCalls.append(call)
        return Instruction(Opcode(.macro), index: UInt32(macroCalls.count - 1))
    }
}

extension SeededGenerator {
    fileprivate mutating func register(_ bank: RegisterBank) -> Register {
        let number = Int.random(in: 0..<Register.bankSize, using: &self)
        return bank == .float ? .float(number) : Register(number)
    }

    /// A constant as instructions of the type store it; of numbers, any bits: with all of them or with the edges of
    /// sign, exponent and fraction.
    fileprivate mutating func constant(_ type: ValueType) -> Int64 {
        guard type.isFloat, oneIn(2) else { return type.immediate(interestingValue()) }
        let sign: UInt64 = oneIn(2) ? 1 : 0
        let fraction: UInt64 = oneIn(2) ? 0 : next() >> UInt64.random(in: 0..<64, using: &self)
        let (exponentBits, fractionBits): (UInt64, UInt64) = type == .f ? (8, 23) : (11, 52)
        let most = (UInt64(1) << exponentBits) - 1
        let exponent = [0, 1, most / 2, most - 1, most][Int.random(in: 0..<5, using: &self)]
        let bits = (sign << exponentBits | exponent) << fractionBits | fraction & ((1 << fractionBits) - 1)
        return type.immediate(Int64(bitPattern: bits))
    }
}
