import SCodeIR

/// Second part of reading a fragment: which register each name means, where labels and tables lead.
extension Parser {
    /// Gives each name that is written a register: the lowest that nothing else uses, in the order in which the
    /// names first appear. Then the same for names that only macro-instructions mention, one of whose operands
    /// may be written, as the acceptor says; whether it is, the verifier finds out.
    mutating func assignRegisters() {
        var reported = false
        for statement in fragment.statements {
            guard let opcode = statement.opcode, opcode.shape != .store,
                opcode.operands.first == .destination, let operand = statement.operands.first
            else { continue }
            place(fragment.operands[operand], &reported)
        }
        for statement in fragment.statements where statement.opcode == nil {
            for operand in statement.operands { place(fragment.operands[operand], &reported) }
        }
    }

    private mutating func place(_ operand: Range<Int>, _ reported: inout Bool) {
        guard let token = singleName(operand) else { return }
        let name = text(token)
        guard TextForm.isDeclarable(name), fragment.registers[name] == nil, !fragment.unplaced.contains(name),
            declarations.valueDeclaration(of: name) == nil
        else { return }
        let free = ~fragment.reserved.rawValue
        guard free != 0 else {
            fragment.unplaced.insert(name)
            if !reported {
                sink.error(
                    token.range, "no register is left for '\(name)': there are \(Register.count)",
                    suggestion: "use a register for more than one thing, one after the other")
            }
            reported = true
            return
        }
        let register = Register(free.trailingZeroBitCount)
        fragment.reserved.insert(register)
        fragment.registers[name] = .init(register: register, range: token.range)
        fragment.code.registerNames[Int(register.number)] = name
    }

    /// The operand's token, if the operand is a name and nothing else.
    func singleName(_ operand: Range<Int>) -> Token? {
        guard operand.count == 1, tokens[operand.lowerBound].kind == .identifier else { return nil }
        return tokens[operand.lowerBound]
    }

    /// Turns the names in tables into labels.
    mutating func resolveTables() {
        for (name, entries) in fragment.tableEntries {
            var table = JumpTable(name: text(name), labels: [])
            table.labels.reserveCapacity(entries.count)
            for entry in entries {
                if let label = label(entry) { table.labels.append(label) }
            }
            fragment.code.tables.append(table)
        }
    }

    /// The index of the label that the token names; complains if there is none.
    mutating func label(_ token: Token) -> UInt32? {
        let name = text(token)
        if let index = fragment.labels[name] { return index }
        var suggestion = sink.didYouMean(name, among: fragment.labels.keys)
        if suggestion == nil, fragment.tables[name] != nil { suggestion = "jump through a table with jt" }
        sink.error(token.range, "no label '\(name)' is placed in this fragment", suggestion: suggestion)
        return nil
    }

    /// The register that the operand names; complains if it names none.
    mutating func register(_ operand: Range<Int>) -> Register? {
        guard let token = singleName(operand) else {
            if isReadable(operand) {
                sink.error(
                    range(of: operand), "expected a register",
                    suggestion: "put the constant in a register with set")
            }
            return nil
        }
        let name = text(token)
        if let known = fragment.registers[name] { return known.register }
        if TextForm.looksLikeRegister(name) {
            if let register = TextForm.register(named: name) { return register }
            sink.error(token.range, "there is no register '\(name)'", suggestion: "registers are r0 to r31")
        } else if let other = declarations.valueDeclaration(of: name) {
            sink.error(
                token.range, "'\(name)' is \(other.what), and this must be a register",
                notes: [.init(other.range, "declared here")])
        } else if !fragment.unplaced.contains(name) {
            unknownRegister(token)
        }
        return nil
    }

    mutating func unknownRegister(_ token: Token) {
        let name = text(token)
        let suggestion = sink.didYouMean(
            name, among: Array(fragment.registers.keys) + declarations.constants.keys)
        sink.error(
            token.range, "nothing is called '\(name)': no instruction of this fragment writes it",
            suggestion: suggestion)
    }

    /// Whether the lexer understood all of the operand; if not, enough has been said about it.
    func isReadable(_ operand: Range<Int>) -> Bool {
        operand.allSatisfy { tokens[$0].kind != .invalid }
    }

    /// Where the operand stands; of an empty one, where it should.
    func range(of operand: Range<Int>) -> SourceRange {
        if operand.isEmpty {
            var range = tokens[operand.lowerBound].range
            range.length = max(1, range.length)
            return range
        }
        return tokens[operand.lowerBound].range(through: tokens[operand.upperBound - 1])
    }
}
