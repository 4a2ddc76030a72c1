import SCode
import SCodeTestSupport
import Testing

@testable import Exokernel

/// Ten thousand fragments that mean no good, one after the other, and users who want their share.
@Suite struct ChaosTests {
    static let fragments = 10_000

    /// Decides and handles events at random: most loop, fault, lie, call slots that are not there, or refuse.
    static func source(_ random: inout SeededGenerator) -> Scenario.FragmentSource {
        func pick(_ items: [String]) -> String { items.randomElement(using: &random) ?? "" }
        func register() -> String { "r\(Int.random(in: 0..<8, using: &random))" }
        func instruction(_ index: Int, _ count: Int) -> String {
            let constant = pick(["0", "1", "2", "5", "64", "4096", "0x1_0000_0000", "~0"])
            switch Int.random(in: 0..<14, using: &random) {
            case 0: return "addul \(register()), \(register()), \(register())"
            case 1: return "mulul \(register()), \(register()), \(constant)"
            case 2: return "\(pick(["div", "mod"]))ul \(register()), \(register()), \(register())"
            case 3: return "ld\(pick(["uc", "us", "u", "ul"])) \(register()), \(register()), 0"
            case 4: return "st\(pick(["uc", "us", "u", "ul"])) \(register()), \(register()), 0"
            case 5: return "setp \(register()), \(pick(["mine", "environments", "children", "machine"]))"
            case 6:
                return
                    "\(pick(["beq", "bne", "blt"]))ul \(register()), \(register()), l\(Int.random(in: 0..<count, using: &random))"
            case 7: return "j l\(Int.random(in: 0..<count, using: &random))"
            case 8: return "s_sub_sched \(register())"
            case 9: return "s_app_sched \(register())"
            case 10: return "s_refuse"
            case 11: return "s_resched"
            case 12: return "addul \(register()), r\(28 + Int.random(in: 0..<4, using: &random)), \(constant)"
            default: return "setul \(register()), \(constant)"
            }
        }
        func body(_ name: String) -> String {
            let count = Int.random(in: 1...24, using: &random)
            var text = "fragment \(name) {\n"
            for register in 0..<8 {
                text += " setul r\(register), \(Int.random(in: 0..<10, using: &random))\n"
            }
            for index in 0..<count { text += "l\(index):\n \(instruction(index, count))\n" }
            return text + " \(pick(["s_refuse", "s_app_sched r1", "j l0", "s_resched"]))\n}\n"
        }
        // Now and then it asks for what it must not have.
        let rights = Int.random(in: 0..<8, using: &random) == 0 ? "rw" : "ro"
        var text = """
            accept scheduler
            region environments: physical \(rights), 4096
            region children: \(pick(["physical", "virtual"])) ro, 256
            region machine: physical ro, 40
            region mine: \(pick(["physical", "virtual"])) rw, 4096

            """
        text += body("decide")
        for handler in ["begin", "end", "sleep", "wake"] where Bool.random(using: &random) {
            text += body(handler)
        }
        return Scenario.FragmentSource(path: "chaos.scode", text: text)
    }

    @Test func othersHaveTheirShare() throws {
        let machine = try Machine(
            scenario: .with(
                try Examples.fragment("two-users.scode"),
                [
                    .scheduler(
                        "bad", nil,
                        [
                            .task("x", loops: nil, [.run(3 * ms)]),
                            .task("y", loops: nil, [.run(1 * ms), .sleep(1 * ms)]),
                        ]),
                    .scheduler(
                        "good", try Examples.fragment("schedulers/round-robin.scode"),
                        [.task("b", loops: nil, [.run(5 * ms)]), .task("c", loops: nil, [.run(7 * ms)])]),
                ], duration: UInt64(Self.fragments + 8) * ms))
        let bad = try #require(machine.schedulers["bad"])
        var random = SeededGenerator(seed: 4)
        var refused = 0
        for number in 0..<Self.fragments {
            machine.run(until: UInt64(number) * ms)
            // What cannot be installed leaves the one before in its place.
            do { try machine.install(Self.source(&random), data: [], for: bad) } catch { refused += 1 }
        }
        let timeline = machine.run()
        timeline.check(#_sourceLocation)
        #expect(timeline.end == UInt64(Self.fragments + 8) * ms)
        let half = timeline.end / 2
        #expect(timeline.received("good") >= half - 16 * ms)
        // Each of the two well-behaved ones half of that.
        for name in ["b", "c"] { #expect(timeline.received(name) >= half / 2 - 16 * ms, "\(name)") }
        // They were not kept out, and were not harmless either.
        #expect(refused > Self.fragments / 20 && refused < Self.fragments / 2)
        let aborts = timeline.messages.filter { $0.contains("abort") }.count
        #expect(aborts > 10)
    }
}
