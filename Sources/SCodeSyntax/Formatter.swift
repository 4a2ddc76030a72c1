import SCodeIR

/// Lays out a source file: labels at the margin, instructions four columns in, operands from the same column on,
/// one space around operators, at most one empty line in a row, comments kept and those at line ends aligned.
/// Formatting twice changes nothing more. Throws when the text has errors: what is meant is not known then.
/// What it includes is not read; names that nothing in the text declares may be declared there.
public func format(_ text: String) throws(DiagnosticsError) -> String {
    let source = SourceText(text)
    var parser = Parser(SourceFile(name: "", text: source), includes: .ignored)
    let errors = parser.run().diagnostics
    guard errors.isEmpty else { throw DiagnosticsError(errors) }
    var formatter = Formatter(source, Lexer.tokensWithComments(of: source))
    return formatter.run()
}

/// *Requires* the tokens of a text without errors, comments among them. Goes over them once; what stands on an
/// output line is decided by the scopes that are open and by how far the statement has come.
private struct Formatter {
    private let source: SourceText
    private let tokens: [Token]
    /// For each token, what comes next, comments apart.
    private let kindAfterComments: [TokenKind]
    private var lines: [Line] = []

    private struct Line {
        var indent = 0
        var code = ""
        /// The comment at the end of the line, or the only thing on it.
        var comment: String?
        var isLabel = false
        var isInstruction = false
        var isEmpty: Bool { code.isEmpty && comment == nil }
    }
    private var line = Line()
    /// What closed last, if anything follows it in the same line, needs a line of its own.
    private var mustBreak = false

    /// A fragment's braces, or any others and parentheses and brackets.
    private enum Scope { case body, list }
    private var scopes: [Scope] = []
    /// Tokens of the statement so far, comments apart, and the last of them.
    private var statementLength = 0
    private var previous: Token?
    private var isHeading = false
    /// Whether the statement is an instruction, whose operands begin at a column.
    private var isInstruction = false
    /// Whether it is `procedure NAME:`.
    private var isProcedure = false
    private var isAfterUnary = false

    /// Columns of an instruction's mnemonic and the space after it.
    private static let mnemonicWidth = 8

    init(_ source: SourceText, _ tokens: [Token]) {
        self.source = source
        self.tokens = tokens
        var kinds = [TokenKind](repeating: .end, count: tokens.count)
        var kind = TokenKind.end
        for index in tokens.indices.reversed() {
            kinds[index] = kind
            if tokens[index].kind != .lineComment, tokens[index].kind != .blockComment {
                kind = tokens[index].kind
            }
        }
        kindAfterComments = kinds
    }

    mutating func run() -> String {
        for index in tokens.indices { add(index) }
        return joined()
    }

    // MARK: Tokens

    private mutating func add(_ index: Int) {
        let token = tokens[index]
        switch token.kind {
        case .newline:
            // The line end inside a comment counts once, not again after the comment.
            let isDoubled = index + 1 < tokens.count && [.newline, .end].contains(tokens[index + 1].kind)
            if token.byteCount == 0, isDoubled { return }
            finishLine()
            if scopes.last != .list { endStatement() }
        case .end:
            if !line.isEmpty { finishLine() }
        case .lineComment:
            addTrailing(token)
        case .blockComment:
            if isLastOfLine(index) { addTrailing(token) } else { append(spaced(source.text(of: token))) }
        default:
            code(token)
        }
    }

    /// Whether nothing but comments follows in the line, or what follows gets a line of its own.
    private func isLastOfLine(_ index: Int) -> Bool {
        switch kindAfterComments[index] {
        case .newline, .end: true
        case .rightBrace: scopes.last == .body
        default: false
        }
    }

    private mutating func addTrailing(_ token: Token) {
        var text = source.text(of: token)
        while let last = text.unicodeScalars.last, last == " " || last == "\t" {
            text.unicodeScalars.removeLast()
        }
        if line.isEmpty { line.indent = indent(for: nil) }
        line.comment = line.comment.map { "\($0) \(text)" } ?? text
    }

    private mutating func code(_ token: Token) {
        if token.kind == .rightBrace, scopes.last == .body {
            if !line.isEmpty { finishLine() }
            scopes.removeLast()
            endStatement()
            append("}")
            mustBreak = true
            return
        }
        if mustBreak {
            finishLine()
            endStatement()
        }
        let text = source.text(of: token)
        if statementLength == 0 {
            isHeading = scopes.isEmpty && (text == "fragment" || text == "macro")
            isInstruction = scopes == [.body] && text != "table" && text != "register"
            isProcedure = false
        }
        if statementLength == 1, token.kind == .identifier, let previous, scopes == [.body],
            source.text(of: previous) == "procedure"
        {
            (isProcedure, isInstruction) = (true, false)
        }
        if isClosing(token.kind) { if scopes.last == .list { scopes.removeLast() } }
        if line.isEmpty { line.indent = indent(for: token) }
        append(separator(before: token) + text)
        line.isInstruction = isInstruction
        isAfterUnary = isUnary(token)
        previous = token
        statementLength += 1
        if token.kind == .leftBrace, isHeading, scopes.isEmpty {
            scopes.append(.body)
            mustBreak = true
        } else if isOpening(token.kind) {
            scopes.append(.list)
        } else if token.kind == .colon, statementLength == (isProcedure ? 3 : 2), scopes == [.body] {
            line.isLabel = true
            line.isInstruction = false
            line.indent = 0
            mustBreak = true
        }
    }

