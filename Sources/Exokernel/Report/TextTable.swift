/// Rows of cells, aligned: the first column to the left, all others to the right.
struct TextTable {
    enum Emphasis { case plain, strong, faint, warning }

    private var rows: [(cells: [String], emphasis: Emphasis)] = []
    private let header: [String]

    init(_ header: [String]) { self.header = header }

    mutating func append(_ cells: [String], _ emphasis: Emphasis = .plain) {
        rows.append((cells, emphasis))
    }

    /// A column in which no row has anything but blanks and dashes is left out.
    func text(styled: Bool) -> String {
        let used = header.indices.filter { column in
            column == 0 || rows.contains { $0.cells[column] != "" && $0.cells[column] != "–" }
        }
        let widths = used.map { column in
            rows.reduce(ReportFormat.width(header[column])) { max($0, ReportFormat.width($1.cells[column])) }
        }
        func line(_ cells: [String]) -> String {
            var result = ""
            for (place, column) in used.enumerated() {
                let cell = cells[column]
                let blanks = String(repeating: " ", count: widths[place] - ReportFormat.width(cell))
                result += place == 0 ? cell + blanks : "  " + blanks + cell
            }
            while result.hasSuffix(" ") { result.removeLast() }
            return result
        }
        var lines = [Self.style(line(header), .faint, styled)]
        for row in rows { lines.append(Self.style(line(row.cells), row.emphasis, styled)) }
        return lines.joined(separator: "\n") + "\n"
    }

    /// The text in the terminal's own bold, dim or red.
    static func style(_ text: String, _ emphasis: Emphasis, _ styled: Bool) -> String {
        guard styled else { return text }
        switch emphasis {
        case .plain: return text
        case .strong: return "\u{1B}[1m\(text)\u{1B}[0m"
        case .faint: return "\u{1B}[2m\(text)\u{1B}[0m"
        case .warning: return "\u{1B}[31m\(text)\u{1B}[0m"
        }
    }
}
