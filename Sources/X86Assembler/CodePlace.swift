/// A place in the code that is bound once, before or after its uses; and, while it is not, who waits for it.
///
/// The uses of a place that is not bound form a chain through the code: the place leads to the field of its last use,
/// and each field to the one before, until binding puts distances there. So a use takes no memory, and no second pass
/// over the code is needed.
@frozen public struct CodePlace: Sendable, BitwiseCopyable {
    /// Its offset; or -1: it has no use yet; or -2 - the offset of its last use's field, of 32 bits.
    @usableFromInline var word: Int32

    @inlinable @inline(__always) public init() { word = -1 }

    @inlinable @inline(__always) public var isBound: Bool { word >= 0 }
    /// Whether somebody waits for it to be bound.
    @inlinable @inline(__always) public var isAwaited: Bool { word < -1 }
    /// *Requires* that it is bound.
    @inlinable @inline(__always) var offset: Int { Int(word) }

    /// Adds the use whose field is at this offset to the chain. Returns what to put into the field.
    @inlinable @inline(__always) mutating func addUse(field: Int) -> Int32 {
        let link = word
        word = -2 &- Int32(truncatingIfNeeded: field)
        return link
    }

    /// Tells all who wait, and takes them off `awaiting`. False: it is bound already, or waits in other code.
    @inlinable @inline(__always)
    mutating func bind(at offset: Int, in code: UnsafeMutableRawPointer, _ awaiting: inout Int) -> Bool {
        guard !isBound else { return false }
        while isAwaited {
            let field = -2 &- Int(word)
            guard field < offset else { return false }
            awaiting &-= 1
            word = code.loadUnaligned(fromByteOffset: field, as: Int32.self)
            code.storeBytes(
                of: Int32(truncatingIfNeeded: offset &- field &- 4), toByteOffset: field, as: Int32.self)
        }
        word = Int32(truncatingIfNeeded: offset)
        return true
    }
}
