import SCodeIR

/// Collects what is wrong, up to a limit, and finds what may have been meant.
struct DiagnosticSink {
    private var kept: [Diagnostic] = []
    private var leftOut = 0
    /// Letters that may still be compared in search of suggestions.
    private var comparisons = 1 << 24

    /// How many there were, the ones left out among them.
    var count: Int { kept.count + leftOut }

    mutating func error(
        _ range: SourceRange, _ message: String, notes: [Diagnostic.Note] = [], suggestion: String? = nil
    ) {
        guard kept.count < SyntaxLimits.diagnostics else {
            leftOut += 1
            return
        }
        kept.append(Diagnostic(.error, range, message, notes: notes, suggestion: suggestion))
    }

    /// Everything in the order of the source.
    func sorted() -> [Diagnostic] {
        var result = kept.enumerated().sorted {
            ($0.element.range.line, $0.element.range.column, $0.offset)
                < ($1.element.range.line, $1.element.range.column, $1.offset)
        }.map(\.element)
        if leftOut > 0 { result.append(Diagnostic(.error, .none, "\(leftOut) more errors are not listed")) }
        return result
    }

    /// `did you mean 'x'?` with the candidate nearest to `name`, if one is near.
    mutating func didYouMean(_ name: String, among candidates: some Sequence<String>) -> String? {
        guard kept.count < SyntaxLimits.diagnostics else { return nil }
        return Spelling.nearest(to: name, in: candidates, work: &comparisons).map { "did you mean '\($0)'?" }
    }
}
