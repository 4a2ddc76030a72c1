import SCodeIR

/// Cuts text into tokens. *Requires* text within `SyntaxLimits.textBytes`. *Produces* every token in order,
/// comments among them if they are wanted, with a last one of kind `.end`; what cannot be read becomes
/// `.invalid` and a diagnostic.
struct Lexer {
    let bytes: [UInt8]
    private let file: UInt16
    private let keepsComments: Bool
    /// How many tokens there may be.
    private let capacity: Int
    private(set) var tokens: [Token] = []
    private(set) var names: NameTable
    var sink: DiagnosticSink

    private(set) var offset = 0
    private var line: UInt32 = 1
    private var column: UInt32 = 1

    private init(
        _ source: SourceText, _ file: UInt16, _ names: NameTable, _ sink: DiagnosticSink, _ capacity: Int,
        _ keepsComments: Bool
    ) {
        bytes = source.bytes
        self.file = file
        self.names = names
        self.sink = sink
        self.capacity = capacity
        self.keepsComments = keepsComments
    }

    /// The tokens of `source`; its names go to `names`, complaints to `sink`.
    static func tokens(
        of source: SourceText, file: UInt16 = 0, names: inout NameTable, into sink: inout DiagnosticSink,
        capacity: Int = SyntaxLimits.tokens, keepsComments: Bool = false
    ) -> [Token] {
        guard source.bytes.count <= SyntaxLimits.textBytes else {
            sink.error(.none, "the text is longer than \(SyntaxLimits.textBytes) bytes")
            return [Token(kind: .end, file: file, line: 1, column: 1, length: 0, start: 0, byteCount: 0)]
        }
        var lexer = Lexer(source, file, names, sink, capacity, keepsComments)
        // The lexer's are now the only copies, so that adding to them copies nothing.
        names = NameTable()
        sink = DiagnosticSink()
        lexer.run()
        names = lexer.names
        sink = lexer.sink
        return lexer.tokens
    }

    /// The tokens of one text with its comments, for those who look at nothing else.
    static func tokensWithComments(of source: SourceText) -> [Token] {
        var names = NameTable()
        var sink = DiagnosticSink()
        return tokens(of: source, names: &names, into: &sink, keepsComments: true)
    }

    private mutating func run() {
        tokens.reserveCapacity(min(capacity, bytes.count / 4 + 1))
        while offset < bytes.count {
            guard tokens.count < capacity else {
                sink.error(here(1), "the text has more than \(SyntaxLimits.tokens) words and signs")
                break
            }
            token()
        }
        tokens.append(make(.end, length: 0, byteCount: 0))
    }

    // MARK: Tokens

    private mutating func token() {
        let byte = bytes[offset]
        switch byte {
        case UInt8(ascii: "\n"):
            tokens.append(make(.newline, length: 0, byteCount: 1))
            offset += 1
            startLine()
        case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\r"):
            advance(1)
        case UInt8(ascii: "/") where peek(1) == UInt8(ascii: "/"):
            lineComment()
        case UInt8(ascii: "/") where peek(1) == UInt8(ascii: "*"):
            blockComment()
        case UInt8(ascii: "0")...UInt8(ascii: "9"):
            number()
        case UInt8(ascii: "'"):
            character()
        case UInt8(ascii: "\""):
            string()
        case _ where TextForm.isIdentifierStart(byte):
            identifier()
        default:
            punctuation(byte)
        }
    }

    private mutating func identifier() {
        var end = offset
        while end < bytes.count, TextForm.isIdentifierByte(bytes[end]) { end += 1 }
        if end - offset > ProgramLimits.nameLength {
            sink.error(here(end - offset), "a name has at most \(ProgramLimits.nameLength) characters")
            append(.invalid, end - offset)
        } else {
            let bytes = bytes
            let name = bytes.withUnsafeBytes {
                names.intern(UnsafeRawBufferPointer(rebasing: $0[offset..<end]))
            }
            append(.identifier, end - offset, value: UInt64(name.number))
        }
    }

    private mutating func punctuation(_ byte: UInt8) {
        let next = peek(1)
        switch byte {
        case UInt8(ascii: "{"): append(.leftBrace, 1)
        case UInt8(ascii: "}"): append(.rightBrace, 1)
        case UInt8(ascii: "("): append(.leftParenthesis, 1)
        case UInt8(ascii: ")"): append(.rightParenthesis, 1)
        case UInt8(ascii: "["): append(.leftBracket, 1)
        case UInt8(ascii: "]"): append(.rightBracket, 1)
        case UInt8(ascii: ","): append(.comma, 1)
        case UInt8(ascii: ":"): append(.colon, 1)
        case UInt8(ascii: "="): append(.equals, 1)
        case UInt8(ascii: "."): append(.dot, 1)
        case UInt8(ascii: "+"): append(.plus, 1)
        case UInt8(ascii: "-"): append(.minus, 1)
        case UInt8(ascii: "*"): append(.star, 1)
        case UInt8(ascii: "/"): append(.slash, 1)
        case UInt8(ascii: "%"): append(.percent, 1)
        case UInt8(ascii: "&"): append(.ampersand, 1)
        case UInt8(ascii: "|"): append(.bar, 1)
        case UInt8(ascii: "^"): append(.caret, 1)
        case UInt8(ascii: "~"): append(.tilde, 1)
        case UInt8(ascii: "<") where next == byte: append(.shiftLeft, 2)
        case UInt8(ascii: ">") where next == byte: append(.shiftRight, 2)
        default: unexpected(byte)
        }
    }

