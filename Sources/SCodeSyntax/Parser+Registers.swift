import SCodeIR

/// Second part of reading a fragment: which register each name means.
extension Parser {
    /// Gives each name that is written a register of the kind that is written: the lowest that nothing else uses, in
    /// the order in which the names first appear. Then the same for names that only macro-instructions mention, one
    /// of whose operands may be written, as the acceptor says; whether it is, the verifier finds out.
    mutating func assignRegisters() {
        var hasMacros = false
        for statement in fragment.statements {
            if statement.row == nil { hasMacros = true }
            for operand in statement.operands {
                guard let token = singleName(fragment.operands[operand]),
                    let register = names[token.name].register
                else { continue }
                fragment.reserved.insert(register)
            }
        }
        var reported = false
        for statement in fragment.statements {
            sink.expansion = statement.expansion
            guard let row = statement.row, let operand = statement.operands.first else { continue }
            if row.shape == .hostCall {
                if let result = hostFunction(statement)?.result, statement.operands.count > 1 {
                    place(fragment.operands[operand + 1], result.isFloat ? .float : .integer, &reported)
                }
            } else if row.operands.first == .destination || row.operands.first == .exchanged {
                place(fragment.operands[operand], row.banks[0], &reported)
            }
        }
        // An instruction that nothing here declares may be a macro of a file that was not read, and its operands
        // anything.
        if hasMacros, !includes.hasUnread { assignMacroOperands(&reported) }
        sink.expansion = nil
    }

    /// Names that only macro-instructions mention, or write: floating-point if an instruction reads them as such.
    private mutating func assignMacroOperands(_ reported: inout Bool) {
        var floats: Set<Name> = []
        for statement in fragment.statements {
            guard let row = statement.row, row.banks.contains(.float),
                statement.operands.count == row.banks.count
            else { continue }
            for (operand, bank) in zip(statement.operands, row.banks) where bank == .float {
                if let token = singleName(fragment.operands[operand]) { floats.insert(token.name) }
            }
        }
        for statement in fragment.statements where statement.row == nil {
            sink.expansion = statement.expansion
            for index in statement.operands {
                let operand = fragment.operands[index]
                guard let token = singleName(operand) else { continue }
                place(operand, floats.contains(token.name) ? .float : .integer, &reported)
            }
        }
    }

    private mutating func place(_ operand: Range<Int>, _ bank: RegisterBank, _ reported: inout Bool) {
        guard let token = singleName(operand) else { return }
        let name = token.name
        guard fragment.registers[name] == nil, names[name].isDeclarable, !fragment.unplaced.contains(name),
            declarations.valueDeclaration(of: name) == nil
        else { return }
        guard let register = fragment.reserved.lowestFree(bank) else {
            fragment.unplaced.insert(name)
            if !reported {
                let kind = bank == .float ? "floating-point register" : "register"
                sink.error(
                    token.range, "no \(kind) is left for '\(text(token))': there are \(Register.bankSize)",
                    suggestion: "use a register for more than one thing, one after the other")
            }
            reported = true
            return
        }
        fragment.reserved.insert(register)
        fragment.registers[name] = .init(register: register, range: token.range)
        fragment.code.registerNames[Int(register.number)] = names[name].text
    }

    /// The operand's token, if the operand is a name and nothing else.
    func singleName(_ operand: Range<Int>) -> Token? {
        guard operand.count == 1, tokens[operand.lowerBound].kind == .identifier else { return nil }
        return tokens[operand.lowerBound]
    }

    /// The register that the operand names; complains if it names none, or one that is not in the bank. Any bank
    /// will do when none is given.
    mutating func register(_ operand: Range<Int>, _ bank: RegisterBank?) -> Register? {
        guard let token = singleName(operand) else {
            if isReadable(operand) {
                sink.error(
                    range(of: operand),
                    "expected a \(bank == .float ? "floating-point register" : "register")",
                    suggestion: bank == .float
                        ? "put the number in a register with setd or setf"
                        : "put the constant in a register with set")
            }
            return nil
        }
        if let known = fragment.registers[token.name] {
            if bank == nil || known.register.bank == bank { return known.register }
            otherBank(
                token, known.register,
                notes: [
                    .init(known.range, "here '\(text(token))' stands for \(known.register.bank.value)")
                ])
            return nil
        }
        if let register = names[token.name].register {
            if bank == nil || register.bank == bank { return register }
            otherBank(token, register, notes: [])
            return nil
        }
        noRegister(token, bank)
        return nil
    }

    private mutating func otherBank(_ token: Token, _ register: Register, notes: [Diagnostic.Note]) {
        let bank = register.bank
        let wanted: RegisterBank = bank == .float ? .integer : .float
        sink.error(
            token.range, "'\(text(token))' is \(bank.description), and this must be \(wanted.description)",
            notes: notes,
            suggestion: notes.isEmpty
                ? "the \(wanted.plural)" : "give the other value another name; cv converts between them")
    }

    private mutating func noRegister(_ token: Token, _ bank: RegisterBank?) {
        let name = text(token)
        if names[token.name].looksLikeRegister {
            sink.error(
                token.range, "there is no register '\(name)'",
                suggestion: "registers are r0 to r31 and f0 to f31")
        } else if isNumberWord(token) {
            sink.error(
                token.range, "'\(name)' is a number, and this must be a register",
                suggestion: bank == .float ? "put it in a register with setd or setf" : nil)
        } else if let other = declarations.valueDeclaration(of: token.name) {
            sink.error(
                token.range, "'\(name)' is \(other.what), and this must be a register",
                notes: [.init(other.range, "declared here")],
                suggestion: bank == .float ? "put it in a register with setd or setf" : nil)
        } else if !fragment.unplaced.contains(token.name), !includes.hasUnread {
            unknownRegister(token)
        }
    }

    private mutating func unknownRegister(_ token: Token) {
        if names[token.name].isGenerated {
            sink.error(
                token.range, "nothing is called '\(text(token))': no instruction of this macro writes it",
                suggestion: "pass what belongs to the fragment as an argument")
            return
        }
        let known = candidates(fragment.registers.keys) + candidates(declarations.constants.keys)
        let suggestion = sink.didYouMean(text(token), among: known)
        sink.error(
            token.range, "nothing is called '\(text(token))': no instruction of this fragment writes it",
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

extension RegisterBank {
    /// What diagnostics call a register of the bank.
    var description: String { self == .integer ? "an integer register" : "a floating-point register" }
    var value: String { self == .integer ? "an integer" : "a floating-point number" }
    var plural: String {
        self == .integer ? "integer registers are r0 to r31" : "floating-point registers are f0 to f31"
    }
}

extension RegisterSet {
    /// The lowest register of the bank that is not a member.
    func lowestFree(_ bank: RegisterBank) -> Register? {
        let free = ~rawValue & (bank == .integer ? RegisterSet.integers : .floats).rawValue
        return free == 0 ? nil : Register(free.trailingZeroBitCount)
    }
}
