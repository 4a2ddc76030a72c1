import SCodeIR

/// Last part of reading a fragment: statements become instructions.
extension Parser {
    /// *Requires* registers and labels. *Produces* the instructions, their places, the macro calls, and the
    /// positions of labels: an instruction that is left out moves no label.
    mutating func resolveStatements() {
        var next = NextMarkers()
        var isFull = false
        fragment.code.instructions.reserveCapacity(fragment.statements.count)
        fragment.code.sourceRanges.reserveCapacity(fragment.statements.count)
        for index in fragment.statements.indices {
            placeMarkers(upTo: index, &next)
            let statement = fragment.statements[index]
            sink.expansion = statement.expansion
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
            fragment.code.instructions.append(instruction)
            fragment.code.sourceRanges.append(mnemonic.range(through: tokens[statement.last]))
        }
        sink.expansion = nil
        placeMarkers(upTo: fragment.statements.count, &next)
    }

    /// The first label and the first procedure that have no position yet.
    private struct NextMarkers {
        var label = 0
        var procedure = 0
    }

    private mutating func placeMarkers(upTo statement: Int, _ next: inout NextMarkers) {
        let position = UInt32(truncatingIfNeeded: fragment.code.instructions.count)
        while next.label < fragment.labelPlaces.count, fragment.labelPlaces[next.label].statement <= statement
        {
            fragment.code.labels[next.label].position = position
            next.label += 1
        }
        while next.procedure < fragment.procedurePlaces.count,
            fragment.procedurePlaces[next.procedure].statement <= statement
        {
            fragment.code.procedures[next.procedure].start = position
            next.procedure += 1
        }
    }

    private mutating func resolve(_ statement: FragmentScope.Statement) -> Instruction? {
        guard let row = statement.row else { return macroCall(statement) }
        if row.shape == .hostCall { return hostCall(statement) }
        var wanted = row.operands.count
        let operands = statement.operands
        // The offset of an access may be left out.
        let hasNoOffset = row.shape.isAccess && operands.count == wanted - 1
        if hasNoOffset { wanted -= 1 }
        guard operands.count == wanted else {
            sink.error(
                tokens[statement.mnemonic].range,
                "'\(row.opcode.mnemonic)' takes \(count(wanted, "operand")), not \(operands.count)",
                suggestion: "write \(usage(row))")
            return nil
        }
        var result = Instruction(row.opcode)
        if hasNoOffset, let immediate = row.withImmediate { result.opcode = immediate }
        var isWhole = true
        for index in 0..<wanted {
            let operand = fragment.operands[operands.lowerBound + index]
            if operand.isEmpty {
                sink.error(range(of: operand), "an operand is missing", suggestion: "write \(usage(row))")
                isWhole = false
            } else if !fill(index, operand, &result, row) {
                isWhole = false
            }
        }
        return isWhole ? result : nil
    }

    /// "1 operand", "2 operands".
    func count(_ number: Int, _ what: String) -> String { "\(number) \(what)\(number == 1 ? "" : "s")" }

    /// Reads an operand, the first being 0, into the instruction; false after a complaint.
    private mutating func fill(
        _ index: Int, _ operand: Range<Int>, _ instruction: inout Instruction, _ row: Mnemonic
    ) -> Bool {
        switch row.operands[index] {
        case .destination, .value, .exchanged:
            guard let register = register(operand, row.banks[index]) else { return false }
            instruction.rd = register
        case .source:
            guard let register = register(operand, row.banks[index]) else { return false }
            instruction.rs1 = register
        case .source2:
            return lastSource(operand, &instruction, row, row.banks[index])
        case .immediate, .symbol:
            return constantOperand(operand, &instruction)
        case .label:
            guard let index = name(operand, "a label", { $0.label(at: $1) }) else { return false }
            instruction.index = index
        case .table:
            guard let index = name(operand, "a table", { $0.table($1) }) else { return false }
            instruction.index = index
        case .procedure:
            guard let index = name(operand, "a procedure", { $0.procedure($1) }) else { return false }
            instruction.index = index
        }
        return true
    }

    /// A register or, when the table has that form too, a constant: `addu r1, r2, 7` is `addui`.
    private mutating func lastSource(
        _ operand: Range<Int>, _ instruction: inout Instruction, _ row: Mnemonic, _ bank: RegisterBank
    ) -> Bool {
        guard !isRegisterName(operand), let opcode = row.withImmediate else {
            guard let register = register(operand, bank) else { return false }
            instruction.rs2 = register
            return true
        }
        instruction.opcode = opcode
        return constantOperand(operand, &instruction)
    }

