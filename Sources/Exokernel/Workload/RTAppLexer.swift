/// Splits text in rt-app's format into tokens.
///
/// The format looks like JSON and is not: comments of both kinds, bare words. Works on bytes, so that any
/// text is accepted or refused in time linear in its length.
struct RTAppLexer {
    enum Token: Hashable {
        case openBrace, closeBrace, openBracket, closeBracket, colon, comma
        /// In quotes, escapes resolved.
        case string(String)
        /// As written; whoever uses it knows which unit it is in.
        case number(String)
        /// `true`, `SCHED_OTHER`, …
        case word(String)
        case end

        var description: String {
            switch self {
            case .openBrace: "{"
            case .closeBrace: "}"
            case .openBracket: "["
            case .closeBracket: "]"
            case .colon: ":"
            case .comma: ","
            case .string(let text): "\"\(text)\""
            case .number(let text), .word(let text): text
            case .end: "end of file"
            }
        }
    }

    struct Position: Hashable {
        var line = 1
        var column = 1
    }

    private let path: String
    private let bytes: [UInt8]
    private var offset = 0
    /// Where the next byte stands.
    private var place = Position()

    init(_ text: String, path: String) {
        self.path = path
        bytes = Array(text.utf8)
    }

    mutating func next() throws(ReadIssue) -> (token: Token, position: Position) {
        try skipBlanksAndComments()
        let start = place
        guard let byte = peek() else { return (.end, start) }
        switch byte {
        case UInt8(ascii: "{"): return (punctuation(.openBrace), start)
        case UInt8(ascii: "}"): return (punctuation(.closeBrace), start)
        case UInt8(ascii: "["): return (punctuation(.openBracket), start)
        case UInt8(ascii: "]"): return (punctuation(.closeBracket), start)
        case UInt8(ascii: ":"): return (punctuation(.colon), start)
        case UInt8(ascii: ","): return (punctuation(.comma), start)
        case UInt8(ascii: "\""): return (.string(try string(from: start)), start)
        case UInt8(ascii: "-"), UInt8(ascii: "+"), UInt8(ascii: "."),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            return (.number(takeWord()), start)
        case _ where Self.isWord(byte):
            return (.word(takeWord()), start)
        default:
            throw issue(.unexpected(found: character(), expected: "a name or a value"), at: start)
        }
    }

    func issue(_ problem: ReadProblem, at position: Position) -> ReadIssue {
        ReadIssue(path: path, line: position.line, column: position.column, problem: problem)
    }

    // MARK: Pieces

    private func peek(_ ahead: Int = 0) -> UInt8? {
        offset + ahead < bytes.count ? bytes[offset + ahead] : nil
    }

    private mutating func advance() {
        let byte = bytes[offset]
        offset += 1
        if byte == UInt8(ascii: "\n") {
            place.line += 1
            place.column = 1
        } else if byte & 0xC0 != 0x80 {
            place.column += 1
        }
    }

    private mutating func punctuation(_ token: Token) -> Token {
        advance()
        return token
    }

    private mutating func skipBlanksAndComments() throws(ReadIssue) {
        while let byte = peek() {
            switch (byte, peek(1)) {
            case (UInt8(ascii: " "), _), (UInt8(ascii: "\t"), _), (UInt8(ascii: "\r"), _),
                (UInt8(ascii: "\n"), _):
                advance()
            case (UInt8(ascii: "/"), UInt8(ascii: "/")):
                while let next = peek(), next != UInt8(ascii: "\n") { advance() }
            case (UInt8(ascii: "/"), UInt8(ascii: "*")):
                let start = place
                advance()
                advance()
                while !(peek() == UInt8(ascii: "*") && peek(1) == UInt8(ascii: "/")) {
                    guard peek() != nil else { throw issue(.unterminated("comment"), at: start) }
                    advance()
                }
                advance()
                advance()
            default:
                return
            }
        }
    }

    private mutating func string(from start: Position) throws(ReadIssue) -> String {
        advance()
        var content: [UInt8] = []
        while let byte = peek() {
            switch byte {
            case UInt8(ascii: "\""):
                advance()
                return String(decoding: content, as: UTF8.self)
            case UInt8(ascii: "\n"):
                throw issue(.unterminated("string"), at: start)
            case UInt8(ascii: "\\"):
                let escape = place
                advance()
                guard let scalar = escapedScalar() else {
                    throw issue(.syntax("this escape is not known"), at: escape)
                }
                content += Array(String(scalar).utf8)
            default:
                content.append(byte)
                advance()
            }
        }
        throw issue(.unterminated("string"), at: start)
    }

    /// What follows a backslash. Surrogate pairs are not put together: names do not need them.
    private mutating func escapedScalar() -> Unicode.Scalar? {
        guard let byte = peek() else { return nil }
        advance()
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return Unicode.Scalar(byte)
        case UInt8(ascii: "b"): return "\u{8}"
        case UInt8(ascii: "f"): return "\u{C}"
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "u"):
            var value: UInt32 = 0
            for _ in 0..<4 {
                guard let digit = peek().flatMap({ Character(Unicode.Scalar($0)).hexDigitValue }) else {
                    return nil
                }
                value = value << 4 | UInt32(digit)
                advance()
            }
            return Unicode.Scalar(value)
        default: return nil
        }
    }

    private static func isWord(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "."),
            UInt8(ascii: "-"), UInt8(ascii: "+"), 0x80...0xFF:
            true
        default: false
        }
    }

    private mutating func takeWord() -> String {
        let start = offset
        while let byte = peek(), Self.isWord(byte) { advance() }
        return String(decoding: bytes[start..<offset], as: UTF8.self)
    }

    private func character() -> String {
        String(decoding: bytes[offset..<min(offset + 4, bytes.count)], as: UTF8.self).first.map(String.init)
            ?? ""
    }
}
