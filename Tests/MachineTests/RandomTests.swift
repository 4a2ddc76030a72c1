import Exokernel
import SCodeTestSupport
import Testing

/// Random machines: whatever tasks and fragments do, the record adds up, and both engines agree on it.
@Suite struct RandomTests {
    struct Maker {
        var random: SeededGenerator
        let sources: [Scenario.FragmentSource?]
        var count = 0

        mutating func number(_ limit: Int) -> Int { Int.random(in: 0..<limit, using: &random) }
        mutating func time() -> UInt64 { UInt64(number(40)) * 250_000 }
        mutating func name() -> String { ["m", "n", "unique"][number(3)] }
        mutating func source() -> Scenario.FragmentSource? { sources[number(sources.count)] }

        mutating func action() -> Workload.Action {
            switch number(15) {
            case 0...2: .run(time())
            case 3...4: .sleep(time())
            case 5: .timer(name: name(), period: time())
            case 6: .suspend(name())
            case 7: .resume(name())
            case 8: .lock(name())
            case 9: .unlock(name())
            case 10: .wait(condition: name(), mutex: name())
            case 11: number(2) == 0 ? .signal(name()) : .broadcast(name())
            case 12: .barrier(name())
            case 13: .yieldTo("t\(1 + number(count + 2))")
            default: .yield
            }
        }

        mutating func task() -> Workload.Task {
            count += 1
            var task = Workload.Task(name: "t\(count)", start: number(3) == 0 ? time() : 0)
            task.loops = [1, 3, nil][number(3)]
            for _ in 0..<number(3) {
                var phase = Workload.Phase(name: "p", loops: [0, 1, 5, nil][number(4)])
                for _ in 0..<number(6) { phase.actions.append(action()) }
                task.phases.append(phase)
            }
            return task
        }

        mutating func children(depth: Int) -> [Scenario.Child] {
            (0..<number(5)).map { _ in
                count += 1
                let name = "n\(count)"
                guard depth < 3, number(3) == 0 else {
                    var workload = Workload(duration: number(6) == 0 ? time() : nil)
                    for _ in 0..<number(4) { workload.tasks.append(task()) }
                    return .application(Scenario.Application(name: name, workload: workload))
                }
                return .scheduler(
                    Scenario.Scheduler(name: name, source: source(), children: children(depth: depth + 1)))
            }
        }

        mutating func scenario() -> Scenario {
            var scenario = Scenario.with(source(), children(depth: 0), duration: 60 * ms)
            scenario.machine.tick = [1, 250_000, ms, 3 * ms][number(4)]
            scenario.machine.quantum = [1_000_000, 100_000, 7 * ms][number(3)]
            scenario.machine.memoryPages = [174, 264, 2064][number(3)]
            scenario.machine.budget = [0, 10, 10_000][number(3)]
            scenario.machine.processors = [1, 1, 2, 3, 64][number(5)]
            let costs: [UInt64] = [0, 0, 1, 1_000, 300_000]
            scenario.machine.costs.decision = costs[number(5)]
            scenario.machine.costs.fragment = costs[number(4)]
            scenario.machine.costs.change = costs[number(5)]
            var names = ["root"]
            func collect(_ children: [Scenario.Child]) {
                for case .scheduler(let scheduler) in children {
                    names.append(scheduler.name)
                    collect(scheduler.children)
                }
            }
            collect(scenario.root.children)
            for _ in 0..<number(6) {
                let action: Scenario.Event.Action
                switch (number(3), source()) {
                case (0, let source?): action = .install(source, data: [])
                case (1, let source?): action = .replace(source, data: [])
                default: action = .remove
                }
                scenario.events.append(.init(time: time(), node: names[number(names.count)], action: action))
            }
            scenario.events.sort { $0.time < $1.time }
            return scenario
        }
    }

    /// A few thousand steps show what there is to see.
    static let limits: Machine.Limits = {
        var limits = Machine.Limits()
        limits.actionsPerInstant = 200
        limits.steps = 5000
        return limits
    }()

    @Test func whateverHappens() throws {
        let sources: [Scenario.FragmentSource?] = [
            nil, Code.first, Code.firstSlot, Code.loops, Code.aborts, Code.refuses, Code.accepts(3),
            Code.accepts(7), try Examples.fragment("schedulers/round-robin.scode"),
            try Examples.fragment("schedulers/lottery.scode"),
            try Examples.fragment("two-users.scode"),
        ]
        let limits = Self.limits
        var built = 0
        for seed in 0..<200 {
            var maker = Maker(random: SeededGenerator(seed: UInt64(seed)), sources: sources)
            let scenario = maker.scenario()
            // Small memories do not hold everybody.
            guard let machine = try? Machine(scenario: scenario, limits: limits) else { continue }
            built += 1
            let timeline = machine.run()
            let other = try Machine(scenario: scenario, engine: .interpreter, limits: limits).run()
            #expect(timeline.summary == other.summary, "seed \(seed)")
            timeline.check(#_sourceLocation)
            #expect(timeline.end <= 60 * ms)
        }
        #expect(built > 100)
    }
}
