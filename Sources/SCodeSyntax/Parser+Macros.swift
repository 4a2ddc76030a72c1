import SCodeIR

/// `macro NAME(PARAMETER, …) { … }`: a body of labels and instructions that is read once and expanded where it is
/// used.
struct Macro {
    var name: Name
    var range: SourceRange
    var parameters: [Name]
    /// Labels that the body places: private to each expansion.
    var labels: Set<Name> = []
    var statements: [Statement] = []
    /// Stretches of the file's tokens.
    var operands: [Range<Int>] = []
    /// Not when something in it was wrong, or when it expands to itself; uses are passed over then.
    var isUsable = true

    struct Statement {
        /// The token that is the mnemonic, or the label.
        var token: Int
        /// Its part of `operands`; nil for a label.
        var operands: Range<Int>?
    }
}

extension Parser {
    /// Reads a macro, up to its closing brace.
    mutating func macro() {
        let start = position
        let isClosed = skipBraces()
        let outer = limit
        (position, limit) = (start, position)
        macro(isClosed: isClosed)
        (position, limit) = (limit, outer)
        fragment = FragmentScope()
    }

    private mutating func macro(isClosed: Bool) {
        let keyword = advance()
        guard let name = expect(.identifier, "the macro's name"), checkDeclarable(name, "a macro") else {
            return
        }
        let before = sink.count
        if names[name.name].mnemonic != nil {
            sink.error(name.range, "'\(text(name))' is an instruction and cannot name a macro")
            return
        }
        if let first = declarations.macros[name.name] {
            sink.error(
                name.range, "macro '\(text(name))' is declared twice",
                notes: [.init(first.range, "first declared here")])
            return
        }
        var macro = Macro(name: name.name, range: keyword.range(through: name), parameters: [])
        if macroParameters(&macro), expect(.leftBrace, "'{' and the macro's body") != nil {
            macroBody(&macro)
        }
        if !isClosed { sink.error(macro.range, "macro '\(text(name))' has no closing '}'") }
        macro.operands = fragment.operands
        macro.isUsable = sink.count == before
        declarations.macros[name.name] = macro
        declarations.macroOrder.append(name.name)
    }

    private mutating func macroParameters(_ macro: inout Macro) -> Bool {
        guard take(.leftParenthesis) != nil else { return true }
        skipNewlines()
        while current.kind != .rightParenthesis {
            guard let name = expect(.identifier, "a parameter's name") else { return false }
            if checkDeclarable(name, "a parameter") {
                if macro.parameters.contains(name.name) {
                    sink.error(name.range, "parameter '\(text(name))' is declared twice")
                } else if macro.parameters.count == SyntaxLimits.macroParameters {
                    sink.error(name.range, "a macro has at most \(SyntaxLimits.macroParameters) parameters")
                    return false
                } else {
                    macro.parameters.append(name.name)
                }
            }
            if current.kind == .colon {
                sink.error(
                    current.range, "the parameters of a macro have no types",
                    suggestion: "a macro takes operands as they stand; write only the names")
                return false
            }
            skipNewlines()
            if take(.comma) == nil { break }
            skipNewlines()
        }
        return expect(.rightParenthesis, "',' or ')' after the parameter") != nil
    }

    private mutating func macroBody(_ macro: inout Macro) {
        while true {
            skipNewlines()
            let token = current
            switch token.kind {
            case .rightBrace, .end:
                position += 1
                return
            case .identifier:
                macroStatement(token, &macro)
            default:
                unexpected("an instruction, a label or '}'")
                skipStatement()
            }
        }
    }

    private mutating func macroStatement(_ token: Token, _ macro: inout Macro) {
        let isNamed = next?.kind == .identifier
        if next?.kind == .colon {
            let isParameter = macro.parameters.contains(token.name)
            if isParameter || checkDeclarable(token, "a label") {
                if !isParameter, !macro.labels.insert(token.name).inserted {
                    sink.error(token.range, "label '\(text(token))' is placed twice")
                }
                macro.statements.append(.init(token: position, operands: nil))
            }
            position += 2
        } else if isNamed, ["table", "register", "procedure"].contains(text(token)) {
            sink.error(
                token.range, "a macro holds instructions and labels only",
                suggestion: "declare the \(text(token)) in the fragment, and pass its name as an argument")
            skipDeclaration()
        } else if macro.parameters.contains(token.name) {
            sink.error(
                token.range, "parameter '\(text(token))' stands for an operand and cannot be an instruction")
            skipStatement()
        } else if next?.kind == .equals {
            sink.error(token.range, "there is no assignment", suggestion: "write setu or movu")
            skipStatement()
        } else {
            let mnemonic = position
            position += 1
            macro.statements.append(.init(token: mnemonic, operands: cutOperands()))
        }
    }

    /// To the end of the line, and over braces with what they enclose.
    private mutating func skipDeclaration() {
        var depth = 0
        while current.kind != .end {
            if current.kind == .leftBrace { depth += 1 }
            if current.kind == .rightBrace { depth -= 1 }
            if depth < 0 || (depth == 0 && current.kind == .newline) { return }
            position += 1
        }
    }

    // MARK: Recursion

    /// Complains about macros that expand to themselves, and makes them unusable: every way round goes over one
    /// that is. Visits macros depth first, with a stack of its own, since their number is the text's choice.
    mutating func findRecursiveMacros() {
        var isDone: Set<Name> = []
        for root in declarations.macroOrder where !isDone.contains(root) {
            var path: [(macro: Name, next: Int)] = [(root, 0)]
            var depths = [root: 0]
            while let (name, next) = path.last {
                guard let macro = declarations.macros[name], next < macro.statements.count else {
                    path.removeLast()
                    depths[name] = nil
                    isDone.insert(name)
                    continue
                }
                path[path.count - 1].next += 1
                let statement = macro.statements[next]
                let used = tokens[statement.token].name
                guard statement.operands != nil, declarations.macros[used] != nil, !isDone.contains(used)
                else { continue }
                if let start = depths[used] {
                    recursive(path[start...].map(\.macro), tokens[statement.token])
                } else {
                    depths[used] = path.count
                    path.append((used, 0))
                }
            }
        }
    }

    private mutating func recursive(_ cycle: [Name], _ use: Token) {
        guard let first = cycle.first else { return }
        let shown = cycle.prefix(8).map { names[$0].text } + (cycle.count > 8 ? ["…"] : [])
        let isNews = cycle.contains { declarations.macros[$0]?.isUsable == true }
        for name in cycle { declarations.macros[name]?.isUsable = false }
        guard isNews else { return }
        let way = (shown + [names[first].text]).joined(separator: " -> ")
        sink.error(use.range, "macro '\(names[first].text)' expands to itself: \(way)")
    }
}
