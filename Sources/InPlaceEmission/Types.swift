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
    @usableFromInline let width: Width
    @usableFromInline let isSigned: Bool

    @inlinable @inline(__always) init(_ width: Width, isSigned: Bool) {
        self.width = width
        self.isSigned = isSigned
    }

    @inlinable @inline(__always) var isWide: Bool { width.isWide }
    /// The bits of a shift's count that matter.
    @inlinable @inline(__always) var shiftMask: Int32 { width.isWide ? 63 : 31 }

    @inlinable @inline(__always) public static var i: IntegerType { IntegerType(.w32Uniform, isSigned: true) }
    @inlinable @inline(__always) public static var u: IntegerType {
        IntegerType(.w32Uniform, isSigned: false)
    }
    @inlinable @inline(__always) public static var l: IntegerType { IntegerType(.w64, isSigned: true) }
    @inlinable @inline(__always) public static var ul: IntegerType { IntegerType(.w64, isSigned: false) }
    @inlinable @inline(__always) public static var p: IntegerType { .ul }
}

/// The types of loads and stores: characters (8 bits), shorts (16), and those of arithmetic. What is loaded is extended
/// to 64 bits, with its sign where the type has one.
@frozen public struct MemoryType: Sendable, BitwiseCopyable {
    @usableFromInline let load: LoadForm
    @usableFromInline let store: StoreForm

    @inlinable @inline(__always) init(_ load: LoadForm, _ store: StoreForm) {
        self.load = load.uniform
        self.store = store.uniform
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
