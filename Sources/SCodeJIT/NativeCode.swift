import CSCodeRuntime
import SCodeIR
import SCodeVerifier
import X86Assembler

/// Every way in which compiling can fail; a verified fragment fails only for lack of memory or
/// of a processor of the last ten years.
public enum CompileFailure: Error, Sendable, Hashable {
    /// The machine code would be larger than 64 MiB.
    case codeTooLarge
    /// The system gives no more executable memory.
    case outOfMemory
    /// The fragment counts bits, and the processor lacks the instructions for it.
    case unsupportedProcessor
    /// The compiler broke a rule of its own.
    case internalError(String)
}

/// A fragment compiled to machine code, in executable memory. Freed with the last reference. Of the verified fragment
/// nothing is kept but what it takes to read an exit.
public final class NativeCode: Sendable {
    public let observation: RegisterObservation
    private let memory: CodeMemory
    private let exits: ExitTable
    private let innerOffset: UInt32
    private let outerOffset: UInt32
    /// What debuggers are to forget when the code goes.
    private let registration: DebuggerRegistration?
    /// What the handler of faults knows of it, when it has accesses that only the processor guards.
    nonisolated(unsafe) private let faultingCode: OpaquePointer?

    /// Compiles a fragment and makes the code executable.
    /// - Parameters: as those of `translate`.
    public static func compile(
        _ fragment: VerifiedFragment, observing observation: RegisterObservation = .live,
        for processor: Processor = .current, optimising optimisations: Optimisations = .all
    ) throws(CompileFailure) -> NativeCode {
        let machine = try translate(
            fragment, observing: observation, for: processor, optimising: optimisations)
        return try NativeCode(
            CodeMemory(machine.bytes), machine, of: fragment, observing: observation)
    }

    /// Makes machine code of a fragment: the pipeline, stage by stage.
    /// - Parameters:
    ///   - processor: what the code may use; it runs only where all of that is there.
    ///   - optimisations: without any the code does the same, for tests that see to it.
    public static func translate(
        _ fragment: VerifiedFragment, observing observation: RegisterObservation = .live,
        for processor: Processor = .current, optimising optimisations: Optimisations = .all
    ) throws(CompileFailure) -> MachineCode {
        var vcode = Lowering.lower(fragment, observing: observation)
        try check(vcode)
        Optimiser.run(&vcode, optimisations, observing: observation)
        try check(vcode)
        if !processor.countsBits, vcode.countsBits { throw .unsupportedProcessor }
        let allocation = LinearScan.run(vcode, observing: observation)
        if optimisations.contains(.loopRotation) { LoopRotation.run(&vcode) }
        CodeLayout(allocation).run(&vcode)
        return try Emitter(
            consume vcode, consume allocation, observing: observation,
            notesForDebuggers: CodeObserver.areAttached
        ).run()
    }

    /// A mistake of the compiler is found where it was made, at a price that release builds do not pay.
    private static func check(_ vcode: VCode) throws(CompileFailure) {
        #if DEBUG
            if let problem = vcode.firstProblem() { throw .internalError(problem) }
        #endif
    }

    private init(
        _ memory: consuming CodeMemory, _ machine: borrowing MachineCode, of fragment: VerifiedFragment,
        observing observation: RegisterObservation
    ) throws(CompileFailure) {
        self.observation = observation
        self.memory = memory
        exits = ExitTable(machine, of: fragment, observing: observation)
        innerOffset = UInt32(machine.innerEntry)
        outerOffset = UInt32(machine.outerEntry)
        registration = CodeObserver.show(
            fragment, machine, at: UInt64(UInt(bitPattern: self.memory.base)))
        guard let stub = machine.faultStubOffset else {
            faultingCode = nil
            return
        }
        let start = UInt64(UInt(bitPattern: self.memory.base))
        faultingCode = scode_faulting_code_create(
            start + UInt64(machine.bodyOffset), start + UInt64(machine.coldOffset), start + UInt64(stub))
        if faultingCode == nil { throw .outOfMemory }
    }

    // Before the memory is another's.
    deinit {
        registration?.end()
        if let faultingCode { scode_faulting_code_destroy(faultingCode) }
    }

    /// For `scode_enter`.
    public var outerEntry: UnsafeRawPointer { memory.base + Int(outerOffset) }
    /// For `scode_instance.code`.
    public var innerEntry: UnsafeRawPointer { memory.base + Int(innerOffset) }
    /// The machine code, read where it is executed.
    public var bytes: [UInt8] { [UInt8](UnsafeRawBufferPointer(start: memory.base, count: memory.size)) }
    public var address: UInt64 { UInt64(UInt(bitPattern: memory.base)) }

    /// What the context says of an observed exit of this code.
    public func observed(_ context: UnsafePointer<scode_context>) -> ObservedExit {
        exits.observed(scode_observed_words(context), returningTo: context.pointee.exit_site &- address)
    }
}
