import CSCodeRuntime
import SCodeInterpreter

/// What executes a fragment.
public enum EngineKind: String, Sendable, CaseIterable {
    case native, interpreter
}

/// Every way in which installing a fragment can fail.
public enum InstallFailure: Error, Sendable, Hashable {
    /// The program declares this many regions; so many were given.
    case regionCount(declared: Int, given: Int)
    /// The memory given for a region is smaller than declared, or read-only where the program writes.
    case regionTooSmall(String), regionReadOnly(String)
    /// A region's addresses wrap around, overlap another's, or lie where the address space translates.
    case regionMisplaced(String)
    /// The fragment has atomic operations, and the region's address or memory is no multiple of 8.
    case regionMisaligned(String)
    /// A virtual region needs an address space; another kind needs host memory, and must not be given one.
    case regionKind(String)
    /// The operands of this macro-instruction are not the parameters of its host function, or libffi does not
    /// take the signature.
    case hostFunction(String)
    case compile(CompileFailure)
}

/// How an invocation ended.
public struct Invocation {
    public var exit: Exit
    /// Backward jumps and sub-fragment calls that were left.
    public var remainingBudget: UInt64
    /// Whose fragment accepted or was aborted; after a refusal, the one that was invoked.
    public var leftIn: Fragment
    /// After accept and refuse: the registers, when the fragment was installed to observe all of them.
    public var registers: RegisterFile
    /// The first claim of the verifier that did not hold, when the fragment was installed to check them.
    public var violation: String?
}

/// How an invocation ended, in numbers.
public struct Departure: Hashable, Sendable, BitwiseCopyable {
    public enum Way: Hashable, Sendable, BitwiseCopyable { case refused, accepted, aborted }
    public var way: Way
    /// What was accepted; else 0.
    public var value: UInt64
    /// Backward jumps and sub-fragment calls that were left.
    public var remainingBudget: UInt64
    /// `owner` of the fragment that accepted or was aborted; after a refusal, of the one that was invoked.
    public var owner: Int
}

extension Departure {
    fileprivate init(_ invocation: Invocation) {
        let exit: (way: Way, value: UInt64) =
            switch invocation.exit {
            case .accept(let value): (.accepted, value)
            case .refuse: (.refused, 0)
            case .abort: (.aborted, 0)
            }
        self.init(
            way: exit.way, value: exit.value, remainingBudget: invocation.remainingBudget,
            owner: invocation.leftIn.owner)
    }
}

extension Departure.Way {
    fileprivate init(_ result: scode_result) {
        switch result.status {
        case UInt64(SCODE_ACCEPTED.rawValue): self = .accepted
        case UInt64(SCODE_REFUSED.rawValue): self = .refused
        default: self = .aborted
        }
    }
}

/// A fragment installed for an owner: code, the memory it may touch, and the jump table that leads to the
/// fragments below it.
///
/// `invoke` and `enter` are for one thread at a time; other threads run the fragment with a `Runner` each. Slots and
/// entry registers are changed by one thread at a time, whoever runs the fragment meanwhile: see `setSlot`.
public final class Fragment: @unchecked Sendable {
    public let code: VerifiedFragment
    public let engine: EngineKind
    public let observation: RegisterObservation
    public let slotCount: Int
    /// Whether the interpreter holds the verifier's claims against what happens.
    public let checksFacts: Bool
    /// For the embedder: whose fragment it is.
    public var owner: Int {
        get { Int(instance.pointee.number) }
        set { instance.pointee.number = Int64(newValue) }
    }
    /// The machine code, when the engine is native.
    public let native: NativeCode?

    let instance: UnsafeMutablePointer<scode_instance>
    private let slots: UnsafeMutablePointer<UnsafeMutablePointer<scode_instance>?>
    private let context: UnsafeMutablePointer<scode_context>
    /// What a lean invocation needs, out of the objects that hold it.
    private let entry: UnsafeRawPointer?
    private let depth: UInt64
    /// Of the parameters that callers pass.
    private let suppliedTypes: [ValueType]
    private var isRunning = false
    private var lastAbort: Invocation?
    // What the instance points to lives as long as it does.
    private let space: AddressSpace?
    private var children: [Fragment?]
    private let hostCalls: [HostCall?]

