import SCode
import Yams

/// Reads a scenario from YAML, and the files that it names.
///
///     machine: {tick: 1ms, quantum: 10ms, duration: 2s}
///     root:
///       scheduler: fair.scode
///       children:
///         - name: alice
///           share: 2
///           scheduler: lottery.scode
///           data: {tickets: [3, 1]}
///           children:
///             - {name: build, tasks: [{name: cc, count: 4, do: [run: 30ms, sleep: 2ms], loops: 10}]}
///             - {name: music, workload: mp3.json}
///         - {name: clock, share: 1, loops: forever, do: [run: 1ms, timer: 10ms]}
///     events:
///       - {at: 500ms, remove: alice}
///       - {at: 1s, install: {node: alice, scheduler: lottery.scode}}
public enum ScenarioReader {
    /// The scenario, and what was not used as its author may have meant it.
    ///
    /// - Parameters:
    ///   - path: of the YAML file. Paths inside are relative to it.
    ///   - file: the text of the file at a path, this one and those that it names.
    public static func read(
        path: String, file: (String) throws -> String
    ) throws(ReadFailure) -> (scenario: Scenario, warnings: [ReadIssue]) {
        // The closure outlives no call.
        let result = withoutActuallyEscaping(file) { file in
            let tree = ScenarioTree(path: path)
            let files = ScenarioFiles(besides: path, file: file)
            let scenario = ScenarioBuilder(tree: tree, files: files).read()
            return (scenario, tree.issues, tree.warnings)
        }
        guard let scenario = result.0, result.1.isEmpty else { throw ReadFailure(result.1) }
        return (scenario, result.2)
    }
}

/// Reads what stands at the top, the machine and the events; `ScenarioBuilder+Tree` reads the tree.
final class ScenarioBuilder {
    let tree: ScenarioTree
    let files: ScenarioFiles
    /// Names of schedulers and environments so far.
    var names: Set<String> = []
    var schedulers: Set<String> = []
    var environments = 0
    /// Environments that capabilities are for.
    var grantTargets: [(name: String, place: Node)] = []
    var regionBytes = 0
    var actions = 0
    var unrolledActions = 0
    /// Names of tasks, and of those that somebody yields to.
    var taskNames: Set<String> = []
    var yieldTargets: [Node] = []

    init(tree: ScenarioTree, files: ScenarioFiles) {
        self.tree = tree
        self.files = files
    }

    func read() -> Scenario? {
        let document: Node
        do {
            document = try YAMLTree.compose(try files.text(tree.path), path: tree.path)
        } catch let issue as ReadIssue {
            tree.add(issues: [issue], warnings: [])
            return nil
        } catch {
            tree.report(.fileUnreadable(path: tree.path, reason: "\(error)"), at: nil)
            return nil
        }
        let parts = tree.mapping(document, "a scenario", keys: ["machine", "root", "events"])
        guard let parts else { return nil }
        let machine = parts["machine"].map(self.machine) ?? Scenario.Machine()
        guard let rootNode = parts["root"] else {
            tree.report(.missingKey("root", of: "a scenario"), at: document)
            return nil
        }
        guard case .scheduler(let root) = child(rootNode, depth: 1, isRoot: true)?.child else {
            if tree.issues.isEmpty { tree.report(.expected("a scheduler", at: "'root'"), at: rootNode) }
            return nil
        }
        checkYieldTargets()
        checkGrants()
        let events = parts["events"].map(self.events) ?? []
        return Scenario(machine: machine, root: root, events: events)
    }

    // MARK: Machine

    private func machine(_ node: Node) -> Scenario.Machine {
        var machine = Scenario.Machine()
        let keys = [
            "cpus", "tick", "quantum", "duration", "memory", "seed", "budget", "starvation", "costs",
        ]
        guard let parts = tree.mapping(node, "'machine'", keys: keys) else { return machine }
        let second: UInt64 = 1_000_000_000
        if let node = parts["cpus"] {
            machine.processors =
                tree.integer(node, "'cpus'", in: Scenario.Machine.processorCounts) ?? machine.processors
        }
        if let node = parts["tick"] {
            machine.tick = tree.duration(node, "'tick'", atLeast: 1_000, atMost: second) ?? machine.tick
        }
        if let node = parts["quantum"] {
            machine.quantum =
                tree.duration(node, "'quantum'", atLeast: 1_000, atMost: 60 * second) ?? machine.quantum
        }
        if let node = parts["duration"] {
            machine.duration = tree.duration(node, "'duration'", atLeast: 1_000) ?? machine.duration
        }
        if let node = parts["memory"] { machine.memoryPages = pages(node) ?? machine.memoryPages }
        if let node = parts["seed"] {
            machine.seed = tree.integer(node, "'seed'", in: 0...UInt64.max) ?? machine.seed
        }
        if let node = parts["budget"] {
            machine.budget = tree.integer(node, "'budget'", in: 1...1_000_000_000) ?? machine.budget
        }
        if let node = parts["starvation"] {
            let isOff = if case .scalar(let scalar) = node { scalar.string == "never" } else { false }
            machine.starvation =
                isOff ? 0 : tree.duration(node, "'starvation'", atLeast: 1_000) ?? machine.starvation
        }
        if let node = parts["costs"] { machine.costs = costs(node) }
        if machine.quantum < machine.tick {
            tree.report(.outOfRange("'quantum'", "at least a tick"), at: parts["quantum"] ?? node)
        }
        let tickLimit: UInt64 = 100_000_000
        if machine.duration / machine.tick > tickLimit {
            tree.report(.tooMany("ticks", limit: Int(tickLimit)), at: parts["duration"] ?? node)
        }
        return machine
    }

