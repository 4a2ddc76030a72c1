import SCodeIR

extension Program {
    /// The four bytes that every ELF object file begins with.
    public static let objectMagic = ELFObject.magic

    /// Reads eBPF: an ELF object file as compilers write it, or raw instructions (RFC 9669), which become one
    /// fragment called `main`.
    ///
    /// What comes out is a program like any other. It says which acceptor it is for, and no more than that it can
    /// be verified: the verifier judges it.
    /// - Parameters:
    ///   - interfaces: what code finds at the acceptors that there are.
    ///   - acceptor: who takes the code; nil: whom an object file's sections name, else `fallback`.
    ///   - memorySize: bytes that r1 points to, in place of the acceptor's own number.
    public init(
        ebpf bytes: [UInt8], interfaces: [EBPFInterface], acceptor: String? = nil, fallback: String = "plain",
        memorySize: UInt64? = nil
    ) throws(EBPFFailure) {
        let object = bytes.starts(with: Self.objectMagic) ? try ELFObject(bytes) : nil
        let known = Set(interfaces.map(\.acceptor))
        var name = acceptor
        if name == nil, let object { name = try EBPFCode.acceptor(named: known, in: object) }
        let chosen = name ?? fallback
        guard var interface = interfaces.first(where: { $0.acceptor == chosen }) else {
            throw EBPFFailure(.noSuchAcceptor(chosen))
        }
        if let memorySize { interface.memory?.size = memorySize }
        var code: EBPFCode
        if let object { code = try EBPFCode(object, interface) } else { code = try EBPFCode(raw: bytes) }
        try code.check()
        try self.init(code, interface)
    }

    /// Plans every fragment, then lays out memory for all of them, then translates.
    private init(_ code: EBPFCode, _ interface: EBPFInterface) throws(EBPFFailure) {
        guard code.entries.count <= ProgramLimits.fragments else {
            throw EBPFFailure(.tooManyFunctions(limit: ProgramLimits.fragments))
        }
        var plans: [FragmentPlan] = []
        var work = 0
        for entry in code.entries {
            let plan = try FragmentPlan(entry, code, interface)
            work += plan.work
            guard work <= EBPFLimits.work else {
                throw EBPFFailure(.tooManyInstructions(EBPFLimits.instructions))
            }
            plans.append(plan)
        }
        let layout = EBPFTranslator.Layout(plans, code, interface)
        self.init(
            acceptorName: interface.acceptor, hostFunctions: interface.hostFunctions, regions: layout.regions,
            sourceFiles: code.sourceFiles)
        work = 0
        for plan in plans {
            var translator = EBPFTranslator(plan, code, interface, layout)
            fragments.append(try translator.run())
            work += fragments.last?.instructions.count ?? 0
            guard work <= EBPFLimits.instructions else {
                throw EBPFFailure(.tooManyInstructions(EBPFLimits.instructions))
            }
        }
        keepUsedHostFunctions()
    }

    /// A program declares what it calls.
    private mutating func keepUsedHostFunctions() {
        var used: Set<String> = []
        for fragment in fragments {
            for instruction in fragment.instructions where instruction.opcode.shape == .hostCall {
                used.insert(fragment.macroCalls[Int(instruction.index)].name)
            }
        }
        hostFunctions.removeAll { !used.contains($0.name) }
    }
}

extension EBPFTranslator.Layout {
    /// What r1 points to comes first, then data, then the stack, if any function has use for one.
    init(_ plans: [FragmentPlan], _ code: EBPFCode, _ interface: EBPFInterface) {
        if let memory = interface.memory { regions.append(memory) }
        firstData = regions.count
        regions += code.regions
        depth = plans.map(\.depth).max() ?? 0
        stack = regions.count
        guard plans.contains(where: \.usesStack) else { return }
        regions.append(
            Region(
                name: "stack", policy: interface.policy, isWritable: true, size: UInt64(stackSize)))
    }
}

extension EBPFInterface {
    /// Those that helpers are, by name.
    fileprivate var hostFunctions: [HostDeclaration] {
        helpers.values.compactMap { helper in
            if case .hostFunction(let declaration) = helper.kind { declaration } else { nil }
        }.sorted { $0.name < $1.name }
    }
}
