import SCodeIR

/// Writes diagnostics for people:
///
///     pick.scode:9:14: error[V2]: register r40 is not mapped
///         addu    t, base, step
///                          ^~~~
///     pick.scode:3:1: note: declared here
///     suggestion: did you mean 'steps'?
///
/// Source and names come from strangers. Whatever a terminal could take for a command leaves here as `\u{…}`.
public struct DiagnosticRenderer: Sendable {
    private struct File {
        var name: String
        var source: SourceText?
    }
    /// By `SourceRange.file`; at least one.
    private let files: [File]
    private let usesColour: Bool

    /// Without `source`, as for a module, there are no source lines to show.
    public init(source: SourceText?, fileName: String, usesColour: Bool = false) {
        files = [File(name: Self.escaped(fileName), source: source)]
        self.usesColour = usesColour
    }

    /// For a text with what it includes: `ParseResult.files`.
    public init(files: [SourceFile], usesColour: Bool = false) {
        let named = files.map { File(name: Self.escaped($0.name), source: $0.text) }
        self.files = named.isEmpty ? [File(name: "", source: nil)] : named
        self.usesColour = usesColour
    }

    /// For a module: the names of its `Program.sourceFiles`, and no lines.
    public init(fileName: String, sourceFiles: [String], usesColour: Bool = false) {
        let included = sourceFiles.dropFirst().map { File(name: Self.escaped($0), source: nil) }
        files = [File(name: Self.escaped(fileName), source: nil)] + included
        self.usesColour = usesColour
    }

    /// The file that a place lies in; the first when it lies in none.
    private func file(_ range: SourceRange) -> File {
        files[files.indices.contains(Int(range.file)) ? Int(range.file) : 0]
    }

    public func render(_ diagnostics: [Diagnostic]) -> String {
        diagnostics.map(render).joined()
    }

    /// One diagnostic; ends with a line end.
    public func render(_ diagnostic: Diagnostic) -> String {
        let rule = diagnostic.rule.map { "[\($0.code)]" } ?? ""
        var out = entry(diagnostic.severity, rule, diagnostic.range, diagnostic.message)
        for note in diagnostic.notes { out += entry(.note, "", note.range, note.message) }
        if let suggestion = diagnostic.suggestion {
            out += paint("suggestion:", .suggestion) + " \(Self.escaped(suggestion))\n"
        }
        return out
    }

    private func entry(
        _ severity: Diagnostic.Severity, _ rule: String, _ range: SourceRange, _ message: String
    ) -> String {
        var out = file(range).name
        if range.line > 0 { out += ":\(range.line):\(range.column)" }
        out += ": " + paint("\(name(severity))\(rule):", .severity(severity)) + " \(Self.escaped(message))\n"
        return out + excerpt(range, severity)
    }

    private func name(_ severity: Diagnostic.Severity) -> String {
        switch severity {
        case .error: "error"
        case .warning: "warning"
        case .note: "note"
        }
    }

    // MARK: The source line

    /// Columns of a line that are shown, and how many of them stand before the place in question.
    private static let width = 160
    private static let lead = 80
    /// A place further into its line is not looked for: a file may be one line of many megabytes.
    private static let reach: UInt32 = 20_000

    /// The line and, below it, the mark. Long lines are cut down to the part around the place.
    private func excerpt(_ range: SourceRange, _ severity: Diagnostic.Severity) -> String {
        guard let source = file(range).source, files.indices.contains(Int(range.file)), range.column >= 1,
            range.column <= Self.reach,
            let bytes = source.bytesOfLine(Int(range.line))
        else { return "" }
        let start = Int(range.column) - 1
        let first = start > Self.lead ? start - Self.lead : 0
        let window = source.bytes[bytes.prefix(4 * (first + Self.width + 1))]
        let scalars = String(decoding: window, as: UTF8.self).unicodeScalars.dropFirst(first)
        var line = first > 0 ? "…" : ""
        var indent = first > 0 ? 1 : 0
        var mark = 0
        for (index, scalar) in scalars.prefix(Self.width).enumerated() {
            let shown = scalar == "\t" ? "    " : Self.escaped(scalar)
            line += shown
            let column = first + index
            let width = shown.unicodeScalars.count
            if column < start { indent += width }
            if column >= start, column - start < Int(range.length) { mark += width }
        }
        if scalars.dropFirst(Self.width).first != nil { line += "…" }
        let underline = "^" + String(repeating: "~", count: max(0, mark - 1))
        return "    \(line)\n    " + String(repeating: " ", count: indent)
            + paint(underline, .severity(severity)) + "\n"
    }

    // MARK: Escapes and colour

    /// The text with everything a terminal acts on spelled out: control characters, line separators, and what
    /// changes the direction of writing or cannot be seen.
    public static func escaped(_ text: String) -> String {
        var out = ""
        for scalar in text.unicodeScalars { out += escaped(scalar) }
        return out
    }

    private static func escaped(_ scalar: Unicode.Scalar) -> String {
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .privateUse, .unassigned, .surrogate:
            "\\u{\(String(scalar.value, radix: 16, uppercase: true))}"
        default:
            String(scalar)
        }
    }

    private enum Style {
        case severity(Diagnostic.Severity)
        case suggestion
    }

    private func paint(_ text: String, _ style: Style) -> String {
        guard usesColour else { return text }
        let code =
            switch style {
            case .severity(.error): "1;31"
            case .severity(.warning): "1;35"
            case .severity(.note): "1;36"
            case .suggestion: "1;32"
            }
        return "\u{1B}[\(code)m\(text)\u{1B}[0m"
    }
}
