import SCode
import SCodeAcceptors

/// What the verifier lets through runs alike on both engines, and touches nothing that it was not given.
func checkPipeline(_ input: UnsafeRawBufferPointer) throws(Finding) {
    guard let program = read(input) else { return }
    let name = program.acceptorName ?? Acceptor.plain.name
    guard let acceptor = Acceptor.standard.first(where: { $0.name == name }),
        let verified = Verifier.verify(program, acceptor: acceptor, keepsStates: true).program,
        let machine = FuzzMachine(program.regions)
    else { return }
    // Enough to see what fragments do together; a module of thousands would only take time.
    for fragment in verified.fragments.prefix(4) {
        for seed: UInt64 in 0..<2 {
            for observation in [RegisterObservation.live, .all] {
                let interpreted = try machine.run(fragment, .interpreter, observation, seed: seed)
                let native = try machine.run(fragment, .native, observation, seed: seed)
                try require(
                    (interpreted == nil) == (native == nil), "what one engine can install, the other can")
                guard let interpreted, let native else { continue }
                try require(interpreted.exit == native.exit, "one exit: \(interpreted.exit), \(native.exit)")
                try require(
                    interpreted.budget == native.budget, "one budget: \(interpreted.budget), \(native.budget)"
                )
                try require(
                    interpreted.registers == native.registers,
                    "the same registers: \(interpreted.registers), \(native.registers)")
                try require(interpreted.memory == native.memory, "the same memory")
            }
        }
    }
}

/// A module if it begins like one, else text.
private func read(_ input: UnsafeRawBufferPointer) -> Program? {
    if input.starts(with: Program.moduleMagic) { return try? Program(decoding: input) }
    let result = parse(String(decoding: input, as: UTF8.self))
    return result.diagnostics.contains { $0.severity == .error } ? nil : result.program
}
