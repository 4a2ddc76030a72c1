/// Marks divisions and remainders by constants, which are then made of a multiplication (`Emitter+Division.swift`): that
/// takes a fifth of the time. Unsigned ones by powers of two are left to `StrengthReduction`.
///
/// *Requires* VCode from lowering. *Produces* VCode of the same meaning.
enum DivisionByConstants {
    private static let operations: [VOperation] = [
        .divideSigned, .divideUnsigned, .moduloSigned, .moduloUnsigned,
    ]

    static func run(_ code: inout VCode) {
        guard operations.contains(where: code.operations.contains) else { return }
        for index in code.instructions.indices where code.instructions[index].isReplaceable {
            code.instructions[index].flag = true
        }
    }
}

extension VInstruction {
    fileprivate var isReplaceable: Bool {
        switch operation {
        case .divideSigned, .moduloSigned: return hasImmediate && immediate != 0
        case .divideUnsigned, .moduloUnsigned:
            let divisor =
                isWide ? UInt64(bitPattern: immediate) : UInt64(UInt32(truncatingIfNeeded: immediate))
            return hasImmediate && divisor.nonzeroBitCount > 1
        default: return false
        }
    }
}
