import SCodeIR
import SCodeVerifier

/// Which registers are written in one place only, and where. Such a register holds the same wherever it is read, if
/// what is written there does not change: nothing is read before it is written (V8).
struct Writers {
    /// Registers with more than one writer, or with a value from the caller.
    private var several: RegisterSet
    /// Per register, the last instruction that writes it; -1: none.
    private var last = InlineArray<64, Int32>(repeating: -1)

    init(_ fragment: VerifiedFragment) {
        several = []
        for register in fragment.argumentRegisters { several.insert(register) }
        for (index, instruction) in fragment.code.instructions.enumerated() {
            var written = instruction.writes(fragment.code, fragment.macros).rawValue
            while written != 0 {
                let number = written.trailingZeroBitCount
                if last[number] >= 0 { several.insert(Register(number)) }
                last[number] = Int32(truncatingIfNeeded: index)
                written &= written - 1
            }
        }
    }

    /// The one instruction that writes a register; nil: none, or several do, or the caller does.
    func only(of register: Register) -> Int? {
        let writer = last[Int(register.number)]
        return writer < 0 || several.contains(register) ? nil : Int(writer)
    }
}