    /// A run of characters that no token begins with: one complaint for all of them.
    private mutating func unexpected(_ byte: UInt8) {
        var end = offset + 1
        while end < bytes.count, isContinuation(bytes[end]) { end += 1 }
        let first = String(decoding: bytes[offset..<end], as: UTF8.self)
        while end < bytes.count, isUnexpected(bytes[end]) { end += 1 }
        let length = scalars(in: offset..<end)
        var suggestion: String?
        if byte == UInt8(ascii: "#") || byte == UInt8(ascii: ";") { suggestion = "comments begin with //" }
        if byte >= 0x80 { suggestion = "names are made of ASCII letters, digits and _" }
        sink.error(here(length), "'\(first)' begins nothing in this language", suggestion: suggestion)
        append(.invalid, length, byteCount: end - offset)
    }

    private func isUnexpected(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x80...: true
        case UInt8(ascii: "!"), UInt8(ascii: "#"), UInt8(ascii: "$"), UInt8(ascii: ";"),
            UInt8(ascii: "?"), UInt8(ascii: "@"), UInt8(ascii: "\\"), UInt8(ascii: "`"):
            true
        case ..<0x20: byte != 9 && byte != 10 && byte != 13
        default: false
        }
    }

    // MARK: Comments

    private mutating func lineComment() {
        var end = offset
        while end < bytes.count, bytes[end] != UInt8(ascii: "\n") { end += 1 }
        if end > offset, bytes[end - 1] == UInt8(ascii: "\r") { end -= 1 }
        appendComment(.lineComment, scalars(in: offset..<end), byteCount: end - offset)
    }

    /// A comment that spans lines ends the statement before it, as the line ends in it would.
    private mutating func blockComment() {
        var end = offset + 2
        while end < bytes.count {
            if bytes[end] == UInt8(ascii: "/"), bytes[end - 1] == UInt8(ascii: "*"), end >= offset + 3 {
                break
            }
            end += 1
        }
        let isClosed = end < bytes.count
        if isClosed {
            end += 1
        } else {
            sink.error(here(2), "the comment is never closed", suggestion: "add */")
        }
        var lineBreaks = 0
        var lastLine = offset
        for index in offset..<end where bytes[index] == UInt8(ascii: "\n") {
            lineBreaks += 1
            lastLine = index + 1
        }
        if lineBreaks == 0 {
            let length = scalars(in: offset..<end)
            if isClosed {
                appendComment(.blockComment, length, byteCount: end - offset)
            } else {
                append(.invalid, length, byteCount: end - offset)
            }
            return
        }
        if keepsComments || !isClosed {
            tokens.append(make(isClosed ? .blockComment : .invalid, length: 2, byteCount: end - offset))
        }
        line &+= UInt32(truncatingIfNeeded: lineBreaks)
        offset = lastLine
        column = 1
        let tail = scalars(in: lastLine..<end)
        offset = end
        column &+= UInt32(truncatingIfNeeded: tail)
        tokens.append(make(.newline, length: 0, byteCount: 0))
    }

    // MARK: Places

    func peek(_ distance: Int) -> UInt8? {
        offset + distance < bytes.count ? bytes[offset + distance] : nil
    }

    func isContinuation(_ byte: UInt8) -> Bool { byte & 0xC0 == 0x80 }

    func scalars(in range: Range<Int>) -> Int {
        var count = 0
        for index in range where !isContinuation(bytes[index]) { count += 1 }
        return count
    }

    private func make(_ kind: TokenKind, length: Int, byteCount: Int, value: UInt64 = 0) -> Token {
        Token(
            kind: kind, file: file, line: line, column: column, length: UInt32(truncatingIfNeeded: length),
            start: UInt32(truncatingIfNeeded: offset), byteCount: UInt32(truncatingIfNeeded: byteCount),
            value: value)
    }

    /// Adds a token that lies within a line and moves behind it. Without `byteCount` it is ASCII.
    mutating func append(_ kind: TokenKind, _ length: Int, byteCount: Int? = nil, value: UInt64 = 0) {
        tokens.append(make(kind, length: length, byteCount: byteCount ?? length, value: value))
        offset += byteCount ?? length
        column &+= UInt32(truncatingIfNeeded: length)
    }

    private mutating func appendComment(_ kind: TokenKind, _ length: Int, byteCount: Int) {
        if keepsComments {
            append(kind, length, byteCount: byteCount)
        } else {
            offset += byteCount
            column &+= UInt32(truncatingIfNeeded: length)
        }
    }

    private mutating func advance(_ count: Int) {
        offset += count
        column &+= UInt32(truncatingIfNeeded: count)
    }

    private mutating func startLine() {
        line &+= 1
        column = 1
    }

    func here(_ length: Int) -> SourceRange {
        SourceRange(line: line, column: column, length: UInt32(truncatingIfNeeded: length), file: file)
    }
}
