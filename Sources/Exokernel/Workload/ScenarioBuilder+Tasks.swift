import SCode
import Yams

/// Applications: what is written in the scenario itself, and files in rt-app's format.
extension ScenarioBuilder {
    /// Keys of an application that consists of one task.
    static let soloTaskKeys = ["name", "start", "loops", "priority", "do", "phases"] + programKeys
    private static let taskKeys = soloTaskKeys + ["count", "every"]
    private static let actionNames = [
        "run", "sleep", "suspend", "resume", "lock", "unlock", "wait", "signal", "broadcast", "timer",
        "barrier",
        "yield", "loop",
    ]

    func workload(_ parts: [String: Node], at place: Node) -> Workload? {
        if let file = parts["workload"] {
            if parts["tasks"] != nil { tree.report(.excludes("workload", "tasks"), at: file) }
            guard let (path, text) = fileText(file, "'workload'") else { return nil }
            do {
                let (workload, warnings) = try files.workload(path, text: text)
                tree.add(issues: [], warnings: warnings)
                return workload
            } catch {
                tree.add(issues: error.issues, warnings: [])
                return nil
            }
        }
        guard let list = parts["tasks"] else { return nil }
        var workload = Workload()
        for node in tree.sequence(list, "'tasks'") {
            guard let parts = tree.mapping(node, "a task", keys: Self.taskKeys) else { continue }
            guard let nameNode = parts["name"] else {
                tree.report(.missingKey("name", of: "a task"), at: node)
                continue
            }
            guard let name = tree.name(nameNode, "'name'") else { continue }
            guard let task = task(node, parts, name: name) else { continue }
            let copies = copies(of: task, parts)
            guard copies.count <= ScenarioLimits.environments - workload.tasks.count else {
                tree.report(.tooMany("environments", limit: ScenarioLimits.environments), at: node)
                return nil
            }
            workload.tasks += copies
        }
        return workload
    }

    func soloWorkload(_ node: Node, _ parts: [String: Node], name: String) -> Workload? {
        task(node, parts, name: name).map { Workload(tasks: [$0]) }
    }

    /// `count` tasks that start `every` so often.
    private func copies(of task: Workload.Task, _ parts: [String: Node]) -> [Workload.Task] {
        let limit = ScenarioLimits.environments
        guard let count = parts["count"].flatMap({ tree.integer($0, "'count'", in: 0...limit) }) else {
            if let every = parts["every"], parts["count"] == nil {
                tree.report(.missingKey("count", of: "a task with 'every'"), at: every)
            }
            return [task]
        }
        let every = parts["every"].flatMap { tree.duration($0, "'every'") } ?? 0
        return (0..<count).map { number in
            var copy = task
            if count > 1 { copy.name = "\(task.name)-\(number)" }
            // Both times are at most a day, the count at most 131,072: that is less than 2^64 ns.
            copy.start += UInt64(number) * every
            return copy
        }
    }

    private func task(_ node: Node, _ parts: [String: Node], name: String) -> Workload.Task? {
        var task = Workload.Task(name: name)
        if let node = parts["start"] { task.start = tree.duration(node, "'start'") ?? 0 }
        if let node = parts["loops"] { task.loops = loops(node, "'loops'") }
        if let node = parts["priority"] {
            task.priority = tree.integer(node, "'priority'", in: -100...100) ?? 0
        }
        task.program = program(parts, task: name)
        if parts["program"] != nil { return task.program == nil ? nil : task }
        switch (parts["do"], parts["phases"]) {
        case (let steps?, nil): task.phases = phases(of: steps, task: name)
        case (nil, let list?):
            task.phases = tree.sequence(list, "'phases'").compactMap { phase($0, task: name) }
        case (let steps?, .some): tree.report(.excludes("do", "phases"), at: steps)
        case (nil, nil): tree.report(.missingKey("do", of: "task '\(name)'"), at: node)
        }
        let count = task.phases.reduce(0) { $0 + $1.actions.count }
        actions += count
        if count > ScenarioLimits.actions || actions > ScenarioLimits.allActions {
            tree.report(.tooMany("actions", limit: ScenarioLimits.actions), at: node)
            return nil
        }
        // Before that, complaints about the actions themselves would bring this one with them.
        if tree.issues.isEmpty, let idle = task.idleLoop { tree.report(.loopTakesNoTime(idle), at: node) }
        return task
    }

    private func phase(_ node: Node, task: String) -> Workload.Phase? {
        guard let parts = tree.mapping(node, "a phase", keys: ["name", "loops", "do"]) else { return nil }
        guard let steps = parts["do"] else {
            tree.report(.missingKey("do", of: "a phase"), at: node)
            return nil
        }
        let name = parts["name"].flatMap { tree.name($0, "'name'") } ?? task
        var phase = Workload.Phase(name: name)
        if let loops = parts["loops"] { phase.loops = self.loops(loops, "'loops'") }
        for step in tree.sequence(steps, "'do'") {
            append(step, task: task, depth: 1, to: &phase.actions)
        }
        return phase
    }

    /// `forever`, or how often; nil is for ever.
    private func loops(_ node: Node, _ what: String) -> UInt64? {
        if case .scalar(let scalar) = node, scalar.string == "forever" { return nil }
        return tree.integer(node, what, in: 0...UInt64(Int64.max)) ?? 1
    }

