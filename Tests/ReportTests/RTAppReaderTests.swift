import Exokernel
import Foundation
import Testing

@Suite struct RTAppReaderTests {
    private func read(_ text: String) throws -> (workload: Workload, warnings: [ReadIssue]) {
        try RTAppReader.read(text, path: "test.json")
    }

    private func failure(_ text: String) -> ReadIssue? {
        do {
            _ = try RTAppReader.read(text, path: "test.json")
            return nil
        } catch {
            return error.issues.first
        }
    }

    // MARK: Files that others wrote

    @Test func mp3() throws {
        guard let text = Samples.text("mp3-short.json") else { return }
        let (workload, warnings) = try read(text)
        #expect(workload.duration == 6_000_000_000)
        #expect(
            workload.tasks.map(\.name) == ["AudioTick", "AudioOut", "AudioTrack", "mp3.decoder", "OMXCall"])
        let tick = workload.tasks[0]
        #expect(tick.priority == -19)
        #expect(tick.loops == nil)
        #expect(
            tick.phases == [
                .init(
                    name: "p1", loops: 1,
                    actions: [.resume("AudioOut"), .timer(name: "tick", period: 6_000_000)]),
                .init(name: "p2", loops: 4, actions: [.timer(name: "tick", period: 6_000_000)]),
            ])
        #expect(
            workload.tasks[1].phases.first?.actions == [
                .run(275_000), .resume("AudioTrack"), .run(4_725_000), .suspend("AudioOut"),
            ])
        #expect(
            workload.tasks[3].phases.first?.actions == [
                .suspend("mp3.decoder"), .run(1_000_000), .lock("mutex"), .signal("queue"),
                .wait(condition: "queue", mutex: "mutex"), .unlock("mutex"), .run(150_000),
            ])
        #expect(
            warnings.map(\.problem) == [
                .keyIgnored("cpus", reason: "the simulated machine has one processor and no policies")
            ])
        #expect(warnings.first?.line == 6)
    }

    @Test func spreadingTasks() throws {
        guard let text = Samples.text("spreading-tasks.json") else { return }
        let (workload, warnings) = try read(text)
        #expect(workload.duration == 60_000_000_000)
        #expect(workload.tasks.map(\.phases.count) == [2, 4])
        #expect(workload.tasks[1].phases.map(\.name) == ["light1", "heavy1", "light2", "heavy1"])
        #expect(workload.tasks[1].phases.map(\.loops) == [900, 600, 300, 600])
        #expect(warnings.isEmpty)
    }

    @Test func tutorial() throws {
        var workloads: [Workload] = []
        for number in 1...8 {
            guard let text = Samples.text("tutorial/example\(number).json") else { return }
            workloads.append(try read(text).workload)
        }
        #expect(workloads[0].tasks[0].phases[0].actions == [.run(20_000_000), .sleep(80_000_000)])
        #expect(
            workloads[1].tasks[0].phases[0].actions == [
                .run(10_000_000), .timer(name: "unique", period: 100_000_000),
            ])
        #expect(workloads[2].tasks.map(\.name) == (0..<12).map { "thread0-\($0)" })
        #expect(workloads[2].tasks.allSatisfy { $0.loops == 1 && $0.phases.map(\.loops) == [10, 10] })
        #expect(workloads[2].duration == nil)
        #expect(workloads[3].tasks[1].phases[0].actions.last == .suspend("thread1"))
        #expect(workloads[4].tasks[0].phases[1].loops == 8)
        #expect(workloads[4].tasks[0].phases[1].actions.count == 8)
        #expect(workloads[4].tasks[1].phases[0].actions.filter { $0 == .run(10_000_000) }.count == 3)
        // mem and iorun stand for a nanosecond a byte.
        #expect(
            workloads[5].tasks[0].phases[0].actions == [
                .run(1_000_000), .run(1_000), .sleep(5_000_000), .sleep(100_000),
            ])
        #expect(
            workloads[6].tasks[0].phases[0].actions == [
                .run(1_000_000), .sleep(2_000_000), .barrier("FIRST"), .run(2_000_000), .barrier("SECOND"),
                .run(1_000_000), .sleep(2_000_000), .barrier("THIRD"),
            ])
        #expect(workloads[7].tasks[0].phases.map(\.name) == ["phase1", "phase2", "phase3"])
        #expect(workloads[7].tasks[0].loops == nil)
    }

    // MARK: The format

    @Test func relaxations() throws {
        let (workload, warnings) = try read(
            """
            // a comment
            {
              tasks: { /* bare words */
                "a": { loop: 2, run1: 5, "suspend", run2: 1.5, "resume": b, sync: {ref: c, mutex: m}, yield: "", },
                b: { instance: 2, delay: 10, suspend: "", broad: c, colour: 3, slep: 2, },
              },
              global: { duration: -1 },
            }
            """)
        #expect(workload.duration == nil)
        #expect(workload.tasks.map(\.name) == ["a", "b-0", "b-1"])
        #expect(workload.tasks[0].loops == 2)
        #expect(
            workload.tasks[0].phases[0].actions == [
                .run(5_000), .suspend("a"), .run(1_500), .resume("b"), .signal("c"),
                .wait(condition: "c", mutex: "m"), .yield,
            ])
        #expect(workload.tasks[2].phases[0].actions == [.suspend("b"), .broadcast("c")])
        #expect(workload.tasks[2].start == 10_000)
        #expect(
            warnings.map(\.problem) == [
                .unknownKeyIgnored("colour", suggestion: nil),
                .unknownKeyIgnored("slep", suggestion: "sleep"),
            ])
        #expect(warnings.last?.description.contains("test.json:5:") == true)
    }

    @Test(arguments: [
        ("", 1, 1), ("{", 1, 2), ("{\"tasks\": {}}", 1, 1), ("{ \"a\" \"b\" }", 1, 7), ("[1]", 1, 1),
        ("{}{}", 1, 3), ("{ /* ", 1, 3), ("{ \"a", 1, 3), ("{ \"a\n\" }", 1, 3),
        ("{tasks:{a:{run:-1}}}", 1, 16),
        ("{tasks:\n{a:{run:99999999999999999999}}}", 2, 9), ("{tasks:{a:{run:x}}}", 1, 16),
        ("{tasks:{a:{timer:{ref:t}}}}", 1, 12), ("{tasks:{a:{run:1},a:{run:1}}}", 1, 19),
        ("{tasks:{a:{loop:-1,yield:x}}}", 1, 9), ("{tasks:{\"\\u001b[2J\":{run:1}}}", 1, 9),
        ("{tasks:{a:{run:0.0001}}}", 1, 16), ("{tasks:{a:{instance:140000,run:1}}}", 1, 21),
        ("{tasks:{a:{wait:{ref:c}}}}", 1, 12), ("{é#}", 1, 3), ("{\"\\q\":1}", 1, 3),
    ])
    func refused(_ text: String, line: Int, column: Int) throws {
        let issue = try #require(failure(text))
        #expect(issue.line == line, "\(issue)")
        #expect(issue.column == column, "\(issue)")
        #expect(!issue.description.unicodeScalars.contains("\u{1B}"))
    }

    @Test func deepNestingIsRefused() {
        for depth in [100_000, 500_000] {
            #expect(failure(String(repeating: "[", count: depth)) != nil)
            let objects = String(repeating: "{a:", count: depth / 2)
            #expect(failure(objects)?.problem == .nestedTooDeeply(limit: 32))
        }
        let tooLong = String(repeating: "[", count: 1_000_000) + String(repeating: " ", count: 100_000)
        #expect(failure(tooLong)?.problem == .fileTooLarge(limit: ScenarioLimits.fileSize))
    }

    @Test func truncatedAndMutated() {
        let text = Samples.text("tutorial/example5.json") ?? Self.small
        Hostile.check(text) { _ = try? RTAppReader.read($0, path: "x") }
    }

    private static let small =
        "{ /* c */ tasks: { a: { run1: 5, \"suspend\", timer: {ref: t, period: 9} } } }"
}
