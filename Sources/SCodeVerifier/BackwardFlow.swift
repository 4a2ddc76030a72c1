/// Facts that flow against control, to the fixed point.
enum BackwardFlow {
    /// Looks at every reachable block, from the last in the order of control to the first, and again at those before a
    /// block whose facts changed.
    /// - Parameter visit: works out a block's facts from those of its successors; returns whether they changed.
    @inline(__always)
    static func solve(
        _ arena: Arena, _ flow: FlowGraph, _ predecessors: FlowGraph.Grouped, visit: (Int) -> Bool
    ) {
        var pending = PendingBlocks(flow, arena)
        pending.insertAll()
        while let block = pending.popLast() {
            guard visit(block) else { continue }
            for predecessor in predecessors[block] { pending.insert(Int(predecessor)) }
        }
    }
}
