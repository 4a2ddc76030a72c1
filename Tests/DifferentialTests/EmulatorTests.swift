import Foundation
import SCode
import SCodeTestSupport
import Testing

/// Random verified programs do the same in the interpreter, on the processor and in an emulator, which sees that they
/// touch nothing and go nowhere that they should not.
@Suite struct EmulatorTests {
    static let programs =
        Int(ProcessInfo.processInfo.environment["SCODE_EMULATED_PROGRAMS"] ?? "") ?? 50_000

    @Test func randomProgramsKeepToTheirBounds() throws {
        let machine = try TestMachine()
        let emulator = try Emulator()
        var previous: [VerifiedFragment] = []
        var exits: [String: Int] = [:]
        var accepted = 0
        var seed: UInt64 = 1 << 32
        while accepted < Self.programs {
            defer { seed += 1 }
            // No fault of the emulator is one of the host's processor, so that regions of the host policy are left out.
            guard let (fragment, program) = TestMachine.randomFragment(seed, regions: TestMachine.regions)
            else { continue }
            accepted += 1
            let chain = [fragment] + previous.suffix(2)
            previous = [fragment] + previous.prefix(1)
            // One of them each time: they differ in little but how they leave.
            let observing: RegisterObservation = seed & 64 == 0 ? .live : .all
            let tlb = seed & 32 == 0
            let expected = try machine.run(
                chain, seed: seed, engine: .interpreter, observing: observing, tlb: tlb)
            let actual = try machine.run(chain, seed: seed, engine: .native, observing: observing, tlb: tlb)
            exits[expected.exit.kind, default: 0] += 1
            do {
                let emulated = try machine.run(
                    chain, seed: seed, on: emulator, observing: observing, tlb: tlb)
                guard
                    let difference = expected.difference(from: emulated) ?? expected.difference(from: actual)
                else { continue }
                Issue.record("seed \(seed): \(difference)\n\(program.printed())")
            } catch let violation as Emulator.Violation {
                Issue.record("seed \(seed): \(violation)\n\(program.printed())")
            }
            return
        }
        let kinds = exits.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: ", ")
        print(
            "emulated: \(accepted) programs, \(emulator.checks) accesses and blocks looked at; exits: \(kinds)"
        )
    }
}
