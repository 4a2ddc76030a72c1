extension CodeTemplate {
    /// Reads a template from its text form: one fragment, whose parameters are the operands, and declarations of the
    /// acceptor's regions that it names.
    /// - Throws: every mistake, at once.
    public init(text: String) throws(DiagnosticsError) {
        let parsed = parse(text)
        guard parsed.diagnostics.isEmpty else { throw DiagnosticsError(parsed.diagnostics) }
        try self.init(parsed.program)
    }
}

extension MacroInstruction {
    /// A macro-instruction that becomes the code of a template.
    /// - Throws: every mistake in the text.
    public init(
        _ name: String, _ operands: [MacroOperandKind], template text: String, meaning: String
    ) throws(DiagnosticsError) {
        self.init(name, operands, .template(try CodeTemplate(text: text)), meaning: meaning)
    }
}
