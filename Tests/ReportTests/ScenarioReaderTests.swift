import Exokernel
import Testing

@Suite struct ScenarioReaderTests {
    static let example = """
        machine: {tick: 1ms, quantum: 10ms, duration: 2s, memory: 16MiB, seed: 7, budget: 5_000}
        root:
          scheduler: fair.scode
          data: {tickets: [2, 1]}
          children:
            - name: alice
              share: 2
              scheduler: lottery.scode
              fragment: pick
              data:
                queue: [{words: [1, -1]}, {bytes: [255], zero: 2, text: hi}, 0x10]
              children:
                - name: build
                  share: 25%
                  tasks:
                    - {name: cc, count: 3, start: 5ms, every: 10ms, loops: 4, do: [run: 3ms, {sleep: 1.5ms}]}
                    - name: link
                      priority: -5
                      do:
                        - run: 250us
                        - loop: {times: 3, do: [{lock: m}, {loop: {times: 2, do: [run: 1ms, yield]}}, {unlock: m}]}
                        - wait: {condition: c, mutex: m}
                        - timer: {name: t, period: 10ms}
                        - loop: {times: forever, do: [suspend, {barrier: b}, {run: 1us}]}
                - {name: music, workload: music.json}
            - {name: clock, share: 1, loops: forever, do: [run: 1ms, timer: 10ms]}
        events:
          - {at: 1s, install: {node: alice, scheduler: lottery.scode, data: {queue: [1]}}}
          - {at: 500ms, remove: alice}
          - {at: 1s, replace: {node: root, scheduler: lottery.scode, fragment: other}}
        """
    static let music = "{tasks: {a: {run: 5, sleep: 5}, b: {run: 5, cpus: [0]}}}"

    static func files(_ main: String) -> (String) throws -> String {
        struct NoSuchFile: Error {}
        return { path in
            switch path {
            case "dir/main.yaml": main
            case "dir/fair.scode": "FAIR"
            case "dir/lottery.scode": "LOTTERY"
            case "dir/music.json": music
            default: throw NoSuchFile()
            }
        }
    }

    private func read(_ text: String) throws -> (scenario: Scenario, warnings: [ReadIssue]) {
        try ScenarioReader.read(path: "dir/main.yaml", file: Self.files(text))
    }

    private func issues(_ text: String) -> [ReadIssue] {
        do {
            _ = try ScenarioReader.read(path: "dir/main.yaml", file: Self.files(text))
            return []
        } catch {
            return error.issues
        }
    }

    @Test func everything() throws {
        let (scenario, warnings) = try read(Self.example)
        #expect(scenario.machine.quantum == 10_000_000)
        #expect(scenario.machine.memoryPages == 4096)
        #expect(scenario.machine.seed == 7)
        #expect(scenario.machine.budget == 5_000)
        #expect(scenario.root.name == "root")
        #expect(scenario.root.source == .init(path: "dir/fair.scode", text: "FAIR"))
        #expect(scenario.root.data == [.init(region: "tickets", bytes: [2, 0, 0, 0, 1, 0, 0, 0])])
        #expect(scenario.root.children.map(\.name) == ["alice", "clock"])
        #expect(scenario.environmentCount == 7)

        guard case .scheduler(let alice) = scenario.root.children[0],
            case .application(let clock) = scenario.root.children[1]
        else { throw Unexpected() }
        #expect(alice.source?.fragment == "pick")
        #expect(abs((alice.entitlement ?? 0) - 2.0 / 3) < 1e-12)
        #expect(abs((clock.entitlement ?? 0) - 1.0 / 3) < 1e-12)
        #expect(
            alice.data[0].bytes == [1, 0, 0, 0, 255, 255, 255, 255, 255, 0, 0, 104, 105, 16, 0, 0, 0])
        #expect(clock.workload.tasks[0].loops == nil)
        #expect(clock.environmentName(0) == "clock")

