import SCodeIR

/// Last part of reading a fragment: statements become instructions.
extension Parser {
    /// *Requires* registers and labels. *Produces* the instructions, their places, the macro calls, and the
    /// positions of labels: an instruction that is left out moves no label.
    mutating func resolveStatements() {
        var nextLabel = 0
        var isFull = false
        fragment.code.instructions.reserveCapacity(fragment.statements.count)
        fragment.code.sourceRanges.reserveCapacity(fragment.statements.count)
        for index in fragment.statements.indices {
            placeLabels(upTo: index, &nextLabel)
            let statement = fragment.statements[index]
            guard let instruction = resolve(statement) else { continue }
            let mnemonic = tokens[statement.mnemonic]
            guard fragment.code.instructions.count < ProgramLimits.instructionsPerFragment else {
                if !isFull {
                    sink.error(
                        mnemonic.range,
                        "a fragment has at most \(ProgramLimits.instructionsPerFragment) instructions")
                }
                isFull = true
                continue
            }
            let last =
                statement.operands.last.map { fragment.operands[$0].upperBound - 1 } ?? statement.mnemonic
            fragment.code.instructions.append(instruction)
            fragment.code.sourceRanges.append(mnemonic.range(through: tokens[last]))
        }
        placeLabels(upTo: fragment.statements.count, &nextLabel)
    }

    private mutating func placeLabels(upTo statement: Int, _ next: inout Int) {
        while next < fragment.labelPlaces.count, fragment.labelPlaces[next].statement <= statement {
            fragment.code.labels[next].position = UInt32(truncatingIfNeeded: fragment.code.instructions.count)
            next += 1
        }
    }

    private mutating func resolve(_ statement: FragmentScope.Statement) -> Instruction? {
        guard let opcode = statement.opcode else { return macroCall(statement) }
        var operands = Array(fragment.operands[statement.operands])
        var wanted = opcode.operands
        // The offset of a load or store may be left out.
        let hasNoOffset = (opcode.shape == .load || opcode.shape == .store) && operands.count == 2
        if hasNoOffset { wanted.removeLast() }
        guard operands.count == wanted.count else {
            let mnemonic = tokens[statement.mnemonic]
            sink.error(
                mnemonic.range,
                "'\(opcode.mnemonic)' takes \(wanted.count) operand\(wanted.count == 1 ? "" : "s"), not \(operands.count)",
                suggestion: "write \(usage(opcode))")
            return nil
        }
        var result = Instruction(opcode)
        if hasNoOffset, let immediate = opcode.withImmediate { result.opcode = immediate }
        var isWhole = true
        for kind in wanted {
            let operand = operands.removeFirst()
            if operand.isEmpty {
                sink.error(range(of: operand), "an operand is missing", suggestion: "write \(usage(opcode))")
                isWhole = false
            } else if !fill(kind, operand, &result, statement) {
                isWhole = false
            }
        }
        return isWhole ? result : nil
    }

    /// Reads one operand into the instruction; false after a complaint.
    private mutating func fill(
        _ kind: OperandKind, _ operand: Range<Int>, _ instruction: inout Instruction,
        _ statement: FragmentScope.Statement
    ) -> Bool {
        switch kind {
        case .destination, .value, .exchanged:
            guard let register = register(operand) else { return false }
            instruction.rd = register
        case .source:
            guard let register = register(operand) else { return false }
            instruction.rs1 = register
        case .source2:
            return lastSource(operand, &instruction)
        case .immediate, .symbol:
            return constantOperand(operand, &instruction)
        case .label:
            guard let index = name(operand, "a label", { $0.label($1) }) else { return false }
            instruction.index = index
        case .table:
            guard let index = name(operand, "a table", { $0.table($1) }) else { return false }
            instruction.index = index
        case .procedure: return false
        }
        return true
    }

    /// A register or, when the table has that form too, a constant: `addu r1, r2, 7` is `addui`.
    private mutating func lastSource(_ operand: Range<Int>, _ instruction: inout Instruction) -> Bool {
        if let token = singleName(operand) {
            let name = text(token)
            if declarations.constants[name] == nil {
                guard let register = register(operand) else { return false }
                instruction.rs2 = register
                return true
            }
        }
        guard let opcode = instruction.opcode.withImmediate else { return register(operand) != nil }
        instruction.opcode = opcode
        return constantOperand(operand, &instruction)
    }

    private mutating func constantOperand(_ operand: Range<Int>, _ instruction: inout Instruction) -> Bool {
        let opcode = instruction.opcode
        let isSet = opcode.shape == .constant
        let first = tokens[operand.lowerBound]
        if isSet, first.kind == .identifier, let region = declarations.regions[text(first)] {
            return symbol(operand, region, &instruction)
        }
        if let token = singleName(operand), fragment.registers[text(token)] != nil || isRegister(token) {
            let other = isSet ? "mov\(opcode.type.suffix)" : String(opcode.mnemonic.dropLast())
            let known = Opcode.byMnemonic[other] != nil
            sink.error(
                token.range, "'\(opcode.mnemonic)' takes a constant, and '\(text(token))' is a register",
                suggestion: known ? "for a register use \(other)" : nil)
            return false
        }
        guard let value = evaluate(operand) else { return false }
        switch opcode.shape {
        case .load, .store, .fetch, .compareExchange:
            guard let offset = Int32(exactly: value) else {
                sink.error(
                    range(of: operand), "the offset \(value) does not fit in 32 bits",
                    suggestion: "add it to the base with addp")
                return false
            }
            instruction.immediate = Int64(offset)
        case .binary, .unary, .constant, .convert, .branch, .jump, .jumpTable, .call, .return, .hostCall, .macro:
            guard let constant = immediate(value, opcode.type, range(of: operand)) else { return false }
            instruction.immediate = constant
        }
        return true
    }

