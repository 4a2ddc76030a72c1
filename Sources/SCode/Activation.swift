import CSCodeRuntime
import SCodeInterpreter

/// A native stack for activations, with a page below it that faults.
public final class NativeStack {
    let top: UnsafeMutableRawPointer
    private let size: Int

    /// - Parameter size: in bytes, rounded up to whole pages, at most 1 GiB. nil is enough for a few activations that
    ///   call no functions of the host, which run on this stack too.
    /// - Returns: nil when the system gives no memory.
    public init?(for engine: EngineKind, size: Int? = nil) {
        // Native code needs a frame for each activation; the interpreter is Swift, with large ones.
        let wanted = min(max(size ?? (engine == .native ? 64 << 10 : 2 << 20), 1), 1 << 30)
        self.size = (wanted + PhysicalMemory.pageSize - 1) / PhysicalMemory.pageSize * PhysicalMemory.pageSize
        let size = self.size
        guard let top = scode_stack_create(size) else { return nil }
        self.top = top
    }

    deinit { scode_stack_destroy(top, size) }

    /// Bytes between an address in the stack and its end.
    fileprivate func room(below address: UnsafeMutableRawPointer) -> Int { address - (top - size) }

    /// What an activation needs to begin with. Where native code can fault there is room for the system to say so, which it
    /// does on this stack when the thread has no alternate one.
    fileprivate static func leastRoom(_ fragment: Fragment) -> Int {
        guard fragment.engine == .native else { return 96 << 10 }
        let canFault = fragment.usesHostMemory || fragment.slotCount > 0
        return canFault ? 28 << 10 : 12 << 10
    }
}

/// An invocation of a fragment that can stop in the middle and go on later: when its budget is used up (if the
/// acceptor `isInterruptible`), for a system call, and for a page that is not there.
///
/// It runs in the thread of whoever resumes it, on a native stack of its own. Activations nest on one stack, as the
/// handlers of signals do: only the one begun last may be resumed.
public final class Activation {
    /// Why `resume` came back.
    public enum Event {
        /// The budget is used up.
        case interrupted
        /// A system call of this number; see `operand`. Resume with the answer.
        case systemCall(UInt32)
        /// An access to a page that is not there, or not to be used in this way. Resume with an answer that is not 0
        /// when it is worth trying again; else the fragment is aborted.
        case pageFault(address: UInt64, isStore: Bool, reason: AbortReason)
        /// The fragment is over. The activation must not be resumed again.
        case left(Invocation)
    }

    public let fragment: Fragment
    private let stack: NativeStack
    private let activation: UnsafeMutablePointer<scode_activation>
    private let context: UnsafeMutablePointer<scode_context>
    // Of the interpreter, which writes them from its own stack.
    private let interruption: UnsafeMutablePointer<Interpreter.Interruption>
    private var outcome: Interpreter.Outcome?
    private var hasBegun = false
    /// Keeps what it calls while it has stopped in the middle of it; nil: it calls no other fragment.
    private let reader: OpaquePointer?
    /// Whether the fragment is over.
    public private(set) var isOver = false

    /// Prepares an activation; the fragment's entry registers count as they are at the first `resume`.
    /// - Parameter interrupted: the activation that has stopped on the same stack, above which this one is to run.
    /// - Returns: nil when the stack has no room for it.
    public init?(_ fragment: Fragment, on stack: NativeStack, above interrupted: Activation? = nil) {
        let place =
            interrupted.flatMap {
                UnsafeMutableRawPointer(bitPattern: UInt($0.activation.pointee.own_stack))
            } ?? stack.top
        guard stack.room(below: place) >= NativeStack.leastRoom(fragment) else { return nil }
        self.fragment = fragment
        self.stack = stack
        reader = fragment.slotCount > 0 ? scode_reader_create() : nil
        activation = .allocate(capacity: 1)
        activation.initialize(to: scode_activation())
        context = .allocate(capacity: 1)
        context.initialize(to: scode_context())
        interruption = .allocate(capacity: 1)
        interruption.initialize(to: Interpreter.Interruption())
        context.pointee.activation = activation
        context.pointee.depth = fragment.depth
        activation.pointee.context = context
        activation.pointee.instance = fragment.instance
        activation.pointee.code = fragment.native?.outerEntry
        activation.pointee.user_data = Unmanaged.passUnretained(self).toOpaque()
        activation.pointee.body = fragment.native == nil ? Activation.interpret : scode_activation_enter
        scode_activation_prepare(activation, place)
    }

    deinit {
        // Native code leaves nothing behind on its stack; the interpreter is unwound.
        if hasBegun, !isOver, fragment.native == nil {
            activation.pointee.is_cancelled = 1
            scode_activation_resume(activation)
        }
        if let reader { scode_reader_destroy(reader) }
        activation.deallocate()
        context.deallocate()
        interruption.deallocate()
    }

    private static let interpret: @convention(c) (UnsafeMutablePointer<scode_activation>?) -> Void = {
        record in
        guard let object = record?.pointee.user_data else { return }
        Unmanaged<Activation>.fromOpaque(object)._withUnsafeGuaranteedRef { $0.interpret() }
    }

    private func interpret() {
        outcome = Interpreter.run(
            fragment.instance, arguments: scode_arguments(fragment.instance), context: context,
            observing: fragment.observation, interruption: interruption)
    }

    /// Begins, or goes on.
    /// - Parameters:
    ///   - budget: backward jumps and calls until it is interrupted.
    ///   - answer: to the system call or page fault for which it stopped.
    public func resume(budget: UInt64, answer: UInt64 = 0) -> Event {
        precondition(!isOver, "an activation that is over was resumed")
        if !hasBegun, let reader { scode_reader_enter(reader) }
        hasBegun = true
        context.pointee.budget = budget
        activation.pointee.answer = answer
        scode_activation_resume(activation)
        switch activation.pointee.event {
        case UInt64(SCODE_EVENT_INTERRUPTED.rawValue): return .interrupted
        case UInt64(SCODE_EVENT_SYSTEM_CALL.rawValue):
            return .systemCall(UInt32(truncatingIfNeeded: activation.pointee.number))
        case UInt64(SCODE_EVENT_PAGE_FAULT.rawValue):
            let reason = AbortReason(rawValue: UInt8(truncatingIfNeeded: activation.pointee.number))
            return .pageFault(
                address: activation.pointee.address, isStore: activation.pointee.is_store != 0,
                reason: reason ?? .pageNotPresent)
        default:
            isOver = true
            let invocation =
                outcome.map(fragment.invocation) ?? fragment.invocation(activation.pointee.result, context)
            outcome = nil
            if let reader { scode_reader_leave(reader) }
            return .left(invocation)
        }
    }

    /// Backward jumps and calls that were left when it stopped.
    public var remainingBudget: UInt64 { context.pointee.budget }

    /// An operand of the system call for which it stopped: a word, cut to its type and extended.
    public func operand(_ index: Int) -> UInt64 {
        guard !isOver, (0..<Int(SCODE_ARGUMENT_LIMIT)).contains(index) else { return 0 }
        return activation.pointee.operands?[index] ?? 0
    }

    /// Where it was last interrupted for want of budget, and the registers that are live there.
    public var interruptionSite: ObservedExit {
        if let native = fragment.native { return native.observed(context) }
        let instruction = interruption.pointee.instruction
        return ObservedExit(
            instruction: UInt32(instruction),
            line: fragment.code?.code.sourceRange(at: instruction).line ?? 0,
            registers: interruption.pointee.registers)
    }
}
