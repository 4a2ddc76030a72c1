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
        guard let old = scode_pointer_exchange(place, new) else { return }
        Unmanaged<Fragment>.fromOpaque(old).takeRetainedValue().retire()
    }

    func withFragment<Result>(_ body: (Fragment) -> Result) -> Result? {
        let reader = scode_thread_reader()
        scode_reader_enter(reader)
        defer { scode_reader_leave(reader) }
        guard let fragment = scode_pointer_load(place) else { return nil }
        return body(Unmanaged<Fragment>.fromOpaque(fragment).takeUnretainedValue())
    }
}
