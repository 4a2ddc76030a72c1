/// Guesses what somebody meant to write.
public enum Spelling {
    /// The candidate with the smallest edit distance, if that is small against the word's length.
    public static func nearest(to word: String, in candidates: some Sequence<String>) -> String? {
        let word = Array(word.unicodeScalars.prefix(40))
        let limit = max(1, min(3, word.count / 3))
        var best: (distance: Int, name: String)?
        for candidate in candidates {
            let other = Array(candidate.unicodeScalars)
            guard abs(other.count - word.count) <= limit, !other.isEmpty else { continue }
            let distance = distance(word, other)
            if distance > limit { continue }
            // Equal distances are settled by the alphabet, so that a message does not depend on hashing.
            if let current = best, (current.distance, current.name) <= (distance, candidate) { continue }
            best = (distance, candidate)
        }
        return best?.name
    }

    /// Insertions, deletions, replacements and swaps of neighbours that turn one word into the other.
    private static func distance(_ a: [Unicode.Scalar], _ b: [Unicode.Scalar]) -> Int {
        var beforeLast = [Int](repeating: 0, count: b.count + 1)
        var last = Array(0...b.count)
        for i in a.indices {
            var current = [i + 1]
            for j in b.indices {
                var cost = min(last[j + 1] + 1, current[j] + 1, last[j] + (a[i] == b[j] ? 0 : 1))
                if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] {
                    cost = min(cost, beforeLast[j - 1] + 1)
                }
                current.append(cost)
            }
            beforeLast = last
            last = current
        }
        return last[b.count]
    }
}
