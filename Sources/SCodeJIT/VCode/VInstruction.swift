import SCodeIR

/// One instruction of the intermediate representation. Its registers are those of SCODE: the allocator maps
/// each to a machine register or a spill slot. One more value, `address`, is implicit: it connects a guard
/// with the access that follows it, and never outlives it.
///
/// Four words, so that passes hand it on in registers of the processor.
struct VInstruction: BitwiseCopyable {
    /// From the low byte up: operation, `Bit`s, size, condition, place, scale, anchor, index.
    private var what: UInt64
    /// From the low byte up: dst, a, b, cache; the upper half: target.
    private var operands: UInt64 = 0
    /// The SCODE instruction that this one serves: what an abort reports.
    var source: UInt32
    var immediate: Int64 = 0

    private enum Bit {
        static let isWide: UInt64 = 1 << 8
        static let hasImmediate: UInt64 = 1 << 9
        static let flag: UInt64 = 1 << 10
        static let isNear: UInt64 = 1 << 11
        static let isFolded: UInt64 = 1 << 12
        static let isUnlikely: UInt64 = 1 << 13
    }

    init(_ operation: VOperation, source: Int) {
        what = UInt64(unsafeBitCast(operation, to: UInt8.self)) | Bit.isWide | 8 << 16
        self.source = UInt32(truncatingIfNeeded: source)
    }

    var operation: VOperation {
        get { unsafeBitCast(what[byte: 0], to: VOperation.self) }
        set { what[byte: 0] = unsafeBitCast(newValue, to: UInt8.self) }
    }
    /// Whether the operation works on 64 bits; on 32 otherwise, with a zero-extended result.
    var isWide: Bool {
        get { what[bit: Bit.isWide] }
        set { what[bit: Bit.isWide] = newValue }
    }
    /// Whether the last source is `immediate` rather than `b` (of accept, callSub, hostArgument: `a`).
    var hasImmediate: Bool {
        get { what[bit: Bit.hasImmediate] }
        set { what[bit: Bit.hasImmediate] = newValue }
    }
    /// Of `load` and of conversions to and from integers: signed. Of a guard: the access is a store. Of
    /// `callHost`: there is a result. Of a division by a constant: a multiplication does it. Of `guardBudget`: a check
    /// before the loop has seen that there is enough. Of `extent`: the counter may be the limit.
    var flag: Bool {
        get { what[bit: Bit.flag] }
        set { what[bit: Bit.flag] = newValue }
    }
    /// Of a jump or branch: the machine code is known to reach its target, which is ahead, with a byte.
    var isNear: Bool {
        get { what[bit: Bit.isNear] }
        set { what[bit: Bit.isNear] = newValue }
    }
    /// Of a load: the next instruction takes the value from memory, and no register gets it.
    var isFolded: Bool {
        get { what[bit: Bit.isFolded] }
        set { what[bit: Bit.isFolded] = newValue }
    }
    /// Whether it stands in the guarded version of code that mostly runs without guards.
    var isUnlikely: Bool {
        get { what[bit: Bit.isUnlikely] }
        set { what[bit: Bit.isUnlikely] = newValue }
    }
    /// Bytes, of extensions, memory operations and integers that are converted.
    var size: UInt8 {
        get { what[byte: 2] }
        set { what[byte: 2] = newValue }
    }
    var condition: VCondition {
        get { unsafeBitCast(what[byte: 3], to: VCondition.self) }
        set { what[byte: 3] = unsafeBitCast(newValue, to: UInt8.self) }
    }
    /// Of a load, store or atomic operation.
    var place: AccessPlace {
        get { unsafeBitCast(what[byte: 4], to: AccessPlace.self) }
        set { what[byte: 4] = unsafeBitCast(newValue, to: UInt8.self) }
    }
    /// How far `index` is shifted: 0 to 3.
    var scale: UInt8 {
        get { what[byte: 5] }
        set { what[byte: 5] = newValue }
    }
    /// Which anchor: of `anchor`, and of an access at such a place.
    var anchor: UInt8 {
        get { what[byte: 6] }
        set { what[byte: 6] = newValue }
    }
    /// Which page cache: of `guardCachedPage`, and of an access at such a place.
    var cache: UInt8 {
        get { operands[byte: 3] }
        set { operands[byte: 3] = newValue }
    }
    /// The address register of a load, store or atomic operation, if its place has one.
    var index: Register {
        get { Register(what[byte: 7]) }
        set { what[byte: 7] = newValue.number }
    }
    var dst: Register {
        get { Register(operands[byte: 0]) }
        set { operands[byte: 0] = newValue.number }
    }
    var a: Register {
        get { Register(operands[byte: 1]) }
        set { operands[byte: 1] = newValue.number }
    }
    var b: Register {
        get { Register(operands[byte: 2]) }
        set { operands[byte: 2] = newValue.number }
    }
    /// Label, table, region, procedure, host function or argument number.
    var target: UInt32 {
        get { UInt32(truncatingIfNeeded: operands >> 32) }
        set { operands = operands & 0xffff_ffff | UInt64(newValue) << 32 }
    }
}

extension UInt64 {
    /// One of its bits, by mask.
    @inline(__always)
    fileprivate subscript(bit mask: UInt64) -> Bool {
        get { self & mask != 0 }
        set { self = newValue ? self | mask : self & ~mask }
    }

    /// The byte of a number, counted from the low end.
    @inline(__always)
    fileprivate subscript(byte number: UInt64) -> UInt8 {
        get { UInt8(truncatingIfNeeded: self >> (8 &* number)) }
        set { self = self & ~(0xff << (8 &* number)) | UInt64(newValue) << (8 &* number) }
    }
}
