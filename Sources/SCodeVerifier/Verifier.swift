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
        let shared = SharedAcceptor(acceptor)
        for index in program.fragments.indices {
            let fragment = verify(
                index, of: program, shared, isComplete: !incomplete.contains(index), keepsStates, &diagnostics
            )
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
            program: program, acceptor: shared, fragments: fragments, warnings: diagnostics)
        return (verified, diagnostics)
    }

    /// One fragment: the structural rules, the acceptor's own code put in, then the rules that follow values.
    private static func verify(
        _ number: Int, of program: Program, _ shared: SharedAcceptor, isComplete: Bool, _ keepsStates: Bool,
        _ diagnostics: inout [Diagnostic]
    ) -> VerifiedFragment? {
        // What the passes look at lies still while they do, so that none of them counts references to it.
        program.fragments.withUnsafeBufferPointer { fragments in
            guard let first = fragments.baseAddress else { return nil }
            let code = first + number
            // The values of all registers, and per instruction what most programs need.
            let arena = Arena(expecting: 8192 + code.pointee.instructions.count * 320)
            defer { arena.giveBack() }
            var structure = StructuralRules(code: code, program: program, acceptor: shared)
            let tables = structure.check(isComplete: isComplete, arena)
            take(structure.diagnostics, &diagnostics)
            guard let tables, isComplete else { return nil }
            let isExpanded = Expansion.isNeeded(structure.macros, shared.acceptor)
            return withUnsafePointer(to: structure.macros) { macros in
                let view = FragmentView(code, macros, tables)
                guard let procedures = procedures(of: view, &diagnostics) else { return nil }
                if isExpanded { return verifyExpanded(view, program, shared, keepsStates, &diagnostics) }
                var flow = FlowRules(view, program, shared, procedures, origin: nil)
                defer { take(flow.diagnostics, &diagnostics) }
                return flow.check(number, of: program.fragments, keepsStates: keepsStates)
            }
        }
    }

    /// The same procedures, further apart; what they write includes scratch registers.
    private static func verifyExpanded(
        _ view: FragmentView, _ program: Program, _ shared: SharedAcceptor, _ keepsStates: Bool,
        _ diagnostics: inout [Diagnostic]
    ) -> VerifiedFragment? {
        var expansion = Expansion(
            view.code, view.macros, shared.acceptor, programRegions: program.regions.count)
        expansion.run()
        take(expansion.diagnostics, &diagnostics)
        guard expansion.diagnostics.isEmpty else { return nil }
        return withUnsafePointer(to: expansion.code) { code in
            withUnsafePointer(to: expansion.macros) { macros in
                let expanded = FragmentView(code, macros, view.arena)
                guard let procedures = procedures(of: expanded, &diagnostics) else { return nil }
                var flow = FlowRules(expanded, program, shared, procedures, origin: expansion.origin)
                defer { take(flow.diagnostics, &diagnostics) }
                return flow.check(0, of: [code.pointee], keepsStates: keepsStates)
            }
        }
    }

    /// Nil when V12 is broken.
    private static func procedures(
        of view: FragmentView, _ diagnostics: inout [Diagnostic]
    ) -> ProcedureFacts? {
        var rules = ProcedureRules(view)
        rules.check()
        take(rules.diagnostics, &diagnostics)
        return rules.diagnostics.isEmpty ? rules.facts : nil
    }

    /// Appending nothing would still make an array.
    private static func take(_ found: [Diagnostic], _ diagnostics: inout [Diagnostic]) {
        if !found.isEmpty { diagnostics += found }
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
        let regionLimit = max(0, ProgramLimits.regions - acceptor.regions.count)
        if program.regions.count > regionLimit {
            report(.limits, "\(program.regions.count) regions; \(regionLimit) are allowed")
        }
        // Others are found by address, and a program can make up any.
        for region in acceptor.regions where region.policy != .static {
            report(.regions, "region '\(region.name)' of acceptor '\(acceptor.name)' is not static")
        }
        if acceptor.scratch.intersection(acceptor.registers) != [] {
            report(.limits, "acceptor '\(acceptor.name)' maps registers that it keeps for its own code")
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
            if region.contents.count > min(region.size, UInt64(ProgramLimits.regionContents)) {
                report(
                    .regions,
                    "region '\(region.name)' of \(region.size) bytes cannot hold \(region.contents.count)")
            }
            if region.size > 1 << 32 {
                report(.limits, "region '\(region.name)' of \(region.size) bytes; 4 GiB are allowed")
            }
            if region.policy == .host, region.size % MemoryPolicy.hostPage != 0 {
                report(
                    .regions,
                    "region '\(region.name)' is host, and its \(region.size) bytes are not whole pages",
                    "declare it with a multiple of \(MemoryPolicy.hostPage) bytes")
            }
        }
        // An address that is computed from nothing known is the host's then, without a look at it.
        if let host = program.regions.first(where: { $0.policy == .host }),
            let other = program.regions.first(where: { $0.policy == .physical || $0.policy == .virtual })
        {
            report(
                .regions,
                "region '\(host.name)' is host and region '\(other.name)' \(other.policy.name): a program has the one kind or the other",
                "declare both host, or those whose accesses are proved static")
        }
        var names: Set<String> = []
        for fragment in program.fragments
        where program.fragments.count > 1 && !names.insert(fragment.name).inserted {
            report(.limits, "two fragments are called '\(fragment.name)'")
        }
    }
}
