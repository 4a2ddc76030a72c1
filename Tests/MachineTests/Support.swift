import Exokernel
import Foundation
import Testing

let ms: UInt64 = 1_000_000

/// The examples that come with the project.
enum Examples {
    static let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "scode-examples")

    static func text(_ name: String) throws -> String {
        try String(contentsOf: folder.appending(path: name), encoding: .utf8)
    }
    /// `two-users` is the scenario in `two-users.yaml`.
    static func scenario(_ name: String) throws -> Scenario {
        let (scenario, warnings) = try ScenarioReader.read(path: "\(name).yaml") { try text($0) }
        #expect(warnings.isEmpty)
        return scenario
    }
    static func fragment(_ name: String) throws -> Scenario.FragmentSource {
        Scenario.FragmentSource(path: name, text: try text(name))
    }
}

/// Fragments for tests. They all begin with the same declarations.
enum Code {
    private static let declarations = """
        accept scheduler
        struct child { kind: u, id: u, weight: u, environment: u }
        struct environment {
            id: u, status: u, ticks: ul, page_faults: u, pages: u, owner: u, priority: i
        }
        region children: physical ro, 64 * sizeof(child)
        region environments: physical ro, 8192 * sizeof(environment)

        """

    static func source(_ text: String, regions: String = "") -> Scenario.FragmentSource {
        Scenario.FragmentSource(path: "test.scode", text: declarations + regions + "\n" + text)
    }

    /// The first child that can run: first come, first served, until it sleeps or ends.
    static let first = source(
        """
        fragment first() {
            setp    entry, children
            setul   left, 64
        look:
            ldui    kind, entry, child.kind
            ldui    id, entry, child.id
            bnei    kind, 1, next
            mululi  offset, id, sizeof(environment)
            setp    other, environments
            addp    other, other, offset
            ldui    status, other, environment.status
            bnei    status, 1, next
            s_app_sched id
        next:
            addpi   entry, entry, sizeof(child)
            subuli  left, left, 1
            bneuli  left, 0, look
            s_refuse
        }
        """)

    /// Offers to its two schedulers, the first one first.
    static let firstSlot = source("fragment f() {\n s_sub_sched 0\n s_sub_sched 1\n s_refuse\n }")
    static let loops = source("fragment f() {\nagain:\n j again\n }")
    static let aborts = source("fragment f() {\n setul a, 0\n ldui b, a, 4\n s_app_sched b\n }")
    static let refuses = source("fragment f() {\n s_refuse\n }")
    static func accepts(_ id: Int) -> Scenario.FragmentSource {
        source("fragment f() {\n s_app_sched \(id)\n }")
    }
}

extension Scenario.Child {
    /// An application of one task.
    static func task(
        _ name: String, start: UInt64 = 0, loops: UInt64? = 1, _ actions: [Workload.Action]
    ) -> Scenario.Child {
        let phase = Workload.Phase(name: name, actions: actions)
        let task = Workload.Task(name: name, start: start, loops: loops, phases: [phase])
        return .application(Scenario.Application(name: name, workload: Workload(tasks: [task])))
    }

    /// An application of several tasks: `tasks` gives each one's name and actions.
    static func tasks(
        _ name: String, duration: UInt64? = nil, _ tasks: [(name: String, actions: [Workload.Action])]
    ) -> Scenario.Child {
        let list = tasks.map {
            Workload.Task(name: $0.name, phases: [Workload.Phase(name: $0.name, actions: $0.actions)])
        }
        return .application(
            Scenario.Application(name: name, workload: Workload(tasks: list, duration: duration)))
    }

    static func scheduler(
        _ name: String, _ source: Scenario.FragmentSource?, _ children: [Scenario.Child]
    ) -> Scenario.Child {
        .scheduler(Scenario.Scheduler(name: name, source: source, children: children))
    }
}

extension Scenario {
    /// Tick 1 ms, quantum 4 ms, unless stated.
    static func with(
        _ source: FragmentSource?, _ children: [Child], quantum: UInt64 = 4 * ms,
        duration: UInt64 = 1000 * ms, processors: Int = 1,
        events: [Event] = []
    ) -> Scenario {
        var machine = Scenario.Machine()
        machine.quantum = quantum
        machine.duration = duration
        machine.memoryPages = 1024
        machine.processors = processors
        return Scenario(
            machine: machine, root: Scheduler(name: "root", source: source, children: children),
            events: events)
    }

