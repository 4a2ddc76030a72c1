/// The tokens of a text, one a line: for `scodec --dump=tokens`.
public func dumpTokens(_ text: String) -> String {
    let source = SourceText(text)
    return Lexer.tokensWithComments(of: source).map { token in
        let isLine = token.kind == .newline || token.kind == .end
        let spelling = isLine ? "" : " \(source.text(of: token).debugDescription)"
        return "\(token.line):\(token.column) \(token.kind)\(spelling)\n"
    }.joined()
}
