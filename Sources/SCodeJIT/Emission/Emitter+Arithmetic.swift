import SCodeIR
import X86Assembler

extension Emitter {
    /// dst := a op b. Computes in dst itself unless b lives there.
    mutating func emitBinary(_ instruction: VInstruction) {
        let width = instruction.width
        let isCommutative = instruction.operation != .sub
        var target = resultRegister(instruction.dst)
        var left = instruction.a
        var right = instruction.b
        if !instruction.hasImmediate {
            if isCommutative, isInMachine(right, target) { swap(&left, &right) }
            if isInMachine(right, target), !isInMachine(left, target) { target = .rax }
        }
        if instruction.operation == .add, emitAddAsLea(instruction, left, right, target) { return }
        if instruction.operation == .mul, instruction.hasImmediate, let constant = instruction.shortImmediate
        {
            let source = fetch(left, .rax)
            assembler.imul(width, target, source, immediate: constant)
            keep(instruction.dst, from: target)
            return
        }
        copy(left, to: target, width)
        if instruction.hasImmediate {
            if let constant = instruction.shortImmediate {
                alu(instruction.operation, width, target, immediate: constant)
            } else {
                assembler.mov(.rcx, immediate: UInt64(bitPattern: instruction.immediate))
                alu(instruction.operation, width, target, .rcx)
            }
        } else if case .slot(let slot) = allocation.location(right) {
            alu(instruction.operation, width, target, slotMemory(slot))
        } else {
            alu(instruction.operation, width, target, fetch(right, .rcx))
        }
        keep(instruction.dst, from: target)
    }

    /// Addition into a third register is one `lea`.
    private mutating func emitAddAsLea(
        _ instruction: VInstruction, _ left: Register, _ right: Register, _ target: GPR
    ) -> Bool {
        guard case .machine(let a) = allocation.location(left), a != target else { return false }
        if instruction.hasImmediate {
            guard let constant = instruction.shortImmediate else { return false }
            assembler.lea(instruction.width, target, Memory(a, constant))
        } else {
            guard case .machine(let b) = allocation.location(right) else { return false }
            assembler.lea(instruction.width, target, Memory(a, index: b))
        }
        keep(instruction.dst, from: target)
        return true
    }

    private static func aluOperation(_ operation: VOperation) -> ALU? {
        switch operation {
        case .add: .add
        case .sub: .sub
        case .and: .and
        case .or: .or
        case .xor: .xor
        default: nil
        }
    }

    private mutating func alu(_ operation: VOperation, _ width: Width, _ target: GPR, immediate: Int32) {
        if let operation = Self.aluOperation(operation) {
            assembler.alu(operation, width, target, immediate: immediate)
        } else {
            assembler.imul(width, target, target, immediate: immediate)
        }
    }

    private mutating func alu(_ operation: VOperation, _ width: Width, _ target: GPR, _ source: GPR) {
        if let operation = Self.aluOperation(operation) {
            assembler.alu(operation, width, target, source)
        } else {
            assembler.imul(width, target, source)
        }
    }

    private mutating func alu(_ operation: VOperation, _ width: Width, _ target: GPR, _ source: Memory) {
        if let operation = Self.aluOperation(operation) {
            assembler.alu(operation, width, target, source)
        } else {
            assembler.imul(width, target, source)
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
        var target = resultRegister(instruction.dst)
        if instruction.hasImmediate {
            copy(instruction.a, to: target, instruction.width)
            let count = UInt8(truncatingIfNeeded: instruction.immediate) & (instruction.isWide ? 63 : 31)
            if count != 0 {
                assembler.shift(operation, instruction.width, target, by: count)
            } else if !instruction.isWide {
                assembler.mov(.w32, target, target)  // still cuts to 32 bits
            }
        } else {
            if isInMachine(instruction.b, target), !isInMachine(instruction.a, target) { target = .rax }
            copy(instruction.b, to: .rcx)
            copy(instruction.a, to: target, instruction.width)
            // A shift by zero leaves the upper half alone when nothing was copied: cut it first.
            if !instruction.isWide, isInMachine(instruction.a, target) { assembler.mov(.w32, target, target) }
            assembler.shiftByCL(operation, instruction.width, target)
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
        assembler.jccShort(.ne, ordinary)
        assembler.unary(.neg, width, .rax)
        assembler.zero(.rdx)
        assembler.jmpShort(done)
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
            copy(instruction.a, to: target, width)
            assembler.unary(instruction.operation == .not ? .not : .neg, width, target)
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
