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
    /// A region's addresses wrap around, overlap another's, or lie where the address space translates; of a region of
    /// the host policy, they begin inside a page, or in another memory than those of the first.
    case regionMisplaced(String)
    /// The fragment has atomic operations, and the region's address or memory is no multiple of 8.
    case regionMisaligned(String)
    /// A virtual region needs an address space, one of the host policy pages of a `HostMemory`, and another kind memory
    /// of the host that is neither.
    case regionKind(String)
    /// The operands of this macro-instruction are not the parameters of its host function, or libffi does not
    /// take the signature.
    case hostFunction(String)
    case compile(CompileFailure)
    /// There is no memory for so many slots.
    case outOfMemory
}

/// A fragment installed for an owner: code, the memory it may touch, and the jump table that leads to the
/// fragments below it.
///
/// Any thread may `invoke` it. `enter` is for one thread at a time, for its arguments and the abort that it notes; other
/// threads have a `FragmentCaller` each. Slots and entry registers are changed by one thread at a time, whoever runs the
/// fragment meanwhile: see `setSlot`.
public final class Fragment: @unchecked Sendable {
    /// What was verified. Native code does without: it is kept when it was asked for.
    public let code: VerifiedFragment?
    public let engine: EngineKind
    public let observation: RegisterObservation
    /// Whether the interpreter holds the verifier's claims against what happens.
    public let checksFacts: Bool
    /// The machine code, when the engine is native.
    public let native: NativeCode?

    let instance: UnsafeMutablePointer<scode_instance>
    /// Of the machine code, out of the object that holds it: to reach through that would count a reference.
    let entry: UnsafeRawPointer?
    let depth: UInt64
    /// The budget when none is given.
    let budget: UInt64
    /// Of the parameters that callers pass.
    let suppliedTypes: ParameterTypes
    private let entryRegisters: [EntryRegister]
    private var lastAbort: NotedAbort?
    // What the instance points to lives as long as it does.
    private let space: AddressSpace?
    private let hostCalls: [HostCall]
    private let hostMemory: HostMemory?
    var usesHostMemory: Bool { hostMemory != nil }

