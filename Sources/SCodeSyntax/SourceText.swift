import SCodeIR

/// Bounds on what the parser takes in. They keep time and memory in proportion, whatever the text.
public enum SyntaxLimits {
    /// Bytes of a text and of all that it includes.
    public static let textBytes = 1 << 26
    /// Words, numbers, punctuation, line ends and comments of a text and of all that it includes.
    public static let tokens = 1 << 24
    /// Parentheses and unary operators inside one another.
    public static let expressionDepth = 64
    /// Characters of a floating-point number.
    public static let floatLength = 2000
    /// Diagnostics of one text; the last one says how many were left out.
    public static let diagnostics = 1000
    /// Bytes of a structure: what a load's offset can reach.
    public static let structureSize = Int128(Int32.max)
    /// Files that include one another.
    public static let includeDepth = 16
    /// Different paths that the `include` lines of a text name.
    public static let includes = 1024
    public static let macroParameters = 16
    /// Macros in the expansions of one another.
    public static let expansionDepth = 16
    /// Instructions, labels and uses of macros that expansions come to, in all fragments of a text.
    public static let expandedStatements = 1 << 20
    /// Words and signs in the operands of those.
    public static let expandedTokens = 1 << 22
}

/// A text and what it is called, for diagnostics.
public struct SourceFile: Sendable {
    public var name: String
    public var text: SourceText
    public init(name: String, text: SourceText) {
        self.name = name
        self.text = text
    }
}

/// A source file and where its lines begin.
public struct SourceText: Sendable {
    /// The text as UTF-8; a byte-order mark in front is not part of it.
    let bytes: [UInt8]
    /// Offset of the first byte of each line; there is at least one line.
    private let lineStarts: [Int]

    public init(_ text: String) {
        var bytes = Array(text.utf8)
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { bytes.removeFirst(3) }
        var starts = [0]
        for (offset, byte) in bytes.enumerated() where byte == UInt8(ascii: "\n") {
            starts.append(offset + 1)
        }
        self.bytes = bytes
        lineStarts = starts
    }

    public var lineCount: Int { lineStarts.count }

    /// Line `number`, counted from 1, without its end; nil when there is no such line.
    public func line(_ number: Int) -> String? {
        bytesOfLine(number).map { String(decoding: bytes[$0], as: UTF8.self) }
    }

    func bytesOfLine(_ number: Int) -> Range<Int>? {
        guard number >= 1, number <= lineStarts.count else { return nil }
        let start = lineStarts[number - 1]
        var end = number < lineStarts.count ? lineStarts[number] - 1 : bytes.count
        if end > start, bytes[end - 1] == UInt8(ascii: "\r") { end -= 1 }
        return start..<end
    }

    func text(of token: Token) -> String {
        String(decoding: bytes[token.bytes], as: UTF8.self)
    }
}
