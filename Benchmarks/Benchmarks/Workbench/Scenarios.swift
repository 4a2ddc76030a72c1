import Exokernel
import Foundation

/// Machines to measure.
public enum Scenarios {
    /// A file of `scode-examples`.
    public static func example(_ name: String) -> String {
        let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(
            path: "../../../scode-examples")
        do {
            return try String(contentsOf: folder.appending(path: name).standardizedFileURL, encoding: .utf8)
        } catch {
            fatalError("\(error)")
        }
    }

    /// `scode-examples/schedulers/round-robin.scode` with a list of children as long as it is used.
    /// - Parameter turn: the guard of the region in which a scheduler remembers whose turn it is.
    static func turns(_ places: Int, turn: String = "virtual") -> Scenario.FragmentSource {
        let text = example("schedulers/round-robin.scode")
            .replacing("const places = 256", with: "const places = \(places)")
            .replacing("region turn: virtual", with: "region turn: \(turn)")
        precondition(text.contains("const places = \(places)") && text.contains("region turn: \(turn)"))
        return Scenario.FragmentSource(path: "round-robin.scode", text: text)
    }

    /// Somebody who always wants the processor.
    private static func hog(_ name: String) -> Scenario.Child {
        task(name, start: 0, [.run(1_000_000_000_000)])
    }

    private static func task(_ name: String, start: UInt64, _ actions: [Workload.Action]) -> Scenario.Child {
        let phases = [Workload.Phase(name: name, loops: nil, actions: actions)]
        let task = Workload.Task(name: name, start: start, loops: nil, phases: phases)
        return .application(Scenario.Application(name: name, workload: Workload(tasks: [task])))
    }

    /// Three levels of schedulers, 5 below the root with 4 below each, and 5 environments below each of those. All 100
    /// want the processor, and a quantum lasts a tick: there is a decision at each interrupt, and each one switches.
    public static func decisions(_ count: UInt64) -> Scenario {
        var machine = Scenario.Machine()
        machine.tick = 10_000
        machine.quantum = 10_000
        machine.duration = count * machine.quantum
        machine.starvation = 0
        let users = (0..<5).map { user in
            let shells = (0..<4).map { shell in
                Scenario.Child.scheduler(
                    Scenario.Scheduler(
                        name: "shell-\(user)-\(shell)", source: turns(5),
                        children: (0..<5).map { hog("task-\(user)-\(shell)-\($0)") }))
            }
            return Scenario.Child.scheduler(
                Scenario.Scheduler(name: "user-\(user)", source: turns(4), children: shells))
        }
        return Scenario(
            machine: machine, root: Scenario.Scheduler(name: "root", source: turns(5), children: users))
    }

    /// An hour of `scode-examples/two-users.yaml`: its programs go on for as long as the machine does.
    public static func hour(_ scenario: Scenario) -> Scenario {
        func endless(_ scheduler: Scenario.Scheduler) -> Scenario.Scheduler {
            var scheduler = scheduler
            scheduler.children = scheduler.children.map { child in
                switch child {
                case .scheduler(let inner): return .scheduler(endless(inner))
                case .application(var application):
                    application.workload.duration = nil
                    for index in application.workload.tasks.indices {
                        application.workload.tasks[index].loops = nil
                    }
                    return .application(application)
                }
            }
            return scheduler
        }
        var scenario = scenario
        scenario.machine.duration = 3600 * 1_000_000_000
        scenario.root = endless(scenario.root)
        return scenario
    }

    /// So many schedulers below the root, with so many environments in all that sleep for an hour after their first look
    /// at the world.
    public static func crowd(environments: Int, schedulers: Int) -> Scenario {
        let each = environments / max(1, schedulers)
        let hour: UInt64 = 3600 * 1_000_000_000
        let children = (0..<schedulers).map { number in
            Scenario.Child.scheduler(
                Scenario.Scheduler(
                    name: "s\(number)",
                    children: (0..<each).map { task("t\(number)-\($0)", start: 0, [.sleep(hour)]) }))
        }
        var machine = Scenario.Machine()
        machine.duration = 1_000_000_000
        // Three pages for each, and what schedulers and the kernel want.
        machine.memoryPages = environments * 3 + schedulers * 16 + environments / 16 + 4096
        return Scenario(machine: machine, root: Scenario.Scheduler(name: "root", children: children))
    }
}

extension Machine {
    /// A machine without a limit of steps that would end a long simulation.
    public static func measured(_ scenario: Scenario) -> Machine {
        var limits = Machine.Limits()
        limits.steps = .max
        do { return try Machine(scenario: scenario, limits: limits) } catch { fatalError("\(error)") }
    }
}
