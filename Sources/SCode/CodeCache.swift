import SCodeJIT

/// Machine code by the verified fragment that it was compiled from: fragments that are installed for many owners are
/// compiled once, and their instances share the code, and its place in the processor's caches.
///
/// Code stays for as long as the cache does. Not to be used from two threads at once.
public final class CodeCache {
    private struct Key: Hashable {
        var fragment: ObjectIdentifier
        var observation: RegisterObservation
    }
    /// Fragments stay too, so that no other one takes the identity of one of them.
    private var codes: [Key: (fragment: VerifiedFragment, native: NativeCode)] = [:]

    private let optimisations: Optimisations

    public init(optimising optimisations: Optimisations = .all) { self.optimisations = optimisations }

    /// How many fragments there is code of.
    public var count: Int { codes.count }

    func native(
        _ fragment: VerifiedFragment, observing observation: RegisterObservation
    ) throws(CompileFailure) -> NativeCode {
        let key = Key(fragment: ObjectIdentifier(fragment), observation: observation)
        if let known = codes[key] { return known.native }
        let code = try NativeCode.compile(fragment, observing: observation, optimising: optimisations)
        codes[key] = (fragment, code)
        return code
    }
}
