import Foundation
import SCode
import SCodeTestSupport

extension TestMachine {
    /// The random program of a seed, verified, with facts as a better verifier would find them half of the time.
    /// - Returns: nil when the verifier rejects it.
    static func randomFragment(
        _ seed: UInt64, regions: [Region]
    ) -> (fragment: VerifiedFragment, program: Program)? {
        let acceptor = acceptor(of: seed)
        var generator = ProgramGenerator(seed: seed, acceptor: acceptor, regions: regions)
        let program = generator.make()
        guard let fragment = Verifier.verify(program, acceptor: acceptor).program?.fragments.first else {
            return nil
        }
        var random = SeededGenerator(seed: ~seed)
        return (random.oneIn(2) ? fragment.forcing(generator.facts, &random) : fragment, program)
    }
}

extension TestMachine.State {
    /// In what another state, which should be the same, is not.
    func difference(from other: Self) -> String? {
        if exit != other.exit { return "exit \(other.exit), expected \(exit)" }
        if budget != other.budget { return "budget \(other.budget), expected \(budget)" }
        if registers != other.registers { return "registers \(other.registers), expected \(registers)" }
        if leftIn != other.leftIn { return "left in \(other.leftIn), expected \(leftIn)" }
        let isSame = memory.withUnsafeBytes { mine in
            other.memory.withUnsafeBytes { theirs in
                guard mine.count == theirs.count, let one = mine.baseAddress, let two = theirs.baseAddress
                else {
                    return mine.count == theirs.count
                }
                return memcmp(one, two, mine.count) == 0
            }
        }
        guard !isSame else { return nil }
        let first = zip(memory, other.memory).enumerated().first { $0.element.0 != $0.element.1 }
        return "memory differs at byte \(first?.offset ?? -1)"
    }
}

extension Exit {
    /// Accept, refuse, or the reason of the abort.
    var kind: String {
        switch self {
        case .accept: "accept"
        case .refuse: "refuse"
        case .abort(let abort): abort.reason.name
        }
    }
}