    /// Runs it, checks what must hold of every timeline, and that both engines agree.
    func run(_ location: SourceLocation = #_sourceLocation) throws -> Timeline {
        let timeline = try Exokernel.Machine(scenario: self).run()
        let other = try Exokernel.Machine(scenario: self, engine: .interpreter).run()
        #expect(timeline.summary == other.summary, "engines disagree", sourceLocation: location)
        timeline.check(location)
        return timeline
    }
}

extension Timeline {
    /// Everything that is in it, as one text.
    var summary: String {
        "\(nodes)\n\(spans)\n\(incidents)\n\(decisions)\n\(handOvers)\n\(overheads)\n\(wakeups)\n\(end) \(tick)"
    }

    /// Who had the processor when, in milliseconds: `a 0-4, b 4-6`.
    var schedule: String { schedule(on: 0) }

    func schedule(on processor: UInt8) -> String {
        let running = spans.filter { $0.state == .running && $0.processor == processor }
            .sorted { $0.start < $1.start }
        return running.map { "\(nodes[$0.node].name) \(Self.text($0.start))-\(Self.text($0.end))" }
            .joined(separator: ", ")
    }

    /// What one environment did: `running 0-4, sleeping 4-6`.
    func life(_ name: String) -> String {
        spans.filter { nodes[$0.node].name == name }
            .map { "\($0.state) \(Self.text($0.start))-\(Self.text($0.end))" }.joined(separator: ", ")
    }

    private static func text(_ time: UInt64) -> String {
        time % ms == 0 ? "\(time / ms)" : "\(Double(time) / Double(ms))"
    }

    /// Processor time of an environment, or of everything below a scheduler.
    func received(_ name: String) -> UInt64 {
        spans.filter { $0.state == .running && isBelow($0.node, name) }.reduce(0) { $0 + $1.end - $1.start }
    }

    private func isBelow(_ node: Int, _ name: String) -> Bool {
        var next: Int? = node
        while let current = next {
            if nodes[current].name == name { return true }
            next = nodes[current].parent
        }
        return false
    }

    var directedYields: [HandOver] { handOvers.filter { $0.kind == .directed } }

    var messages: [String] {
        incidents.map { ($0.node.map { "\(nodes[$0].name): " } ?? "") + $0.message }
    }

    /// When a processor was idle although somebody could run and had none. Whoever waits for the kernel or a fragment on
    /// a processor has it already.
    private var idleWhileRunnable: [UInt64] {
        var steps: [(time: UInt64, used: Int, waiting: Int)] = []
        for span in spans where span.state == .running || span.state == .runnable {
            let isRunning = span.state == .running
            steps.append((span.start, isRunning ? 1 : 0, isRunning ? 0 : 1))
            steps.append((span.end, isRunning ? -1 : 0, isRunning ? 0 : -1))
        }
        for overhead in overheads {
            steps.append((overhead.start, 1, -1))
            steps.append((overhead.end, -1, 1))
        }
        steps.sort { $0.time < $1.time }
        var (used, waiting) = (0, 0)
        var times: [UInt64] = []
        for (index, step) in steps.enumerated() {
            used += step.used
            waiting += step.waiting
            let isLast = index + 1 == steps.count || steps[index + 1].time > step.time
            if isLast, used < processors, waiting > 0 { times.append(step.time) }
        }
        return times
    }

    /// The record adds up, and no processor is idle while somebody could run; besides, no span is empty, and no two
    /// that follow each other are of a kind.
    func check(_ location: SourceLocation) {
        #expect(problems() == [], sourceLocation: location)
        #expect(idleWhileRunnable == [], sourceLocation: location)
        #expect(spans.allSatisfy { $0.start < $0.end }, "empty span", sourceLocation: location)
        for index in nodes.indices {
            let life = spans.filter { $0.node == index }
            for (span, next) in zip(life, life.dropFirst()) {
                let isSame = span.state == next.state && span.processor == next.processor
                #expect(!isSame, "split span", sourceLocation: location)
            }
        }
    }
}
