/// Code as it arrives, read and verified against an acceptor.
public struct Module: Sendable {
    public let program: VerifiedProgram

    /// Reads the text form and verifies it.
    /// - Parameter fileName: where the text comes from, if debuggers are to find it there.
    /// - Throws: every mistake of the text, or every rule broken, at once.
    public init(text: String, acceptor: Acceptor, fileName: String? = nil) throws(DiagnosticsError) {
        var parsed = parse(text)
        if let fileName { parsed.program.sourceFiles = [fileName] }
        let (verified, broken) = Verifier.verify(
            parsed.program, acceptor: acceptor, incomplete: parsed.fragmentsWithErrors)
        let diagnostics = parsed.diagnostics + broken
        guard let verified, !diagnostics.contains(where: { $0.severity == .error }) else {
            throw DiagnosticsError(diagnostics)
        }
        program = verified
    }

    /// Verifies a program that was built or decoded.
    public init(program: Program, acceptor: Acceptor) throws(DiagnosticsError) {
        let (verified, diagnostics) = Verifier.verify(program, acceptor: acceptor)
        guard let verified else { throw DiagnosticsError(diagnostics) }
        self.program = verified
    }

    /// The fragment of that name; the first one when none is given.
    public func fragment(named name: String? = nil) -> VerifiedFragment? {
        guard let name else { return program.fragments.first }
        return program.fragments.first { $0.code.name == name }
    }
}
