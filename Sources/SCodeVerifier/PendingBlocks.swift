/// The reachable blocks that are to be looked at, again or for the first time: those before which control passes
/// others come later.
struct PendingBlocks {
    /// Per block: its place in the order of control; -1 where no path leads.
    let rank: Table<Int32>
    private let order: Table<UInt32>
    private let words: Table<UInt64>
    /// No block before the first of these words is pending, and none behind the last.
    private var first = 0
    private var last = -1

    init(_ flow: FlowGraph, _ arena: Arena) {
        order = flow.order
        rank = arena.table(flow.blocks.count, -1)
        for place in 0..<order.count { rank[Int(order[place])] = Int32(truncatingIfNeeded: place) }
        words = arena.table(order.count / 64 + 1, 0)
    }

    mutating func insertAll() {
        for word in 0..<words.count { words[word] = .max }
        // The last word may be full, or hold none.
        words[words.count - 1] = (1 << UInt64(order.count & 63)) - 1
        (first, last) = (0, words.count - 1)
    }

    @inline(__always)
    mutating func insert(_ block: Int) {
        let place = Int(rank[block])
        guard place >= 0 else { return }
        words[place >> 6] |= 1 << UInt64(place & 63)
        first = min(first, place >> 6)
        last = max(last, place >> 6)
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

    /// The one before which control passes most others; for facts that flow against it.
    @inline(__always)
    mutating func popLast() -> Int? {
        while last >= 0 {
            let word = words[last]
            if word != 0 {
                let place = 63 - word.leadingZeroBitCount
                words[last] = word & ~(1 << UInt64(place))
                return Int(order[last << 6 | place])
            }
            last -= 1
        }
        return nil
    }
}
