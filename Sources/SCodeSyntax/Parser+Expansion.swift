import SCodeIR

/// How much the expansions of macros have come to.
struct ExpansionWork {
    var statements = 0
    var tokens = 0
    var isExhausted = false
}

/// The names that expansions have made in a fragment.
struct GeneratedNames {
    /// All of them.
    var names: Set<Name> = []
    /// Registers are a macro's own: all its expansions in the fragment share them.
    var registers: [MacroRegister: Name] = [:]
    /// Tells expansions, and names that would be the same, apart.
    var number = 0

    struct MacroRegister: Hashable {
        var macro: Name
        var name: Name
    }
}

/// Expands macros, statement by statement: what a use becomes are statements of the fragment like those that it
/// wrote itself. Hygiene is by renaming: a name that the body itself brings in gets one that nobody can write.
extension Parser {
    /// One expansion while it goes on.
    private struct Frame {
        var macro: Macro
        var arguments: [Range<Int>]
        var number: Int
        var labels: [Name: Name] = [:]
    }

    /// Appends the statements of the macro's body to the fragment. *Requires* a use outside macros or in the body of
    /// the innermost expansion.
    mutating func expand(_ macro: Macro, _ use: FragmentScope.Statement) {
        guard macro.isUsable, !expanded.isExhausted else {
            fragment.isWhole = false
            return
        }
        let mnemonic = tokens[use.mnemonic]
        let range = mnemonic.range(through: tokens[use.last])
        guard checkArguments(macro, use, range) else { return }
        let outer = sink.expansion
        let depth = outer.map { sink.expansions[$0].depth + 1 } ?? 1
        guard depth <= SyntaxLimits.expansionDepth else {
            sink.error(range, "macros expand at most \(SyntaxLimits.expansionDepth) deep")
            return
        }
        fragment.generated.number += 1
        var frame = Frame(
            macro: macro, arguments: use.operands.map { fragment.operands[$0] },
            number: fragment.generated.number)
        sink.expansions.append(
            .init(macro: names[macro.name].text, use: range, outer: outer, depth: depth))
        sink.expansion = sink.expansions.count - 1
        spend(1, mnemonic)
        for statement in macro.statements {
            if expanded.isExhausted || fragment.statements.count > ProgramLimits.instructionsPerFragment {
                break
            }
            expand(statement, &frame)
        }
        sink.expansion = outer
    }

    private mutating func checkArguments(
        _ macro: Macro, _ use: FragmentScope.Statement, _ range: SourceRange
    ) -> Bool {
        let name = names[macro.name].text
        let parameters = macro.parameters.map { names[$0].text }
        let usage = "write \(([name] + [parameters.joined(separator: ", ")]).joined(separator: " "))"
        guard use.operands.count == parameters.count else {
            sink.error(
                range,
                "macro '\(name)' takes \(count(parameters.count, "argument")), not \(use.operands.count)",
                notes: [.init(macro.range, "declared here")], suggestion: parameters.isEmpty ? nil : usage)
            return false
        }
        for index in use.operands where fragment.operands[index].isEmpty {
            sink.error(self.range(of: fragment.operands[index]), "an argument is missing", suggestion: usage)
            return false
        }
        return true
    }

    /// Counts what an expansion comes to; at the limit says so, once for the text.
    private mutating func spend(_ cost: Int, _ place: Token) {
        expanded.statements += 1
        expanded.tokens += cost
        guard !expanded.isExhausted,
            expanded.statements > SyntaxLimits.expandedStatements
                || expanded.tokens > SyntaxLimits.expandedTokens
        else { return }
        expanded.isExhausted = true
        fragment.isWhole = false
        sink.error(
            place.range,
            expanded.statements > SyntaxLimits.expandedStatements
                ? "macros expand to more than \(SyntaxLimits.expandedStatements) instructions, labels and uses"
                : "macros expand to more than \(SyntaxLimits.expandedTokens) words and signs")
    }

    private mutating func expand(_ statement: Macro.Statement, _ frame: inout Frame) {
        let token = tokens[statement.token]
        guard let operands = statement.operands else {
            spend(1, token)
            if !expanded.isExhausted { placeLabel(token, &frame) }
            return
        }
        let row = names[token.name].mnemonic
        let first = fragment.operands.count
        spend(1, token)
        for (position, index) in operands.enumerated() {
            let isFunction = position == 0 && row?.shape == .hostCall
            guard let operand = substituted(frame.macro.operands[index], &frame, isFunction: isFunction)
            else {
                // Too much to write down; the statement, and all after it, is left out.
                spend(SyntaxLimits.expandedTokens, token)
                return
            }
            // What stands in many statements is looked at in each.
            expanded.tokens += operand.count
            fragment.operands.append(operand)
        }
        let last = operands.last.map { max(statement.token, frame.macro.operands[$0].upperBound - 1) }
        let result = FragmentScope.Statement(
            mnemonic: statement.token, row: row, operands: first..<fragment.operands.count,
            last: last ?? statement.token,
            expansion: sink.expansion)
        if row == nil, let inner = declarations.macros[token.name] {
            expand(inner, result)
        } else {
            fragment.statements.append(result)
        }
    }

