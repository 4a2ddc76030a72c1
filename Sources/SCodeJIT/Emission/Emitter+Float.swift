import SCodeIR
import X86Assembler

/// Floating-point numbers live in the low part of XMM registers: an `f` in 32 bits, a `d` in 64; what lies above
/// means nothing. Slots of the frame hold 64 bits in either case.
extension Emitter {
    static let vectorScratch = XMM.xmm14
    static let vectorScratch2 = XMM.xmm15

    // MARK: Operands

    /// The register that holds a number, fetching it from the frame into `scratch` if it is there.
    mutating func fetch(_ register: Register, _ scratch: XMM) -> XMM {
        switch allocation.location(register) {
        case .vector(let vector): return vector
        case .slot(let slot):
            assembler.load(.double, scratch, slotMemory(slot))
            return scratch
        case .nowhere, .machine: return scratch  // never read: the verifier has seen every path
        }
    }

    /// Copies a number to a register.
    mutating func copy(_ register: Register, to vector: XMM) {
        let source = fetch(register, vector)
        if source != vector { assembler.movaps(vector, source) }
    }

    /// The register in which to compute a number: its own, or scratch when it lives in the frame.
    @inline(__always) func resultVector(_ register: Register) -> XMM {
        if case .vector(let vector) = allocation.location(register) { return vector }
        return Self.vectorScratch
    }

    /// Puts a number that was computed in `vector` where it belongs.
    mutating func keep(_ register: Register, from vector: XMM) {
        switch allocation.location(register) {
        case .vector(let own): if own != vector { assembler.movaps(own, vector) }
        case .slot(let slot): assembler.store(.double, slotMemory(slot), vector)
        case .nowhere, .machine: break
        }
    }

    @inline(__always) func isInVector(_ register: Register, _ vector: XMM) -> Bool {
        allocation.location(register) == .vector(vector)
    }

    /// The bits of a number, in a general-purpose register; of an `f` the upper half is cleared.
    mutating func copyBits(_ register: Register, _ precision: Precision, to machine: GPR) {
        switch allocation.location(register) {
        case .vector(let vector): assembler.mov(precision.width, machine, vector)
        case .slot(let slot): assembler.load(precision == .single ? .w32 : .w64, machine, slotMemory(slot))
        case .nowhere, .machine: break
        }
    }

    // MARK: Arithmetic

    /// dst := a op b. When one is a NaN the processor gives the first one, made quiet; so a is always the
    /// processor's first operand, and the operands of add and mul do not change places.
    mutating func emitFloatBinary(_ instruction: VInstruction) {
        let operation: FloatArithmetic =
            switch instruction.operation {
            case .floatAdd: .add
            case .floatSub: .sub
            case .floatMul: .mul
            default: .div
            }
        var target = resultVector(instruction.dst)
        if isInVector(instruction.b, target), !isInVector(instruction.a, target) {
            target = Self.vectorScratch
        }
        copy(instruction.a, to: target)
        if case .slot(let slot) = allocation.location(instruction.b) {
            assembler.float(operation, instruction.precision, target, slotMemory(slot))
        } else {
            let right = fetch(instruction.b, Self.vectorScratch2)
            assembler.float(operation, instruction.precision, target, right)
        }
        keep(instruction.dst, from: target)
    }

    /// Changes the sign bit and nothing else, of a NaN too.
    mutating func emitFloatNegate(_ instruction: VInstruction) {
        let target = resultVector(instruction.dst)
        assembler.mov(.rax, immediate: instruction.precision == .single ? 1 << 31 : 1 << 63)
        assembler.mov(.w64, Self.vectorScratch2, .rax)
        copy(instruction.a, to: target)
        assembler.xorps(target, Self.vectorScratch2)
        keep(instruction.dst, from: target)
    }

    mutating func emitFloatMove(_ instruction: VInstruction) {
        keep(instruction.dst, from: fetch(instruction.a, resultVector(instruction.dst)))
    }

    mutating func emitFloatConstant(_ instruction: VInstruction) {
        guard case .vector(let target) = allocation.location(instruction.dst) else {
            emitLoadConstant(instruction.immediate, .rax)
            keep(instruction.dst, from: GPR.rax)
            return
        }
        if instruction.immediate == 0 {
            assembler.xorps(target, target)
        } else {
            emitLoadConstant(instruction.immediate, .rax)
            assembler.mov(.w64, target, .rax)
        }
    }

    // MARK: Branches

    /// After a comparison of a with b the flags are those of unsigned integers, and unordered looks like below and
    /// like equal: "above" and "above or equal" are ordered, "below" and "below or equal" are not. What is wanted
    /// the other way round is compared the other way round. Only equality needs the parity flag.
    mutating func emitFloatBranch(_ instruction: VInstruction) {
        let target = labels[Int(instruction.target)]
        switch instruction.condition {
        case .greaterOrdered: compare(instruction.a, instruction.b, instruction, .a, target)
        case .greaterOrEqualOrdered: compare(instruction.a, instruction.b, instruction, .ae, target)
        case .lessOrdered: compare(instruction.b, instruction.a, instruction, .a, target)
        case .lessOrEqualOrdered: compare(instruction.b, instruction.a, instruction, .ae, target)
        case .lessOrUnordered: compare(instruction.a, instruction.b, instruction, .b, target)
        case .lessOrEqualOrUnordered: compare(instruction.a, instruction.b, instruction, .be, target)
        case .greaterOrUnordered: compare(instruction.b, instruction.a, instruction, .b, target)
        case .greaterOrEqualOrUnordered: compare(instruction.b, instruction.a, instruction, .be, target)
        case .equalOrdered:
            let unordered = assembler.newLabel()
            compare(instruction.a, instruction.b, instruction)
            assembler.jcc(.p, unordered, isNear: true)
            assembler.jcc(.e, target, isNear: instruction.isNear)
            assembler.bind(unordered)
        default:
            compare(instruction.a, instruction.b, instruction)
            assembler.jcc(.p, target, isNear: instruction.isNear)
            assembler.jcc(.ne, target, isNear: instruction.isNear)
        }
    }

    private mutating func compare(
        _ left: Register, _ right: Register, _ instruction: VInstruction, _ condition: Condition,
        _ target: CodeLabel
    ) {
        compare(left, right, instruction)
        assembler.jcc(condition, target, isNear: instruction.isNear)
    }

    private mutating func compare(_ left: Register, _ right: Register, _ instruction: VInstruction) {
        let first = fetch(left, Self.vectorScratch)
        if case .slot(let slot) = allocation.location(right) {
            assembler.compare(instruction.precision, first, slotMemory(slot))
        } else {
            assembler.compare(instruction.precision, first, fetch(right, Self.vectorScratch2))
        }
    }
}

extension VInstruction {
    /// Of an operation on floating-point numbers.
    var precision: Precision { isWide ? .double : .single }
}

extension Precision {
    /// The general-purpose width that holds the bits.
    var width: Width { self == .single ? .w32 : .w64 }
}
