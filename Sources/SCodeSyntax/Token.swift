import SCodeIR

/// The kinds of token. A comment is a token too, for the formatter; the parser does not see it.
enum TokenKind: UInt8 {
    case identifier, integer
    /// A number with a fraction or an exponent.
    case float
    /// The path of an `include`, in quotes.
    case string
    case leftBrace, rightBrace, leftParenthesis, rightParenthesis, leftBracket, rightBracket
    case comma, colon, equals, dot
    case plus, minus, star, slash, percent, ampersand, bar, caret, tilde, shiftLeft, shiftRight
    /// The end of a line; ends a statement.
    case newline
    case lineComment, blockComment
    /// Something that has been complained about already.
    case invalid
    case end

    /// What diagnostics call it.
    var description: String {
        switch self {
        case .identifier: "a name"
        case .integer: "a number"
        case .float: "a floating-point number"
        case .string: "a text in quotes"
        case .leftBrace: "'{'"
        case .rightBrace: "'}'"
        case .leftParenthesis: "'('"
        case .rightParenthesis: "')'"
        case .leftBracket: "'['"
        case .rightBracket: "']'"
        case .comma: "','"
        case .colon: "':'"
        case .equals: "'='"
        case .dot: "'.'"
        case .plus: "'+'"
        case .minus: "'-'"
        case .star: "'*'"
        case .slash: "'/'"
        case .percent: "'%'"
        case .ampersand: "'&'"
        case .bar: "'|'"
        case .caret: "'^'"
        case .tilde: "'~'"
        case .shiftLeft: "'<<'"
        case .shiftRight: "'>>'"
        case .newline: "the end of the line"
        case .lineComment, .blockComment: "a comment"
        case .invalid: "something unreadable"
        case .end: "the end of the text"
        }
    }
}

/// A stretch of source text that means something. 32 bytes: there may be millions.
struct Token {
    var kind: TokenKind
    /// The file, as an index into the parser's files.
    var file: UInt16
    var line: UInt32
    /// Column and length in Unicode scalars, the column from 1.
    var column: UInt32
    var length: UInt32
    /// Where it begins, in bytes from the start of the text.
    var start: UInt32
    var byteCount: UInt32
    /// Of an integer, its value; of an identifier, its name's number.
    var value: UInt64 = 0

    /// *Requires* an identifier.
    var name: Name { Name(number: UInt32(truncatingIfNeeded: value)) }
    var bytes: Range<Int> { Int(start)..<Int(start) + Int(byteCount) }
    var range: SourceRange { SourceRange(line: line, column: column, length: length, file: file) }

    /// From the start of this token to the end of `last`, cut off at the end of the line. An argument of a macro
    /// stands elsewhere than the instruction that it became part of.
    func range(through last: Token) -> SourceRange {
        guard last.file == file, last.line == line, last.column >= column else { return range }
        return SourceRange(
            line: line, column: column, length: last.column - column &+ last.length, file: file)
    }
}
