import SCodeIR

/// The top of a file: which declaration begins, and where to go on after a mistake.
extension Parser {
    private static let declarationWords = [
        "accept", "const", "struct", "region", "host", "macro", "include", "fragment",
    ]

    /// Reads the declarations from `position` to `limit`; notes where fragments stand.
    mutating func topLevel() {
        while true {
            skipNewlines()
            if current.kind == .end { return }
            switch current.kind == .identifier ? text(current) : "" {
            case "accept": declaration { $0.accept() }
            case "const": declaration { $0.constant() }
            case "struct": declaration { $0.structure() }
            case "region": declaration { $0.region() }
            case "host": declaration { $0.host() }
            case "macro": macro()
            case "include": declaration { $0.include() }
            case "fragment":
                let start = position
                let isClosed = skipBraces()
                fragmentPlaces.append(.init(start: start, end: position, isClosed: isClosed))
            default:
                unknownDeclaration()
            }
        }
    }

    /// Reads one declaration, which ends with its line; after a mistake, goes on at the next declaration.
    private mutating func declaration(_ body: (inout Parser) -> Bool) {
        if body(&self), expectEndOfStatement() { return }
        recover()
    }

    /// `accept NAME`, `accept NAME VERSION`
    private mutating func accept() -> Bool {
        let keyword = advance()
        guard let name = expect(.identifier, "the acceptor's name after 'accept'") else { return false }
        var version: UInt32 = 0
        if let number = take(.integer) {
            guard let value = UInt32(exactly: number.value), value > 0 else {
                sink.error(number.range, "a version is 1 to \(UInt32.max)")
                return true
            }
            version = value
        }
        let range = keyword.range(through: name)
        if keyword.file != 0 {
            sink.error(
                range, "an included file cannot say which acceptor the program is for",
                suggestion: "write 'accept' in the file that includes this one")
            return true
        }
        if let first = acceptRange {
            sink.error(
                range, "a program is written for one acceptor", notes: [.init(first, "the first 'accept'")])
            return true
        }
        acceptRange = range
        program.acceptorName = text(name)
        program.acceptorVersion = version
        return true
    }

    private mutating func unknownDeclaration() {
        let token = current
        if token.kind == .identifier {
            let name = text(token)
            var suggestion = sink.didYouMean(name, among: Self.declarationWords)
            if suggestion == nil, names[token.name].mnemonic != nil || name == "procedure" || name == "table"
            {
                suggestion = "instructions, tables and procedures stand inside a fragment"
            }
            sink.error(token.range, "no declaration begins with '\(name)'", suggestion: suggestion)
        } else if token.kind == .rightBrace {
            sink.error(token.range, "there is no '{' to this '}'")
            position += 1
            if current.kind == .newline || current.kind == .end { return }
        } else if token.kind != .invalid {
            sink.error(
                token.range, "expected a declaration, found \(token.kind.description)",
                suggestion:
                    "declarations are accept, const, struct, region, host, macro, include and fragment")
        }
        recover()
    }

    /// Passes over what cannot be understood: to the next line that begins a declaration, braces and what they
    /// enclose included.
    private mutating func recover() {
        var depth = 0
        var isFirst = true
        while current.kind != .end {
            if !isFirst, isLineStart(position) {
                if beginsDeclaration(position) { return }
                if depth == 0, isKeyword(position) { return }
            }
            if current.kind == .leftBrace { depth += 1 }
            if current.kind == .rightBrace { depth -= 1 }
            if depth < 0 {
                position += 1
                return
            }
            isFirst = false
            position += 1
        }
    }

    /// Passes over a fragment or macro, to be read later; says whether its closing brace was found.
    mutating func skipBraces() -> Bool {
        var depth = 0
        position += 1
        while current.kind != .end {
            if isLineStart(position), beginsDeclaration(position) { return false }
            if current.kind == .leftBrace { depth += 1 }
            if current.kind == .rightBrace {
                depth -= 1
                if depth <= 0 {
                    position += 1
                    return true
                }
            }
            position += 1
        }
        return false
    }

    private func isLineStart(_ index: Int) -> Bool {
        index == 0 || tokens[index - 1].kind == .newline || tokens[index - 1].kind == .end
    }

    private func isKeyword(_ index: Int) -> Bool {
        guard tokens[index].kind == .identifier else { return false }
        return Self.declarationWords.contains(text(tokens[index]))
    }

    /// Whether the tokens are a declaration beyond doubt, and not something in a fragment: keyword, name and
    /// the sign that comes next.
    private func beginsDeclaration(_ index: Int) -> Bool {
        guard index + 2 < tokens.count, tokens[index].kind == .identifier else { return false }
        if tokens[index + 1].kind == .string { return isWord(tokens[index], "include") }
        guard tokens[index + 1].kind == .identifier else { return false }
        let sign = tokens[index + 2].kind
        switch sign {
        case .equals, .colon, .leftBrace, .leftParenthesis: break
        default: return false
        }
        return switch text(tokens[index]) {
        case "const": sign == .equals
        case "region": sign == .colon
        case "struct": sign == .leftBrace
        case "host": sign == .leftParenthesis
        case "fragment", "macro": sign == .leftBrace || sign == .leftParenthesis
        default: false
        }
    }
}