    /// Installs a verified fragment.
    /// - Parameters:
    ///   - regions: what each of the program's regions is bound to, in their order.
    ///   - space: the owner's address space, for virtual memory.
    ///   - slotCount: places for sub-fragments, all empty at first.
    ///   - cache: where machine code of the same verified fragment may be found, and is left for others.
    ///   - keepsCode: whether `code` is kept, for those who want to say more of an abort than `Abort` does.
    ///   - checksFacts: whether the interpreter checks every claim of the verifier, for tests: see
    ///     `Invocation.violation`. *Requires* that the program was verified with `keepsStates`.
    public init(
        _ code: VerifiedFragment, regions: [RegionBinding] = [], space: AddressSpace? = nil,
        slotCount: Int = 0,
        engine: EngineKind = .native, observing observation: RegisterObservation = .live,
        sharing cache: CodeCache? = nil, keepsCode: Bool = false, checksFacts: Bool = false
    ) throws(InstallFailure) {
        let hasAtomics = code.code.instructions.contains { $0.opcode.isAtomic }
        try RegionBinding.check(regions, against: code.regions, space: space, hasAtomics: hasAtomics)
        let (calls, functions) = try Self.hostFunctions(of: code)
        var native: NativeCode?
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
        }
        guard
            let instance = scode_instance_create(
                UInt32(regions.count), UInt32(code.argumentCount), UInt64(max(slotCount, 0)))
        else { throw .outOfMemory }
        self.instance = instance
        self.native = native
        entry = native?.outerEntry
        self.code = keepsCode || engine == .interpreter ? code : nil
        self.engine = engine
        self.observation = observation
        self.space = space
        hostMemory = regions.lazy.compactMap(\.hostMemory).first
        self.checksFacts = checksFacts
        depth = code.acceptor.depth
        budget = code.acceptor.budget
        suppliedTypes = ParameterTypes(
            code.code.parameters.prefix(code.acceptor.suppliedArguments).map(\.type))
        entryRegisters = code.acceptor.entryRegisters
        hostCalls = calls
        fillInstance(code, regions, functions)
    }

    deinit {
        for index in 0..<slotCount { release(scode_slots(instance)[index]) }
        instance.pointee.host_functions?.deallocate()
        scode_instance_destroy(instance)
    }

    private func fillInstance(
        _ code: VerifiedFragment, _ regions: [RegionBinding], _ functions: [scode_host_function]
    ) {
        instance.pointee.code = native?.innerEntry
        instance.pointee.space = space?.space ?? scode_no_space()
        instance.pointee.window = hostMemory.map { UnsafePointer($0.window) }
        instance.pointee.program = self.code.map { Unmanaged.passUnretained($0).toOpaque() }
        instance.pointee.owner = Unmanaged.passUnretained(self).toOpaque()
        for (index, (binding, region)) in zip(regions, code.regions).enumerated() {
            scode_region_at(instance, UInt64(index)).pointee = binding.record(for: region)
        }
        for (index, parameter) in code.code.parameters.enumerated() {
            switch parameter.defaultValue {
            case .constant(let value):
                setArgument(index, parameter.type.canonical(UInt64(bitPattern: value)))
            case .region(let region): setArgument(index, regions[Int(region)].base)
            case nil: break
            }
        }
        for (index, register) in entryRegisters.enumerated() {
            setArgument(code.code.parameters.count + index, register.range?.lowerBound ?? 0)
        }
        if functions.contains(where: { $0.invoke != nil }) {
            let records = UnsafeMutablePointer<scode_host_function>.allocate(capacity: functions.count)
            records.initialize(from: functions, count: functions.count)
            instance.pointee.host_functions = records
        }
    }

    /// What each macro-instruction calls, if it calls anything, and the objects that live as long.
    private static func hostFunctions(
        of code: VerifiedFragment
    ) throws(InstallFailure) -> ([HostCall], [scode_host_function]) {
        var calls: [HostCall] = []
        var records: [scode_host_function] = []
        for macro in code.macros {
            switch macro.expansion {
            case .hostCall(let function):
                guard let call = HostCall(function, operands: macro.operands) else {
                    throw .hostFunction(macro.name)
                }
                calls.append(call)
                records.append(call.record)
            case .systemCall(let number):
                records.append(
                    scode_host_function(
                        invoke: scode_system_call, address: UnsafeMutableRawPointer(bitPattern: UInt(number)),
                        call_interface: nil))
            default: records.append(scode_host_function())
            }
        }
        return (calls, records)
    }

    // MARK: Arguments

    /// For the embedder: whose fragment it is.
    public var owner: Int {
        get { Int(instance.pointee.number) }
        set { instance.pointee.number = Int64(newValue) }
    }

    private func setArgument(_ index: Int, _ value: UInt64) { scode_arguments(instance)[index] = value }

    /// Sets what a register of `acceptor.entryRegisters` holds whenever the fragment is entered.
    /// - Returns: false, and nothing is changed, when there is no such register or the acceptor promises that it does
    ///   not hold this value.
    @discardableResult
    public func setEntryRegister(_ index: Int, _ value: UInt64) -> Bool {
        guard entryRegisters.indices.contains(index) else { return false }
        let register = entryRegisters[index]
        let value = register.type.canonical(value)
        guard register.range?.contains(value) ?? true else { return false }
        // They come last.
        setArgument(Int(instance.pointee.argument_count) - entryRegisters.count + index, value)
        return true
    }

    /// Sets what a parameter holds from now on when its caller passes no argument for it, in place of its default: for
    /// those who use `enter`, which passes none.
    /// - Returns: false, and nothing is changed, when it is not among the parameters that the acceptor supplies.
    @discardableResult
    public func setArgument(ofParameter index: Int, _ value: UInt64) -> Bool {
        guard index >= 0, index < suppliedTypes.count else { return false }
        setArgument(index, suppliedTypes.canonical(value, at: index))
        return true
    }

    // MARK: Slots

    public var slotCount: Int { Int(instance.pointee.slot_count) }

    /// Puts a fragment into a slot of the jump table, or empties it. Both must use the same engine.
    ///
    /// Who calls the slot from now on finds the new fragment; who has called it before goes on in the old one, which is
    /// freed when the last of them has left. A fragment may take itself out, by way of a function of the host.
    /// - Returns: whether the slot is there and the engines agree.
    @discardableResult
    public func setSlot(_ index: Int, _ fragment: Fragment?) -> Bool {
        guard index >= 0, index < slotCount, fragment == nil || fragment?.engine == engine else {
            return false
        }
        let slot = scode_slots(instance) + index
        let old = slot.pointee
        guard old != fragment?.instance else { return true }
        // The slot keeps what is in it; but it need not keep itself.
        if let fragment, fragment !== self { _ = Unmanaged.passRetained(fragment) }
        scode_slot_store(slot, fragment?.instance)
        if let old, old != instance { Fragment.retire(old.pointee.owner) }
        return true
    }

    private func release(_ other: UnsafeMutablePointer<scode_instance>?) {
        guard let other, other != instance, let owner = other.pointee.owner else { return }
        Unmanaged<Fragment>.fromOpaque(owner).release()
    }

    /// Lets go of a fragment once nobody is in it any more.
    /// - Parameter fragment: retained; whoever had that reference has no more of it.
    static func retire(_ fragment: UnsafeMutableRawPointer?) {
        scode_retire(fragment) { object in
            if let object { Unmanaged<Fragment>.fromOpaque(object).release() }
        }
    }

    // MARK: Running

    /// Runs the fragment, and whatever it calls, in the calling thread.
    /// - Parameters:
    ///   - arguments: for the first parameters, of which the acceptor supplies `suppliedArguments`; the others hold
    ///     their defaults, or zero.
    ///   - budget: backward jumps and sub-fragment calls that the whole chain may make; nil: the acceptor's.
    public func invoke(arguments: [UInt64] = [], budget: UInt64? = nil) -> Invocation {
        withContext(budget ?? self.budget) { context in
            withWords(arguments) { run(context, $0) }
        }
    }

    /// Runs the fragment like `invoke`, for those who do so often: nothing is allocated and no reference is counted, and
    /// of the end it says what can be said in numbers.
    public func enter(budget: UInt64) -> Departure {
        guard let entry else {
            let invocation = invoke(budget: budget)
            note(invocation)
            return Departure(invocation)
        }
        return withContext(budget) { context in
            let result = scode_enter(entry, context, instance, scode_arguments(instance))
            let way = Departure.Way(status: result.status)
            if way == .aborted { note(invocation(result, context)) }
            return Departure(
                way: way, value: way == .accepted ? result.value : 0,
                remainingBudget: context.pointee.budget,
                owner: Int((context.pointee.instance ?? instance).pointee.number))
        }
    }

    private func note(_ invocation: Invocation) {
        if let abort = NotedAbort(invocation, by: self) { lastAbort = abort }
    }

    /// How the last call of `enter` that was aborted ended, in full. Can be taken once.
    public func takeAbort() -> Invocation? {
        defer { lastAbort = nil }
        return lastAbort?.invocation(of: self)
    }

    /// Gives an invocation what it needs: a context, on the stack, and safety from those who empty slots.
    private func withContext<Result>(
        _ budget: UInt64, _ body: (UnsafeMutablePointer<scode_context>) -> Result
    ) -> Result {
        let reader = slotCount > 0 ? scode_thread_reader() : nil
        if let reader { scode_reader_enter(reader) }
        defer { if let reader { scode_reader_leave(reader) } }
        return withUnsafeTemporaryAllocation(of: scode_context.self, capacity: 1) { place in
            guard let context = place.baseAddress else { preconditionFailure("a place without an address") }
            scode_context_prepare(context, budget, depth)
            return body(context)
        }
    }

    /// The words that it is entered with when these arguments are passed.
    private func withWords<Result>(
        _ arguments: [UInt64], _ body: (UnsafePointer<UInt64>) -> Result
    ) -> Result {
        guard !arguments.isEmpty else { return body(scode_arguments(instance)) }
        let count = Int(instance.pointee.argument_count)
        return withUnsafeTemporaryAllocation(of: UInt64.self, capacity: max(count, 1)) { words in
            for index in 0..<count { words[index] = scode_arguments(instance)[index] }
            // The verifier counts on it that parameters beyond those that the acceptor supplies hold their defaults.
            for index in 0..<min(arguments.count, suppliedTypes.count) {
                words[index] = suppliedTypes.canonical(arguments[index], at: index)
            }
            guard let first = words.baseAddress else { preconditionFailure("a place without an address") }
            return body(first)
        }
    }

    private func run(
        _ context: UnsafeMutablePointer<scode_context>, _ words: UnsafePointer<UInt64>
    ) -> Invocation {
        guard let entry else {
            return invocation(
                Interpreter.run(
                    instance, arguments: words, context: context, observing: observation,
                    checksFacts: checksFacts))
        }
        return invocation(scode_enter(entry, context, instance, words), context)
    }
}

