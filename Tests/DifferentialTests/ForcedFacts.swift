import SCodeIR
import SCodeTestSupport

@testable import SCodeVerifier

/// Something that is true of an instruction whenever it is reached by way of `start`, and that the verifier need
/// not have found.
struct ForcedFact {
    enum Kind {
        case safe
        case inside(region: UInt8)
    }
    var start: Int
    var instruction: Int
    var kind: Kind

    /// Whether nothing jumps behind `start`.
    func holds(in code: FragmentCode) -> Bool {
        !code.labels.contains { Int($0.position) > start && Int($0.position) <= instruction }
    }
}

extension VerifiedFragment {
    /// The fragment with other facts that are true of it, as a better verifier would find, or that change only what
    /// is charged: the engines must agree whatever the facts are.
    func forcing(_ facts: [ForcedFact], _ random: inout SeededGenerator) -> VerifiedFragment {
        var all = self.facts
        for fact in facts where fact.holds(in: code) && random.oneIn(2) {
            switch fact.kind {
            case .safe: all[fact.instruction].isSafe = true
            case .inside(let region): all[fact.instruction].access = .inside(region: region)
            }
        }
        for index in all.indices {
            // Less is known than is so.
            if case .proved(let region, _) = all[index].access, random.oneIn(3) {
                all[index].access = .inside(region: region)
            }
        }
        let charges: [UInt64] = [
            0, 0, 0, 0, 1, 1, 1, 1, 3, 10, 49, 50, 51, 200, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff,
            1 << 63, .max,
        ]
        for (index, instruction) in code.instructions.enumerated() {
            switch instruction.opcode.shape {
            // Forward jumps may cost; backward ones must, or nothing ends the loop.
            case .branch, .jump, .jumpTable: if random.oneIn(8) { all[index].costsBudget = true }
            case .call: all[index].costsBudget = random.oneIn(2)
            default: break
            }
        }
        let charge = random.oneIn(2) ? nil : charges.randomElement(using: &random)
        return VerifiedFragment(self, facts: all, entryCharge: charge ?? entryCharge)
    }

    /// The fragment with these facts, which the caller answers for.
    func with(
        accesses: [AccessFact]? = nil, isSafe: [Bool]? = nil, costsBudget: [Bool]? = nil,
        entryCharge: UInt64? = nil
    ) -> VerifiedFragment {
        var all = facts
        for index in all.indices {
            if let accesses { all[index].access = accesses[index] }
            if let isSafe { all[index].isSafe = isSafe[index] }
            if let costsBudget { all[index].costsBudget = costsBudget[index] }
        }
        return VerifiedFragment(self, facts: all, entryCharge: entryCharge ?? self.entryCharge)
    }
}
