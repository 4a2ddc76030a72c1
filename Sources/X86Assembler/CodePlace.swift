/// A place in the code that is bound once, before or after its uses; and, while it is not, who waits for it.
///
/// The uses of a place that is not bound form a chain through the code: the place leads to the field of its last use,
/// and each field to the one before, until binding puts distances there. So a use takes no memory, and no second pass
/// over the code is needed.
///
/// Which state it is in mostly is a constant that the compiler of the generator knows.
@frozen public struct CodePlace: Sendable, BitwiseCopyable {
    @frozen @usableFromInline enum State: UInt8, Sendable, BitwiseCopyable { case unused, awaited, bound }

    @usableFromInline var state: State
    /// Where it is bound, or where the field of its last use is, of 32 bits.
    @usableFromInline var offset: UInt32

    /// What the field of the first use leads to.
    @inlinable @inline(__always) static var endOfChain: UInt32 { .max }

    @inlinable @inline(__always) public init() {
        state = .unused
        offset = Self.endOfChain
    }

    @inlinable @inline(__always) public var isBound: Bool { state == .bound }
    /// Whether somebody waits for it to be bound.
    @inlinable @inline(__always) public var isAwaited: Bool { state == .awaited }

    /// Adds the use whose field is at this offset to the chain. Returns what to put into the field.
    @inlinable @inline(__always) mutating func addUse(field: Int) -> UInt32 {
        let link = offset
        state = .awaited
        offset = UInt32(truncatingIfNeeded: field)
        return link
    }

    /// Binds the place to an offset of the code, and tells all who wait. False: they wait in other code.
    /// - Parameter code: where offset 0 is.
    @inlinable @inline(__always)
    mutating func bind(at offset: Int, in code: UnsafeMutableRawPointer) -> Bool {
        let isAwaited = self.isAwaited
        var field = Int(self.offset)
        state = .bound
        self.offset = UInt32(truncatingIfNeeded: offset)
        guard isAwaited else { return true }
        let end = offset &- 4
        guard field <= end else { return false }
        // Each field comes after the one that it leads to; so no chain is endless, or leaves the code, whatever code it is.
        while true {
            let link = Int(code.loadUnaligned(fromByteOffset: field, as: UInt32.self))
            code.storeBytes(
                of: UInt32(truncatingIfNeeded: end &- field), toByteOffset: field, as: UInt32.self)
            guard link < field else { return link == Int(Self.endOfChain) }
            field = link
        }
    }
}
