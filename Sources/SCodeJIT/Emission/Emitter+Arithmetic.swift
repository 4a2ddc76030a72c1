import SCodeIR
import X86Assembler

extension Emitter {
    /// `d := a * 3; d := d + 7` and `d := a << 3; d := d + b`, and the like, as one address. Returns whether it has.
    mutating func emitScaledSum(at index: Int) -> Bool {
        let scaled = vcode.instructions[index]
        guard scaled.hasImmediate, index + 1 < vcode.instructions.count else { return false }
        let sum = vcode.instructions[index + 1]
        guard sum.operation == .add, sum.dst == scaled.dst, sum.isWide == scaled.isWide,
            case .machine(let target) = allocation.location(sum.dst),
            case .machine(let factor) = allocation.location(scaled.a)
        else { return false }
        if scaled.operation == .mul {
            guard let scale = Scale(times: scaled.immediate - 1), sum.hasImmediate, sum.a == sum.dst,
                let offset = sum.shortImmediate
            else { return false }
            assembler.lea(sum.width, target, Memory(factor, index: factor, scale, offset))
            return true
        }
        guard (1...3).contains(scaled.immediate), let scale = Scale(times: 1 << scaled.immediate),
            !sum.hasImmediate, (sum.a == sum.dst) != (sum.b == sum.dst),
            case .machine(let base) = allocation.location(sum.a == sum.dst ? sum.b : sum.a)
        else { return false }
        assembler.lea(sum.width, target, Memory(base, index: factor, scale))
        return true
    }

    /// dst := a op b
    mutating func emitBinary(_ instruction: VInstruction) {
        let width = instruction.width
        let target = resultRegister(instruction.dst)
        if instruction.hasImmediate, let constant = instruction.shortImmediate {
            emit(instruction.operation, width, target, fetch(instruction.a, target), immediate: constant)
        } else if !instruction.hasImmediate, case .slot(let slot) = allocation.location(instruction.b) {
            copy(instruction.a, to: target, width)
            emit(instruction.operation, width, target, slotMemory(slot))
        } else {
            let right = fetchLast(instruction, .rcx)
            let left = fetch(instruction.a, right == target ? .rax : target)
            emit(instruction.operation, width, target, left, right)
        }
        keep(instruction.dst, from: target)
    }

    /// The last source: b, or an immediate that the instruction set cannot hold.
    private mutating func fetchLast(_ instruction: VInstruction, _ scratch: GPR) -> GPR {
        guard instruction.hasImmediate else { return fetch(instruction.b, scratch) }
        assembler.mov(scratch, immediate: UInt64(bitPattern: instruction.immediate))
        return scratch
    }

    private mutating func emit(
        _ operation: VOperation, _ width: Width, _ target: GPR, _ left: GPR, _ right: GPR
    ) {
        switch operation {
        case .add: assembler.add(width, target, left, right)
        case .sub: assembler.subtract(width, target, left, right)
        case .and: assembler.logic(.and, width, target, left, right)
        case .or: assembler.logic(.or, width, target, left, right)
        case .xor: assembler.logic(.xor, width, target, left, right)
        default: assembler.multiply(width, target, left, right)
        }
    }

    private mutating func emit(
        _ operation: VOperation, _ width: Width, _ target: GPR, _ left: GPR, immediate: Int32
    ) {
        switch operation {
        case .add: assembler.add(width, target, left, immediate: immediate)
        case .sub: assembler.subtract(width, target, left, immediate: immediate)
        case .and: assembler.logic(.and, width, target, left, immediate: immediate)
        case .or: assembler.logic(.or, width, target, left, immediate: immediate)
        case .xor: assembler.logic(.xor, width, target, left, immediate: immediate)
        default: assembler.multiply(width, target, left, by: immediate)
        }
    }

    mutating func emit(_ operation: VOperation, _ width: Width, _ target: GPR, _ source: Memory) {
        switch operation {
        case .add: assembler.alu(.add, width, target, source)
        case .sub: assembler.alu(.sub, width, target, source)
        case .and: assembler.alu(.and, width, target, source)
        case .or: assembler.alu(.or, width, target, source)
        case .xor: assembler.alu(.xor, width, target, source)
        default: assembler.imul(width, target, source)
        }
    }

    /// The processor takes shift counts modulo the width too.
    mutating func emitShift(_ instruction: VInstruction) {
        let operation: Shift =
            switch instruction.operation {
            case .shiftLeft: .shl
            case .shiftRight: .shr
            default: .sar
            }
        let target = resultRegister(instruction.dst)
        if instruction.hasImmediate {
            let count = UInt8(truncatingIfNeeded: instruction.immediate) & (instruction.isWide ? 63 : 31)
            assembler.shift(operation, instruction.width, target, fetch(instruction.a, target), by: count)
        } else {
            let count = fetch(instruction.b, .rcx)
            assembler.shift(operation, instruction.width, target, fetch(instruction.a, .rax), by: count)
        }
        keep(instruction.dst, from: target)
    }

