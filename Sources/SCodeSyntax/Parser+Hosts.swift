import SCodeIR

/// Functions of the host: their declarations and their calls.
extension Parser {
    /// `host NAME(TYPE, …): TYPE`
    mutating func host() -> Bool {
        position += 1
        guard let name = expect(.identifier, "the function's name"), checkDeclarable(name, "a host function")
        else { return false }
        if let first = declarations.hosts[name.name] {
            sink.error(
                name.range, "host function '\(text(name))' is declared twice",
                notes: [.init(first.range, "first declared here")])
            return false
        }
        // Declared even when the rest is wrong: calls of it are right.
        declarations.hosts[name.name] = .init(function: nil, range: name.range)
        guard let function = signature(text(name)) else { return false }
        let operands = function.parameters.count + (function.result == nil ? 0 : 1)
        guard operands <= ProgramLimits.macroOperands else {
            sink.error(
                name.range,
                "a host function has at most \(ProgramLimits.macroOperands) parameters, and one less with a result"
            )
            return true
        }
        guard program.hostFunctions.count < ProgramLimits.hostFunctions else {
            sink.error(name.range, "a program declares at most \(ProgramLimits.hostFunctions) host functions")
            return true
        }
        declarations.hosts[name.name]?.function = function
        program.hostFunctions.append(function)
        return true
    }

    /// `(TYPE, …)` or `(TYPE, …): TYPE`
    private mutating func signature(_ name: String) -> HostDeclaration? {
        guard expect(.leftParenthesis, "'(' and the types of the parameters") != nil else { return nil }
        var function = HostDeclaration(name: name, parameters: [])
        skipNewlines()
        while current.kind != .rightParenthesis {
            guard let token = expect(.identifier, "a parameter's type") else { return nil }
            if current.kind == .colon {
                sink.error(
                    token.range, "the parameters of a host function have no names",
                    suggestion: "write only their types: host f(p, ul): i")
                return nil
            }
            guard let type = typeOnly(token) else { return nil }
            function.parameters.append(type)
            skipNewlines()
            if take(.comma) == nil { break }
            skipNewlines()
        }
        guard expect(.rightParenthesis, "',' or ')' after the type") != nil else { return nil }
        if take(.colon) != nil {
            guard let token = expect(.identifier, "the result's type"), let type = typeOnly(token) else {
                return nil
            }
            function.result = type
        }
        return function
    }

    private mutating func typeOnly(_ token: Token) -> ValueType? {
        if declarations.structures[token.name] != nil {
            sink.error(
                token.range,
                "'\(text(token))' is a structure, and host functions take and return single values",
                suggestion: "pass its address, of type p")
            return nil
        }
        return valueType(token)
    }

    // MARK: Calls

    /// The function that a `callh` names, as far as it is known.
    func hostFunction(_ statement: FragmentScope.Statement) -> HostDeclaration? {
        guard let first = statement.operands.first, let token = singleName(fragment.operands[first]) else {
            return nil
        }
        return declarations.hosts[token.name]?.function
    }

    /// `callh NAME, [RESULT,] ARGUMENT, …`
    mutating func hostCall(_ statement: FragmentScope.Statement) -> Instruction? {
        guard let function = checkedFunction(statement) else { return nil }
        let usage = hostUsage(function)
        var wanted = function.parameters.map { (type: $0, isResult: false) }
        if let result = function.result { wanted.insert((result, true), at: 0) }
        let operands = statement.operands.dropFirst()
        guard operands.count == wanted.count else {
            sink.error(
                tokens[statement.mnemonic].range,
                "'\(function.name)' takes \(count(wanted.count, "operand")), not \(operands.count)",
                notes: hostNotes(statement), suggestion: "write \(usage)")
            return nil
        }
        var call = MacroCall(name: function.name, operands: [])
        for (index, operand) in zip(operands, wanted) {
            let place = fragment.operands[index]
            if place.isEmpty {
                sink.error(range(of: place), "an operand is missing", suggestion: "write \(usage)")
            } else if let value = hostOperand(place, operand.type, isResult: operand.isResult, function) {
                call.operands.append(value)
            }
        }
        guard call.operands.count == wanted.count else { return nil }
        return append(call, .hostCall)
    }

    /// The function that the call names, if it is declared; complains if not.
    private mutating func checkedFunction(_ statement: FragmentScope.Statement) -> HostDeclaration? {
        guard let first = statement.operands.first else {
            sink.error(
                tokens[statement.mnemonic].range, "'callh' takes the name of a host function",
                suggestion: "write callh function, result, argument, …")
            return nil
        }
        let operand = fragment.operands[first]
        guard let token = singleName(operand) else {
            if isReadable(operand) { sink.error(range(of: operand), "expected the name of a host function") }
            return nil
        }
        guard let host = declarations.hosts[token.name] else {
            if includes.hasUnread { return nil }
            let name = text(token)
            let suggestion = sink.didYouMean(name, among: candidates(declarations.hosts.keys))
            sink.error(
                token.range, "no host function '\(name)' is declared",
                suggestion: suggestion ?? "declare it outside the fragment: host \(name)(ul): ul")
            return nil
        }
        if host.function == nil { fragment.isWhole = false }
        return host.function
    }

    private func hostNotes(_ statement: FragmentScope.Statement) -> [Diagnostic.Note] {
        guard let first = statement.operands.first, let token = singleName(fragment.operands[first]),
            let host = declarations.hosts[token.name]
        else { return [] }
        return [.init(host.range, "declared here")]
    }

    /// A register of the type's kind or, as an argument of integer type, a constant that fits.
    private mutating func hostOperand(
        _ operand: Range<Int>, _ type: ValueType, isResult: Bool, _ function: HostDeclaration
    ) -> MacroOperand? {
        let bank: RegisterBank = type.isFloat ? .float : .integer
        if isRegisterName(operand) {
            return register(operand, bank).map { .register($0) }
        }
        guard !isResult, !type.isFloat else {
            if isReadable(operand) {
                sink.error(
                    range(of: operand),
                    isResult
                        ? "the result of '\(function.name)' goes to a register"
                        : "an argument of type \(type.suffix) is a register",
                    suggestion: isResult ? nil : "put the number in a register with set\(type.suffix)")
            }
            return nil
        }
        guard let value = evaluate(operand) else { return nil }
        return immediate(value, type, range(of: operand)).map { .immediate($0) }
    }

    private func hostUsage(_ function: HostDeclaration) -> String {
        var operands = [function.name]
        if let result = function.result { operands.append("result (\(result.suffix))") }
        operands += function.parameters.map { "argument (\($0.suffix))" }
        return "callh \(operands.joined(separator: ", "))"
    }
}
