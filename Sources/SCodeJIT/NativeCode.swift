import CSCodeRuntime
import SCodeIR
import SCodeVerifier
import X86Assembler

/// Every way in which compiling can fail; a verified fragment fails only for lack of memory or
/// of a processor of the last ten years.
public enum CompileFailure: Error, Sendable, Hashable {
    /// The machine code would be larger than 64 MiB.
    case codeTooLarge
    /// The system gives no more pages.
    case outOfMemory
    /// The fragment counts bits, and the processor lacks the instructions for it.
    case unsupportedProcessor
    /// The compiler broke a rule of its own.
    case internalError(String)
}

/// A fragment compiled to machine code, in executable memory. Freed with the last reference.
public final class NativeCode: Sendable {
    public let fragment: VerifiedFragment
    public let observation: RegisterObservation
    private let memory: CodeMemory
    private let machine: MachineCode
    private let allocation: Allocation
    /// What debuggers are to forget when the code goes.
    private let registration: DebuggerRegistration?

    /// Compiles a fragment: the pipeline, stage by stage.
    /// - Parameters:
    ///   - processor: what the code may use; it runs only where all of that is there.
    ///   - optimisations: without any the code does the same, for tests that see to it.
    public static func compile(
        _ fragment: VerifiedFragment, observing observation: RegisterObservation = .live,
        for processor: Processor = .current, optimising optimisations: Optimisations = .all
    ) throws(CompileFailure) -> NativeCode {
        var vcode = Lowering.lower(fragment, observing: observation)
        try check(vcode)
        Optimiser.run(&vcode, optimisations, observing: observation)
        try check(vcode)
        if !processor.countsBits, vcode.countsBits { throw .unsupportedProcessor }
        let allocation = LinearScan.run(vcode, observing: observation)
        let machine = try Emitter(
            vcode, allocation, observing: observation, notesForDebuggers: CodeObserver.areAttached
        ).run()
        let memory = try CodeMemory(machine.bytes)
        let address = UInt64(UInt(bitPattern: memory.base))
        let registration = CodeObserver.show(fragment, machine, at: address)
        return NativeCode(fragment, observation, memory, machine, allocation, registration)
    }

    /// A mistake of the compiler is found where it was made, at a price that release builds do not pay.
    private static func check(_ vcode: VCode) throws(CompileFailure) {
        #if DEBUG
            if let problem = vcode.firstProblem() { throw .internalError(problem) }
        #endif
    }

    private init(
        _ fragment: VerifiedFragment, _ observation: RegisterObservation, _ memory: CodeMemory,
        _ machine: MachineCode, _ allocation: Allocation, _ registration: DebuggerRegistration?
    ) {
        self.fragment = fragment
        self.observation = observation
        self.memory = memory
        self.machine = machine
        self.allocation = allocation
        self.registration = registration
    }

    deinit { registration?.end() }

    /// For `scode_enter`.
    public var outerEntry: UnsafeRawPointer { memory.base + machine.outerEntry }
    /// For `scode_instance.code`.
    public var innerEntry: UnsafeRawPointer { memory.base + machine.innerEntry }
    /// The machine code.
    public var bytes: [UInt8] { machine.bytes }
    public var address: UInt64 { UInt64(UInt(bitPattern: memory.base)) }

    /// The machine code of the body, piece by piece: where a piece begins, and the instruction it serves; nil
    /// from where the cold code begins, which serves all.
    public var pieces: [(offset: Int, instruction: Int?)] {
        machine.ranges.map { (Int($0.offset), Int($0.instruction)) } + [(machine.coldOffset, nil)]
    }

    /// What the context says of an observed exit of this code: the instruction, and the registers.
    public func observed(_ context: scode_context) -> (instruction: UInt32, registers: RegisterFile) {
        let offset = context.exit_site &- address
        guard let site = site(returningTo: offset) else { return (0, RegisterFile()) }
        var file = RegisterFile(valid: observation.registers(fragment, at: Int(site.instruction)))
        let doubles = fragment.doubles[Int(site.instruction)]
        withUnsafeBytes(of: context.machine) { machine in
            withUnsafeBytes(of: context.frame) { frame in
                for register in file.valid.registers {
                    let value =
                        switch allocation.location(register) {
                        case .machine(let gpr):
                            machine.load(fromByteOffset: Int(gpr.rawValue) * 8, as: UInt64.self)
                        case .vector(let xmm):
                            machine.load(fromByteOffset: (16 + Int(xmm.rawValue)) * 8, as: UInt64.self)
                        case .slot(let slot): frame.load(fromByteOffset: Int(slot) * 8, as: UInt64.self)
                        case .nowhere: UInt64(0)
                        }
                    // Of a floating-point register that may hold an f, the low half.
                    let isHalf = register.bank == .float && !doubles.contains(register)
                    file.values[Int(register.number)] = isHalf ? value & 0xffff_ffff : value
                }
            }
        }
        return (site.instruction, file)
    }

    private func site(returningTo offset: UInt64) -> ExitSite? {
        var low = 0
        var high = machine.sites.count
        while low < high {
            let middle = (low + high) / 2
            if UInt64(machine.sites[middle].returnOffset) < offset { low = middle + 1 } else { high = middle }
        }
        guard low < machine.sites.count, UInt64(machine.sites[low].returnOffset) == offset else { return nil }
        return machine.sites[low]
    }
}
