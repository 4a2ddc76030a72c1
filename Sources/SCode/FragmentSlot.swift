import CSCodeRuntime

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
        if let old = scode_pointer_exchange(place, new) { Fragment.retire(old) }
    }

    /// Runs whatever is in the slot now, in the calling thread; any thread may.
    /// - Parameters: as those of `Fragment.invoke`.
    /// - Returns: nil when the slot is empty.
    public func invoke(arguments: [UInt64] = [], budget: UInt64? = nil) -> Invocation? {
        let reader = scode_thread_reader()
        scode_reader_enter(reader)
        defer { scode_reader_leave(reader) }
        guard let object = scode_pointer_load(place) else { return nil }
        let fragment = Unmanaged<Fragment>.fromOpaque(object).takeUnretainedValue()
        return fragment.invoke(arguments: arguments, budget: budget)
    }
}