    /// `REGION`, `REGION + EXPRESSION`, `REGION - EXPRESSION`
    private mutating func symbol(
        _ operand: Range<Int>, _ region: Declarations.DeclaredRegion, _ instruction: inout Instruction
    ) -> Bool {
        guard instruction.opcode.type == .p else {
            sink.error(
                tokens[operand.lowerBound].range, "the address of a region is of type p",
                suggestion: "write setp")
            return false
        }
        guard let index = region.index else { return false }
        var sum: Int128 = 0
        if operand.count > 1 {
            let isSum = [.plus, .minus].contains(tokens[operand.lowerBound + 1].kind)
            guard isSum else {
                if isReadable(operand) {
                    sink.error(
                        tokens[operand.lowerBound + 1].range, "only + and - can follow the name of a region")
                }
                return false
            }
            guard
                let value = evaluate(operand.lowerBound + 1..<operand.upperBound, { $0.addend() })
            else { return false }
            sum = value
        }
        instruction.opcode.form = .symbol
        instruction.index = index
        instruction.immediate = Int64(truncatingIfNeeded: sum)
        return true
    }

    private func isRegister(_ token: Token) -> Bool { TextForm.register(named: text(token)) != nil }

    /// The value of the expression that is the whole operand.
    private mutating func evaluate(
        _ operand: Range<Int>, _ body: (inout Parser) -> Int128? = { $0.expression() }
    ) -> Int128? {
        guard isReadable(operand) else { return nil }
        let outer = (position, limit)
        defer { (position, limit) = outer }
        (position, limit) = (operand.lowerBound, operand.upperBound)
        guard let value = body(&self) else { return nil }
        guard position == limit else {
            unexpected("the end of the operand")
            return nil
        }
        return value
    }

    /// The constant as an instruction of that type stores it; complains if it has too many bits.
    mutating func immediate(_ value: Int128, _ type: ValueType, _ range: SourceRange) -> Int64? {
        let least = -(Int128(1) << (type.bits - 1))
        let most = (Int128(1) << type.bits) - 1
        guard value >= least, value <= most else {
            sink.error(
                range, "\(value) does not fit in the \(type.bits) bits of type \(type.suffix)",
                suggestion: "the range is \(least) to \(most)")
            return nil
        }
        return type.immediate(Int64(truncatingIfNeeded: value))
    }

    private mutating func name(
        _ operand: Range<Int>, _ what: String, _ find: (inout Parser, Token) -> UInt32?
    ) -> UInt32? {
        if let token = singleName(operand) { return find(&self, token) }
        if isReadable(operand) { sink.error(range(of: operand), "expected \(what)") }
        return nil
    }

    private mutating func table(_ token: Token) -> UInt32? {
        if let index = fragment.tables[text(token)] { return index }
        let suggestion = sink.didYouMean(text(token), among: fragment.tables.keys)
        sink.error(
            token.range, "no table '\(text(token))' is declared in this fragment", suggestion: suggestion)
        return nil
    }

    // MARK: Macro-instructions

    /// An instruction that the opcode table does not have is the acceptor's, as far as the parser can tell.
    private mutating func macroCall(_ statement: FragmentScope.Statement) -> Instruction? {
        let mnemonic = tokens[statement.mnemonic]
        var call = MacroCall(name: text(mnemonic), operands: [])
        guard statement.operands.count <= ProgramLimits.macroOperands else {
            sink.error(
                mnemonic.range, "a macro-instruction has at most \(ProgramLimits.macroOperands) operands")
            return nil
        }
        var isWhole = true
        for index in statement.operands {
            guard let operand = macroOperand(fragment.operands[index]) else {
                isWhole = false
                continue
            }
            call.operands.append(operand)
        }
        guard isWhole else { return nil }
        let index = UInt32(truncatingIfNeeded: fragment.code.macroCalls.count)
        if fragment.code.instructions.count < ProgramLimits.instructionsPerFragment {
            fragment.code.macroCalls.append(call)
        }
        return Instruction(Opcode(.macro), index: index)
    }

    private mutating func macroOperand(_ operand: Range<Int>) -> MacroOperand? {
        if operand.isEmpty {
            sink.error(range(of: operand), "an operand is missing")
            return nil
        }
        if let token = singleName(operand), declarations.valueDeclaration(of: text(token)) == nil {
            return register(operand).map { .register($0) }
        }
        guard let value = evaluate(operand) else { return nil }
        return .immediate(Int64(truncatingIfNeeded: value))
    }

    // MARK: Help

    /// How the instruction is written, in the words of the table.
    private func usage(_ opcode: Opcode) -> String {
        let operands = opcode.operands.map { kind in
            switch kind {
            case .destination: "destination"
            case .value, .exchanged: "value"
            case .procedure: "procedure"
            case .source: opcode.shape == .load || opcode.shape == .store ? "base" : "register"
            case .source2: opcode.withImmediate == nil ? "register" : "register or constant"
            case .immediate, .symbol: "constant"
            case .label: "label"
            case .table: "table"
            }
        }
        return "\(opcode.mnemonic) \(operands.joined(separator: ", "))"
    }
}