    /// A list of actions as phases: a `loop` at the top is a phase of its own, loops inside are written out.
    private func phases(of node: Node, task: String) -> [Workload.Phase] {
        var phases: [Workload.Phase] = []
        var pending: [Workload.Action] = []
        func flush() {
            if !pending.isEmpty { phases.append(Workload.Phase(name: task, actions: pending)) }
            pending = []
        }
        let steps = tree.sequence(node, "'do'")
        for (index, step) in steps.enumerated() {
            guard case .mapping(let mapping) = step, let body = mapping["loop"], mapping.count == 1 else {
                append(step, task: task, depth: 0, to: &pending)
                continue
            }
            flush()
            guard let (times, list) = loop(body) else { continue }
            if times == nil, index < steps.count - 1 { tree.report(.endlessInnerLoop, at: step) }
            var phase = Workload.Phase(name: "\(task) loop \(phases.count + 1)", loops: times)
            for step in list { append(step, task: task, depth: 1, to: &phase.actions) }
            phases.append(phase)
        }
        flush()
        return phases
    }

    private func loop(_ node: Node) -> (times: UInt64?, steps: [Node])? {
        guard let parts = tree.mapping(node, "'loop'", keys: ["times", "do"]) else { return nil }
        guard let times = parts["times"], let steps = parts["do"] else {
            tree.report(.missingKey(parts["do"] == nil ? "do" : "times", of: "'loop'"), at: node)
            return nil
        }
        return (loops(times, "'times'"), tree.sequence(steps, "'do'"))
    }

    // MARK: Actions

    private func append(_ node: Node, task: String, depth: Int, to actions: inout [Workload.Action]) {
        guard depth <= ScenarioLimits.depth else {
            return tree.report(.nestedTooDeeply(limit: ScenarioLimits.depth), at: node)
        }
        if case .scalar(let scalar) = node {
            switch scalar.string {
            case "yield": actions.append(.yield)
            case "suspend": actions.append(.suspend(task))
            default: unknownAction(scalar.string, at: node)
            }
            return
        }
        guard let entries = tree.entries(node, "an action") else { return }
        for entry in entries {
            if entry.key == "loop" {
                unroll(entry.value, task: task, depth: depth, to: &actions)
            } else if let action = action(entry) {
                actions.append(action)
            }
        }
    }

    private func unroll(_ node: Node, task: String, depth: Int, to actions: inout [Workload.Action]) {
        guard let (times, steps) = loop(node) else { return }
        guard let times else { return tree.report(.endlessInnerLoop, at: node) }
        var body: [Workload.Action] = []
        for step in steps { append(step, task: task, depth: depth + 1, to: &body) }
        // What is written out counts at once, whether or not a loop around it keeps it.
        let left = min(ScenarioLimits.actions - actions.count, ScenarioLimits.allActions - unrolledActions)
        let room = UInt64(max(0, left))
        let (total, overflow) = times.multipliedReportingOverflow(by: UInt64(body.count))
        guard !overflow, total <= room else {
            return tree.report(.tooMany("actions", limit: ScenarioLimits.actions), at: node)
        }
        guard !body.isEmpty else { return }
        unrolledActions += Int(total)
        for _ in 0..<times { actions += body }
    }

    private func action(_ entry: ScenarioTree.Entry) -> Workload.Action? {
        let node = entry.value
        let what = "'\(entry.key)'"
        switch entry.key {
        case "run": return tree.duration(node, what).map(Workload.Action.run)
        case "sleep": return tree.duration(node, what).map(Workload.Action.sleep)
        case "suspend": return tree.name(node, what).map(Workload.Action.suspend)
        case "resume": return tree.name(node, what).map(Workload.Action.resume)
        case "lock": return tree.name(node, what).map(Workload.Action.lock)
        case "unlock": return tree.name(node, what).map(Workload.Action.unlock)
        case "signal": return tree.name(node, what).map(Workload.Action.signal)
        case "broadcast": return tree.name(node, what).map(Workload.Action.broadcast)
        case "yield":
            guard let name = tree.name(node, what) else { return nil }
            yieldTargets.append(node)
            return .yieldTo(name)
        case "barrier": return tree.name(node, what).map(Workload.Action.barrier)
        case "wait":
            guard let parts = tree.mapping(node, what, keys: ["condition", "mutex"]) else { return nil }
            guard let condition = parts["condition"], let mutex = parts["mutex"] else {
                let missing = parts["condition"] == nil ? "condition" : "mutex"
                tree.report(.missingKey(missing, of: what), at: node)
                return nil
            }
            guard let condition = tree.name(condition, "'condition'"), let mutex = tree.name(mutex, "'mutex'")
            else { return nil }
            return .wait(condition: condition, mutex: mutex)
        case "timer":
            if case .scalar = node {
                return tree.duration(node, what, atLeast: 1).map { .timer(name: "unique", period: $0) }
            }
            guard let parts = tree.mapping(node, what, keys: ["name", "period"]) else { return nil }
            guard let period = parts["period"] else {
                tree.report(.missingKey("period", of: what), at: node)
                return nil
            }
            let name = parts["name"].map { tree.name($0, "'name'") ?? "" } ?? "unique"
            return tree.duration(period, "'period'", atLeast: 1).map { .timer(name: name, period: $0) }
        default:
            unknownAction(entry.key, at: entry.keyNode)
            return nil
        }
    }

    private func unknownAction(_ name: String, at node: Node) {
        let suggestion = Spelling.nearest(to: name, in: Self.actionNames)
        tree.report(.unknownName(name, what: "action", suggestion: suggestion), at: node)
    }
}