    /// Installs a verified fragment.
    /// - Parameters:
    ///   - regions: what each of the program's regions is bound to, in their order.
    ///   - space: the owner's address space, for virtual memory.
    ///   - slotCount: places for sub-fragments, all empty at first.
    ///   - cache: where machine code of the same verified fragment may be found, and is left for others.
    ///   - checksFacts: whether the interpreter checks every claim of the verifier, for tests: see
    ///     `Invocation.violation`. *Requires* that the program was verified with `keepsStates`.
    public init(
        _ code: VerifiedFragment, regions: [RegionBinding] = [], space: AddressSpace? = nil,
        slotCount: Int = 0,
        engine: EngineKind = .native, observing observation: RegisterObservation = .live,
        sharing cache: CodeCache? = nil, checksFacts: Bool = false
    ) throws(InstallFailure) {
        let hasAtomics = code.code.instructions.contains { $0.opcode.isAtomic }
        try RegionBinding.check(regions, against: code.regions, space: space, hasAtomics: hasAtomics)
        var calls: [HostCall?] = []
        for macro in code.macros {
            guard case .hostCall(let function) = macro.expansion else {
                calls.append(nil)
                continue
            }
            guard let call = HostCall(function, operands: macro.operands) else {
                throw .hostFunction(macro.name)
            }
            calls.append(call)
        }
        if engine == .native {
            do throws(CompileFailure) {
                if let cache {
                    native = try cache.native(code, observing: observation)
                } else {
                    native = try NativeCode.compile(code, observing: observation)
                }
            } catch {
                throw .compile(error)
            }
        } else {
            native = nil
        }
        self.code = code
        self.engine = engine
        self.observation = observation
        self.space = space
        self.checksFacts = checksFacts
        entry = native?.outerEntry
        depth = code.acceptor.depth
        suppliedTypes = code.code.parameters.prefix(code.acceptor.suppliedArguments).map(\.type)
        self.slotCount = max(slotCount, 0)
        hostCalls = calls
        children = Array(repeating: nil, count: max(slotCount, 0))
        slots = .allocate(capacity: max(slotCount, 1))
        slots.initialize(repeating: nil, count: max(slotCount, 1))
        context = .allocate(capacity: 1)
        context.initialize(to: scode_context())
        instance = .allocate(capacity: 1)
        instance.initialize(to: scode_instance())
        fillInstance(regions)
    }

    deinit {
        instance.pointee.host_functions?.deallocate()
        instance.deallocate()
        context.deallocate()
        slots.deallocate()
    }

    private func fillInstance(_ regions: [RegionBinding]) {
        instance.pointee.code = native?.innerEntry
        instance.pointee.space = space?.space ?? scode_no_space()
        instance.pointee.slot_count = UInt64(slotCount)
        instance.pointee.slots = slots
        instance.pointee.program = Unmanaged.passUnretained(code).toOpaque()
        instance.pointee.owner = Unmanaged.passUnretained(self).toOpaque()
        instance.pointee.region_count = UInt64(regions.count)
        for (index, (binding, region)) in zip(regions, code.regions).enumerated() {
            scode_regions(instance)[index] = binding.record(for: region)
        }
        for (index, parameter) in code.code.parameters.enumerated() {
            switch parameter.defaultValue {
            case .constant(let value):
                setArgument(index, parameter.type.canonical(UInt64(bitPattern: value)))
            case .region(let region): setArgument(index, regions[Int(region)].base)
            case nil: break
            }
        }
        for (index, register) in code.acceptor.entryRegisters.enumerated() {
            setArgument(code.code.parameters.count + index, register.range?.lowerBound ?? 0)
        }
        let functions = zip(code.macros, hostCalls).map(Fragment.function)
        if functions.contains(where: { $0.invoke != nil }) {
            let records = UnsafeMutablePointer<scode_host_function>.allocate(capacity: functions.count)
            records.initialize(from: functions, count: functions.count)
            instance.pointee.host_functions = records
        }
    }

