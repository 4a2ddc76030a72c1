import SCode
import Yams

/// Tasks whose program is SCODE.
extension ScenarioBuilder {
    static let programKeys = ["program", "data", "capabilities"]

    /// `program: FILE`, and what goes with it; nil when there is none, or when it cannot be read.
    func program(_ parts: [String: Node], task: String) -> Scenario.Program? {
        guard let file = parts["program"] else {
            for key in ["data", "capabilities"] {
                if let node = parts[key] {
                    tree.report(.missingKey("program", of: "'\(key)' of a task"), at: node)
                }
            }
            return nil
        }
        for key in ["do", "phases", "loops"] {
            if let node = parts[key] { tree.report(.excludes("program", key), at: node) }
        }
        guard let (path, text) = fileText(file, "'program'") else { return nil }
        return Scenario.Program(
            source: Scenario.FragmentSource(path: path, text: text),
            data: parts["data"].map(regionData) ?? [],
            capabilities: parts["capabilities"].map(grants) ?? [])
    }

    private func grants(_ list: Node) -> [Scenario.Grant] {
        let nodes = tree.sequence(list, "'capabilities'")
        // One slot is the program's own.
        guard nodes.count < Program.slotCount else {
            tree.report(.tooMany("capabilities", limit: Program.slotCount - 1), at: list)
            return []
        }
        return nodes.compactMap(grant)
    }

    /// `everything`, or `{environment: NAME, rights: [processor, watch, manage, access]}`.
    private func grant(_ node: Node) -> Scenario.Grant? {
        if case .scalar(let scalar) = node, scalar.string == "everything" {
            return Scenario.Grant(object: .everything, rights: .max)
        }
        guard let parts = tree.mapping(node, "a capability", keys: ["environment", "rights"]) else {
            return nil
        }
        for key in ["environment", "rights"] where parts[key] == nil {
            tree.report(.missingKey(key, of: "a capability"), at: node)
        }
        guard let target = parts["environment"], let list = parts["rights"],
            let name = tree.name(target, "'environment'")
        else { return nil }
        grantTargets.append((name, target))
        let known = Scenario.Grant.rightNames.map(\.key)
        var rights: UInt8 = 0
        for node in tree.sequence(list, "'rights'") {
            guard let word = tree.text(node, "a right") else { continue }
            guard let right = Scenario.Grant.rightNames.first(where: { $0.key == word })?.value else {
                tree.report(
                    .unknownName(word, what: "right", suggestion: Spelling.nearest(to: word, in: known)),
                    at: node)
                continue
            }
            rights |= right
        }
        return Scenario.Grant(object: .environment(name), rights: rights)
    }

    /// Complains about capabilities for what is not there, once everything is known that is.
    func checkGrants() {
        for (name, node) in grantTargets where !names.contains(name) {
            let suggestion = Spelling.nearest(to: name, in: names.sorted())
            tree.report(.unknownName(name, what: "environment", suggestion: suggestion), at: node)
        }
    }
}
