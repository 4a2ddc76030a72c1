/// The reachable blocks that are to be looked at, again or for the first time: those before which control passes
/// others come later.
struct PendingBlocks {
    /// Per block: its place in the order of control; -1 where no path leads.
    let rank: Table<Int32>
    private let order: Table<UInt32>
    private let words: Table<UInt64>
    /// No block before this word is pending.
    private var first = 0

    init(_ flow: FlowGraph, _ arena: Arena) {
        order = flow.order
        rank = arena.table(flow.blocks.count, -1)
        for place in 0..<order.count { rank[Int(order[place])] = Int32(truncatingIfNeeded: place) }
        words = arena.table(order.count / 64 + 1, 0)
    }

    mutating func insertAll() {
        for place in 0..<order.count { words[place >> 6] |= 1 << UInt64(place & 63) }
        first = 0
    }

    @inline(__always)
    mutating func insert(_ block: Int) {
        let place = Int(rank[block])
        guard place >= 0 else { return }
        words[place >> 6] |= 1 << UInt64(place & 63)
        first = min(first, place >> 6)
    }

    @inline(__always)
    mutating func popFirst() -> Int? {
        while first < words.count {
            let word = words[first]
            if word != 0 {
                words[first] = word & (word - 1)
                return Int(order[first << 6 | word.trailingZeroBitCount])
            }
            first += 1
        }
        return nil
    }
}
