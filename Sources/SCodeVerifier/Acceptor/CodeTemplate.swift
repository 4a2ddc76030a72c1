import SCodeIR

/// Code of an acceptor's own, in SCODE: what a macro-instruction becomes, or what stands before a jump or access.
///
/// It is a fragment whose parameters are the operands. Where it runs off its end, the provider's code goes on. It may
/// name the acceptor's regions, which programs cannot, and leave by the macro-instructions `accept VALUE`, `refuse` and
/// `abort`. Where it is used, its registers become those of the operands or, for temporaries, the acceptor's scratch
/// registers, so that it cannot disturb the provider's code, nor be disturbed.
///
/// Expanded code is verified with the provider's: an acceptor's mistake is no hole.
public struct CodeTemplate: Sendable, Hashable {
    /// The code, as written.
    public let code: FragmentCode
    /// The regions that it names by index: of these the acceptor has those of the same name.
    let regions: [Region]
    /// Whether its end can be reached.
    let fallsThrough: Bool
    /// Registers that it writes.
    let written: RegisterSet

    /// - Parameter program: one fragment, without procedures and jump tables, and the regions that it names.
    /// - Throws: every rule that the code breaks.
    public init(_ program: Program) throws(DiagnosticsError) {
        guard let code = program.fragments.first, program.fragments.count == 1, code.procedures.isEmpty,
            code.tables.isEmpty
        else {
            throw DiagnosticsError([
                Diagnostic(
                    .error, .none, "a template is one fragment without procedures and jump tables",
                    rule: .limits)
            ])
        }
        // Its end stands for what comes behind it.
        var closed = code
        let end = UInt32(truncatingIfNeeded: code.instructions.count)
        closed.instructions.append(
            Instruction(Opcode(.macro), index: UInt32(truncatingIfNeeded: code.macroCalls.count)))
        closed.macroCalls.append(MacroCall(name: "refuse", operands: []))
        if !closed.sourceRanges.isEmpty { closed.sourceRanges.append(.none) }
        let acceptor = Acceptor(
            name: "template", suppliedArguments: ProgramLimits.parameters, macros: Self.exits)
        let (verified, diagnostics) = Verifier.verify(
            Program(regions: program.regions, fragments: [closed]), acceptor: acceptor)
        guard let fragment = verified?.fragments.first else { throw DiagnosticsError(diagnostics) }
        self.code = code
        regions = program.regions
        let last = Int(fragment.facts[Int(end)].block)
        fallsThrough = fragment.flow.blocks[last].isReachable
        written = code.instructions.reduce(into: []) {
            $0.formUnion($1.writes(closed, fragment.macros))
        }
    }

    /// What a template can leave by.
    static let exits = [
        MacroInstruction("accept", [.value(.ul)], .accept, meaning: "leaves the fragment with a value"),
        MacroInstruction("refuse", [], .refuse, meaning: "leaves the fragment without a value"),
        MacroInstruction("abort", [], .abort, meaning: "stops the fragment"),
    ]
}
