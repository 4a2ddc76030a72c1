/// The tokens of a text, one a line: for `scodec --dump=tokens`.
public func dumpTokens(_ text: String) -> String {
    let source = SourceText(text)
    var sink = DiagnosticSink()
    let bytes = Array(text.utf8)
    return Lexer.tokens(of: source, into: &sink).map { token in
        let spelling =
            bytes.indices.contains(token.bytes.lowerBound) || token.bytes.isEmpty
            ? String(decoding: bytes[token.bytes.clamped(to: 0..<bytes.count)], as: UTF8.self) : ""
        let isLine = token.kind == .newline || token.kind == .end
        return "\(token.line):\(token.column) \(token.kind)\(isLine ? "" : " \(spelling.debugDescription)")\n"
    }.joined()
}
