import SCodeIR

/// Cuts text into tokens. *Requires* text within `SyntaxLimits.textBytes`. *Produces* every token in order,
/// comments among them, with a last one of kind `.end`; what cannot be read becomes `.invalid` and a diagnostic.
struct Lexer {
    private let bytes: [UInt8]
    private(set) var tokens: [Token] = []
    private(set) var sink: DiagnosticSink

    private var offset = 0
    private var line: UInt32 = 1
    private var column: UInt32 = 1

    private init(_ source: SourceText, _ sink: DiagnosticSink) {
        bytes = source.bytes
        self.sink = sink
    }

    /// The tokens of `source`; complaints go to `sink`.
    static func tokens(of source: SourceText, into sink: inout DiagnosticSink) -> [Token] {
        guard source.bytes.count <= SyntaxLimits.textBytes else {
            sink.error(.none, "the text is longer than \(SyntaxLimits.textBytes) bytes")
            return [Token(kind: .end, line: 1, column: 1, length: 0, start: 0, byteCount: 0)]
        }
        var lexer = Lexer(source, sink)
        lexer.run()
        sink = lexer.sink
        return lexer.tokens
    }

    private mutating func run() {
        while offset < bytes.count {
            guard tokens.count < SyntaxLimits.tokens else {
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
            append(.identifier, end - offset)
        }
    }

    private mutating func number() {
        var end = offset
        while end < bytes.count, TextForm.isIdentifierByte(bytes[end]) { end += 1 }
        let length = end - offset
        var digits = bytes[offset..<end]
        var radix: UInt64 = 10
        if digits.first == UInt8(ascii: "0"), let mark = digits.dropFirst().first {
            if mark | 0x20 == UInt8(ascii: "x") { radix = 16 }
            if mark | 0x20 == UInt8(ascii: "b") { radix = 2 }
            if radix != 10 { digits = digits.dropFirst(2) }
        }
        var value: UInt64 = 0
        var overflow = false
        var isNumber = digits.contains { $0 != UInt8(ascii: "_") }
        for byte in digits where byte != UInt8(ascii: "_") {
            guard let digit = digitValue(byte), digit < radix else {
                isNumber = false
                break
            }
            let (product, lost) = value.multipliedReportingOverflow(by: radix)
            let (sum, carried) = product.addingReportingOverflow(digit)
            overflow = overflow || lost || carried
            value = sum
        }
        if !isNumber {
            sink.error(
                here(length), "this is not a number",
                suggestion:
                    "numbers are decimal, 0x and hexadecimal, or 0b and binary; '_' may separate digits")
        } else if overflow {
            sink.error(here(length), "the number does not fit in 64 bits")
        }
        append(isNumber && !overflow ? .integer : .invalid, length, value: value)
    }

    private func digitValue(_ byte: UInt8) -> UInt64? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt64(byte - UInt8(ascii: "0"))
        case UInt8(ascii: "a")...UInt8(ascii: "f"): UInt64(byte - UInt8(ascii: "a")) + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): UInt64(byte - UInt8(ascii: "A")) + 10
        default: nil
        }
    }

    /// `'a'`, `'\n'`, `'\x1b'`, `'é'`: the number of the character in Unicode.
    private mutating func character() {
        // As far as the closing quote; a quote after a backslash does not close. No literal is longer than 16.
        var end = offset + 1
        while end < bytes.count, end - offset < 16, bytes[end] != UInt8(ascii: "\n"),
            bytes[end] != UInt8(ascii: "'")
        {
            end += bytes[end] == UInt8(ascii: "\\") && peekIsInLine(end + 1) ? 2 : 1
        }
        end = min(end, bytes.count)
        while end < bytes.count, isContinuation(bytes[end]) { end += 1 }
        let isClosed = end < bytes.count && bytes[end] == UInt8(ascii: "'")
        let content = bytes[offset + 1..<end]
        let length = scalars(in: offset..<(isClosed ? end + 1 : end))
        let byteCount = (isClosed ? end + 1 : end) - offset
        if isClosed, let value = characterValue(content) {
            append(.integer, length, byteCount: byteCount, value: value)
        } else {
            sink.error(
                here(length), isClosed ? "this is not one character" : "the closing ' is missing",
                suggestion: "write 'a', or one of '\\n' '\\r' '\\t' '\\0' '\\\\' '\\'' '\\x1f'")
            append(.invalid, length, byteCount: byteCount)
        }
    }

    private func peekIsInLine(_ index: Int) -> Bool {
        index < bytes.count && bytes[index] != UInt8(ascii: "\n")
    }

    private func characterValue(_ content: ArraySlice<UInt8>) -> UInt64? {
        let scalars = String(decoding: content, as: UTF8.self).unicodeScalars
        guard let first = scalars.first else { return nil }
        if scalars.count == 1 { return first == "\\" ? nil : UInt64(first.value) }
        guard first == "\\" else { return nil }
        let rest = String(String.UnicodeScalarView(scalars.dropFirst()))
        switch rest {
        case "n": return 10
        case "r": return 13
        case "t": return 9
        case "0": return 0
        case "\\": return 92
        case "'": return 39
        default:
            guard rest.utf8.count == 3, rest.utf8.first == UInt8(ascii: "x") else { return nil }
            let digits = rest.utf8.dropFirst().compactMap(digitValue)
            return digits.count == 2 ? digits[0] * 16 + digits[1] : nil
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
        case UInt8(ascii: "!"), UInt8(ascii: "\""), UInt8(ascii: "#"), UInt8(ascii: "$"), UInt8(ascii: ";"),
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
        append(.lineComment, scalars(in: offset..<end), byteCount: end - offset)
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
            append(isClosed ? .blockComment : .invalid, scalars(in: offset..<end), byteCount: end - offset)
            return
        }
        tokens.append(make(isClosed ? .blockComment : .invalid, length: 2, byteCount: end - offset))
        line &+= UInt32(truncatingIfNeeded: lineBreaks)
        offset = lastLine
        column = 1
        let tail = scalars(in: lastLine..<end)
        offset = end
        column &+= UInt32(truncatingIfNeeded: tail)
        tokens.append(make(.newline, length: 0, byteCount: 0))
    }

    // MARK: Places

    private func peek(_ distance: Int) -> UInt8? {
        offset + distance < bytes.count ? bytes[offset + distance] : nil
    }

    private func isContinuation(_ byte: UInt8) -> Bool { byte & 0xC0 == 0x80 }

    private func scalars(in range: Range<Int>) -> Int {
        var count = 0
        for index in range where !isContinuation(bytes[index]) { count += 1 }
        return count
    }

    private func make(_ kind: TokenKind, length: Int, byteCount: Int, value: UInt64 = 0) -> Token {
        Token(
            kind: kind, line: line, column: column, length: UInt32(truncatingIfNeeded: length),
            start: UInt32(truncatingIfNeeded: offset), byteCount: UInt32(truncatingIfNeeded: byteCount),
            value: value)
    }

    /// Adds a token that lies within a line and moves behind it. Without `byteCount` it is ASCII.
    private mutating func append(_ kind: TokenKind, _ length: Int, byteCount: Int? = nil, value: UInt64 = 0) {
        tokens.append(make(kind, length: length, byteCount: byteCount ?? length, value: value))
        offset += byteCount ?? length
        column &+= UInt32(truncatingIfNeeded: length)
    }

    private mutating func advance(_ count: Int) {
        offset += count
        column &+= UInt32(truncatingIfNeeded: count)
    }

    private mutating func startLine() {
        line &+= 1
        column = 1
    }

    private func here(_ length: Int) -> SourceRange {
        SourceRange(line: line, column: column, length: UInt32(truncatingIfNeeded: length))
    }
}
