import SCodeIR

/// Collects what is wrong, up to a limit, and finds what may have been meant.
struct DiagnosticSink {
    private var kept: [Diagnostic] = []
    private var leftOut = 0
    /// Letters that may still be compared in search of a suggestion: text full of unknown names among a
    /// million known ones must not take forever to refuse.
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
        let target = Array(name.utf8)
        var best: (distance: Int, name: String)?
        // A name of one letter is near to every other.
        let reach = target.count < 2 ? 0 : min(3, max(1, target.count / 3))
        for candidate in candidates {
            if comparisons <= 0 { break }
            comparisons -= 1
            guard abs(candidate.utf8.count - target.count) <= reach else { continue }
            comparisons -= target.count * target.count
            let distance = editDistance(target, Array(candidate.utf8))
            guard distance <= reach else { continue }
            // Of equally near names the first in the alphabet, so that the answer is always the same.
            if let known = best, (known.distance, known.name) <= (distance, candidate) { continue }
            best = (distance, candidate)
        }
        return best.map { "did you mean '\($0.name)'?" }
    }
}

/// How many letters must be inserted, removed, replaced or swapped with their neighbour to get from `a` to `b`.
func editDistance(_ a: [UInt8], _ b: [UInt8]) -> Int {
    var beforeLast = [Int](repeating: 0, count: b.count + 1)
    var last = Array(0...b.count)
    var row = last
    for i in a.indices {
        row[0] = i + 1
        for j in b.indices {
            var distance = min(last[j + 1] + 1, row[j] + 1, last[j] + (a[i] == b[j] ? 0 : 1))
            if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] {
                distance = min(distance, beforeLast[j - 1] + 1)
            }
            row[j + 1] = distance
        }
        (beforeLast, last, row) = (last, row, beforeLast)
    }
    return last[b.count]
}
