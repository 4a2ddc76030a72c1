import SCodeIR
import SCodeVerifier

/// Lets an instruction take from memory what a load has fetched for it alone, and lets accept take a constant from itself.
///
/// *Requires* VCode whose registers nobody sees but at aborts. *Produces* VCode of the same meaning, in which some loads
/// are marked as folded into what comes next.
enum OperandFolding {
    static func run(_ code: inout VCode) {
        let named = namedLater(code)
        var constants = false
        for index in code.instructions.indices.dropLast() {
            let first = code.instructions[index]
            switch first.operation {
            case .load:
                let next = code.instructions[index + 1]
                guard next.canFold(first), !named.contains(first.dst), code.isLastRead(first.dst, next) else {
                    continue
                }
                code.instructions[index].isFolded = true
            case .constant where code.instructions[index + 1].acceptsRegister(first.dst):
                code.instructions[index + 1].hasImmediate = true
                code.instructions[index + 1].immediate = first.immediate
                constants = true
            default: continue
            }
        }
        if constants { removeDead(&code) }
    }

    /// Constants that nobody can read: fragments leave behind them.
    private static func removeDead(_ code: inout VCode) {
        var output: [VInstruction] = []
        output.reserveCapacity(code.instructions.count)
        for instruction in code.instructions {
            if instruction.operation == .accept, instruction.hasImmediate, let last = output.last,
                last.operation == .constant
            {
                output.removeLast()
            }
            output.append(instruction)
        }
        code.instructions = output
    }

    /// Registers that some access names although they are dead by the verifier's liveness.
    private static func namedLater(_ code: VCode) -> RegisterSet {
        var registers = RegisterSet()
        guard code.namesSums else { return registers }
        for instruction in code.instructions {
            let live = code.fragment.facts[Int(instruction.source)].liveBefore
            registers.formUnion(instruction.reads.union(instruction.coldReads).subtracting(live))
        }
        return registers
    }
}

extension VCode {
    /// Whether nobody reads the register behind an instruction that reads it.
    fileprivate func isLastRead(_ register: Register, _ instruction: VInstruction) -> Bool {
        let next = Int(instruction.source) + 1
        guard instruction.operation == .branch else {
            return instruction.dst == register || !isLive(register, next)
        }
        // Others lead to a guard, which shows what was read.
        guard Int(instruction.target) < fragment.code.labels.count else { return false }
        let target = Int(fragment.code.labels[Int(instruction.target)].position)
        return !isLive(register, next) && !isLive(register, target)
    }

    private func isLive(_ register: Register, _ index: Int) -> Bool {
        fragment.facts.indices.contains(index) && fragment.facts[index].liveBefore.contains(register)
    }
}

extension VInstruction {
    fileprivate func acceptsRegister(_ register: Register) -> Bool {
        operation == .accept && !hasImmediate && a == register && register.bank == .integer
    }

    /// Whether the processor can do the load and this instruction at once.
    fileprivate func canFold(_ load: VInstruction) -> Bool {
        guard load.dst.bank == .integer else { return false }
        let isWhole = load.size == (isWide ? 8 : 4)
        switch operation {
        case .branch:
            if condition.isFloat { return false }
            if hasImmediate { return a == load.dst && comparand(of: load) != nil }
            return isWhole && (a == load.dst) != (b == load.dst)
        case .add, .mul, .and, .or, .xor:
            guard isWhole, !hasImmediate else { return false }
            return a == load.dst ? b == dst && b != a : b == load.dst && a == dst
        case .sub: return isWhole && !hasImmediate && b == load.dst && a == dst && a != b
        default: return false
        }
    }

    /// Of a branch on what was loaded and a constant: with what to compare as many bytes as were loaded, for the same
    /// outcome. Nil when there is nothing like that.
    func comparand(of load: VInstruction) -> Int32? {
        let constant = isWide ? immediate : Int64(Int32(truncatingIfNeeded: immediate))
        let bits = Int64(load.size) * 8
        if bits == (isWide ? 64 : 32) { return Int32(exactly: constant) }
        guard bits < (isWide ? 64 : 32), condition.agrees(withSigned: load.flag) else { return nil }
        let half = Int64(1) << (bits - 1)
        // The loaded value is one of these.
        let range = load.flag ? -half..<half : 0..<2 * half
        return range.contains(constant) ? Int32(truncatingIfNeeded: constant) : nil
    }
}

extension VCondition {
    /// Whether numbers that have been extended in this way compare as what they were extended from.
    fileprivate func agrees(withSigned isSigned: Bool) -> Bool {
        switch self {
        case .equal, .notEqual: true
        case .lessSigned, .lessOrEqualSigned, .greaterSigned, .greaterOrEqualSigned: isSigned
        case .lessUnsigned, .lessOrEqualUnsigned, .greaterUnsigned, .greaterOrEqualUnsigned: !isSigned
        default: false
        }
    }
}
