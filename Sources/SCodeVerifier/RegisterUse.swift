import SCodeIR

extension Instruction {
    /// The registers that the instruction reads. *Requires* V1 and V5.
    @inline(__always)
    public func reads(_ code: FragmentCode, _ macros: [MacroInstruction]) -> RegisterSet {
        registers(opcode.facts, code, macros).reads
    }

    /// The registers that the instruction writes: at most one but for macro-instructions.
    @inline(__always)
    public func writes(_ code: FragmentCode, _ macros: [MacroInstruction]) -> RegisterSet {
        registers(opcode.facts, code, macros).writes
    }

    /// Both, for those who have looked up the opcode already.
    @inline(__always)
    func registers(
        _ facts: Opcode.Facts, _ code: FragmentCode, _ macros: [MacroInstruction]
    ) -> (reads: RegisterSet, writes: RegisterSet) {
        if facts.shape.isExpanded { return expandedUse(code, macros) }
        var reads: RegisterSet = facts.fields.contains(.source) ? rs1.asSet : []
        if facts.fields.contains(.source2) { reads.formUnion(rs2.asSet) }
        if !facts.fields.isDisjoint(with: .readsRd) { reads.formUnion(rd.asSet) }
        return (reads, facts.fields.isDisjoint(with: .writesRd) ? [] : rd.asSet)
    }

    /// What the operands of a call are, as the acceptor says.
    private func expandedUse(
        _ code: FragmentCode, _ macros: [MacroInstruction]
    ) -> (reads: RegisterSet, writes: RegisterSet) {
        var (reads, writes): (RegisterSet, RegisterSet) = ([], [])
        for (operand, kind) in zip(code.macroCalls[Int(index)].operands, macros[Int(index)].operands) {
            guard case .register(let register) = operand else { continue }
            switch kind {
            case .value: reads.insert(register)
            case .result: writes.insert(register)
            }
        }
        return (reads, writes)
    }
}

extension Register {
    /// *Requires* V1: there is such a register.
    @inline(__always) fileprivate var asSet: RegisterSet { RegisterSet(rawValue: 1 << UInt64(number & 63)) }
}
