import SCode
import SCodeAcceptors

/// Bytes are refused as eBPF, or make a program that is the same as text and as a module, and that the verifier takes:
/// what it cannot prove is guarded.
func checkEBPF(_ input: UnsafeRawBufferPointer) throws(Finding) {
    guard let program = try? Program(ebpf: [UInt8](input), for: Acceptor.standard, memorySize: 4096) else {
        return
    }
    let printed = parse(program.printed())
    try require(printed.diagnostics.isEmpty, "what is printed parses: \(printed.diagnostics)")
    try require(
        printed.program.withoutPositions == program.withoutPositions, "what is printed is the same program")
    try require((try? Program(decoding: program.encoded())) == program, "what is encoded is the same program")
    guard let acceptor = Acceptor.standard.first(where: { $0.name == program.acceptorName }) else {
        throw Finding(property: "the program is for an acceptor that there is")
    }
    let (verified, diagnostics) = Verifier.verify(program, acceptor: acceptor, keepsStates: true)
    // A store that is proved to change constants is a mistake, and there may be more of it all than is allowed.
    try require(
        verified != nil
            || diagnostics.allSatisfy { $0.severity != .error || [.regions, .limits].contains($0.rule) },
        "it is verified: \(diagnostics)")
    guard let verified, let machine = FuzzMachine(program.regions) else { return }
    for fragment in verified.fragments.prefix(2) {
        let interpreted = try machine.run(fragment, .interpreter, .live, seed: 1)
        let native = try machine.run(fragment, .native, .live, seed: 1)
        try require(interpreted?.exit == native?.exit, "one exit")
        try require(interpreted?.memory == native?.memory, "the same memory")
    }
}
