/// How many bytes a load takes.
public enum ClassicSize: UInt8, CaseIterable, Sendable {
    case word = 4, half = 2, byte = 1
    /// In bytes.
    public var bytes: UInt64 { UInt64(rawValue) }
}

/// What arithmetic does with the accumulator.
public enum ClassicArithmetic: UInt8, CaseIterable, Sendable {
    case add, sub, mul, div, or, and, lsh, rsh, mod, xor
}

/// What a conditional jump asks of the accumulator: equal, greater, greater or equal (unsigned), any bit in common.
public enum ClassicRelation: UInt8, CaseIterable, Sendable {
    case equal, greater, greaterOrEqual, anyBit
}

/// The second operand of arithmetic and comparisons.
public enum ClassicOperand: Hashable, Sendable {
    case constant(UInt32)
    /// The index register X.
    case index
}

/// One instruction of classic BPF, the packet filter language of McCanne and Jacobson (USENIX Winter 1993), with its
/// fields read. A is the accumulator, X the index register, M the 16 scratch cells, P the packet; all are unsigned
/// numbers of 32 bits, and numbers in the packet are in network byte order.
public enum ClassicInstruction: Hashable, Sendable {
    /// A := P[k : size].
    case load(ClassicSize, UInt32)
    /// A := P[X + k : size]; the sum does not wrap.
    case loadIndexed(ClassicSize, UInt32)
    /// A or X := the packet's length on the wire, in bytes.
    case loadLength, loadLengthIndex
    /// A or X := k.
    case set(UInt32), setIndex(UInt32)
    /// A or X := M[k]; M[k] := A or X.
    case loadScratch(Int), loadScratchIndex(Int), store(Int), storeIndex(Int)
    /// X := 4 * (P[k : 1] & 15): the length of an IPv4 header.
    case loadHeaderLength(UInt32)
    /// A := A op operand (mod 2^32). Division and modulo by zero refuse the packet; shifts by 32 and more give 0.
    case arithmetic(ClassicArithmetic, ClassicOperand)
    /// A := -A (mod 2^32).
    case negate
    /// X := A; A := X.
    case toIndex, toAccumulator
    /// Skips so many instructions.
    case jump(UInt32)
    /// Skips so many instructions, if A and the operand are so related, or else so many.
    case branch(ClassicRelation, ClassicOperand, then: UInt8, else: UInt8)
    /// Ends: the packet is taken if the constant, or A, is not 0.
    case `return`(UInt32), returnAccumulator

    /// Whether the next instruction is never the one that follows.
    var endsRun: Bool {
        switch self {
        case .jump, .branch, .return, .returnAccumulator: true
        default: false
        }
    }
}

extension ClassicInstruction {
    /// Reads the fields of an instruction as `struct bpf_insn` has them.
    /// - Returns: nil for a code that is not one of the language.
    init?(code: UInt16, then: UInt8, else otherwise: UInt8, k: UInt32) {
        // Class in bits 0-2. Of loads: size in 3-4, mode in 5-7; of arithmetic and jumps: source in 3, operation in 4-7.
        let operand: ClassicOperand = code & 0x08 == 0 ? .constant(k) : .index
        switch code {
        case 0x20: self = .load(.word, k)
        case 0x28: self = .load(.half, k)
        case 0x30: self = .load(.byte, k)
        case 0x40: self = .loadIndexed(.word, k)
        case 0x48: self = .loadIndexed(.half, k)
        case 0x50: self = .loadIndexed(.byte, k)
        case 0x80: self = .loadLength
        case 0x81: self = .loadLengthIndex
        case 0x00: self = .set(k)
        case 0x01: self = .setIndex(k)
        case 0x60: self = .loadScratch(Int(k))
        case 0x61: self = .loadScratchIndex(Int(k))
        case 0x02: self = .store(Int(k))
        case 0x03: self = .storeIndex(Int(k))
        case 0xb1: self = .loadHeaderLength(k)
        case 0x84: self = .negate
        case 0x07: self = .toIndex
        case 0x87: self = .toAccumulator
        case 0x05: self = .jump(k)
        case 0x06: self = .return(k)
        case 0x16: self = .returnAccumulator
        default:
            if let operation = Self.arithmetic[code & ~0x08] {
                self = .arithmetic(operation, operand)
            } else if let relation = Self.relations[code & ~0x08] {
                self = .branch(relation, operand, then: then, else: otherwise)
            } else {
                return nil
            }
        }
    }

    private static let arithmetic: [UInt16: ClassicArithmetic] = [
        0x04: .add, 0x14: .sub, 0x24: .mul, 0x34: .div, 0x44: .or, 0x54: .and, 0x64: .lsh, 0x74: .rsh,
        0x94: .mod,
        0xa4: .xor,
    ]
    private static let relations: [UInt16: ClassicRelation] = [
        0x15: .equal, 0x25: .greater, 0x35: .greaterOrEqual, 0x45: .anyBit,
    ]
}
