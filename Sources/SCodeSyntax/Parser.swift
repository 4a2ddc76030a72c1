import SCodeIR

/// What came of a text.
public struct ParseResult: Sendable {
    /// Everything that could be understood. An instruction that could not is left out.
    public var program: Program
    /// Every mistake, in the order of the text.
    public var diagnostics: [Diagnostic]
    /// Indices of the fragments in which something was left out or guessed.
    public var fragmentsWithErrors: Set<Int>
}

/// Reads a program. With mistakes in the text, the rest is still there, so that more can be said about it.
public func parse(_ text: String) -> ParseResult {
    var parser = Parser(SourceText(text))
    return parser.run()
}

/// A recursive-descent parser. The text is read twice: first the declarations in order, passing over
/// fragments; then the fragments, which so may use every declaration wherever it stands.
struct Parser {
    let source: SourceText
    let tokens: [Token]
    var sink: DiagnosticSink
    var declarations = Declarations()
    var program = Program()

    /// The token that is read next.
    var position = 0
    /// The token at which the construct being read must end at the latest.
    var limit: Int
    /// What is known about the fragment being read.
    var fragment = FragmentScope()

    private var acceptRange: SourceRange?

    init(_ source: SourceText) {
        var sink = DiagnosticSink()
        var tokens = Lexer.tokens(of: source, into: &sink)
        tokens.removeAll { $0.kind == .lineComment || $0.kind == .blockComment }
        self.source = source
        self.tokens = tokens
        self.sink = sink
        limit = tokens.count - 1
    }

    mutating func run() -> ParseResult {
        let whole = limit
        var fragments: [(start: Int, end: Int, isClosed: Bool)] = []
        while true {
            skipNewlines()
            if current.kind == .end { break }
            switch current.kind == .identifier ? text(current) : "" {
            case "accept": declaration { $0.accept() }
            case "const": declaration { $0.constant() }
            case "struct": declaration { $0.structure() }
            case "region": declaration { $0.region() }
            case "fragment":
                let start = position
                let isClosed = skipFragment()
                fragments.append((start, position, isClosed))
            default:
                unknownDeclaration()
            }
        }
        var withErrors: Set<Int> = []
        if fragments.count > ProgramLimits.fragments {
            sink.error(
                tokens[fragments[ProgramLimits.fragments].start].range,
                "a program has at most \(ProgramLimits.fragments) fragments")
        }
        for place in fragments.prefix(ProgramLimits.fragments) {
            let before = sink.count
            position = place.start
            limit = place.end
            parseFragment(isClosed: place.isClosed)
            limit = whole
            if sink.count > before { withErrors.insert(program.fragments.count - 1) }
        }
        return ParseResult(program: program, diagnostics: sink.sorted(), fragmentsWithErrors: withErrors)
    }

    // MARK: Declarations at the top

    /// Reads one declaration, which ends with its line; after a mistake, goes on at the next declaration.
    private mutating func declaration(_ body: (inout Parser) -> Bool) {
        if body(&self), expectEndOfStatement() { return }
        recover()
    }

    private mutating func accept() -> Bool {
        let keyword = advance()
        guard let name = expect(.identifier, "the acceptor's name after 'accept'") else { return false }
        if let first = acceptRange {
            sink.error(
                keyword.range(through: name), "a program is written for one acceptor",
                notes: [.init(first, "the first 'accept'")])
            return true
        }
        acceptRange = keyword.range(through: name)
        program.acceptorName = text(name)
        return true
    }

    private mutating func unknownDeclaration() {
        let token = current
        if token.kind == .identifier {
            let name = text(token)
            var suggestion = sink.didYouMean(
                name, among: ["accept", "const", "struct", "region", "fragment"])
            if suggestion == nil, Opcode.byMnemonic[name] != nil {
                suggestion = "instructions stand inside a fragment"
            }
            sink.error(token.range, "no declaration begins with '\(name)'", suggestion: suggestion)
        } else if token.kind == .rightBrace {
            sink.error(token.range, "there is no '{' to this '}'")
            position += 1
            if current.kind == .newline || current.kind == .end { return }
        } else if token.kind != .invalid {
            sink.error(
                token.range, "expected a declaration, found \(token.kind.description)",
                suggestion: "declarations are accept, const, struct, region and fragment")
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

    /// Passes over a fragment, to be read later; says whether its closing brace was found.
    private mutating func skipFragment() -> Bool {
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

    private func isLineStart(_ index: Int) -> Bool { index == 0 || tokens[index - 1].kind == .newline }

    private func isKeyword(_ index: Int) -> Bool {
        guard tokens[index].kind == .identifier else { return false }
        return ["accept", "const", "struct", "region", "fragment"].contains(text(tokens[index]))
    }

    /// Whether the tokens are a declaration beyond doubt, and not something in a fragment: keyword, name and
    /// the sign that comes next.
    private func beginsDeclaration(_ index: Int) -> Bool {
        guard index + 2 < tokens.count, tokens[index].kind == .identifier,
            tokens[index + 1].kind == .identifier
        else { return false }
        let sign = tokens[index + 2].kind
        switch sign {
        case .equals, .colon, .leftBrace, .leftParenthesis: break
        default: return false
        }
        return switch text(tokens[index]) {
        case "const": sign == .equals
        case "region": sign == .colon
        case "struct": sign == .leftBrace
        case "fragment": sign == .leftBrace || sign == .leftParenthesis
        default: false
        }
    }

    // MARK: Tokens

    func text(_ token: Token) -> String { source.text(of: token) }

    /// The token that is read next; past the limit, the last one of the text's tokens, but as an end.
    var current: Token {
        if position < limit { return tokens[position] }
        var token = tokens[min(limit, tokens.count - 1)]
        token.kind = .end
        return token
    }

    var next: Token? { position + 1 < limit ? tokens[position + 1] : nil }

    mutating func advance() -> Token {
        let token = current
        if position < limit { position += 1 }
        return token
    }

    mutating func take(_ kind: TokenKind) -> Token? { current.kind == kind ? advance() : nil }

    /// The next token if it is a `kind`; else a complaint that `what` was expected.
    mutating func expect(_ kind: TokenKind, _ what: String) -> Token? {
        if let token = take(kind) { return token }
        unexpected(what)
        return nil
    }

    mutating func unexpected(_ what: String) {
        // At the limit it is the token behind it that was not expected: a comma, the end of the line.
        let token = tokens[min(position, tokens.count - 1)]
        if token.kind == .invalid { return }
        let found = token.kind == .identifier ? "'\(text(token))'" : token.kind.description
        var range = token.range
        range.length = max(1, range.length)
        sink.error(range, "expected \(what), found \(found)")
    }

    mutating func skipNewlines() {
        while current.kind == .newline { position += 1 }
    }

    /// Whether the statement ends here, with its line; complains if not.
    mutating func expectEndOfStatement() -> Bool {
        switch current.kind {
        case .newline, .end: return true
        default:
            unexpected("the end of the line")
            return false
        }
    }

    /// Whether the name may be declared as `what`; complains if not.
    mutating func checkDeclarable(_ token: Token, _ what: String) -> Bool {
        let name = text(token)
        if TextForm.isDeclarable(name) { return true }
        let reason =
            TextForm.looksLikeRegister(name) ? "is spelled like a register" : "is a word of the language"
        sink.error(token.range, "'\(name)' \(reason) and cannot name \(what)")
        return false
    }
}
