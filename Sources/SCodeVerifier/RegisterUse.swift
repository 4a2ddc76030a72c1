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
        _ facts: Opcode.Facts, _ code: borrowing FragmentCode, _ macros: borrowing [MacroInstruction]
    ) -> (reads: RegisterSet, writes: RegisterSet) {
        facts.shape.isExpanded
            ? Self.use(code.macroCalls[Int(index)].operands, macros[Int(index)].operands) : registers(facts)
    }

    /// The same, of any but macro-instructions and calls of host functions.
    @inline(__always)
    func registers(_ facts: Opcode.Facts) -> (reads: RegisterSet, writes: RegisterSet) {
        let fields = facts.fields
        let reads =
            rs1.bit(if: fields.contains(.source)) | rs2.bit(if: fields.contains(.source2))
            | rd.bit(if: !fields.isDisjoint(with: .readsRd))
        let writes = rd.bit(if: !fields.isDisjoint(with: .writesRd))
        return (RegisterSet(rawValue: reads), RegisterSet(rawValue: writes))
    }

    /// What the operands of a call are, as the acceptor says.
    @inline(never)
    static func use(
        _ operands: [MacroOperand], _ kinds: [MacroOperandKind]
    ) -> (reads: RegisterSet, writes: RegisterSet) {
        var (reads, writes): (RegisterSet, RegisterSet) = ([], [])
        for (operand, kind) in zip(operands, kinds) {
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
    /// Its bit in a set, or no bit, without a branch. *Requires* V1: there is such a register.
    @inline(__always) fileprivate func bit(if condition: Bool) -> UInt64 {
        (condition ? 1 : 0) &<< UInt64(number)
    }
}
