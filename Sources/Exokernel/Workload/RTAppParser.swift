/// A value of rt-app's format. Members of an object keep their order, and a key may stand twice.
struct RTAppValue {
    indirect enum Content {
        case object([Member])
        case array([RTAppValue])
        case string(String)
        case number(String)
        case word(String)
        /// A key that stands alone (`"suspend",`).
        case absent
    }

    struct Member {
        var key: String
        var position: RTAppLexer.Position
        var value: RTAppValue
    }

    var content: Content
    var position: RTAppLexer.Position

    var members: [Member]? {
        if case .object(let members) = content { members } else { nil }
    }

    /// The text of a string or a bare word.
    var text: String? {
        switch content {
        case .string(let text), .word(let text): text
        case .object, .array, .number, .absent: nil
        }
    }

    var numberText: String? {
        if case .number(let text) = content { text } else { nil }
    }
}

/// Builds values from tokens. Nesting is bounded, so neither parsing nor releasing can exhaust the stack.
struct RTAppParser {
    static let nestingLimit = 32

    private var lexer: RTAppLexer
    private var token: RTAppLexer.Token = .end
    private var position = RTAppLexer.Position()

    /// The one object that the text consists of.
    static func parse(_ text: String, path: String) throws(ReadIssue) -> RTAppValue {
        guard text.utf8.count <= ScenarioLimits.fileSize else {
            throw ReadIssue(
                path: path, line: 0, column: 0, problem: .fileTooLarge(limit: ScenarioLimits.fileSize))
        }
        var parser = RTAppParser(lexer: RTAppLexer(text, path: path))
        try parser.advance()
        guard parser.token == .openBrace else { throw parser.unexpected("{") }
        let value = try parser.value(depth: 0)
        guard parser.token == .end else { throw parser.unexpected("end of file") }
        return value
    }

    private init(lexer: RTAppLexer) { self.lexer = lexer }

    private mutating func advance() throws(ReadIssue) {
        (token, position) = try lexer.next()
    }

    private func unexpected(_ expected: String) -> ReadIssue {
        lexer.issue(.unexpected(found: token.description, expected: expected), at: position)
    }

    private mutating func value(depth: Int) throws(ReadIssue) -> RTAppValue {
        let start = position
        let content: RTAppValue.Content
        switch token {
        case .openBrace, .openBracket:
            guard depth < Self.nestingLimit else {
                throw lexer.issue(.nestedTooDeeply(limit: Self.nestingLimit), at: start)
            }
            return token == .openBrace ? try object(depth: depth + 1) : try array(depth: depth + 1)
        case .string(let text): content = .string(text)
        case .number(let text): content = .number(text)
        case .word(let text): content = .word(text)
        case .closeBrace, .closeBracket, .colon, .comma, .end: throw unexpected("a value")
        }
        try advance()
        return RTAppValue(content: content, position: start)
    }

    private mutating func object(depth: Int) throws(ReadIssue) -> RTAppValue {
        let start = position
        try advance()
        var members: [RTAppValue.Member] = []
        while token != .closeBrace {
            let place = position
            switch token {
            case .string(let key), .word(let key):
                try advance()
                var value = RTAppValue(content: .absent, position: place)
                if token == .colon {
                    try advance()
                    value = try self.value(depth: depth)
                }
                members.append(RTAppValue.Member(key: key, position: place, value: value))
            case .openBrace, .openBracket, .closeBracket, .closeBrace, .colon, .comma, .number, .end:
                throw unexpected("a key or }")
            }
            try separator(before: .closeBrace, "}")
        }
        try advance()
        return RTAppValue(content: .object(members), position: start)
    }

    private mutating func array(depth: Int) throws(ReadIssue) -> RTAppValue {
        let start = position
        try advance()
        var values: [RTAppValue] = []
        while token != .closeBracket {
            values.append(try value(depth: depth))
            try separator(before: .closeBracket, "]")
        }
        try advance()
        return RTAppValue(content: .array(values), position: start)
    }

    /// A comma, which the last element may have too.
    private mutating func separator(before end: RTAppLexer.Token, _ name: String) throws(ReadIssue) {
        if token == .comma {
            try advance()
        } else if token != end {
            throw unexpected(", or \(name)")
        }
    }
}
