import X86Assembler

/// A register for integers and addresses.
public typealias Register = GPR
/// A register for floating-point numbers.
public typealias FloatRegister = XMM
/// A place in the code, bound once, before or after its uses. It is the generator's, a variable begun with `Label()`.
public typealias Label = CodePlace

/// The types of arithmetic and branches, by VCODE's letters: 32 bits signed and unsigned, 64 bits signed and unsigned,
/// address, which is as `ul`. An operation on 32 bits clears the upper half of the register that it writes.
///
/// Values, not cases: what they stand for is inlined into the emission.
@frozen public struct IntegerType: Hashable, Sendable, BitwiseCopyable {
    @usableFromInline let width: UniformWidth
    @usableFromInline let isSigned: Bool

    @inlinable @inline(__always) init(_ width: UniformWidth, isSigned: Bool) {
        self.width = width
        self.isSigned = isSigned
    }

    @inlinable @inline(__always) var isWide: Bool { width.isWide }
    /// Of a shift's count what the processor has to be told: it takes counts of 64 bits modulo the width.
    @inlinable @inline(__always) func shiftCount(_ count: Int32) -> UInt8 {
        UInt8(truncatingIfNeeded: width.isWide ? count : count & 31)
    }

    @inlinable @inline(__always) public static var i: IntegerType { IntegerType(.w32, isSigned: true) }
    @inlinable @inline(__always) public static var u: IntegerType {
        IntegerType(.w32, isSigned: false)
    }
    @inlinable @inline(__always) public static var l: IntegerType { IntegerType(.w64, isSigned: true) }
    @inlinable @inline(__always) public static var ul: IntegerType {
        IntegerType(.w64, isSigned: false)
    }
    @inlinable @inline(__always) public static var p: IntegerType { .ul }
}

/// An immediate operand, or the offset of an address: 32 bits, extended with their sign.
@frozen public struct Immediate: ExpressibleByIntegerLiteral, Sendable, BitwiseCopyable {
    @usableFromInline let value: Int32
    /// Whether it is written in 32 bits whatever it is.
    @usableFromInline let isWide: Bool

    @inlinable @inline(__always) init(_ value: Int32, isWide: Bool) {
        self.value = value
        self.isWide = isWide
    }

    /// Written in 8 bits when they hold it. For numbers in the text of the generator: its compiler finds that out.
    @inlinable @inline(__always) public init(_ value: Int32) { self.init(value, isWide: false) }

    @inlinable @inline(__always) public init(integerLiteral value: Int32) { self.init(value) }

    /// Written in 32 bits whatever it is. For numbers that the generator knows at run time only: finding out whether fewer
    /// hold it takes more instructions than writing them.
    @inlinable @inline(__always) public static func wide(_ value: Int32) -> Immediate {
        Immediate(value, isWide: true)
    }
}

/// The types of loads and stores: characters (8 bits), shorts (16), and those of arithmetic. What is loaded is extended
/// to 64 bits, with its sign where the type has one.
@frozen public struct MemoryType: Sendable, BitwiseCopyable {
    @usableFromInline let load: LoadForm
    @usableFromInline let store: StoreForm

    @inlinable @inline(__always) init(_ load: LoadForm, _ store: StoreForm) {
        self.load = load
        self.store = store
    }

    @inlinable @inline(__always) public static var c: MemoryType { MemoryType(.signed8(to: .w64), .w8) }
    @inlinable @inline(__always) public static var uc: MemoryType { MemoryType(.w8, .w8) }
    @inlinable @inline(__always) public static var s: MemoryType { MemoryType(.signed16(to: .w64), .w16) }
    @inlinable @inline(__always) public static var us: MemoryType { MemoryType(.w16, .w16) }
    @inlinable @inline(__always) public static var i: MemoryType { MemoryType(.signed32, .w32) }
    @inlinable @inline(__always) public static var u: MemoryType { MemoryType(.w32, .w32) }
    @inlinable @inline(__always) public static var l: MemoryType { MemoryType(.w64, .w64) }
    @inlinable @inline(__always) public static var ul: MemoryType { .l }
    @inlinable @inline(__always) public static var p: MemoryType { .l }
}

/// The types of floating-point numbers: IEEE 754 binary32 and binary64.
@frozen public enum FloatType: Sendable, BitwiseCopyable {
    case f, d

    @inlinable @inline(__always) var precision: Precision { self == .f ? .single : .double }
}

/// What a parameter is: an integer or address, or a floating-point number.
public enum ParameterType: Sendable, BitwiseCopyable {
    case i, u, l, ul, p, f, d

    var isFloat: Bool { self == .f || self == .d }
}

/// Where the code that is emitted keeps a value from one use of a register to the next.
public enum RegisterClass: Sendable, BitwiseCopyable {
    /// Costs nothing.
    case temporary
    /// Survives calls; the first use of each costs a push and a pop at the entry.
    case variable
}

/// What can go wrong with a function that is emitted in place.
public enum EmissionError: Error, Equatable, Sendable {
    /// More parameters than the calling convention passes in registers: 6 integers, 8 floating-point numbers.
    case tooManyParameters
    /// The system gives no more executable memory.
    case outOfMemory
    /// A label was bound twice, or used in more than one function, or not bound though there are jumps to it.
    case misplacedLabel
    /// The code is larger than its limit.
    case tooLarge(limit: Int)
}
