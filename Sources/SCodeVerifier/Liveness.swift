import SCodeIR

/// Which registers are still to be read.
struct Liveness {
    /// Per instruction: before it.
    let before: [RegisterSet]
    /// Per block: at its start; empty where no path leads.
    let atStart: Table<RegisterSet>

    init(_ view: FragmentView, _ flow: FlowGraph, _ predecessors: FlowGraph.Grouped) {
        let arena = view.arena
        let count = flow.blocks.count
        let liveIn: Table<RegisterSet> = arena.uninitialised(count)
        for block in 0..<count { liveIn[block] = flow.uses[block].reads }
        Self.solve(arena, flow, predecessors, liveIn)
        func atEnd(_ block: Int) -> RegisterSet {
            var live: RegisterSet = []
            for successor in flow.successors(block) { live.formUnion(liveIn[Int(successor)]) }
            return live
        }
        let uses = view.uses
        before = Array(unsafeUninitializedCapacity: view.uses.count) { buffer, initialised in
            for block in 0..<count {
                let place = flow.blocks[block]
                var live = place.isReachable ? atEnd(block) : []
                for index in stride(from: Int(place.end) - 1, through: Int(place.start), by: -1) {
                    if place.isReachable {
                        live.subtract(uses[index].writes)
                        live.formUnion(uses[index].reads)
                    }
                    buffer.initializeElement(at: index, to: live)
                }
            }
            initialised = view.uses.count
        }
        atStart = liveIn
    }

    /// The fixed point, from the last block in the order of control to the first.
    private static func solve(
        _ arena: Arena, _ flow: FlowGraph, _ predecessors: FlowGraph.Grouped,
        _ liveIn: Table<RegisterSet>
    ) {
        // Each block is in the queue once at most, so a ring of their number holds it.
        let capacity = flow.order.count
        let queue: Table<UInt32> = arena.uninitialised(capacity)
        let isQueued = arena.table(flow.blocks.count, false)
        for (place, block) in flow.order.elements.enumerated() {
            queue[capacity - 1 - place] = block
            isQueued[Int(block)] = true
        }
        var (head, length) = (0, capacity)
        while length > 0 {
            let block = Int(queue[head])
            head = head + 1 == capacity ? 0 : head + 1
            length -= 1
            isQueued[block] = false
            var live: RegisterSet = []
            for successor in flow.successors(block) { live.formUnion(liveIn[Int(successor)]) }
            // What is read in the block stays in from the start.
            live = live.subtracting(flow.uses[block].writes).union(liveIn[block])
            if live == liveIn[block] { continue }
            liveIn[block] = live
            for predecessor in predecessors[block] where !isQueued[Int(predecessor)] {
                isQueued[Int(predecessor)] = true
                let end = head + length
                queue[end < capacity ? end : end - capacity] = predecessor
                length += 1
            }
        }
    }
}
