import SCode
import Testing

@testable import Exokernel

/// What decisions stand on: tables, values by id, invocations that come back with numbers, room for many.
@Suite struct TableTests {
    @Test func aTableKeepsWhatIsInItAsItGrows() {
        let table = Table(["a", "b"])
        for number in 0..<1000 { table.append("\(number)") }
        table[0] += "!"
        #expect(table.count == 1002)
        #expect([table[0], table[1], table[2], table[1001]] == ["a!", "b", "0", "999"])
        #expect(Array(table.prefix(3)) == ["a!", "b", "0"])
    }

    @Test func valuesByID() {
        var values = ByID<[Int]>()
        #expect(values.isEmpty && values[5] == nil && values[-1] == nil)
        // Whoever only looks, or takes away, makes no entry.
        values[5]?.append(1)
        #expect(values.isEmpty && !values.contains(5))
        values[5] = [1]
        values[5]?.append(2)
        values[2] = []
        values[-3] = [7]
        #expect(values[5] == [1, 2] && values.count == 2 && Array(values.keys) == [2, 5])
        #expect(values.removeValue(forKey: 5) == [1, 2])
        #expect(values.removeValue(forKey: 5) == nil && values.removeValue(forKey: 900) == nil)
        #expect(values.count == 1 && Array(values.keys) == [2])
    }

    @Test(arguments: EngineKind.allCases) func enterSaysWhatInvokeSays(_ engine: EngineKind) throws {
        for (body, way) in [
            ("accept 42", Departure.Way.accepted), ("refuse", .refused),
            ("setul zero, 0\n divul zero, zero, zero\n accept zero", .aborted),
        ] {
            let module = try Module(text: "fragment f() {\n \(body)\n}", acceptor: .plain)
            let fragment = try Fragment(try #require(module.fragment()), engine: engine)
            fragment.owner = 7
            let invocation = fragment.invoke(budget: 100)
            let departure = fragment.enter(budget: 100)
            #expect(departure.way == way)
            #expect(departure.remainingBudget == invocation.remainingBudget && departure.owner == 7)
            #expect(departure.value == (way == .accepted ? 42 : 0))
            let abort = fragment.takeAbort()
            #expect((abort != nil) == (way == .aborted))
            #expect(abort.map { $0.exit == invocation.exit } ?? true)
            #expect(fragment.takeAbort() == nil)
        }
    }

    /// More than the 8,192 for which there is room in any case, also below one scheduler.
    @Test func whatIsExposedGrowsWithTheScenario() throws {
        let count = 9_000
        let children = (0..<count).map { Scenario.Child.task("t\($0)", [.run(1_000)]) }
        let wide = Scenario.FragmentSource(
            path: "wide.scode",
            text: """
                accept scheduler
                region environments: physical ro, 9002 * 32
                fragment last() {
                    s_app_sched \(count + 1)
                }
                """)
        var scenario = Scenario.with(wide, children)
        scenario.machine.memoryPages = 40_000
        let machine = try Machine(scenario: scenario)
        #expect(machine.exposed.capacity >= count + 2)
        machine.run(until: 1)
        let last = machine.pages.address(machine.exposed.environments)
            .load(fromByteOffset: (count + 1) * ExposedState.EnvironmentField.size, as: UInt32.self)
        #expect(last == UInt32(count + 1))
        let timeline = machine.run()
        #expect(timeline.nodes.allSatisfy { $0.isScheduler || $0.ended != nil })
        #expect(timeline.spans.first { $0.state == .running }?.node == count)
    }
}
