/// Guesses what somebody meant to write.
public enum Spelling {
    /// The candidate nearest to a word, if it is near: at most a third of the letters, and three of them,
    /// inserted, removed, replaced or swapped with their neighbour.
    public static func nearest(to word: String, in candidates: some Sequence<String>) -> String? {
        var work = 1 << 20
        return nearest(to: word, in: candidates, work: &work)
    }

    /// - Parameter work: letters that may still be compared. Text full of unknown names among a million known
    ///   ones must not take forever to refuse.
    public static func nearest(
        to word: String, in candidates: some Sequence<String>, work: inout Int
    ) -> String? {
        let word = Array(word.utf8)
        // A name of one letter is near to every other.
        let reach = word.count < 2 ? 0 : min(3, max(1, word.count / 3))
        var best: (distance: Int, name: String)?
        for candidate in candidates {
            if work <= 0 { break }
            work -= 1
            guard abs(candidate.utf8.count - word.count) <= reach else { continue }
            work -= word.count * candidate.utf8.count
            let distance = distance(word, Array(candidate.utf8))
            guard distance <= reach else { continue }
            // Of equally near names the first in the alphabet, so that the answer is always the same.
            if let known = best, (known.distance, known.name) <= (distance, candidate) { continue }
            best = (distance, candidate)
        }
        return best?.name
    }

    private static func distance(_ a: [UInt8], _ b: [UInt8]) -> Int {
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
}
