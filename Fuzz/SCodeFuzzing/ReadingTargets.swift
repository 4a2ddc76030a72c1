import SCode
import SCodeAcceptors

/// Text is refused, or read, printed, formatted and encoded without changing its meaning.
func checkText(_ input: UnsafeRawBufferPointer) throws(Finding) {
    let text = String(decoding: input, as: UTF8.self)
    let result = parse(text)
    let renderer = DiagnosticRenderer(source: SourceText(text), fileName: "fuzz")
    _ = renderer.render(result.diagnostics)
    try require(
        result.fragmentsWithErrors.allSatisfy { result.program.fragments.indices.contains($0) },
        "fragments with errors are fragments of the program")
    if let once = try? format(text) {
        let again = try? format(once)
        try require(again == once, "formatting formatted text changes nothing")
        try require(
            parse(once).program.withoutPositions == result.program.withoutPositions,
            "formatting does not change the program")
    }
    guard !result.diagnostics.contains(where: { $0.severity == .error }) else { return }
    let program = result.program
    let printed = parse(program.printed())
    try require(
        !printed.diagnostics.contains { $0.severity == .error },
        "what is printed parses: \(printed.diagnostics)")
    try require(
        printed.program.withoutPositions == program.withoutPositions, "what is printed is the same program")
    let decoded = try? Program(decoding: program.encoded())
    try require(decoded == program, "what is encoded is the same program")
    let stripped = program.stripped()
    let bare = stripped.printed()
    try require(parse(bare).program.printed() == bare, "the text of a stripped program is stable")
}

/// Bytes are refused, or are the one encoding of what was read.
func checkModule(_ input: UnsafeRawBufferPointer) throws(Finding) {
    guard let program = try? Program(decoding: input) else { return }
    try require(program.encoded().elementsEqual(input), "a program has one encoding")
    _ = program.printed()
    let stripped = program.stripped()
    let decoded = try? Program(decoding: stripped.encoded())
    try require(decoded == stripped, "a stripped program can be encoded")
}

/// A verdict is reached, does not depend on what is for people only, and what is claimed of a program is true when it
/// runs.
func checkVerifier(_ input: UnsafeRawBufferPointer) throws(Finding) {
    guard let program = try? Program(decoding: input) else { return }
    let named = Acceptor.standard.filter { $0.name == program.acceptorName }
    for acceptor in named.isEmpty ? Acceptor.standard : named {
        let (verified, diagnostics) = Verifier.verify(program, acceptor: acceptor, keepsStates: true)
        let errors = diagnostics.filter { $0.severity == .error }
        try require((verified == nil) == !errors.isEmpty, "a program is refused exactly if there are errors")
        try require(errors.allSatisfy { $0.rule != nil }, "each error names the rule that was broken")
        let stripped = Verifier.verify(program.stripped(), acceptor: acceptor).program
        // The other way round it may: two labels of one name are refused, and without names they are two.
        try require(
            verified == nil || stripped != nil,
            "what is verified is verified without names and positions, too")
        guard let verified else { continue }
        try require(verified.fragments.count == program.fragments.count, "all fragments are verified")
        for (fragment, code) in zip(verified.fragments, program.fragments) {
            let count = code.instructions.count
            try require(fragment.code == code, "what is verified is what was given")
            try require(
                fragment.facts.count == count,
                "there are facts for each instruction")
        }
        guard let machine = FuzzMachine(program.regions) else { continue }
        for fragment in verified.fragments.prefix(4) {
            for seed: UInt64 in 0..<4 { _ = try machine.run(fragment, .interpreter, .all, seed: seed) }
        }
    }
}
