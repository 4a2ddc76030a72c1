import Foundation

/// The language reference, cut into headings and blocks of code, for tests that hold it against the system.
public struct LanguageGuide: Sendable {
    public static let url = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "docs/language.md")
    /// Empty when the file cannot be read, which every test notices.
    public static let shared = LanguageGuide((try? String(contentsOf: url, encoding: .utf8)) ?? "")

    /// A fenced block of code.
    public struct Block: Sendable {
        /// What stands behind the fence: `scode`, `console`, `syntax`, `ebnf`.
        public var language: String
        public var lines: [String]
        /// The line of the guide, from 1, on which it begins.
        public var line: Int

        public var text: String { lines.map { "\($0)\n" }.joined() }

        /// What stands behind `// MARKER: ` in a line, and which line of the block that is.
        public func comment(_ marker: String) -> (text: String, line: Int)? {
            for (number, line) in lines.enumerated() {
                guard let range = line.range(of: "// \(marker): ") else { continue }
                return (String(line[range.upperBound...]), number + 1)
            }
            return nil
        }
    }

    public struct Section: Sendable {
        /// The heading without its signs.
        public var title: String
        /// How many signs it has.
        public var level: Int
        /// What follows, up to the next heading of any level.
        public var text = ""
        public var blocks: [Block] = []
    }

    public private(set) var sections: [Section] = []
    public var blocks: [Block] { sections.flatMap(\.blocks) }
    public let lines: [String]

    init(_ text: String) {
        lines = text.components(separatedBy: "\n")
        var open: Block?
        for (index, line) in lines.enumerated() {
            if var block = open {
                open = nil
                if line == "```" {
                    sections[sections.count - 1].blocks.append(block)
                } else {
                    block.lines.append(line)
                    open = block
                }
            } else if line.hasPrefix("#") {
                let level = line.prefix { $0 == "#" }.count
                sections.append(Section(title: String(line.dropFirst(level + 1)), level: level))
                continue
            } else if line.hasPrefix("```") {
                open = Block(language: String(line.dropFirst(3)), lines: [], line: index + 1)
            }
            if !sections.isEmpty { sections[sections.count - 1].text += line + "\n" }
        }
    }

    public func section(_ title: String) -> Section? { sections.first { $0.title == title } }

    /// Every string that a compact form stands for: `add{u|ul}i` is `addui` and `adduli`.
    public static func expand(_ form: String) -> [String] {
        guard let start = form.firstIndex(of: "{"), let end = form[start...].firstIndex(of: "}") else {
            return [form]
        }
        let rest = expand(String(form[form.index(after: end)...]))
        return form[form.index(after: start)..<end].split(separator: "|").flatMap { choice in
            rest.map { "\(form[..<start])\(choice)\($0)" }
        }
    }

    /// The name of a heading in links.
    public static func anchor(_ title: String) -> String {
        title.lowercased().filter { $0.isLetter || $0.isNumber || $0 == " " || $0 == "-" || $0 == "_" }
            .replacing(" ", with: "-")
    }
}
