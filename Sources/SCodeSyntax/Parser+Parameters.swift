import SCodeIR

/// Parameters of a fragment, and names that are given to registers in so many words.
extension Parser {
    /// A parameter before it has a register.
    private struct ParameterWish {
        var token: Token
        var type: ValueType
        var register: Register?
        var value: ParameterDefault?
    }

    /// Reads the parameters, after the parenthesis; a wrong one does not keep the others from being read. False,
    /// after a complaint, when the closing parenthesis is not found.
    mutating func parameters() -> Bool {
        var wishes: [ParameterWish] = []
        skipNewlines()
        while current.kind != .rightParenthesis {
            let name = current
            let before = sink.count
            if let wish = parameter() {
                wishes.append(wish)
            } else {
                if name.kind == .identifier { fragment.unplaced.insert(name.name) }
                skipParameter()
            }
            skipNewlines()
            if take(.comma) == nil {
                let isClosed = take(.rightParenthesis) != nil
                if !isClosed, sink.count == before { unexpected("',' or ')' after the parameter") }
                placeParameters(wishes)
                return isClosed
            }
            skipNewlines()
        }
        position += 1
        placeParameters(wishes)
        return true
    }

    private mutating func skipParameter() {
        var depth = 0
        while current.kind != .end, current.kind != .leftBrace, depth > 0 || current.kind != .comma {
            if current.kind == .leftParenthesis { depth += 1 }
            if current.kind == .rightParenthesis {
                if depth == 0 { return }
                depth -= 1
            }
            position += 1
        }
    }

    private mutating func parameter() -> ParameterWish? {
        guard let name = expect(.identifier, "a parameter's name"),
            expect(.colon, "':' and the parameter's type") != nil,
            let typeName = expect(.identifier, "the parameter's type"), let type = valueType(typeName)
        else { return nil }
        var wish = ParameterWish(token: name, type: type)
        wish.register = names[name.name].register
        if wish.register == nil, !checkDeclarable(name, "a parameter") { return nil }
        if isWord(current, "in") {
            position += 1
            guard let place = explicitRegister() else { return nil }
            if wish.register != nil, wish.register != place {
                sink.error(name.range, "'\(text(name))' is another register")
            }
            wish.register = place
        }
        let bank: RegisterBank = type.isFloat ? .float : .integer
        if let register = wish.register, register.bank != bank {
            sink.error(
                name.range,
                "a parameter of type \(type.suffix) arrives in \(bank.description), not in \(register.name)",
                suggestion: "the \(bank.plural)")
            return nil
        }
        if take(.equals) != nil {
            guard let value = parameterDefault(type) else { return nil }
            wish.value = value
        }
        return wish
    }

    private mutating func placeParameters(_ wishes: [ParameterWish]) {
        // Parameters that ask for a register get it; the others get the lowest of their kind that are left.
        var taken: RegisterSet = []
        for wish in wishes { if let register = wish.register { taken.insert(register) } }
        var seen: RegisterSet = []
        for wish in wishes {
            guard let register = wish.register ?? taken.lowestFree(wish.type.isFloat ? .float : .integer)
            else {
                break  // too many parameters, which is said below
            }
            taken.insert(register)
            if seen.contains(register) {
                sink.error(wish.token.range, "\(register.name) already holds another parameter")
            }
            seen.insert(register)
            let name = text(wish.token)
            if names[wish.token.name].register == nil { nameRegister(wish.token, register, "parameter") }
            if fragment.code.parameters.count < ProgramLimits.parameters {
                fragment.code.parameters.append(
                    Parameter(name: name, register: register, type: wish.type, defaultValue: wish.value))
            }
        }
        if wishes.count > ProgramLimits.parameters {
            sink.error(
                wishes[ProgramLimits.parameters].token.range,
                "a fragment has at most \(ProgramLimits.parameters) parameters")
        }
        fragment.reserved.formUnion(seen)
    }

    private mutating func parameterDefault(_ type: ValueType) -> ParameterDefault? {
        let start = current
        if start.kind == .identifier, let region = declarations.regions[start.name] {
            position += 1
            if type.size < 8 || type.isFloat {
                sink.error(
                    start.range, "the address of a region does not fit in type \(type.suffix)",
                    suggestion: "use type p")
                return nil
            }
            return .region(region.index ?? 0)
        }
        if type.isFloat {
            return floatBits(type, constantExtent()).map { .constant(Int64(bitPattern: $0)) }
        }
        guard let value = expression() else { return nil }
        return immediate(value, type, start.range(through: tokens[position - 1])).map { .constant($0) }
    }

    /// The register that the next token names.
    mutating func explicitRegister() -> Register? {
        guard let token = expect(.identifier, "a register, r0 to r31 or f0 to f31") else { return nil }
        if let register = names[token.name].register { return register }
        sink.error(token.range, "'\(text(token))' is not one of the registers r0 to r31 and f0 to f31")
        return nil
    }

    /// Gives a register a name, if both are free.
    mutating func nameRegister(_ token: Token, _ register: Register, _ what: String) {
        let name = text(token)
        if let first = declarations.valueDeclaration(of: token.name) {
            sink.error(
                token.range, "\(what) '\(name)' has the name of \(first.what)",
                notes: [.init(first.range, "declared here")])
            fragment.unplaced.insert(token.name)
        } else if let first = fragment.registers[token.name] {
            sink.error(
                token.range, "'\(name)' is declared twice", notes: [.init(first.range, "first declared here")]
            )
        } else {
            fragment.registers[token.name] = .init(register: register, range: token.range)
            let number = Int(register.number)
            if let other = fragment.code.registerNames[number] {
                let first = fragment.registers.values.first {
                    $0.register == register && $0.range != token.range
                }
                let notes = first.map { [Diagnostic.Note($0.range, "named here")] } ?? []
                sink.error(token.range, "\(register.name) is already called '\(other)'", notes: notes)
            } else {
                fragment.code.registerNames[number] = name
            }
        }
    }
}
