extension Acceptor {
    /// What code that was compiled for eBPF finds here, as the reader of eBPF wants to know it; nil when the acceptor
    /// takes none. A helper that eBPF cannot call, with more than five arguments or with floating-point numbers, or
    /// whose name the acceptor does not have, is left out.
    public var ebpfInterface: EBPFInterface? {
        guard let ebpf else { return nil }
        return EBPFInterface(
            acceptor: name, accept: ebpf.accept, refuse: ebpf.refuse, suppliedArguments: suppliedArguments,
            memory: ebpf.memory, policy: policies.contains(.physical) ? .physical : .virtual,
            regions: ebpf.regions, helpers: ebpf.helpers.compactMapValues { ebpfHelper(named: $0) })
    }

    private func ebpfHelper(named name: String) -> EBPFHelper? {
        if let macro = macro(named: name) {
            return EBPFHelper(macro, .macro)
        }
        if let offered = hostFunctions.first(where: { $0.declaration.name == name }) {
            let declaration = offered.declaration
            let results = declaration.result.map { [MacroOperandKind.result($0)] } ?? []
            return EBPFHelper(
                name, .hostFunction(declaration), results + declaration.parameters.map { .value($0) },
                returns: true)
        }
        guard let entry = entryRegisters.first(where: { $0.name == name }), !entry.type.isFloat else {
            return nil
        }
        return EBPFHelper(name, .register(entry.register), operands: [.result], returns: true)
    }
}

extension EBPFHelper {
    fileprivate init?(_ macro: MacroInstruction, _ kind: Kind) {
        self.init(macro.name, kind, macro.operands, returns: macro.expansion.fallsThrough)
    }

    fileprivate init?(_ name: String, _ kind: Kind, _ operands: [MacroOperandKind], returns: Bool) {
        for operand in operands {
            switch operand {
            case .value(let type) where type.isFloat, .result(let type) where type.isFloat: return nil
            case .value, .result: break
            }
        }
        self.init(
            name, kind,
            operands: operands.map { if case .result = $0 { .result } else { .argument } }, returns: returns)
    }
}

extension Program {
    /// Reads eBPF for one of these acceptors: an ELF object file or raw instructions.
    ///
    /// - Parameters:
    ///   - acceptor: whose code it is; nil: that of the acceptor whom an object file's sections name, else `plain`.
    ///   - memorySize: bytes that r1 points to, in place of the acceptor's own number.
    /// - Throws: the first thing that is wrong with the bytes. The program has yet to be verified.
    public init(
        ebpf bytes: [UInt8], for acceptors: [Acceptor], named acceptor: String? = nil,
        fallback: String = "plain", memorySize: UInt64? = nil
    ) throws(EBPFFailure) {
        if let acceptor, let known = acceptors.first(where: { $0.name == acceptor }), known.ebpf == nil {
            throw EBPFFailure(.acceptorTakesNone(acceptor))
        }
        try self.init(
            ebpf: bytes, interfaces: acceptors.compactMap(\.ebpfInterface), acceptor: acceptor,
            fallback: fallback, memorySize: memorySize)
    }
}
