import SCodeIR

/// Where labels, procedures and tables lead.
extension Parser {
    /// Turns the names in tables into labels.
    mutating func resolveTables() {
        for (name, entries) in fragment.tableEntries {
            var table = JumpTable(name: text(name), labels: [])
            table.labels.reserveCapacity(entries.count)
            for entry in entries {
                if let label = label(at: entry) { table.labels.append(label) }
            }
            fragment.code.tables.append(table)
        }
    }

    /// The index of the label that the token names; complains if there is none.
    mutating func label(at token: Token) -> UInt32? {
        let name = text(token)
        switch fragment.places[token.name] {
        case .label(let index):
            return UInt32(truncatingIfNeeded: index)
        case .procedure(let index):
            sink.error(
                token.range, "'\(name)' is a procedure, and this must be a label",
                notes: [.init(fragment.procedurePlaces[index].range, "declared here")],
                suggestion: "enter a procedure with call")
        case nil:
            if isOutsideMacro(token, "label") { return nil }
            var suggestion = nearestPlace(name, isLabel: true)
            if suggestion == nil, fragment.tables[token.name] != nil {
                suggestion = "jump through a table with jt"
            }
            sink.error(token.range, "no label '\(name)' is placed in this fragment", suggestion: suggestion)
        }
        return nil
    }

    /// The index of the procedure that the token names; complains if there is none.
    mutating func procedure(_ token: Token) -> UInt32? {
        let name = text(token)
        switch fragment.places[token.name] {
        case .procedure(let index):
            return UInt32(truncatingIfNeeded: index)
        case .label(let index):
            sink.error(
                token.range, "'\(name)' is a label, and this must be a procedure",
                notes: [.init(fragment.labelPlaces[index].range, "placed here")],
                suggestion: "jump to a label with j, or write 'procedure \(name):'")
        case nil:
            if isOutsideMacro(token, "procedure") { return nil }
            var suggestion = nearestPlace(name, isLabel: false)
            if suggestion == nil, declarations.hosts[token.name] != nil {
                suggestion = "call a host function with callh"
            }
            sink.error(token.range, "no procedure '\(name)' is in this fragment", suggestion: suggestion)
        }
        return nil
    }

    mutating func table(_ token: Token) -> UInt32? {
        if let index = fragment.tables[token.name] { return UInt32(truncatingIfNeeded: index) }
        if isOutsideMacro(token, "table") { return nil }
        let suggestion = sink.didYouMean(text(token), among: candidates(fragment.tables.keys))
        sink.error(
            token.range, "no table '\(text(token))' is declared in this fragment", suggestion: suggestion)
        return nil
    }

    private mutating func nearestPlace(_ name: String, isLabel: Bool) -> String? {
        let known = fragment.places.lazy.filter { if case .label = $0.value { isLabel } else { !isLabel } }
        return sink.didYouMean(name, among: candidates(known.map(\.key)))
    }

    /// Complains when a macro's body names something of the fragment, which its names cannot mean.
    private mutating func isOutsideMacro(_ token: Token, _ what: String) -> Bool {
        guard names[token.name].isGenerated else { return false }
        sink.error(
            token.range, "no \(what) '\(text(token))' is in this macro",
            suggestion: "pass what belongs to the fragment as an argument")
        return true
    }
}