extension Fragment {
    /// How native code left, in words.
    func invocation(_ result: scode_result, _ context: UnsafeMutablePointer<scode_context>) -> Invocation {
        let leftIn = Fragment.owning(context.pointee.instance) ?? self
        let exit: Exit
        var registers = RegisterFile()
        switch Departure.Way(status: result.status) {
        case .accepted:
            exit = .accept(result.value)
            registers = leftIn.observedAtLeave(context)
        case .refused:
            exit = .refuse
            registers = observedAtLeave(context)
        case .aborted:
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
        return native.observed(context).registers
    }

    private func abort(_ context: UnsafeMutablePointer<scode_context>) -> Abort {
        let reason = AbortReason(rawValue: UInt8(truncatingIfNeeded: context.pointee.reason)) ?? .outOfBounds
        let site = native?.observed(context) ?? ObservedExit()
        return Abort(
            reason: reason, line: site.line, instruction: site.instruction,
            address: reason.hasAddress ? context.pointee.fault_address : 0, registers: site.registers)
    }

    private static func owning(_ instance: UnsafeMutablePointer<scode_instance>?) -> Fragment? {
        guard let instance else { return nil }
        scode_slot_found(instance)
        guard let owner = instance.pointee.owner else { return nil }
        return Unmanaged<Fragment>.fromOpaque(owner).takeUnretainedValue()
    }
}

/// The types of a fragment's first parameters, four bits each.
struct ParameterTypes: BitwiseCopyable {
    private var bits: UInt64 = 0
    let count: Int

    init(_ types: [ValueType]) {
        count = min(types.count, Int(SCODE_ARGUMENT_LIMIT))
        for (index, type) in types.prefix(count).enumerated() {
            bits |= UInt64(type.rawValue) << UInt64(4 * index)
        }
    }

    subscript(index: Int) -> ValueType {
        ValueType(rawValue: UInt8(bits >> UInt64(4 * index) & 15)) ?? .ul
    }

    func canonical(_ value: UInt64, at index: Int) -> UInt64 { self[index].canonical(value) }
}
