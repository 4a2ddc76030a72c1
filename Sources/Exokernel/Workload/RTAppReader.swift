import SCode

/// Reads workloads in the format of rt-app, the workload generator of the Linux scheduler's developers.
///
/// Beyond JSON: keys of an object keep their order and may be repeated (`"run"` twice), comments, trailing
/// commas, bare words, a bare `"suspend"`. Keys may carry a number (`run1`). Times are in microseconds.
public enum RTAppReader {
    /// The workload, and what in the file was not used as its author may have meant it.
    ///
    /// - Parameter path: the file's name, for messages.
    public static func read(
        _ text: String, path: String
    ) throws(ReadFailure) -> (workload: Workload, warnings: [ReadIssue]) {
        var reader = RTAppInterpreter(path: path)
        do {
            let file = try RTAppParser.parse(text, path: path)
            let workload = try reader.workload(file)
            return (workload, reader.warnings)
        } catch {
            throw ReadFailure([error])
        }
    }
}

/// Gives a parsed file its meaning.
private struct RTAppInterpreter {
    let path: String
    var warnings: [ReadIssue] = []

    private static let nanosecondsPerMicrosecond: UInt64 = 1_000
    private static let warningLimit = 100

    /// Keys that say where or under which of Linux's policies to run; none of that exists here.
    private static let placementKeys: Set<String> = [
        "cpus", "nodes_membind", "policy", "taskgroup", "util_min", "util_max", "dl-runtime", "dl-period",
        "dl-deadline", "cpu",
    ]
    private static let actionKeys = [
        "run", "runtime", "sleep", "timer", "suspend", "resume", "lock", "unlock", "wait", "signal", "broad",
        "broadcast", "sync", "barrier", "yield", "mem", "iorun",
    ]
    private static let taskKeys = ["instance", "loop", "phases", "priority", "delay"]

    init(path: String) { self.path = path }

    mutating func workload(_ file: RTAppValue) throws(ReadIssue) -> Workload {
        var workload = Workload()
        var names: Set<String> = []
        for member in try members(of: file, "the file") {
            switch member.key {
            case "tasks":
                for task in try members(of: member.value, "'tasks'") {
                    for copy in try tasks(task) {
                        guard names.insert(copy.name).inserted else {
                            throw issue(.duplicateName(copy.name), at: task.position)
                        }
                        workload.tasks.append(copy)
                    }
                    guard workload.tasks.count <= ScenarioLimits.environments else {
                        throw issue(.tooMany("tasks", limit: ScenarioLimits.environments), at: task.position)
                    }
                }
            case "global": workload.duration = try duration(member.value)
            case "resources": break
            default: warnUnknown(member, among: ["tasks", "global", "resources"])
            }
        }
        guard !workload.tasks.isEmpty else {
            throw issue(.missingKey("tasks", of: "the file"), at: file.position)
        }
        return workload
    }

    /// `global.duration`, in seconds; -1 means that the tasks decide. All else in `global` is about rt-app.
    private mutating func duration(_ global: RTAppValue) throws(ReadIssue) -> UInt64? {
        for member in try members(of: global, "'global'") where member.key == "duration" {
            guard let text = member.value.numberText else {
                throw issue(.expected("a number of seconds", at: "'duration'"), at: member.value.position)
            }
            return text == "-1" ? nil : try time(text, scale: 1_000_000_000, at: member.value.position)
        }
        return nil
    }

    // MARK: Tasks and phases

    private mutating func tasks(_ member: RTAppValue.Member) throws(ReadIssue) -> [Workload.Task] {
        guard isValidName(member.key) else { throw issue(.badName(member.key), at: member.position) }
        var task = Workload.Task(name: member.key, loops: nil)
        var instances: UInt64 = 1
        var phases: RTAppValue?
        var actions: [Workload.Action] = []
        for entry in try members(of: member.value, "a task") {
            switch entry.key {
            case "instance":
                instances = try count(entry, upTo: UInt64(ScenarioLimits.environments))
            case "loop": task.loops = try loops(entry)
            case "priority": task.priority = try priority(entry)
            case "delay": task.start = try microseconds(entry)
            case "phases": phases = entry.value
            case _ where Self.placementKeys.contains(entry.key): warnPlacement(entry)
            default: try appendAction(entry, task: member.key, to: &actions)
            }
        }
        if let phases {
            if !actions.isEmpty {
                warn(.keyIgnored(member.key, reason: "beside 'phases', other actions do not count"), member)
            }
            for phase in try members(of: phases, "'phases'") {
                task.phases.append(try self.phase(phase, task: member.key))
            }
        } else {
            task.phases = [Workload.Phase(name: member.key, actions: actions)]
        }
        if let idle = task.idleLoop { throw issue(.loopTakesNoTime(idle), at: member.position) }
        guard instances != 1 else { return [task] }
        return (0..<instances).map { number in
            var copy = task
            copy.name = "\(task.name)-\(number)"
            return copy
        }
    }

