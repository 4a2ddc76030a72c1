/// What a page cache knows of the page that was accessed last: a value of the frame, and of a machine register where there
/// is one for it.
///
/// `host - page` would take an address to its bytes. Two values are kept instead, since `address - page` is what has to be
/// compared with the end of the page anyway.
struct PageCacheValue: BitwiseCopyable {
    let index: UInt8
    private init(_ index: Int) { self.index = UInt8(truncatingIfNeeded: index) }

    /// Of a fragment.
    static let cacheLimit = 4
    static let limit = 2 * cacheLimit

    /// The address of the page, negated.
    static func minusPage(_ cache: Int) -> PageCacheValue { PageCacheValue(2 * cache) }
    /// Where its bytes lie.
    static func host(_ cache: Int) -> PageCacheValue { PageCacheValue(2 * cache + 1) }

    /// Slots of the frame that a cache has: the two, and how many offsets are inside for accesses of 8 bytes; none, when
    /// the cache knows no page.
    static let slotsOfCache = 3
    static var limitSlot: Int { 2 }
}
