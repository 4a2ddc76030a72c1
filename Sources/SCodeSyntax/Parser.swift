import SCodeIR

/// What came of a text.
public struct ParseResult: Sendable {
    /// Everything that could be understood. An instruction that could not is left out.
    public var program: Program
    /// Every mistake, in the order of the text.
    public var diagnostics: [Diagnostic]
    /// Indices of the fragments in which something was left out or guessed.
    public var fragmentsWithErrors: Set<Int>
    /// The text and what it includes, by `SourceRange.file`.
    public var files: [SourceFile]
}

/// Reads a program. With mistakes in the text, the rest is still there, so that more can be said about it. A
/// text that has no place among files can include none.
public func parse(_ text: String) -> ParseResult {
    var parser = Parser(SourceFile(name: "", text: SourceText(text)), includes: .refused)
    return parser.run()
}

/// Reads a program and the files that it includes.
/// - Parameters:
///   - fileName: what the text is called; it becomes the first of `Program.sourceFiles`.
///   - resolver: finds and reads the file of an `include` line.
public func parse(_ text: String, fileName: String, including resolver: @escaping IncludeResolver)
    -> ParseResult
{
    var parser = Parser(SourceFile(name: fileName, text: SourceText(text)), includes: .read(resolver))
    var result = parser.run()
    result.program.sourceFiles = result.files.map(\.name)
    return result
}

/// A recursive-descent parser. The text is read twice: first the declarations in order, those of included files
/// in the place of their `include`, passing over fragments; then the fragments, which so may use every
/// declaration wherever it stands.
struct Parser {
    /// The text and what it includes.
    var files: [SourceFile]
    /// Those of all files, one file behind the other, without comments; behind them, while a fragment is being
    /// read, what macros in it expand to.
    var tokens: [Token]
    var names: NameTable
    var sink: DiagnosticSink
    var declarations = Declarations()
    var program = Program()
    var includes: IncludeState

    /// The token that is read next.
    var position = 0
    /// The token at which the construct being read must end at the latest.
    var limit: Int
    /// What is known about the fragment being read.
    var fragment = FragmentScope()
    /// What the expansions of macros have come to so far, in all fragments.
    var expanded = ExpansionWork()
    var acceptRange: SourceRange?
    /// Where the fragments stand, to be read last.
    var fragmentPlaces: [FragmentPlace] = []

    struct FragmentPlace {
        var start: Int
        var end: Int
        var isClosed: Bool
    }

    init(_ file: SourceFile, includes policy: IncludePolicy) {
        files = [file]
        names = NameTable()
        sink = DiagnosticSink()
        tokens = Lexer.tokens(of: file.text, names: &names, into: &sink)
        includes = IncludeState(policy: policy, bytes: file.text.bytes.count)
        limit = tokens.count - 1
    }

    mutating func run() -> ParseResult {
        topLevel()
        findRecursiveMacros()
        let written = tokens.count
        var withErrors: Set<Int> = []
        if fragmentPlaces.count > ProgramLimits.fragments {
            sink.error(
                tokens[fragmentPlaces[ProgramLimits.fragments].start].range,
                "a program has at most \(ProgramLimits.fragments) fragments")
        }
        for place in fragmentPlaces.prefix(ProgramLimits.fragments) {
            let before = sink.count
            position = place.start
            limit = place.end
            let isWhole = parseFragment(isClosed: place.isClosed)
            if sink.count > before || !isWhole || includes.hasUnread {
                withErrors.insert(program.fragments.count - 1)
            }
            tokens.removeSubrange(written...)
        }
        return ParseResult(
            program: program, diagnostics: sink.sorted(), fragmentsWithErrors: withErrors, files: files)
    }

    // MARK: Tokens

    /// The token as it was written.
    func text(_ token: Token) -> String {
        token.kind == .identifier ? names[token.name].spelling : files[Int(token.file)].text.text(of: token)
    }

    /// What somebody who wrote another name may have meant: none once enough has been compared.
    func candidates(_ known: some Sequence<Name>) -> [String] {
        guard sink.isSuggesting else { return [] }
        return known.compactMap { names[$0].isGenerated ? nil : names[$0].text }
    }

    /// Whether the token is this name.
    func isWord(_ token: Token, _ word: String) -> Bool {
        token.kind == .identifier && names[token.name].text == word
    }

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
        let entry = names[token.name]
        if entry.isDeclarable { return true }
        let reason = entry.looksLikeRegister ? "is spelled like a register" : "is a word of the language"
        sink.error(token.range, "'\(entry.spelling)' \(reason) and cannot name \(what)")
        return false
    }
}
