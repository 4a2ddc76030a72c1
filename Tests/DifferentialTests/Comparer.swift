import SCode
import SCodeTestSupport

@testable import SCodeJIT

/// Runs chains of fragments in every way there is, and says where two of them differ.
struct Comparer {
    /// A way of compiling that must not matter.
    enum Variant: String, CaseIterable {
        /// As it is compiled for everybody.
        case optimised
        /// Some passes of the optimiser, or none.
        case partlyOptimised
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
        let other: Variant = seed & 128 == 0 ? .partlyOptimised : .guarded
        choose(Self.somePasses(seed))
        let expected = try machine.run(
            chain, seed: seed, engine: .interpreter, observing: observing, tlb: tlb)
        for variant in [.optimised, other] {
            let actual = try machine.run(
                prepared(chain, variant), seed: seed, engine: .native, observing: observing, tlb: tlb,
                sharing: cache(variant))
            if let difference = expected.difference(from: actual) {
                let passes = variant == .partlyOptimised ? " by passes \(passes.rawValue)" : ""
                return (expected.exit, "\(variant)\(passes), \(observing): \(difference)")
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

    /// What is left of the passes in `partlyOptimised`.
    private var passes: Optimisations = []

    /// By the seed alone, so that what is found is found again. For 256 seeds the same, for the caches' sake; of four such
    /// groups one has none, and one all but one.
    private static func somePasses(_ seed: UInt64) -> Optimisations {
        let group = seed >> 8
        let number = group >> 2
        let chosen = Optimisations(
            rawValue: UInt16(truncatingIfNeeded: number &* 0x9e37_79b9_7f4a_7c15 >> 48))
        switch group & 3 {
        case 0: return []
        case 1:
            return Optimisations.all.subtracting(
                Optimisations(
                    rawValue: 1 << UInt16(number % UInt64(Optimisations.all.rawValue.nonzeroBitCount))))
        default: return Optimisations.all.intersection(group & 1 == 0 ? chosen : .all.subtracting(chosen))
        }
    }

    private mutating func choose(_ passes: Optimisations) {
        if passes == self.passes { return }
        self.passes = passes
        caches[.partlyOptimised] = nil
    }

    private mutating func cache(_ variant: Variant) -> CodeCache {
        if let known = caches[variant], known.count < 64 { return known }
        let cache = CodeCache(optimising: variant == .partlyOptimised ? passes : .all)
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
