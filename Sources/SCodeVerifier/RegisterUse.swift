import SCodeIR

extension Instruction {
    /// The registers that the instruction reads. *Requires* V1 and V5.
    public func reads(_ code: FragmentCode, _ macros: [MacroInstruction]) -> RegisterSet {
        var set: RegisterSet = []
        switch opcode.shape {
        case .binary, .load, .branch:
            set.insert(rs1)
            if opcode.form == .register { set.insert(rs2) }
        case .unary, .convert, .jumpTable:
            set.insert(rs1)
        case .store, .fetch:
            set.insert(rd)
            set.insert(rs1)
            if opcode.form == .register { set.insert(rs2) }
        case .compareExchange:
            set.insert(rd)
            set.insert(rs1)
            set.insert(rs2)
        case .hostCall, .macro:
            for (operand, kind) in zip(code.macroCalls[Int(index)].operands, macros[Int(index)].operands) {
                if case .register(let register) = operand, case .value = kind { set.insert(register) }
            }
        case .constant, .jump, .call, .return:
            break
        }
        return set
    }

    /// The registers that the instruction writes: at most one but for macro-instructions.
    public func writes(_ code: FragmentCode, _ macros: [MacroInstruction]) -> RegisterSet {
        var set: RegisterSet = []
        switch opcode.shape {
        case .binary, .unary, .constant, .convert, .load, .fetch, .compareExchange:
            set.insert(rd)
        case .hostCall, .macro:
            for (operand, kind) in zip(code.macroCalls[Int(index)].operands, macros[Int(index)].operands) {
                if case .register(let register) = operand, case .result = kind { set.insert(register) }
            }
        case .store, .branch, .jump, .jumpTable, .call, .return:
            break
        }
        return set
    }
}