    /// Whether the operand is a name that no constant has, and so can only be a register.
    func isRegisterName(_ operand: Range<Int>) -> Bool {
        guard let token = singleName(operand) else { return false }
        return declarations.constants[token.name] == nil && !isNumberWord(token)
    }

    private mutating func constantOperand(_ operand: Range<Int>, _ instruction: inout Instruction) -> Bool {
        let opcode = instruction.opcode
        let isSet = opcode.shape == .constant
        let first = tokens[operand.lowerBound]
        if isSet, first.kind == .identifier, let region = declarations.regions[first.name] {
            return symbol(operand, region, &instruction)
        }
        if let token = singleName(operand),
            fragment.registers[token.name] != nil || names[token.name].register != nil
        {
            let other = isSet ? "mov\(opcode.type.suffix)" : String(opcode.mnemonic.dropLast())
            let known = Opcode.byMnemonic[other] != nil
            sink.error(
                token.range, "'\(opcode.mnemonic)' takes a constant, and '\(text(token))' is a register",
                suggestion: known ? "for a register use \(other)" : nil)
            return false
        }
        if isSet, opcode.type.isFloat {
            guard let bits = evaluate(operand, { $0.floatBits(opcode.type, operand) }) else { return false }
            instruction.immediate = Int64(bitPattern: bits)
            return true
        }
        guard let value = evaluate(operand) else { return false }
        if opcode.shape.isAccess {
            guard let offset = Int32(exactly: value) else {
                sink.error(
                    range(of: operand), "the offset \(value) does not fit in 32 bits",
                    suggestion: "add it to the base with addp")
                return false
            }
            instruction.immediate = Int64(offset)
        } else {
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

    /// The value of the expression that is the whole operand.
    mutating func evaluate(_ operand: Range<Int>) -> Int128? { evaluate(operand) { $0.expression() } }

    private mutating func evaluate<Value>(
        _ operand: Range<Int>, _ body: (inout Parser) -> Value?
    ) -> Value? {
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

    // MARK: Macro-instructions

    /// An instruction that the opcode table does not have is the acceptor's, as far as the parser can tell.
    private mutating func macroCall(_ statement: FragmentScope.Statement) -> Instruction? {
        let mnemonic = tokens[statement.mnemonic]
        var call = MacroCall(name: text(mnemonic), operands: [])
        // It may be a macro of a file that was not read.
        if includes.hasUnread { return nil }
        guard statement.operands.count <= ProgramLimits.macroOperands else {
            sink.error(
                mnemonic.range, "a macro-instruction has at most \(ProgramLimits.macroOperands) operands")
            return nil
        }
        for index in statement.operands {
            guard let operand = macroOperand(fragment.operands[index]) else { continue }
            call.operands.append(operand)
        }
        return call.operands.count == statement.operands.count ? append(call, .macro) : nil
    }

    /// The instruction for a macro-instruction or the call of a host function.
    mutating func append(_ call: MacroCall, _ operation: Operation) -> Instruction {
        let index = UInt32(truncatingIfNeeded: fragment.code.macroCalls.count)
        if fragment.code.instructions.count < ProgramLimits.instructionsPerFragment {
            fragment.code.macroCalls.append(call)
        }
        return Instruction(Opcode(operation), index: index)
    }

    private mutating func macroOperand(_ operand: Range<Int>) -> MacroOperand? {
        if operand.isEmpty {
            sink.error(range(of: operand), "an operand is missing")
            return nil
        }
        if let token = singleName(operand), declarations.valueDeclaration(of: token.name) == nil,
            !isNumberWord(token)
        {
            return register(operand, nil).map { .register($0) }
        }
        guard let value = evaluate(operand) else { return nil }
        return .immediate(Int64(truncatingIfNeeded: value))
    }

    // MARK: Help

    /// How the instruction is written, in the words of the table.
    private func usage(_ row: Mnemonic) -> String {
        let operands = zip(row.operands, row.banks).map { kind, bank in
            let register = bank == .float ? "floating-point register" : "register"
            return switch kind {
            case .destination: "destination"
            case .value: "value"
            case .exchanged: row.shape == .compareExchange ? "expected value" : "value"
            case .source: row.shape.isAccess ? "base" : register
            case .source2:
                row.shape == .compareExchange
                    ? "new value" : row.withImmediate == nil ? register : "register or constant"
            case .immediate, .symbol:
                row.shape.isAccess ? "offset" : row.opcode.type.isFloat ? "number" : "constant"
            case .label: "label"
            case .table: "table"
            case .procedure: "procedure"
            }
        }
        return ([row.opcode.mnemonic] + [operands.joined(separator: ", ")]).filter { !$0.isEmpty }
            .joined(separator: " ")
    }
}
