import SCodeIR
import SCodeVerifier

extension Lowering {
    // MARK: Control

    mutating func jump(_ instruction: Instruction, _ index: Int) {
        noteTarget(instruction, index)
        if fragment.facts[index].costsBudget { emit(.guardBudget, index) }
        emit(.jump, index) { $0.target = instruction.index }
    }

    mutating func call(_ instruction: Instruction, _ index: Int) {
        if fragment.facts[index].costsBudget { emit(.guardBudget, index) }
        emit(.call, index) { $0.target = instruction.index }
        // The procedure never returns, so what stands behind is not compiled; yet a return address must be some.
        let next = Int(fragment.facts[index].block) + 1
        if !fragment.flow.blocks[next].isReachable { emit(.trap, index) }
    }

    mutating func branch(_ instruction: Instruction, _ index: Int) {
        noteTarget(instruction, index)
        let condition = Self.condition(instruction.opcode)
        let isCounted = fragment.facts[index].costsBudget
        // A branch that counts costs budget only when it is taken: branch around a guarded jump.
        let target = isCounted ? newLabel() : instruction.index
        emit(.branch, index) {
            $0.isWide = instruction.opcode.type.size == 8
            $0.condition = isCounted ? condition.inverted : condition
            $0.a = instruction.rs1
            $0.b = instruction.rs2
            $0.hasImmediate = instruction.opcode.form == .immediate
            $0.immediate = instruction.immediate
            $0.target = target
        }
        if isCounted {
            emit(.guardBudget, index)
            emit(.jump, index) { $0.target = instruction.index }
            emit(.label, index) { $0.target = target }
        }
    }

    private static func condition(_ opcode: Opcode) -> VCondition {
        if opcode.type.isFloat { return floatCondition(opcode.operation) }
        let signed = opcode.type.isSigned
        switch opcode.operation {
        case .blt: return signed ? .lessSigned : .lessUnsigned
        case .ble: return signed ? .lessOrEqualSigned : .lessOrEqualUnsigned
        case .bgt: return signed ? .greaterSigned : .greaterUnsigned
        case .bge: return signed ? .greaterOrEqualSigned : .greaterOrEqualUnsigned
        case .beq: return .equal
        default: return .notEqual
        }
    }

    /// With a NaN no comparison holds but that for inequality.
    private static func floatCondition(_ operation: Operation) -> VCondition {
        switch operation {
        case .blt: .lessOrdered
        case .ble: .lessOrEqualOrdered
        case .bgt: .greaterOrdered
        case .bge: .greaterOrEqualOrdered
        case .beq: .equalOrdered
        default: .notEqualOrUnordered
        }
    }

    mutating func jumpTable(_ instruction: Instruction, _ index: Int) {
        if !fragment.facts[index].isSafe {
            let count = code.tables[Int(instruction.index)].labels.count
            emit(.guardTableIndex, index) {
                $0.a = instruction.rs1
                $0.immediate = Int64(count)
            }
        }
        if fragment.facts[index].costsBudget { emit(.guardBudget, index) }
        emit(.jumpTable, index) {
            $0.a = instruction.rs1
            $0.target = instruction.index
        }
    }

    // MARK: Macro-instructions

    mutating func expand(_ instruction: Instruction, _ index: Int) {
        let macro = fragment.macros[Int(instruction.index)]
        let operands = code.macroCalls[Int(instruction.index)].operands
        switch macro.expansion {
        case .accept: value(.accept, operands.first, macro.operands.first, 0, index)
        case .refuse: emit(.refuse, index)
        // Templates are gone before anything is compiled.
        case .abort, .template: emit(.abort, index)
        case .subSchedule: value(.callSub, operands.first, macro.operands.first, 0, index)
        case .hostCall, .systemCall:
            var argument: UInt32 = 0
            for (operand, kind) in zip(operands, macro.operands) {
                guard case .value = kind else { continue }
                value(.hostArgument, operand, kind, argument, index)
                argument += 1
            }
            var result: (register: Register, type: ValueType)?
            for (operand, kind) in zip(operands, macro.operands) {
                if case .register(let register) = operand, case .result(let type) = kind {
                    result = (register, type)
                }
            }
            emit(.callHost, index) {
                $0.target = instruction.index
                $0.flag = result != nil
                $0.dst = result?.register ?? Register(0)
            }
            if let result, result.type.size < 8, !result.type.isFloat {
                canonicalise(result.register, result.register, result.type, index)
            }
        }
    }

    /// An operation on one macro operand, which is cut to its declared type.
    private mutating func value(
        _ operation: VOperation, _ operand: MacroOperand?, _ kind: MacroOperandKind?, _ target: UInt32,
        _ index: Int
    ) {
        var type = ValueType.ul
        if case .value(let declared) = kind { type = declared }
        emit(operation, index) {
            $0.target = target
            $0.size = UInt8(type.size)
            $0.flag = type == .c || type == .s
            switch operand {
            case .register(let register): $0.a = register
            case .immediate(let constant):
                $0.hasImmediate = true
                $0.immediate = Int64(bitPattern: type.canonical(UInt64(bitPattern: constant)))
            case nil: $0.hasImmediate = true
            }
        }
    }
}
