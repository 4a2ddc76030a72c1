import SCodeIR

extension Instruction {
    /// The registers that the instruction reads. *Requires* V1 and V5.
    @inline(__always)
    public func reads(_ code: FragmentCode, _ macros: [MacroInstruction]) -> RegisterSet {
        let fields = opcode.fields
        var set: RegisterSet = []
        if fields.contains(.source) { set.insert(rs1) }
        if fields.contains(.source2) { set.insert(rs2) }
        if !fields.isDisjoint(with: .readsRd) { set.insert(rd) }
        return fields.isEmpty && opcode.shape.isExpanded ? expandedUse(code, macros).reads : set
    }

    /// The registers that the instruction writes: at most one but for macro-instructions.
    @inline(__always)
    public func writes(_ code: FragmentCode, _ macros: [MacroInstruction]) -> RegisterSet {
        let fields = opcode.fields
        if !fields.isDisjoint(with: .writesRd) {
            var set: RegisterSet = []
            set.insert(rd)
            return set
        }
        return fields.isEmpty && opcode.shape.isExpanded ? expandedUse(code, macros).writes : []
    }

    /// What the operands of a call are, as the acceptor says.
    func expandedUse(
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
