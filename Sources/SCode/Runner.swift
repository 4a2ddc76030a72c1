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
        precondition(!isRunning, "a runner was used by a function that it had called, or by two threads")
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

/// A place for a fragment that threads run while others install, replace and remove it: what a slot of a fragment's jump
/// table is to the fragment, this is to the host.
public final class FragmentSlot: @unchecked Sendable {
    /// A `Fragment`, retained.
    private let place: UnsafeMutablePointer<UnsafeMutableRawPointer?>

    public init(_ fragment: Fragment? = nil) {
        place = .allocate(capacity: 1)
        place.initialize(to: fragment.map { Unmanaged.passRetained($0).toOpaque() })
    }

    deinit {
        install(nil)
        place.deallocate()
    }

    /// Puts a fragment into the slot, or empties it. Who comes from now on finds it; who has come before goes on in the
    /// old one, which is freed when the last of them has left. Any thread may do so, also from a function of the host
    /// that the old fragment has called.
    public func install(_ fragment: Fragment?) {
        let new = fragment.map { Unmanaged.passRetained($0).toOpaque() }
        guard let old = scode_pointer_exchange(place, new) else { return }
        scode_retire(old) { object in
            if let object { Unmanaged<Fragment>.fromOpaque(object).release() }
        }
    }

    func withFragment<Result>(_ body: (Fragment) -> Result) -> Result? {
        let reader = scode_thread_reader()
        scode_reader_enter(reader)
        defer { scode_reader_leave(reader) }
        guard let fragment = scode_pointer_load(place) else { return nil }
        return body(Unmanaged<Fragment>.fromOpaque(fragment).takeUnretainedValue())
    }
}