    private func costs(_ node: Node) -> Scenario.Costs {
        var costs = Scenario.Costs()
        let fields: [(key: String, field: WritableKeyPath<Scenario.Costs, UInt64>, least: UInt64)] = [
            ("jump", \.jump, 1), ("call", \.call, 1), ("decision", \.decision, 0),
            ("fragment", \.fragment, 0), ("switch", \.change, 0),
        ]
        guard let parts = tree.mapping(node, "'costs'", keys: fields.map(\.key)) else { return costs }
        for (key, field, least) in fields {
            guard let node = parts[key] else { continue }
            let cost = tree.duration(node, "'\(key)'", atLeast: least, atMost: Scenario.Costs.limit)
            costs[keyPath: field] = cost ?? costs[keyPath: field]
        }
        return costs
    }

    private func pages(_ node: Node) -> Int? {
        guard let text = tree.text(node, "'memory'") else { return nil }
        guard let bytes = Quantity.memory(text), bytes.isMultiple(of: 4096) else {
            tree.report(
                .badQuantity(text, expected: "a whole number of pages, like 16MiB or 4096 pages"), at: node)
            return nil
        }
        guard (64 << 10...1 << 32).contains(bytes) else {
            tree.report(.outOfRange("'memory'", "64KiB to 4GiB"), at: node)
            return nil
        }
        return Int(bytes / 4096)
    }

    /// A directed yield is to somebody who is there.
    private func checkYieldTargets() {
        let known = names.union(taskNames).subtracting(schedulers)
        for node in yieldTargets {
            guard let name = tree.name(node, "'yield'"), !known.contains(name) else { continue }
            let suggestion = Spelling.nearest(to: name, in: known.sorted())
            tree.report(.unknownName(name, what: "task or environment", suggestion: suggestion), at: node)
        }
    }

    // MARK: Events

    private func events(_ node: Node) -> [Scenario.Event] {
        let nodes = tree.sequence(node, "'events'")
        guard nodes.count <= ScenarioLimits.events else {
            tree.report(.tooMany("events", limit: ScenarioLimits.events), at: node)
            return []
        }
        let events = nodes.compactMap(event)
        // Stable: events of one moment stay in the order in which they are written.
        return events.enumerated().sorted { ($0.element.time, $0.offset) < ($1.element.time, $1.offset) }
            .map(\.element)
    }

    private func event(_ node: Node) -> Scenario.Event? {
        let actions = ["remove", "install", "replace", "detach", "move"]
        guard let parts = tree.mapping(node, "an event", keys: ["at"] + actions) else { return nil }
        guard let at = parts["at"] else {
            tree.report(.missingKey("at", of: "an event"), at: node)
            return nil
        }
        let given = actions.filter { parts[$0] != nil }
        guard let kind = given.first, let what = parts[kind] else {
            tree.report(
                .missingKey("remove', 'detach', 'move', 'install' or 'replace", of: "an event"), at: node)
            return nil
        }
        if given.count > 1 { tree.report(.excludes(given[0], given[1]), at: node) }
        guard let time = tree.duration(at, "'at'") else { return nil }
        let withoutDetails: [String: Scenario.Event.Action] = ["remove": .remove, "detach": .detach]
        if let action = withoutDetails[kind] {
            return schedulerName(what).map { Scenario.Event(time: time, node: $0, action: action) }
        }
        if kind == "move" { return move(what, at: time) }
        let keys = ["node", "scheduler", "fragment", "data"]
        guard let details = tree.mapping(what, "'\(kind)'", keys: keys) else { return nil }
        guard let target = details["node"] else {
            tree.report(.missingKey("node", of: "'\(kind)'"), at: what)
            return nil
        }
        guard let file = details["scheduler"] else {
            tree.report(.missingKey("scheduler", of: "'\(kind)'"), at: what)
            return nil
        }
        let name = schedulerName(target)
        let source = fragmentSource(file, fragment: details["fragment"])
        let data = details["data"].map(regionData) ?? []
        guard let name, let source else { return nil }
        return Scenario.Event(
            time: time, node: name,
            action: kind == "install" ? .install(source, data: data) : .replace(source, data: data))
    }

    /// `{node: NAME, below: NAME}`: any scheduler or environment, below a scheduler.
    private func move(_ node: Node, at time: UInt64) -> Scenario.Event? {
        guard let parts = tree.mapping(node, "'move'", keys: ["node", "below"]) else { return nil }
        guard let what = parts["node"], let target = parts["below"] else {
            tree.report(.missingKey(parts["node"] == nil ? "node" : "below", of: "'move'"), at: node)
            return nil
        }
        let below = schedulerName(target)
        guard let name = tree.name(what, "the node of an event") else { return nil }
        guard names.contains(name) else {
            let suggestion = Spelling.nearest(to: name, in: names.sorted())
            tree.report(
                .unknownName(name, what: "scheduler or environment", suggestion: suggestion), at: what)
            return nil
        }
        return below.map { Scenario.Event(time: time, node: name, action: .move(below: $0)) }
    }

    private func schedulerName(_ node: Node) -> String? {
        guard let name = tree.name(node, "the node of an event") else { return nil }
        guard schedulers.contains(name) else {
            let suggestion = Spelling.nearest(to: name, in: schedulers.sorted())
            tree.report(.unknownName(name, what: "scheduler", suggestion: suggestion), at: node)
            return nil
        }
        return name
    }
}