    private mutating func phase(
        _ member: RTAppValue.Member, task: String
    ) throws(ReadIssue) -> Workload.Phase {
        var phase = Workload.Phase(name: member.key)
        for entry in try members(of: member.value, "a phase") {
            switch entry.key {
            case "loop": phase.loops = try loops(entry)
            case _ where Self.placementKeys.contains(entry.key): warnPlacement(entry)
            default: try appendAction(entry, task: task, to: &phase.actions)
            }
        }
        return phase
    }

    // MARK: Actions

    private mutating func appendAction(
        _ entry: RTAppValue.Member, task: String, to actions: inout [Workload.Action]
    ) throws(ReadIssue) {
        guard actions.count < ScenarioLimits.actions else {
            throw issue(.tooMany("actions", limit: ScenarioLimits.actions), at: entry.position)
        }
        switch entry.key.withoutNumber {
        case "run", "runtime": actions.append(.run(try microseconds(entry)))
        case "sleep": actions.append(.sleep(try microseconds(entry)))
        case "timer": actions.append(try timer(entry))
        case "suspend":
            // Without a name, or with an empty one, a task suspends under its own name.
            if case .absent = entry.value.content {
                actions.append(.suspend(task))
            } else {
                let name = entry.value.text
                actions.append(.suspend(name == "" ? task : try reference(entry)))
            }
        case "resume": actions.append(.resume(try reference(entry)))
        case "lock": actions.append(.lock(try reference(entry)))
        case "unlock": actions.append(.unlock(try reference(entry)))
        case "signal": actions.append(.signal(try reference(entry)))
        case "broad", "broadcast": actions.append(.broadcast(try reference(entry)))
        case "barrier": actions.append(.barrier(try reference(entry)))
        case "yield": actions.append(.yield)
        case "wait":
            let (condition, mutex) = try conditionAndMutex(entry)
            actions.append(.wait(condition: condition, mutex: mutex))
        case "sync":
            let (condition, mutex) = try conditionAndMutex(entry)
            actions.append(.signal(condition))
            actions.append(.wait(condition: condition, mutex: mutex))
        case "mem":
            warn(.standIn(entry.key, "processor time, 1 ns for each byte"), entry)
            actions.append(.run(try count(entry, upTo: ScenarioLimits.duration)))
        case "iorun":
            warn(.standIn(entry.key, "a sleep of 1 ns for each byte"), entry)
            actions.append(.sleep(try count(entry, upTo: ScenarioLimits.duration)))
        default:
            warnUnknown(entry, among: Self.actionKeys + Self.taskKeys)
        }
    }

    private mutating func timer(_ entry: RTAppValue.Member) throws(ReadIssue) -> Workload.Action {
        var name: String?
        var period: UInt64?
        for part in try members(of: entry.value, "'timer'") {
            switch part.key {
            case "ref": name = try reference(part)
            case "period": period = try microseconds(part)
            case "mode" where part.value.text == "relative": break
            default: warnUnknown(part, among: ["ref", "period"])
            }
        }
        guard let name else { throw issue(.missingKey("ref", of: "'timer'"), at: entry.position) }
        guard let period else { throw issue(.missingKey("period", of: "'timer'"), at: entry.position) }
        guard period > 0 else { throw issue(.outOfRange("the period", "more than 0"), at: entry.position) }
        return .timer(name: name, period: period)
    }

