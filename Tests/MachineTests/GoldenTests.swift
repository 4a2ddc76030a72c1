import Exokernel
import Foundation
import Testing

/// Simulations whose beginning is written down: whatever changes it must be meant.
/// `SCODE_UPDATE=1 swift test --filter GoldenTests` writes the files anew.
@Suite struct GoldenTests {
    private static let folder = Examples.folder.deletingLastPathComponent()
        .appending(path: "Tests/MachineTests/Goldens")
    /// Lines of a file.
    private static let length = 250

    @Test(arguments: [("two-users", 1), ("schedulers/lottery", 1), ("schedulers/lottery", 7)])
    func beginsAsItDid(example: String, seed: UInt64) throws {
        var scenario = try Examples.scenario(example)
        let name = example.split(separator: "/").last ?? ""
        scenario.machine.seed = seed
        let timeline = try scenario.run()
        #expect(timeline.incidents == [])
        let running = timeline.spans.filter { $0.state == .running }.sorted { $0.start < $1.start }
        let lines = running.prefix(Self.length).map {
            "\($0.start) \($0.end) \(timeline.nodes[$0.node].name)\n"
        }
        let text = "start end environment\n" + lines.joined()
        let file = Self.folder.appending(path: "\(name)-\(seed).txt")
        if ProcessInfo.processInfo.environment["SCODE_UPDATE"] == "1" {
            try text.write(to: file, atomically: true, encoding: .utf8)
        }
        let expected = try String(contentsOf: file, encoding: .utf8)
        let difference = zip(text.split(separator: "\n"), expected.split(separator: "\n")).first { $0 != $1 }
        #expect(text == expected, "first difference: \(difference.map { "\($0) != \($1)" } ?? "length")")
    }

    @Test func theSeedMatters() throws {
        let schedules = try [UInt64(1), 2, 1].map { seed in
            var scenario = try Examples.scenario("schedulers/lottery")
            scenario.machine.seed = seed
            return try Machine(scenario: scenario).run().summary
        }
        #expect(schedules[0] != schedules[1])
        #expect(schedules[0] == schedules[2])
    }

    @Test func ticketsAreShares() throws {
        let timeline = try Examples.scenario("schedulers/lottery").run()
        for (name, share) in [("simulation", 0.5), ("render", 0.25), ("index", 0.125), ("backup", 0.125)] {
            // 2,000 draws: three standard deviations are at most 0.034.
            #expect(abs(Double(timeline.received(name)) / Double(timeline.end) - share) < 0.034)
        }
    }

    /// Sound is whole: each block of the two seconds is mixed before the next one is due.
    @Test func theMusicPlaysOnWhileBobBuilds() throws {
        let timeline = try Examples.scenario("two-users").run()
        let mixer = timeline.nodes.firstIndex { $0.name == "player.mixer" }
        let clock = timeline.nodes.firstIndex { $0.name == "player.clock" }
        let blocks = timeline.wakeups.filter { $0.node == mixer }.map(\.time)
        #expect(timeline.wakeups.filter { $0.node == clock }.count >= 248)
        #expect(blocks.count >= 248)
        let done = timeline.spans.filter { $0.node == mixer && $0.state == .running }.map(\.end)
        for (woken, next) in zip(blocks, blocks.dropFirst()) {
            #expect(done.contains { $0 > woken && $0 <= next })
        }
        // Bob has what Alice does not want.
        #expect(timeline.received("bob") > timeline.received("alice") * 2)
    }
}