    /// Dividend in rdx:rax, divisor in a register that is neither.
    mutating func emitDivision(_ instruction: VInstruction) {
        let isSigned = instruction.operation == .divideSigned || instruction.operation == .moduloSigned
        let isModulo = instruction.operation == .moduloSigned || instruction.operation == .moduloUnsigned
        let width = instruction.width
        var divisor = GPR.rcx
        if instruction.hasImmediate {
            assembler.mov(.rcx, immediate: UInt64(bitPattern: instruction.immediate))
        } else {
            divisor = fetch(instruction.b, .rcx)
        }
        copy(instruction.a, to: .rax, width)
        if isSigned {
            emitSignedDivision(
                divisor, width, mayBeMinusOne: !instruction.hasImmediate || instruction.immediate == -1)
        } else {
            assembler.zero(.rdx)
            assembler.unary(.div, width, divisor)
        }
        keep(instruction.dst, from: isModulo ? .rdx : .rax)
    }

    /// `idiv` traps on most-negative / -1; that quotient wraps and the remainder is zero.
    private mutating func emitSignedDivision(_ divisor: GPR, _ width: Width, mayBeMinusOne: Bool) {
        guard mayBeMinusOne else {
            assembler.signExtendRaxIntoRdx(width)
            assembler.unary(.idiv, width, divisor)
            return
        }
        let ordinary = assembler.newLabel()
        let done = assembler.newLabel()
        assembler.alu(.cmp, width, divisor, immediate: -1)
        assembler.jcc(.ne, ordinary, isNear: true)
        assembler.unary(.neg, width, .rax)
        assembler.zero(.rdx)
        assembler.jmp(done, isNear: true)
        assembler.bind(ordinary)
        assembler.signExtendRaxIntoRdx(width)
        assembler.unary(.idiv, width, divisor)
        assembler.bind(done)
    }

    mutating func emitUnary(_ instruction: VInstruction) {
        let target = resultRegister(instruction.dst)
        let width = instruction.width
        switch instruction.operation {
        case .move:
            let source = fetch(instruction.a, .rax)
            if source != target || !instruction.isWide { assembler.mov(width, target, source) }
        case .not, .negate:
            let source = fetch(instruction.a, target)
            assembler.unary(instruction.operation == .not ? .not : .neg, width, target, source)
        case .isZero:
            let source = fetch(instruction.a, .rax)
            assembler.test(width, source, source)
            assembler.set(.e, .rax)
            assembler.zeroExtend(.w8, target, .rax)
        case .signExtend:
            let source = fetch(instruction.a, .rax)
            assembler.signExtend(MemoryWidth(bytes: instruction.size), to: width, target, source)
        default:
            let source = fetch(instruction.a, .rax)
            assembler.zeroExtend(MemoryWidth(bytes: instruction.size), target, source)
        }
        keep(instruction.dst, from: target)
    }

    /// The processor counts as SCODE does: the width when there is no one.
    mutating func emitBitCount(_ instruction: VInstruction) {
        let operation: BitCount =
            switch instruction.operation {
            case .countLeadingZeros: .lzcnt
            case .countTrailingZeros: .tzcnt
            default: .popcnt
            }
        let target = resultRegister(instruction.dst)
        let source = fetch(instruction.a, .rax)
        assembler.count(operation, instruction.width, target, source)
        keep(instruction.dst, from: target)
    }

    mutating func emitByteSwap(_ instruction: VInstruction) {
        let target = resultRegister(instruction.dst)
        copy(instruction.a, to: target, instruction.width)
        assembler.bswap(instruction.width, target)
        // The bytes of the lower half are now the upper ones.
        if instruction.size == 2 { assembler.shift(.shr, .w32, target, by: 16) }
        keep(instruction.dst, from: target)
    }

    mutating func emitConstant(_ instruction: VInstruction) {
        if case .slot(let slot) = allocation.location(instruction.dst),
            let short = Int32(exactly: instruction.immediate)
        {
            assembler.store(.w64, slotMemory(slot), immediate: short)
            return
        }
        if instruction.dst.bank == .float {
            emitFloatConstant(instruction)
            return
        }
        let target = resultRegister(instruction.dst)
        emitLoadConstant(instruction.immediate, target)
        keep(instruction.dst, from: target)
    }

    mutating func emitLoadConstant(_ value: Int64, _ target: GPR) {
        if value == 0 {
            assembler.zero(target)
        } else {
            assembler.mov(target, immediate: UInt64(bitPattern: value))
        }
    }
}

extension MemoryWidth {
    /// 1, 2, 4 or 8 bytes.
    init(bytes: UInt8) {
        switch bytes {
        case 1: self = .w8
        case 2: self = .w16
        case 4: self = .w32
        default: self = .w64
        }
    }
}

extension Scale {
    /// The scale that multiplies by 2, 4 or 8.
    fileprivate init?(times factor: Int64) {
        switch factor {
        case 2: self = .x2
        case 4: self = .x4
        case 8: self = .x8
        default: return nil
        }
    }
}
