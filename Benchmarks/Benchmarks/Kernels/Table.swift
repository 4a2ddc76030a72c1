import Foundation

/// A table, for a terminal or for a document.
struct Table {
    var heading: [String]
    var rows: [[String]] = []
    /// Whether the columns behind the first hold words, and so begin at the left; numbers end at the right.
    let holdsWords: Bool

    init(_ heading: [String], holdsWords: Bool = false) {
        self.heading = heading
        self.holdsWords = holdsWords
    }

    /// In columns.
    var text: String {
        let all = [heading] + rows
        let widths = heading.indices.map { column in all.map { $0[column].count }.max() ?? 0 }
        return all.map { row in
            row.indices.map { column in
                let padding = String(repeating: " ", count: widths[column] - row[column].count)
                if column == 0 || holdsWords {
                    return column == row.count - 1 ? row[column] : row[column] + padding
                }
                return padding + row[column]
            }.joined(separator: "  ")
        }.joined(separator: "\n")
    }

    var markdown: String {
        func line(_ cells: [String]) -> String { "| " + cells.joined(separator: " | ") + " |" }
        let rule = ["---"] + Array(repeating: holdsWords ? "---" : "---:", count: heading.count - 1)
        return ([line(heading), line(rule)] + rows.map(line)).joined(separator: "\n")
    }
}

/// A number as short as it can be read: three digits, or all that stand before the point.
func short(_ value: Double?, digits: Int = 2) -> String {
    guard let value, value.isFinite else { return "–" }
    return String(format: "%.\(abs(value) >= 100 ? 0 : abs(value) >= 10 ? 1 : digits)f", value)
}