    private mutating func conditionAndMutex(
        _ entry: RTAppValue.Member
    ) throws(ReadIssue) -> (condition: String, mutex: String) {
        var condition: String?
        var mutex: String?
        for part in try members(of: entry.value, "'\(entry.key)'") {
            switch part.key {
            case "ref": condition = try reference(part)
            case "mutex": mutex = try reference(part)
            default: warnUnknown(part, among: ["ref", "mutex"])
            }
        }
        guard let condition else { throw issue(.missingKey("ref", of: "'\(entry.key)'"), at: entry.position) }
        guard let mutex else { throw issue(.missingKey("mutex", of: "'\(entry.key)'"), at: entry.position) }
        return (condition, mutex)
    }

    // MARK: Values

    private func members(of value: RTAppValue, _ what: String) throws(ReadIssue) -> [RTAppValue.Member] {
        guard let members = value.members else {
            throw issue(.expected("an object { … }", at: what), at: value.position)
        }
        return members
    }

    /// The name of something: a string, or an object with a `ref`.
    private func reference(_ entry: RTAppValue.Member) throws(ReadIssue) -> String {
        let name = entry.value.text ?? entry.value.members?.first { $0.key == "ref" }?.value.text
        guard let name else {
            throw issue(.expected("a name", at: "'\(entry.key)'"), at: entry.value.position)
        }
        guard isValidName(name) else { throw issue(.badName(name), at: entry.value.position) }
        return name
    }

    private func microseconds(_ entry: RTAppValue.Member) throws(ReadIssue) -> UInt64 {
        guard let text = entry.value.numberText else {
            throw issue(.expected("a number of microseconds", at: "'\(entry.key)'"), at: entry.value.position)
        }
        return try time(text, scale: Self.nanosecondsPerMicrosecond, at: entry.value.position)
    }

    private func time(
        _ text: String, scale: UInt64, at position: RTAppLexer.Position
    ) throws(ReadIssue) -> UInt64 {
        guard let value = Quantity.decimal(text[...], scale: scale), value <= ScenarioLimits.duration else {
            throw issue(.badNumber(text), at: position)
        }
        return value
    }

    private func count(_ entry: RTAppValue.Member, upTo limit: UInt64) throws(ReadIssue) -> UInt64 {
        guard let text = entry.value.numberText else {
            throw issue(.expected("a number", at: "'\(entry.key)'"), at: entry.value.position)
        }
        guard let value = Quantity.decimal(text[...], scale: 1), value <= limit else {
            throw issue(.badNumber(text), at: entry.value.position)
        }
        return value
    }

    /// -1 is for ever.
    private func loops(_ entry: RTAppValue.Member) throws(ReadIssue) -> UInt64? {
        entry.value.numberText == "-1" ? nil : try count(entry, upTo: UInt64(Int64.max))
    }

    private func priority(_ entry: RTAppValue.Member) throws(ReadIssue) -> Int {
        guard let value = entry.value.numberText.flatMap(Quantity.integer), (-100...100).contains(value)
        else {
            throw issue(.outOfRange("'priority'", "a number, -100 … 100"), at: entry.value.position)
        }
        return Int(value)
    }

    // MARK: Complaints

    private func issue(_ problem: ReadProblem, at position: RTAppLexer.Position) -> ReadIssue {
        ReadIssue(path: path, line: position.line, column: position.column, problem: problem)
    }

    private mutating func warn(_ problem: ReadProblem, _ entry: RTAppValue.Member) {
        guard warnings.count < Self.warningLimit else { return }
        warnings.append(issue(problem, at: entry.position))
    }

    private mutating func warnPlacement(_ entry: RTAppValue.Member) {
        warn(.keyIgnored(entry.key, reason: "the simulated machine has one processor and no policies"), entry)
    }

    private mutating func warnUnknown(_ entry: RTAppValue.Member, among known: [String]) {
        warn(.unknownKeyIgnored(entry.key, suggestion: Spelling.nearest(to: entry.key, in: known)), entry)
    }
}

extension String {
    /// `run` of `run12`: rt-app numbers keys to keep them apart.
    fileprivate var withoutNumber: String {
        let letters = utf8.reversed().drop { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
        return letters.isEmpty ? self : String(decoding: letters.reversed(), as: UTF8.self)
    }
}
