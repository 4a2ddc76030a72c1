import SCode
import SCodeTestSupport

@testable import SCodeJIT

/// Runs chains of fragments in every way there is, and says where two of them differ.
struct Comparer {
    /// A way of compiling that must not matter.
    enum Variant: String, CaseIterable {
        /// As it is compiled for everybody.
        case optimised
        /// No pass of the optimiser.
        case unoptimised
        /// Nothing is proved: every access, divisor and table index is guarded.
        case guarded
    }

    let machine: TestMachine
    /// Emulates one program in so many; 0: none.
    var emulates = 0
    private let emulator: Emulator?
    /// Machine code of the fragments seen last. A chain has most of its fragments in common with the one before.
    private var caches: [Variant: CodeCache] = [:]
    private(set) var emulated = 0

    init(emulates: Int = 0) throws {
        machine = try TestMachine()
        self.emulates = emulates
        emulator = emulates > 0 ? try Emulator() : nil
    }

    /// - Returns: what the interpreter makes of it, and in what somebody else differs.
    mutating func compare(
        _ chain: [VerifiedFragment], seed: UInt64
    ) throws -> (exit: Exit, difference: String?) {
        let tlb = seed & 32 == 0
        // One way of observing and of compiling each time: a bug of the others shows soon enough.
        let observing: RegisterObservation = seed & 64 == 0 ? .live : .all
        let other: Variant = seed & 128 == 0 ? .unoptimised : .guarded
        let expected = try machine.run(
            chain, seed: seed, engine: .interpreter, observing: observing, tlb: tlb)
        for variant in [.optimised, other] {
            let actual = try machine.run(
                prepared(chain, variant), seed: seed, engine: .native, observing: observing, tlb: tlb,
                sharing: cache(variant))
            if let difference = expected.difference(from: actual) {
                return (expected.exit, "\(variant), \(observing): \(difference)")
            }
        }
        // The emulator knows nothing of the host's faults.
        guard let emulator, emulates > 0, seed % UInt64(emulates) == 0,
            !chain.contains(where: \.usesHostMemory)
        else { return (expected.exit, nil) }
        emulated += 1
        do {
            let actual = try machine.run(chain, seed: seed, on: emulator, observing: observing, tlb: tlb)
            return (expected.exit, expected.difference(from: actual).map { "emulated: \($0)" })
        } catch let violation as Emulator.Violation {
            return (expected.exit, "emulated: \(violation)")
        }
    }

    /// The fragments seen last, without what is proved of them.
    private var guarded: [(of: VerifiedFragment, fragment: VerifiedFragment)] = []

    private mutating func prepared(_ chain: [VerifiedFragment], _ variant: Variant) -> [VerifiedFragment] {
        guard variant == .guarded else { return chain }
        guarded = chain.map { original in
            guarded.first { $0.of === original } ?? (original, original.withoutFacts)
        }
        return guarded.map(\.fragment)
    }

    private mutating func cache(_ variant: Variant) -> CodeCache {
        if let known = caches[variant], known.count < 64 { return known }
        let cache = CodeCache(optimising: variant == .unoptimised ? [] : .all)
        caches[variant] = cache
        return cache
    }
}

extension VerifiedFragment {
    /// The same, with a guard wherever one could be needed. What is charged, and when, stays.
    var withoutFacts: VerifiedFragment {
        with(
            accesses: facts.map(\.access).map { fact in
                // Static regions are reached by proved accesses only.
                if case .proved(let region, _) = fact, regions[Int(region)].policy != .static {
                    return .unknown
                }
                if case .inside(let region) = fact, regions[Int(region)].policy != .static { return .unknown }
                return fact
            },
            isSafe: facts.map { _ in false })
    }
}
