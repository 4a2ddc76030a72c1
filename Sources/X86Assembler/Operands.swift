// What instructions operate on. All plain values: nothing here is reference counted.

/// A general-purpose register, kept as the bits that say so in an instruction: emission has no need to shift.
@frozen public struct GPR: Hashable, CaseIterable, Sendable, BitwiseCopyable {
    /// Its bits as an r/m operand or base (`OperandBits.rm`).
    @usableFromInline let rm: UInt32
    /// Its bits as the other operand (`OperandBits.reg`).
    @usableFromInline let reg: UInt32

    @inlinable @inline(__always) init(_ number: UInt8) {
        rm = OperandBits.rm(number)
        reg = OperandBits.reg(number)
    }

    /// The register of a number in encodings, of which the low four bits count.
    @inlinable public init(number: UInt8) { self.init(number & 15) }

    /// Its number in encodings.
    @inlinable public var rawValue: UInt8 {
        UInt8(truncatingIfNeeded: rm >> 16 & 7 | (rm & 1) << 3)
    }

    @inlinable @inline(__always) public static func == (left: GPR, right: GPR) -> Bool {
        left.reg == right.reg
    }
    @inlinable public func hash(into hasher: inout Hasher) { hasher.combine(reg) }

    @inlinable @inline(__always) public static var rax: GPR { GPR(0) }
    @inlinable @inline(__always) public static var rcx: GPR { GPR(1) }
    @inlinable @inline(__always) public static var rdx: GPR { GPR(2) }
    @inlinable @inline(__always) public static var rbx: GPR { GPR(3) }
    @inlinable @inline(__always) public static var rsp: GPR { GPR(4) }
    @inlinable @inline(__always) public static var rbp: GPR { GPR(5) }
    @inlinable @inline(__always) public static var rsi: GPR { GPR(6) }
    @inlinable @inline(__always) public static var rdi: GPR { GPR(7) }
    @inlinable @inline(__always) public static var r8: GPR { GPR(8) }
    @inlinable @inline(__always) public static var r9: GPR { GPR(9) }
    @inlinable @inline(__always) public static var r10: GPR { GPR(10) }
    @inlinable @inline(__always) public static var r11: GPR { GPR(11) }
    @inlinable @inline(__always) public static var r12: GPR { GPR(12) }
    @inlinable @inline(__always) public static var r13: GPR { GPR(13) }
    @inlinable @inline(__always) public static var r14: GPR { GPR(14) }
    @inlinable @inline(__always) public static var r15: GPR { GPR(15) }

    public static var allCases: [GPR] { (0..<16).map { GPR($0) } }
}

extension GPR: CustomStringConvertible {
    private static let names = [
        "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14",
        "r15",
    ]

    public var description: String { Self.names[Int(rawValue)] }
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

/// How much of its operands an instruction works on: 32 bits or 64. A 32-bit result clears the upper half of its register.
///
/// Two types say it, so that which form instructions get is known where the emission is compiled.
public protocol OperandWidth: Sendable, BitwiseCopyable {
    /// Whether no form is taken for being shorter when finding out that it may be costs more than writing the bytes.
    static var isUniform: Bool { get }
    /// REX, when it is there: its upper half, and W.
    var rex: UInt32 { get }
    /// The same number of bits.
    var compact: Width { get }
}

extension OperandWidth {
    @inlinable @inline(__always) public var isWide: Bool { rex != 0x40 }
}

/// Of instructions in their shortest forms.
@frozen public struct Width: OperandWidth, Hashable, CaseIterable {
    public let rex: UInt32
    /// Whether there is a REX even where no register needs it.
    @usableFromInline let keepsREX: Bool

    @inlinable @inline(__always) init(rex: UInt32, keepsREX: Bool) {
        self.rex = rex
        self.keepsREX = keepsREX
    }

    @inlinable @inline(__always) public static var isUniform: Bool { false }
    @inlinable @inline(__always) public var compact: Width { self }

    public static var allCases: [Width] { [.w32, .w64] }
}

extension OperandWidth where Self == Width {
    @inlinable @inline(__always) public static var w32: Width { Width(rex: 0x40, keepsREX: false) }
    @inlinable @inline(__always) public static var w64: Width { Width(rex: 0x48, keepsREX: true) }
}

/// Of instructions in forms that are fast to emit: there is always a REX, an address always has a displacement, and a jump
/// always 32 bits.
@frozen public struct UniformWidth: OperandWidth, Hashable, CaseIterable {
    public let rex: UInt32

    @inlinable @inline(__always) init(rex: UInt32) { self.rex = rex }

    @inlinable @inline(__always) public static var isUniform: Bool { true }
    @inlinable @inline(__always) public var compact: Width { isWide ? .w64 : .w32 }

    @inlinable @inline(__always) public static var w32: UniformWidth { UniformWidth(rex: 0x40) }
    @inlinable @inline(__always) public static var w64: UniformWidth { UniformWidth(rex: 0x48) }

    public static var allCases: [UniformWidth] { [.w32, .w64] }
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

/// Labels that were made together.
@frozen public struct CodeLabels: Sendable, BitwiseCopyable {
    @usableFromInline let first: UInt32
    public let count: Int

    init(first: UInt32, count: Int) {
        self.first = first
        self.count = count
    }

    /// A label by its number, from 0. Beyond the last it is a label that the assembler does not know.
    @inlinable @inline(__always) public subscript(number: Int) -> CodeLabel {
        CodeLabel(index: number < count ? first &+ UInt32(truncatingIfNeeded: number) : .max)
    }
}

/// Everything that can be wrong with assembled code. All of them are mistakes of the code generator, except
/// `overflow`.
public enum AssemblerError: Error, Equatable, Sendable {
    /// The code needs more than the buffer's limit.
    case overflow(limit: Int)
    case unboundLabel(CodeLabel)
    /// A `CodePlace` that is used is not bound.
    case unboundPlace
    /// A `CodePlace` was bound twice, or is used in other code.
    case misplacedPlace
    case labelBoundTwice(CodeLabel)
    /// The label comes from another assembler, or from before `reset`.
    case foreignLabel(CodeLabel)
    /// A short jump's target is further away than a signed byte reaches.
    case shortJumpTooFar(to: CodeLabel, distance: Int)
    /// `rsp` as an index register, at this offset.
    case unencodableIndex(offset: Int)
}
