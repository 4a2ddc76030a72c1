/// Things to come, earliest first. Of one moment, those of the lower rank come first, and of one rank those
/// that were added first: the order never depends on how the queue is built.
struct EventQueue<Event> {
    private struct Entry {
        var time: UInt64
        var rank: UInt8
        var sequence: UInt64
        var event: Event

        func isBefore(_ other: Entry) -> Bool {
            if time != other.time { return time < other.time }
            return rank != other.rank ? rank < other.rank : sequence < other.sequence
        }
    }

    /// A binary heap: no entry is before its parent, which is at (index - 1) / 2.
    private var heap: [Entry] = []
    private var added: UInt64 = 0

    var isEmpty: Bool { heap.isEmpty }
    var count: Int { heap.count }
    /// When the first event is due, and its rank.
    var first: (time: UInt64, rank: UInt8)? { heap.first.map { ($0.time, $0.rank) } }

    mutating func add(_ event: Event, at time: UInt64, rank: UInt8 = 0) {
        heap.append(Entry(time: time, rank: rank, sequence: added, event: event))
        added += 1
        var index = heap.count - 1
        while index > 0, heap[index].isBefore(heap[(index - 1) / 2]) {
            heap.swapAt(index, (index - 1) / 2)
            index = (index - 1) / 2
        }
    }

    mutating func removeFirst() -> Event? {
        guard let last = heap.popLast() else { return nil }
        guard let first = heap.first else { return last.event }
        heap[0] = last
        var index = 0
        while true {
            var least = index
            for child in [2 * index + 1, 2 * index + 2]
            where child < heap.count && heap[child].isBefore(heap[least]) {
                least = child
            }
            if least == index { return first.event }
            heap.swapAt(index, least)
            index = least
        }
    }
}
