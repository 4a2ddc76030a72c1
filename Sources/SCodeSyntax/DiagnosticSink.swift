import SCodeIR

/// Collects what is wrong, up to a limit, and finds what may have been meant.
struct DiagnosticSink {
    private var kept: [Diagnostic] = []
    private var leftOut = 0
    /// Mistakes in the body of a macro that were complained about in an earlier expansion.
    private var repeated = 0
    private var saidInExpansions: Set<Place> = []
    private struct Place: Hashable {
        var range: SourceRange
        var message: String
    }
    /// The expansions of macros in the fragment being read; `expansion` is the one that complaints are about.
    var expansions: [Expansion] = []
    var expansion: Int?
    struct Expansion {
        var macro: String
        /// Where the macro is used, and the expansion in which that is.
        var use: SourceRange
        var outer: Int?
        /// How many expansions it lies in, itself among them.
        var depth: Int
    }
    /// Letters that may still be compared in search of suggestions.
    private var comparisons = 1 << 24

    /// How many there were, the ones left out among them.
    var count: Int { kept.count + leftOut + repeated }

    mutating func error(
        _ range: SourceRange, _ message: String, notes: [Diagnostic.Note] = [], suggestion: String? = nil
    ) {
        guard kept.count < SyntaxLimits.diagnostics else {
            leftOut += 1
            return
        }
        if expansion != nil, !saidInExpansions.insert(Place(range: range, message: message)).inserted {
            repeated += 1
            return
        }
        kept.append(
            Diagnostic(.error, range, message, notes: notes + expansionNotes(), suggestion: suggestion))
    }

    /// The uses of macros that led to the place, the innermost first.
    private func expansionNotes() -> [Diagnostic.Note] {
        var notes: [Diagnostic.Note] = []
        var next = expansion
        while let index = next, expansions.indices.contains(index) {
            notes.append(.init(expansions[index].use, "in the expansion of '\(expansions[index].macro)'"))
            next = expansions[index].outer
        }
        return notes
    }

    /// Everything in the order of the source, file by file.
    func sorted() -> [Diagnostic] {
        var result = kept.enumerated().sorted {
            ($0.element.range.file, $0.element.range.line, $0.element.range.column, $0.offset)
                < ($1.element.range.file, $1.element.range.line, $1.element.range.column, $1.offset)
        }.map(\.element)
        if leftOut > 0 { result.append(Diagnostic(.error, .none, "\(leftOut) more errors are not listed")) }
        return result
    }

    /// Whether it is worth naming candidates: there is room for complaints, and not too much has been compared.
    var isSuggesting: Bool { kept.count < SyntaxLimits.diagnostics && comparisons > 0 }

    /// `did you mean 'x'?` with the candidate nearest to `name`, if one is near.
    mutating func didYouMean(_ name: String, among candidates: some Sequence<String>) -> String? {
        guard isSuggesting else { return nil }
        return Spelling.nearest(to: name, in: candidates, work: &comparisons).map { "did you mean '\($0)'?" }
    }
}