    /// What a macro-instruction calls, if it calls anything.
    private static func function(_ macro: MacroInstruction, _ call: HostCall?) -> scode_host_function {
        guard case .systemCall(let number) = macro.expansion else {
            return call?.record ?? scode_host_function()
        }
        return scode_host_function(
            invoke: scode_system_call, address: UnsafeMutableRawPointer(bitPattern: UInt(number)),
            call_interface: nil)
    }

    private func setArgument(_ index: Int, _ value: UInt64) { scode_arguments(instance)[index] = value }

    /// Sets what a register of `acceptor.entryRegisters` holds whenever the fragment is entered.
    /// - Returns: false, and nothing is changed, when there is no such register or the acceptor promises that it does
    ///   not hold this value.
    @discardableResult
    public func setEntryRegister(_ index: Int, _ value: UInt64) -> Bool {
        guard code.acceptor.entryRegisters.indices.contains(index) else { return false }
        let register = code.acceptor.entryRegisters[index]
        let value = register.type.canonical(value)
        guard register.range?.contains(value) ?? true else { return false }
        setArgument(code.code.parameters.count + index, value)
        return true
    }

    /// Sets what a parameter holds from now on when its caller passes no argument for it, in place of its default: for
    /// those who use `enter`, which passes none.
    /// - Returns: false, and nothing is changed, when it is not among the parameters that the acceptor supplies.
    @discardableResult
    public func setArgument(ofParameter index: Int, _ value: UInt64) -> Bool {
        guard suppliedTypes.indices.contains(index) else { return false }
        setArgument(index, suppliedTypes[index].canonical(value))
        return true
    }

    /// Puts a fragment into a slot of the jump table, or empties it. Both must use the same engine.
    ///
    /// Who calls the slot from now on finds the new fragment; who has called it before goes on in the old one, which is
    /// freed when the last of them has left. A fragment may take itself out, by way of a function of the host.
    /// - Returns: whether the slot is there and the engines agree.
    @discardableResult
    public func setSlot(_ index: Int, _ fragment: Fragment?) -> Bool {
        guard children.indices.contains(index), fragment == nil || fragment?.engine == engine else {
            return false
        }
        scode_slot_store(slots + index, fragment?.instance)
        let old = children[index]
        // It need not keep itself.
        children[index] = fragment === self ? nil : fragment
        if let old, old !== fragment { old.retire() }
        return true
    }

    /// Lets go of it once nobody is in it any more.
    func retire() {
        scode_retire(Unmanaged.passRetained(self).toOpaque()) { object in
            if let object { Unmanaged<Fragment>.fromOpaque(object).release() }
        }
    }

    /// Runs the fragment, and whatever it calls, in the calling thread.
    /// - Parameters:
    ///   - arguments: for the first parameters, of which the acceptor supplies `suppliedArguments`; the others hold
    ///     their defaults, or zero.
    ///   - budget: backward jumps and sub-fragment calls that the whole chain may make; nil: the acceptor's.
    public func invoke(arguments: [UInt64] = [], budget: UInt64? = nil) -> Invocation {
        // A host function may come back to the fragment that called it: that run has a context of its own.
        if isRunning {
            let own = UnsafeMutablePointer<scode_context>.allocate(capacity: 1)
            own.initialize(to: scode_context())
            defer { own.deallocate() }
            return run(own, arguments, budget)
        }
        isRunning = true
        defer { isRunning = false }
        return run(context, arguments, budget)
    }

    /// Runs the fragment like `invoke`, for those who do so often: nothing is allocated and no reference is counted, and
    /// of the end it says what can be said in numbers.
    public func enter(budget: UInt64) -> Departure {
        guard let entry, !isRunning else { return Departure(noting(invoke(budget: budget))) }
        isRunning = true
        let reader = scode_thread_reader()
        scode_reader_enter(reader)
        defer { scode_reader_leave(reader) }
        context.pointee.budget = budget
        context.pointee.depth = depth
        context.pointee.instance = nil
        let result = scode_enter(entry, context, instance, scode_arguments(instance))
        isRunning = false
        let way = Departure.Way(result)
        if way == .aborted { lastAbort = invocation(result, context) }
        return Departure(
            way: way, value: way == .accepted ? result.value : 0, remainingBudget: context.pointee.budget,
            owner: Int((context.pointee.instance ?? instance).pointee.number))
    }

