import SCodeIR
import SCodeVerifier

/// Takes out what computes a register that nothing reads any more, since accesses name what it was computed from.
///
/// *Requires* VCode whose registers nobody sees but at aborts. *Produces* VCode of the same meaning. Looks at the whole
/// fragment at once, not at paths.
enum DeadCode {
    /// One thing that is dead can make another one so; more than these are not worth the time.
    private static let rounds = 3

    static func run(_ code: inout VCode) {
        // The verifier's liveness has found all else.
        guard code.namesSums else { return }
        let observed = observedRegisters(code)
        for _ in 0..<rounds {
            var needed = observed
            for instruction in code.instructions {
                // What is only counted up, and never looked at, keeps nobody alive.
                let own = instruction.isPure ? instruction.writes : []
                needed.formUnion(instruction.reads.subtracting(own))
                needed.formUnion(instruction.coldReads)
            }
            let count = code.instructions.count
            code.instructions.removeAll { $0.isPure && !needed.contains($0.dst) }
            if code.instructions.count == count { break }
        }
    }

    /// Those that some abort, or some interruption, may show.
    private static func observedRegisters(_ code: VCode) -> RegisterSet {
        var registers = RegisterSet()
        for instruction in code.instructions where instruction.isObserved {
            registers.formUnion(code.fragment.facts[Int(instruction.source)].liveBefore)
        }
        return registers
    }
}
