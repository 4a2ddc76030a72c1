import SCodeIR

extension Program {
    /// A program with everything that a module can hold, in any order and with indices that lead anywhere: what
    /// the module format must carry, whether or not the verifier likes it or the text form can say it.
    public static func randomModule(using generator: inout SeededGenerator) -> Program {
        var program = Program.random(using: &generator)
        if generator.oneIn(3) {
            program.acceptorName = generator.anyName()
            program.acceptorVersion = generator.anyUInt32()
        }
        if generator.oneIn(3) { program.hostFunctions = generator.some(4) { $0.hostFunction() } }
        if generator.oneIn(3) {
            program.sourceFiles = generator.some(3) { $0.anyName() }
            if generator.oneIn(5) { program.sourceFiles.append(String(repeating: "d/", count: 1000)) }
        }
        for index in program.fragments.indices {
            if generator.oneIn(2) { program.fragments[index].scramble(using: &generator) }
            if generator.oneIn(2) {
                program.fragments[index].addPositions(files: program.sourceFiles.count, using: &generator)
            }
        }
        return program
    }
}

extension SeededGenerator {
    /// At most `limit` of what `make` makes.
    fileprivate mutating func some<Element>(
        _ limit: Int, _ make: (inout SeededGenerator) -> Element
    ) -> [Element] {
        (0..<Int.random(in: 0...limit, using: &self)).map { _ in make(&self) }
    }

    fileprivate mutating func anyUInt32() -> UInt32 { UInt32(truncatingIfNeeded: interestingValue()) }

    fileprivate mutating func anyRegister() -> Register {
        Register(Int.random(in: 0..<Register.count, using: &self))
    }

    fileprivate mutating func anyType() -> ValueType { ValueType.allCases.randomElement(using: &self) ?? .ul }

    /// Names that no text could have, and none at all, too.
    fileprivate mutating func anyName() -> String {
        let names = [
            "", "a", "L0", "name of 15 byte", "name of 16 bytes", "a name of more bytes", "größe", "名前",
            "🙂 {}()",
            "\u{a0}", "~", " ",
        ]
        if oneIn(10) { return String(repeating: "x", count: Int.random(in: 120...255, using: &self)) }
        return names.randomElement(using: &self) ?? ""
    }

    fileprivate mutating func hostFunction() -> HostDeclaration {
        HostDeclaration(
            name: anyName(), parameters: some(ProgramLimits.macroOperands) { $0.anyType() },
            result: oneIn(3) ? nil : anyType())
    }

    fileprivate mutating func anyOperand() -> MacroOperand {
        oneIn(2) ? .register(anyRegister()) : .immediate(interestingValue())
    }
}

extension FragmentCode {
    /// Makes the fragment one that a module can hold and that no parser would make.
    fileprivate mutating func scramble(using generator: inout SeededGenerator) {
        if generator.oneIn(2) { name = generator.anyName() }
        labels += generator.some(4) { Label(name: $0.anyName(), position: $0.anyUInt32()) }
        tables += generator.some(3) { generator in
            JumpTable(name: generator.anyName(), labels: generator.some(5) { $0.anyUInt32() })
        }
        procedures += generator.some(4) { Procedure(name: $0.anyName(), start: $0.anyUInt32()) }
        macroCalls += generator.some(3) { generator in
            MacroCall(
                name: generator.anyName(),
                operands: generator.some(ProgramLimits.macroOperands) { $0.anyOperand() })
        }
        instructions += generator.some(30) { $0.anyInstruction() }
        instructions.shuffle(using: &generator)
        for number in 0..<Register.count where generator.oneIn(8) {
            let name = generator.anyName()
            registerNames[number] = name.isEmpty ? nil : name
        }
        for index in parameters.indices where generator.oneIn(2) {
            parameters[index].name = generator.anyName()
        }
        if generator.oneIn(4) { self = removingNames() }
    }

    private func removingNames() -> FragmentCode {
        Program(fragments: [self]).stripped(positions: false).fragments.first ?? self
    }

    fileprivate mutating func addPositions(files: Int, using generator: inout SeededGenerator) {
        func range(near last: SourceRange, using generator: inout SeededGenerator) -> SourceRange {
            var range = last
            if !generator.oneIn(3) {
                range.line &+= UInt32(truncatingIfNeeded: Int.random(in: -2...20, using: &generator))
            }
            if generator.oneIn(9) { range.line = generator.anyUInt32() }
            if generator.oneIn(3) { range.column = generator.anyUInt32() }
            if generator.oneIn(2) { range.length = generator.anyUInt32() }
            if generator.oneIn(4), files > 0 {
                range.file = UInt16.random(in: 0..<UInt16(files), using: &generator)
            }
            return range
        }
        if !generator.oneIn(3) { self.range = range(near: .none, using: &generator) }
        guard !generator.oneIn(3) else { return }
        var last = self.range
        for _ in instructions {
            last = range(near: last, using: &generator)
            sourceRanges.append(last)
        }
    }
}

extension SeededGenerator {
    /// An instruction of the table that keeps rule V1 as far as an instruction alone can.
    fileprivate mutating func anyInstruction() -> Instruction {
        guard !oneIn(10), let opcode = Opcode.all.randomElement(using: &self) else {
            return Instruction(Opcode(.macro), index: anyUInt32())
        }
        var instruction = Instruction(opcode)
        for kind in opcode.operands {
            switch kind {
            case .destination, .value, .exchanged: instruction.rd = anyRegister()
            case .source: instruction.rs1 = anyRegister()
            case .source2: instruction.rs2 = anyRegister()
            case .immediate:
                let value = interestingValue()
                instruction.immediate =
                    opcode.shape.isAccess
                    ? Int64(Int32(truncatingIfNeeded: value)) : opcode.type.immediate(value)
            case .symbol:
                instruction.index = anyUInt32()
                instruction.immediate = interestingValue()
            case .label, .table, .procedure: instruction.index = anyUInt32()
            }
        }
        if opcode.shape.isExpanded { instruction.index = anyUInt32() }
        return instruction
    }
}