    private func noting(_ invocation: Invocation) -> Invocation {
        if case .abort = invocation.exit { lastAbort = invocation }
        return invocation
    }

    /// How the last call of `enter` that was aborted ended, in full. Can be taken once.
    public func takeAbort() -> Invocation? {
        defer { lastAbort = nil }
        return lastAbort
    }

    func run(
        _ context: UnsafeMutablePointer<scode_context>, _ arguments: [UInt64], _ budget: UInt64?
    ) -> Invocation {
        let reader = scode_thread_reader()
        scode_reader_enter(reader)
        defer { scode_reader_leave(reader) }
        context.pointee.budget = budget ?? code.acceptor.budget
        context.pointee.depth = code.acceptor.depth
        context.pointee.instance = nil
        guard !arguments.isEmpty else { return enter(context, scode_arguments(instance)) }
        // The verifier counts on it that parameters beyond those that the acceptor supplies hold their defaults.
        let count = min(arguments.count, code.acceptor.suppliedArguments)
        var words = instance.pointee.arguments
        return withUnsafeMutablePointer(to: &words) {
            $0.withMemoryRebound(to: UInt64.self, capacity: Int(SCODE_ARGUMENT_LIMIT)) { words in
                for (index, parameter) in code.code.parameters.enumerated() where index < count {
                    words[index] = parameter.type.canonical(arguments[index])
                }
                return enter(context, words)
            }
        }
    }

    private func enter(
        _ context: UnsafeMutablePointer<scode_context>, _ arguments: UnsafePointer<UInt64>
    ) -> Invocation {
        guard let native else {
            return invocation(
                Interpreter.run(
                    instance, arguments: arguments, context: context, observing: observation,
                    checksFacts: checksFacts))
        }
        return invocation(scode_enter(native.outerEntry, context, instance, arguments), context)
    }

    /// How native code left, in words.
    func invocation(_ result: scode_result, _ context: UnsafeMutablePointer<scode_context>) -> Invocation {
        let leftIn = Fragment.owning(context.pointee.instance) ?? self
        let exit: Exit
        var registers = RegisterFile()
        switch result.status {
        case UInt64(SCODE_ACCEPTED.rawValue):
            exit = .accept(result.value)
            registers = leftIn.observedAtLeave(context)
        case UInt64(SCODE_REFUSED.rawValue):
            exit = .refuse
            registers = observedAtLeave(context)
        default:
            exit = .abort(leftIn.abort(context))
        }
        return Invocation(
            exit: exit, remainingBudget: context.pointee.budget, leftIn: leftIn, registers: registers)
    }

    /// How the interpreter left, in words.
    func invocation(_ outcome: Interpreter.Outcome) -> Invocation {
        Invocation(
            exit: outcome.exit, remainingBudget: outcome.remainingBudget,
            leftIn: Fragment.owning(outcome.leftIn) ?? self, registers: outcome.registers,
            violation: outcome.violation)
    }

    private func observedAtLeave(_ context: UnsafeMutablePointer<scode_context>) -> RegisterFile {
        guard observation == .all, let native else { return RegisterFile() }
        return native.observed(context.pointee).registers
    }

    private func abort(_ context: UnsafeMutablePointer<scode_context>) -> Abort {
        let reason = AbortReason(rawValue: UInt8(truncatingIfNeeded: context.pointee.reason)) ?? .outOfBounds
        let site = native?.observed(context.pointee) ?? (instruction: 0, registers: RegisterFile())
        return Abort(
            reason: reason, line: code.code.sourceRange(at: Int(site.instruction)).line,
            instruction: site.instruction, address: reason.hasAddress ? context.pointee.fault_address : 0,
            registers: site.registers)
    }

    private static func owning(_ instance: UnsafeMutablePointer<scode_instance>?) -> Fragment? {
        guard let instance else { return nil }
        scode_slot_found(instance)
        guard let owner = instance.pointee.owner else { return nil }
        return Unmanaged<Fragment>.fromOpaque(owner).takeUnretainedValue()
    }
}