    private mutating func placeLabel(_ token: Token, _ frame: inout Frame) {
        if let index = frame.macro.parameters.firstIndex(of: token.name) {
            let argument = frame.arguments[index]
            if let name = singleName(argument) {
                label(name)
            } else if isReadable(argument) {
                sink.error(range(of: argument), "expected the name of a label")
            }
        } else {
            var own = token
            own.value = UInt64(privateName(token.name, &frame).number)
            label(own)
        }
    }

    // MARK: Operands

    /// The operand with arguments in the place of parameters: the argument itself, if the operand is one parameter;
    /// within an expression the argument in parentheses, so that it stays one value. Nil when that is too long.
    private mutating func substituted(
        _ operand: Range<Int>, _ frame: inout Frame, isFunction: Bool
    ) -> Range<Int>? {
        if let token = singleName(operand) {
            if let index = frame.macro.parameters.firstIndex(of: token.name) { return frame.arguments[index] }
            guard !isFunction, isPrivate(token) else { return operand }
            var own = token
            own.value = UInt64(privateName(token.name, &frame).number)
            tokens.append(own)
            return tokens.count - 1..<tokens.count
        }
        guard operand.contains(where: { parameter($0, operand, frame) != nil }) else { return operand }
        let start = tokens.count
        for index in operand {
            guard let parameter = parameter(index, operand, frame) else {
                tokens.append(tokens[index])
                continue
            }
            let argument = frame.arguments[parameter]
            guard expanded.tokens + tokens.count - start + argument.count <= SyntaxLimits.expandedTokens
            else { return nil }
            appendAsUnit(argument)
        }
        // Behind the operand stands what stood behind it in the body: what is missing is missed there.
        tokens.append(tokens[operand.upperBound])
        return start..<tokens.count - 1
    }

    /// The parameter that the token names. After a dot stands a field, whatever the parameters are called.
    private func parameter(_ index: Int, _ operand: Range<Int>, _ frame: Frame) -> Int? {
        guard tokens[index].kind == .identifier, index == operand.lowerBound || tokens[index - 1].kind != .dot
        else { return nil }
        return frame.macro.parameters.firstIndex(of: tokens[index].name)
    }

    private mutating func appendAsUnit(_ argument: Range<Int>) {
        guard argument.count > 1 else {
            for index in argument { tokens.append(tokens[index]) }
            return
        }
        // Parentheses that nobody wrote stand where the argument begins and ends, and take no room.
        var opening = tokens[argument.lowerBound]
        (opening.kind, opening.length) = (.leftParenthesis, 0)
        var closing = tokens[argument.upperBound - 1]
        (closing.kind, closing.column, closing.length) = (
            .rightParenthesis, closing.column &+ closing.length, 0
        )
        tokens.append(opening)
        for index in argument { tokens.append(tokens[index]) }
        tokens.append(closing)
    }

    /// Whether a name that is a whole operand of a macro's body is the body's own: not one that the file declares,
    /// and not a word that means something by itself.
    private func isPrivate(_ token: Token) -> Bool {
        names[token.name].isDeclarable && declarations.valueDeclaration(of: token.name) == nil
            && declarations.structures[token.name] == nil
    }

    // MARK: Names

    /// The name that stands for a label or register of the body in this expansion.
    private mutating func privateName(_ name: Name, _ frame: inout Frame) -> Name {
        let spelling = names[name].text
        if frame.macro.labels.contains(name) {
            if let known = frame.labels[name] { return known }
            let label = generate(spelling, "\(frame.number)")
            frame.labels[name] = label
            return label
        }
        let key = GeneratedNames.MacroRegister(macro: frame.macro.name, name: name)
        if let known = fragment.generated.registers[key] { return known }
        let register = generate(spelling, names[frame.macro.name].text)
        fragment.generated.registers[key] = register
        return register
    }

    /// `SPELLING__SUFFIX`, or with a number instead of the suffix when that name is taken.
    private mutating func generate(_ spelling: String, _ suffix: String) -> Name {
        var suffix = String(suffix.prefix(ProgramLimits.nameLength / 2))
        while true {
            let room = ProgramLimits.nameLength - suffix.utf8.count - 2
            let text = "\(spelling.prefix(room))__\(suffix)"
            if let name = names.generate(text, for: spelling), fragment.generated.names.insert(name).inserted
            {
                return name
            }
            fragment.generated.number += 1
            suffix = "\(fragment.generated.number)"
        }
    }
}
