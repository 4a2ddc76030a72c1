import SCodeIR

/// The verifier: the only way from `Program` to `VerifiedProgram`.
///
/// The rules, each a case of `VerifierRule` (V1 … V14), are checked in two passes over each fragment:
/// `StructuralRules` looks at instructions one by one, unreachable ones too; `FlowRules` follows values along
/// the control flow. Time is near linear in the size of the program.
public enum Verifier {
    /// - Parameters:
    ///   - program: the code, from whatever source.
    ///   - acceptor: who takes it.
    ///   - incomplete: fragments that the parser could not read whole. They are held against the structural
    ///     rules only, so that one run reports every mistake of a file.
    ///   - keepsStates: whether each fragment keeps what is known of every value, for people to read and for tests to
    ///     check; it takes memory that running the fragment does not need.
    /// - Returns: the verified program, with warnings, or every rule that was broken.
    public static func verify(
        _ program: Program, acceptor: Acceptor, incomplete: Set<Int> = [], keepsStates: Bool = false
    ) -> (program: VerifiedProgram?, diagnostics: [Diagnostic]) {
        var diagnostics: [Diagnostic] = []
        checkWhole(program, acceptor, &diagnostics)
        var fragments: [VerifiedFragment] = []
        for (index, code) in program.fragments.enumerated() {
            var structure = StructuralRules(code: code, program: program, acceptor: acceptor)
            structure.check(isComplete: !incomplete.contains(index))
            diagnostics += structure.diagnostics
            guard structure.diagnostics.isEmpty, !incomplete.contains(index) else { continue }

            var flow = FlowRules(
                code: code, regions: program.regions, acceptor: acceptor, structure: structure)
            let fragment = flow.check(keepsStates: keepsStates)
            diagnostics += flow.diagnostics
            if let fragment { fragments.append(fragment) }
        }
        if program.fragments.isEmpty, incomplete.isEmpty {
            diagnostics.append(
                Diagnostic(
                    .error, .none, "the program has no fragment", rule: .limits,
                    suggestion: "add one: fragment main() { accept 0 }"))
        }
        guard !diagnostics.contains(where: { $0.severity == .error }), incomplete.isEmpty else {
            return (nil, diagnostics)
        }
        let verified = VerifiedProgram(
            program: program, acceptor: acceptor, fragments: fragments, warnings: diagnostics)
        return (verified, diagnostics)
    }

    /// What concerns no fragment in particular: V7, V10, V13 and V14.
    private static func checkWhole(
        _ program: Program, _ acceptor: Acceptor, _ diagnostics: inout [Diagnostic]
    ) {
        func report(_ rule: VerifierRule, _ message: String, _ suggestion: String? = nil) {
            diagnostics.append(Diagnostic(.error, .none, message, rule: rule, suggestion: suggestion))
        }
        if acceptor.entryRegisters.count > Acceptor.entryRegisterLimit {
            report(
                .limits,
                "acceptor '\(acceptor.name)' has \(acceptor.entryRegisters.count) entry registers; \(Acceptor.entryRegisterLimit) are allowed"
            )
        }
        if program.regions.count > ProgramLimits.regions {
            report(.limits, "\(program.regions.count) regions; \(ProgramLimits.regions) are allowed")
        }
        if program.hostFunctions.count > ProgramLimits.hostFunctions {
            report(
                .limits,
                "\(program.hostFunctions.count) host functions; \(ProgramLimits.hostFunctions) are allowed")
        }
        if program.acceptorName == acceptor.name, program.acceptorVersion > acceptor.version {
            report(
                .acceptorVersion,
                "the program needs version \(program.acceptorVersion) of acceptor '\(acceptor.name)'; this is version \(acceptor.version)"
            )
        }
        var functions: Set<String> = []
        for function in program.hostFunctions where !functions.insert(function.name).inserted {
            report(.hostFunctions, "host function '\(function.name)' is declared twice")
        }
        if program.fragments.count > ProgramLimits.fragments {
            report(.limits, "\(program.fragments.count) fragments; \(ProgramLimits.fragments) are allowed")
        }
        for region in program.regions {
            if !acceptor.policies.contains(region.policy) {
                let offered = acceptor.policies.map(\.name).sorted().joined(separator: ", ")
                report(
                    .regions,
                    "region '\(region.name)' is \(region.policy.name), which acceptor '\(acceptor.name)' does not offer",
                    "it offers: \(offered)")
            }
            if region.size > 1 << 32 {
                report(.limits, "region '\(region.name)' of \(region.size) bytes; 4 GiB are allowed")
            }
        }
        var names: Set<String> = []
        for fragment in program.fragments where !names.insert(fragment.name).inserted {
            report(.limits, "two fragments are called '\(fragment.name)'")
        }
    }
}