        guard case .application(let build) = alice.children[0],
            case .application(let music) = alice.children[1]
        else { throw Unexpected() }
        #expect(build.entitlement == 0.25)
        #expect(build.environmentEntitlement == 0.0625)
        #expect(music.entitlement == nil)
        #expect(
            (0..<4).map(build.environmentName) == ["build.cc-0", "build.cc-1", "build.cc-2", "build.link"])
        #expect(build.workload.tasks.map(\.start) == [5_000_000, 15_000_000, 25_000_000, 0])
        #expect(build.workload.tasks[0].phases[0].actions == [.run(3_000_000), .sleep(1_500_000)])
        #expect(music.workload.tasks.map(\.name) == ["a", "b"])
        let link = build.workload.tasks[3]
        #expect(link.priority == -5)
        #expect(link.phases.map(\.loops) == [1, 3, 1, nil])
        #expect(
            link.phases[1].actions == [
                .lock("m"), .run(1_000_000), .yield, .run(1_000_000), .yield, .unlock("m"),
            ])
        #expect(
            link.phases[2].actions == [
                .wait(condition: "c", mutex: "m"), .timer(name: "t", period: 10_000_000),
            ])
        #expect(link.phases[3].actions == [.suspend("link"), .barrier("b"), .run(1_000)])

        let lottery = Scenario.FragmentSource(path: "dir/lottery.scode", text: "LOTTERY")
        var other = lottery
        other.fragment = "other"
        #expect(
            scenario.events == [
                .init(time: 500_000_000, node: "alice", action: .remove),
                .init(
                    time: 1_000_000_000, node: "alice",
                    action: .install(lottery, data: [.init(region: "queue", bytes: [1, 0, 0, 0])])),
                .init(time: 1_000_000_000, node: "root", action: .replace(other, data: [])),
            ])
        #expect(warnings.map(\.path) == ["dir/music.json"])
    }

    /// What stands in the documentation of the reader.
    @Test func documentedExample() throws {
        let text = """
            machine: {tick: 1ms, quantum: 10ms, duration: 2s}
            root:
              scheduler: fair.scode
              children:
                - name: alice
                  share: 2
                  scheduler: lottery.scode
                  data: {tickets: [3, 1]}
                  children:
                    - {name: build, tasks: [{name: cc, count: 4, do: [run: 30ms, sleep: 2ms], loops: 10}]}
                    - {name: music, workload: music.json}
                - {name: clock, share: 1, loops: forever, do: [run: 1ms, timer: 10ms]}
            events:
              - {at: 500ms, remove: alice}
              - {at: 1s, install: {node: alice, scheduler: lottery.scode}}
            """
        #expect(try read(text).scenario.environmentCount == 7)
    }

    struct Unexpected: Error {}

    @Test(arguments: [
        ("", "dir/main.yaml:1:1: the file is empty"),
        ("root: [", "dir/main.yaml:2:1: did not find expected node content"),
        ("machine: {tick: 1ms}", "dir/main.yaml:1:1: a scenario needs 'root'"),
        ("rout: {children: []}", "dir/main.yaml:1:1: a scenario has no key 'rout'; did you mean 'root'?"),
        ("root: {children: []}\nroot: {}", "dir/main.yaml:1:1: 'root' is given twice"),
        ("root: {shceduler: x, children: []}", "did you mean 'scheduler'?"),
        ("root: {scheduler: no.scode, children: []}", "1:19: 'dir/no.scode' cannot be read: NoSuchFile()"),
        ("root: {children: [{name: a, do: [rnu: 1ms]}]}", "1:34: no action 'rnu'; did you mean 'run'?"),
        ("root: {children: [{name: a, do: [run: 3]}]}", "1:39: '3' is not a time, like 250us, 1.5ms or 2s"),
        ("root: {children: [{name: a, do: [run: 1d]}]}", "'1d' is not a time"),
        ("root: {children: [{name: a, do: [run: 25h]}]}", "'25h' is not a time"),
        ("root: {children: [{name: a, do: [run: 99999s]}]}", "'run' must be 0 to 86400s"),
        (
            "root: {children: [{name: a, do: [run: 1s]}, {name: a, do: [run: 1s]}]}",
            "1:52: the name 'a' is used twice"
        ),
        ("root: {name: a, children: [{name: a, do: [run: 1s]}]}", "the name 'a' is used twice"),
        (
            "root: {children: [{name: a, share: 60%, do: [run: 1s]}, {name: b, share: 50%, do: [run: 1s]}]}",
            "more than 100%"
        ),
        ("root: {children: [{name: a, share: 0, do: [run: 1s]}]}", "'0' is not a share"),
        ("root: {children: [{name: a, share: 0.5, do: [run: 1s]}]}", "'share' must be"),
        ("root: {children: [{name: a, loops: forever, do: [yield]}]}", "'a' repeats for ever"),
        ("root: {children: [{name: a, do: [loop: {times: 99999999, do: [yield]}]}]}", "very often"),
        (
            "root: {children: [{name: a, do: [{loop: {times: forever, do: [run: 1s]}}, yield]}]}",
            "without end"
        ),
        (
            "root: {children: [{name: a, tasks: [{name: b, count: 140000, do: [run: 1s]}]}]}",
            "'count' must be 0 to 131072"
        ),
        (
            "root: {children: [{name: a, tasks: [{name: b, count: 131072, do: [run: 1s]}, {name: c, do: [run: 1s]}]}]}",
            "more than 131072 environments"
        ),
        (
            "root: {children: []}\nevents: [{at: 1s, remove: rot}]",
            "2:27: no scheduler 'rot'; did you mean 'root'?"
        ),
        ("root: {children: []}\nevents: [{at: 1s}]", "an event needs"),
        (
            "machine: {tick: 10ms, quantum: 1ms}\nroot: {children: []}",
            "1:32: 'quantum' must be at least a tick"
        ),
        ("machine: {memory: 5KiB}\nroot: {children: []}", "whole number of pages"),
        ("machine: {seed: -1}\nroot: {children: []}", "'seed' must be 0 to 18446744073709551615"),
        ("root: {data: {q: {zero: 9999999}}, children: []}", "'zero' must be"),
        ("root: {data: {q: [5000000000]}, children: []}", "a number of 4 bytes must be"),
        ("root: {name: \"\\e[2J\", children: []}", "'\\u{1b}[2J' is not a name"),
        ("root: {children: [{name: m, workload: music.json, tasks: []}]}", "exclude each other"),
        ("root: {? [a] : b}", "a key must be a plain word"),
        ("root: {[a]: b}", "a key must be a plain word"),
        ("a: &x [1]\nroot: {*x : b}", "a key must be a plain word"),
    ])
    func refused(_ text: String, message: String) {
        let descriptions = issues(text).map(\.description)
        #expect(descriptions.contains { $0.contains(message) }, "\(descriptions)")
    }

    @Test func allComplaintsAtOnce() {
        let found = issues(
            "machine: {tick: 0}\nroot: {children: [{name: a, do: [run: 1, sleep: 2, jump: 3]}]}")
        #expect(found.count == 4)
    }

    // MARK: Hostile input

    /// Each level doubles what the one before stands for.
    @Test func aliasesAreNotExpandedWithoutBound() {
        var bomb = "x0: &x0 [run: 1ms]\n"
        for level in 1...30 { bomb += "x\(level): &x\(level) [*x\(level - 1), *x\(level - 1)]\n" }
        #expect(!issues(bomb + "root: {children: [{name: a, do: *x30}]}").isEmpty)

        var children = "c0: &c0 [{name: a, do: [run: 1ms]}]\n"
        for level in 1...5 {
            let child = "{name: n\(level), children: *c\(level - 1)}"
            let list = Array(repeating: child, count: 12).joined(separator: ",")
            children += "c\(level): &c\(level) [\(list)]\n"
        }
        #expect(!issues("root: {children: *c5}\n").isEmpty)
        #expect(!issues(children + "root: {children: *c5}").isEmpty)
        #expect(!issues(children + "? *c5\n: 1").isEmpty)
        // A key is compared by its content, so even parsing would take for ever.
        let bombAsKey = issues(bomb + "root: {*x30 : 1}")
        #expect(bombAsKey.map(\.problem) == [.syntax("a key must be a plain word, not an alias")])

        var loops = "y0: &y0 [{loop: {times: 0, do: []}}]\n"
        for level in 1...29 {
            let loop = "{loop: {times: 0, do: *y\(level - 1)}}"
            loops += "y\(level): &y\(level) [\(loop), \(loop)]\n"
        }
        let expanded = issues(loops + "root: {children: [{name: a, do: *y29}]}")
        #expect(expanded.map(\.problem).contains(.expandsTooFar(limit: 1 << 18)))
    }

    @Test func deepNestingIsRefused() {
        for opening in ["[", "{a: ", "- ", "a:\n ", "? ", "!!x [", "'"] {
            #expect(!issues(String(repeating: opening, count: 100_000)).isEmpty)
        }
        let block = (0..<2000).map { String(repeating: " ", count: $0) + "a:" }.joined(separator: "\n")
        #expect(!issues(block).isEmpty)
        let levels = String(repeating: "{name: a, children: [", count: 16)
        #expect(!issues("root: \(levels)").isEmpty)
        // The longest chain that gets through the first look.
        var chain = ""
        let brackets = 30
        let dashes = String(repeating: "- ", count: 48)
        for level in 0..<60 {
            let inner = level == 0 ? "1" : "*x\(level - 1)"
            chain += "x\(level): &x\(level)\n \(dashes)"
            chain +=
                String(repeating: "[", count: brackets) + inner + String(repeating: "]", count: brackets)
                + "\n"
        }
        #expect(!issues(chain).isEmpty)
        #expect(!issues(chain + "root: {data: {q: *x59}, children: []}").isEmpty)
    }

    @Test func loopsAreNotWrittenOutWithoutBound() {
        let inner = "{loop: {times: 65000, do: [yield]}}"
        let many = Array(repeating: "{loop: {times: 0, do: [\(inner)]}}", count: 10_000).joined(
            separator: ",")
        #expect(
            !issues("root: {children: [{name: a, do: [run: 1ms, {loop: {times: 1, do: [\(many)]}}]}]}")
                .isEmpty)
        let nested = (0..<20).reduce("yield") { inner, _ in "{loop: {times: 9, do: [\(inner)]}}" }
        #expect(!issues("root: {children: [{name: a, do: [run: 1ms, \(nested)]}]}").isEmpty)
    }

    @Test func truncatedAndMutated() {
        Hostile.check(Self.example) { text in
            _ = try? ScenarioReader.read(path: "dir/main.yaml", file: Self.files(text))
        }
    }
}
