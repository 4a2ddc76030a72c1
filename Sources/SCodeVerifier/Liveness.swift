import SCodeIR

/// Which registers are still to be read.
struct Liveness {
    /// Per instruction: before it.
    let before: Table<RegisterSet>
    /// Per block: at its start; empty where no path leads.
    let atStart: Table<RegisterSet>

    init(_ view: FragmentView, _ flow: FlowGraph, _ predecessors: FlowGraph.Grouped) {
        let arena = view.arena
        let count = flow.blocks.count
        let liveIn: Table<RegisterSet> = arena.uninitialised(count)
        for block in 0..<count { liveIn[block] = flow.uses[block].reads }
        BackwardFlow.solve(arena, flow, predecessors) { block in
            // What is read in the block stays in from the start.
            let live = atEnd(block).subtracting(flow.uses[block].writes).union(liveIn[block])
            if live == liveIn[block] { return false }
            liveIn[block] = live
            return true
        }
        func atEnd(_ block: Int) -> RegisterSet {
            var live: RegisterSet = []
            for successor in flow.successors(block) { live.formUnion(liveIn[Int(successor)]) }
            return live
        }
        let uses = view.uses
        before = arena.table(view.uses.count, [])
        for block in 0..<count where flow.blocks[block].isReachable {
            var live = atEnd(block)
            let range = flow.instructions(block)
            var index = range.upperBound
            while index > range.lowerBound {
                index -= 1
                live.subtract(uses[index].writes)
                live.formUnion(uses[index].reads)
                before[index] = live
            }
        }
        atStart = liveIn
    }
}
