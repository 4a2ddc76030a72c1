/// Replaces multiplication, unsigned division and modulo by a power of two with shifts and masks.
///
/// *Requires* VCode from lowering. *Produces* VCode of the same meaning.
enum StrengthReduction {
    private static let operations: [VOperation] = [.mul, .divideUnsigned, .moduloUnsigned]

    static func run(_ code: inout VCode) {
        guard operations.contains(where: code.operations.contains) else { return }
        for index in code.instructions.indices where code.instructions[index].hasImmediate {
            reduce(&code.instructions[index])
        }
    }

    private static func reduce(_ instruction: inout VInstruction) {
        let constant =
            instruction.isWide
            ? UInt64(bitPattern: instruction.immediate)
            : UInt64(UInt32(truncatingIfNeeded: instruction.immediate))
        guard constant != 0, constant & (constant - 1) == 0 else { return }
        let exponent = Int64(constant.trailingZeroBitCount)
        switch instruction.operation {
        case .mul:
            instruction.operation = .shiftLeft
            instruction.immediate = exponent
        case .divideUnsigned:
            instruction.operation = .shiftRight
            instruction.immediate = exponent
        case .moduloUnsigned:
            instruction.operation = .and
            instruction.immediate = Int64(bitPattern: constant - 1)
        default:
            return
        }
    }
}
