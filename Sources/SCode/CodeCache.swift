import SCodeJIT

/// Machine code by the verified fragment that it was compiled from: fragments that are installed for many owners are
/// compiled once, and their instances share the code. Thousands of copies, each on pages of its own, would cost more
/// than memory: they push one another out of the processor's caches.
///
/// Code stays for as long as the cache does. Not to be used from two threads at once.
public final class CodeCache {
    private struct Key: Hashable {
        var fragment: ObjectIdentifier
        var observation: RegisterObservation
    }
    /// The code keeps its fragment alive, so that no other one takes its identity.
    private var codes: [Key: NativeCode] = [:]

    private let optimisations: Optimisations

    public init(optimising optimisations: Optimisations = .all) { self.optimisations = optimisations }

    /// How many fragments there is code of.
    public var count: Int { codes.count }

    func native(
        _ fragment: VerifiedFragment, observing observation: RegisterObservation
    ) throws(CompileFailure) -> NativeCode {
        let key = Key(fragment: ObjectIdentifier(fragment), observation: observation)
        if let known = codes[key] { return known }
        let code = try NativeCode.compile(fragment, observing: observation, optimising: optimisations)
        codes[key] = code
        return code
    }
}