    private func isOpening(_ kind: TokenKind) -> Bool {
        kind == .leftBrace || kind == .leftParenthesis || kind == .leftBracket
    }

    private func isClosing(_ kind: TokenKind) -> Bool {
        kind == .rightBrace || kind == .rightParenthesis || kind == .rightBracket
    }

    private func isOperandEnd(_ kind: TokenKind) -> Bool {
        switch kind {
        case .identifier, .integer, .float, .rightParenthesis, .rightBracket: true
        default: false
        }
    }

    /// A sign before an operand and after none.
    private func isUnary(_ token: Token) -> Bool {
        guard token.kind == .minus || token.kind == .tilde else { return false }
        let isFirstOperand = isInstruction && statementLength == 1
        return isFirstOperand || !(previous.map { isOperandEnd($0.kind) } ?? false)
    }

    // MARK: Lines

    private mutating func append(_ text: String) { line.code += text }

    /// A comment in the middle of a line, with a space on the sides where there is code.
    private mutating func spaced(_ comment: String) -> String {
        if mustBreak {
            finishLine()
            endStatement()
        }
        if line.isEmpty {
            line.indent = indent(for: nil)
            return comment
        }
        return line.code.hasSuffix(" ") ? comment : " " + comment
    }

    private mutating func endStatement() {
        statementLength = 0
        previous = nil
        isAfterUnary = false
        isInstruction = false
    }

    private mutating func finishLine() {
        lines.append(line)
        line = Line()
        mustBreak = false
    }

    private func indent(for token: Token?) -> Int {
        if token?.kind == .rightBrace, scopes.isEmpty { return 0 }
        return 4 * scopes.count
    }

    private func separator(before token: Token) -> String {
        guard !line.code.isEmpty else { return "" }
        if isInstruction, statementLength == 1, token.kind != .colon, let previous {
            return String(repeating: " ", count: max(1, Self.mnemonicWidth - Int(previous.length)))
        }
        guard let previous, !isAfterUnary else { return isAfterUnary ? "" : " " }
        switch (previous.kind, token.kind) {
        case (_, .comma), (_, .colon), (_, .rightParenthesis), (_, .rightBracket), (_, .leftBracket):
            return ""
        case (.leftParenthesis, _), (.leftBracket, _), (.dot, _), (_, .dot): return ""
        case (.leftBrace, .rightBrace): return ""
        case (.identifier, .leftParenthesis): return ""
        default: return " "
        }
    }

    // MARK: The whole

    private func joined() -> String {
        var out = ""
        var isAfterOpening = true
        var blanks = 0
        let comments = commentColumns()
        let isAboveLabel = labelsBelow()
        for (index, line) in lines.enumerated() {
            if line.isEmpty {
                blanks += 1
                continue
            }
            if blanks > 0, !isAfterOpening, line.code != "}" { out += "\n" }
            blanks = 0
            // `fragment f() {` and the beginning of the file are followed by no empty line.
            isAfterOpening = line.code.hasSuffix("{")
            let margin = line.code.isEmpty && isAboveLabel[index] ? 0 : line.indent
            out += String(repeating: " ", count: margin) + line.code
            if let comment = line.comment {
                if !line.code.isEmpty {
                    let width = line.indent + line.code.unicodeScalars.count
                    out += String(repeating: " ", count: max(2, comments[index] - width))
                }
                out += comment
            }
            out += "\n"
        }
        return out
    }

    /// Where the comments beside instructions begin, as in assembler listings, unless the code is longer.
    private static let commentColumn = 40

    /// Where the comment of each line begins: the same column in lines that follow one another.
    private func commentColumns() -> [Int] {
        var columns = [Int](repeating: 0, count: lines.count)
        var start = 0
        while start < lines.count {
            var end = start
            var column = 0
            while end < lines.count, lines[end].comment != nil, !lines[end].code.isEmpty {
                let width = lines[end].indent + lines[end].code.unicodeScalars.count + 2
                column = max(column, width, lines[end].isInstruction ? Self.commentColumn : 0)
                end += 1
            }
            for index in start..<end { columns[index] = column }
            start = max(end, start + 1)
        }
        return columns
    }

    /// For each line, whether it is a label or stands over one with nothing but comments between them: those
    /// comments are about the label and stand at the margin with it.
    private func labelsBelow() -> [Bool] {
        var result = [Bool](repeating: false, count: lines.count)
        var isBelow = false
        for index in lines.indices.reversed() {
            let line = lines[index]
            isBelow = line.isLabel || (line.code.isEmpty && line.comment != nil && isBelow)
            result[index] = isBelow
        }
        return result
    }
}
