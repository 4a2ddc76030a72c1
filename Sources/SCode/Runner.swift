import CSCodeRuntime

/// A thread's means to run fragments that other threads run too. Each thread has its own; what it needs for an invocation
/// is in it.
public final class Runner {
    private let context: UnsafeMutablePointer<scode_context>
    private var isRunning = false

    public init() {
        context = .allocate(capacity: 1)
        context.initialize(to: scode_context())
    }

    deinit { context.deallocate() }

    /// Runs a fragment, and whatever it calls, in the calling thread.
    /// - Parameters: as those of `Fragment.invoke`.
    public func invoke(_ fragment: Fragment, arguments: [UInt64] = [], budget: UInt64? = nil) -> Invocation {
        // A function of the host that it has called may come back.
        if isRunning { return Runner().invoke(fragment, arguments: arguments, budget: budget) }
        isRunning = true
        defer { isRunning = false }
        return fragment.run(context, arguments, budget)
    }

    /// Runs whatever is in the slot now.
    /// - Returns: nil when the slot is empty.
    public func invoke(_ slot: FragmentSlot, arguments: [UInt64] = [], budget: UInt64? = nil) -> Invocation? {
        slot.withFragment { invoke($0, arguments: arguments, budget: budget) }
    }
}
