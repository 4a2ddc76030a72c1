// What instructions operate on. All plain values: nothing here is reference counted.

/// A general-purpose register; the raw value is its number in encodings.
@frozen public enum GPR: UInt8, CaseIterable, Sendable, BitwiseCopyable {
    case rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi
    case r8, r9, r10, r11, r12, r13, r14, r15
}

/// A register for floating-point numbers; the raw value is its number in encodings.
@frozen public enum XMM: UInt8, CaseIterable, Sendable, BitwiseCopyable {
    case xmm0, xmm1, xmm2, xmm3, xmm4, xmm5, xmm6, xmm7
    case xmm8, xmm9, xmm10, xmm11, xmm12, xmm13, xmm14, xmm15
}

/// IEEE 754 binary32 or binary64, in the low part of an XMM register.
@frozen public enum Precision: UInt8, CaseIterable, Sendable, BitwiseCopyable {
    case single, double
}

/// How much of its operands an instruction works on. A 32-bit result clears the upper half of its register.
@frozen public enum Width: UInt8, CaseIterable, Sendable, BitwiseCopyable {
    case w32, w64
}

/// How much a load, store or extension takes.
@frozen public enum MemoryWidth: UInt8, CaseIterable, Sendable, BitwiseCopyable {
    case w8, w16, w32, w64
}

/// What an index register is multiplied by; the raw value is the field of the SIB byte.
@frozen public enum Scale: UInt8, CaseIterable, Sendable, BitwiseCopyable {
    case x1, x2, x4, x8
}

/// A memory operand: `[base + index * scale + displacement]`.
///
/// `rsp` cannot be an index: the assembler writes nothing for such an operand and `finish` reports it.
@frozen public struct Memory: Hashable, Sendable, BitwiseCopyable {
    public var displacement: Int32
    public var base: GPR
    public var index: GPR?
    public var scale: Scale

    @inlinable public init(_ base: GPR, _ displacement: Int32 = 0) {
        self.displacement = displacement
        self.base = base
        index = nil
        scale = .x1
    }

    @inlinable public init(_ base: GPR, index: GPR, _ scale: Scale = .x1, _ displacement: Int32 = 0) {
        self.displacement = displacement
        self.base = base
        self.index = index
        self.scale = scale
    }
}

/// A condition on the flags; the raw value is the low half of the opcodes of jcc, setcc and cmovcc.
@frozen public enum Condition: UInt8, CaseIterable, Sendable, BitwiseCopyable {
    case o, no  // overflow
    case b, ae  // unsigned <, >=
    case e, ne
    case be, a  // unsigned <=, >
    case s, ns  // sign
    case p, np  // parity
    case l, ge  // signed <, >=
    case le, g  // signed <=, >

    /// True exactly when `self` is false: the codes come in such pairs.
    @inlinable public var inverted: Condition { Condition(rawValue: rawValue ^ 1) ?? self }

    /// The condition after the operands of the comparison have changed places; the others stay.
    @inlinable public var swapped: Condition {
        switch self {
        case .b: .a
        case .a: .b
        case .be: .ae
        case .ae: .be
        case .l: .g
        case .g: .l
        case .le: .ge
        case .ge: .le
        case .o, .no, .e, .ne, .s, .ns, .p, .np: self
        }
    }
}

/// A place in the code, bound once, before or after its uses.
@frozen public struct CodeLabel: Hashable, Sendable, BitwiseCopyable {
    public let index: UInt32

    @inlinable init(index: UInt32) { self.index = index }
}

/// Everything that can be wrong with assembled code. All of them are mistakes of the code generator, except
/// `overflow`.
public enum AssemblerError: Error, Equatable, Sendable {
    /// The code needs more than the buffer's limit.
    case overflow(limit: Int)
    case unboundLabel(CodeLabel)
    case labelBoundTwice(CodeLabel)
    /// The label comes from another assembler, or from before `reset`.
    case foreignLabel(CodeLabel)
    /// A short jump's target is further away than a signed byte reaches.
    case shortJumpTooFar(to: CodeLabel, distance: Int)
    /// `rsp` as an index register, at this offset.
    case unencodableIndex(offset: Int)
}
