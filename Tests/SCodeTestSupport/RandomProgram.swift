import SCodeIR

extension Program {
    /// A program that keeps the structural rules and is in the order in which the text form lists things:
    /// labels by position, one macro call for each macro-instruction, a parameter's register called like it.
    public static func random(using generator: inout SeededGenerator) -> Program {
        var program = Program()
        if !generator.oneIn(3) { program.acceptorName = generator.oneIn(2) ? "scheduler" : "plain" }
        var names = NameSource()
        for _ in 0..<Int.random(in: 0...ProgramLimits.regions, using: &generator) {
            let size = UInt64(bitPattern: generator.interestingValue())
            program.regions.append(
                Region(
                    name: names.next(&generator),
                    policy: MemoryPolicy.allCases.randomElement(using: &generator) ?? .virtual,
                    isWritable: generator.oneIn(2), size: size))
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
        var free = RegisterSet.all.registers
        if generator.oneIn(2) { free.shuffle(using: &generator) }
        for _ in 0..<Int.random(in: 0...ProgramLimits.parameters, using: &generator) {
            let register = free.removeFirst()
            let type = ValueType.allCases.randomElement(using: &generator) ?? .ul
            var parameter = Parameter(name: names.next(&generator), register: register, type: type)
            if generator.oneIn(5) {
                parameter.name = register.name
            } else {
                fragment.registerNames[Int(register.number)] = parameter.name
            }
            if type.size == 8, !program.regions.isEmpty, generator.oneIn(2) {
                parameter.defaultValue = .region(
                    UInt32.random(in: 0..<UInt32(program.regions.count), using: &generator))
            } else if generator.oneIn(2) {
                parameter.defaultValue = .constant(type.immediate(generator.interestingValue()))
            }
            fragment.parameters.append(parameter)
        }
        for register in free where generator.oneIn(4) {
            fragment.registerNames[Int(register.number)] = names.next(&generator)
        }
        let count = generator.oneIn(5) ? 0 : Int.random(in: 1...40, using: &generator)
        for _ in 0..<Int.random(in: 0...5, using: &generator) {
            fragment.labels.append(
                Label(
                    name: names.next(&generator),
                    position: UInt32.random(in: 0...UInt32(count), using: &generator)))
        }
        fragment.labels.sort { $0.position < $1.position }
        for _ in 0..<Int.random(in: 0...2, using: &generator) {
            let labels = fragment.labels.indices.filter { _ in generator.oneIn(2) }.map { UInt32($0) }
            fragment.tables.append(JumpTable(name: names.next(&generator), labels: labels))
        }
        for _ in 0..<count {
            fragment.instructions.append(fragment.randomInstruction(in: program, using: &generator))
        }
        return fragment
    }

    /// An instruction of the table with operands that exist; a macro call when the one drawn has none.
    private mutating func randomInstruction(
        in program: Program, using generator: inout SeededGenerator
    ) -> Instruction {
        func register() -> Register { Register(Int.random(in: 0..<Register.count, using: &generator)) }
        if !generator.oneIn(8), let opcode = Opcode.all.randomElement(using: &generator) {
            var instruction = Instruction(opcode)
            var isWhole = true
            for kind in opcode.operands {
                let choices: Int
                switch kind {
                case .destination, .value, .exchanged: instruction.rd = register()
                case .source: instruction.rs1 = register()
                case .source2: instruction.rs2 = register()
                case .immediate:
                    let isOffset = opcode.shape.isAccess
                    let value = generator.interestingValue()
                    instruction.immediate =
                        isOffset ? Int64(Int32(truncatingIfNeeded: value)) : opcode.type.immediate(value)
                case .label, .table, .procedure, .symbol:
                    choices =
                        kind == .label
                        ? labels.count
                        : kind == .table
                            ? tables.count
                            : kind == .procedure ? procedures.count : program.regions.count
                    if choices == 0 {
                        isWhole = false
                    } else {
                        instruction.index = UInt32.random(in: 0..<UInt32(choices), using: &generator)
                    }
                    if kind == .symbol, generator.oneIn(2) {
                        instruction.immediate = generator.interestingValue()
                    }
                }
            }
            if isWhole { return instruction }
        }
        let names = ["s_refuse", "accept", "in", "x", "static"]
        var call = MacroCall(name: names.randomElement(using: &generator) ?? "x", operands: [])
        for _ in 0..<Int.random(in: 0...ProgramLimits.macroOperands, using: &generator) {
            call.operands.append(
                generator.oneIn(2) ? .register(register()) : .immediate(generator.interestingValue()))
        }
        macroCalls.append(call)
        return Instruction(Opcode(.macro), index: UInt32(macroCalls.count - 1))
    }
}
