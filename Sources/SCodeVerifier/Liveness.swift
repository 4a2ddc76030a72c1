import SCodeIR

/// Which registers are still to be read.
struct Liveness {
    /// Per instruction: before it.
    private(set) var before: [RegisterSet]
    /// Per block: at its start; empty where no path leads.
    private(set) var atStart: [RegisterSet]

    init(_ code: FragmentCode, _ macros: [MacroInstruction], _ flow: ControlFlow) {
        let count = flow.blocks.count
        var reads = [RegisterSet](repeating: [], count: count)  // before any write in the block
        var writes = [RegisterSet](repeating: [], count: count)
        var predecessors = [[UInt32]](repeating: [], count: count)
        for block in 0..<count {
            for index in Int(flow.blocks[block].start)..<Int(flow.blocks[block].end) {
                let instruction = code.instructions[index]
                reads[block].formUnion(instruction.reads(code, macros).subtracting(writes[block]))
                writes[block].formUnion(instruction.writes(code, macros))
            }
            if flow.blocks[block].isReachable {
                for successor in flow.successors(block) { predecessors[Int(successor)].append(UInt32(block)) }
            }
        }
        var liveIn = reads
        var queue = Array(flow.order.reversed())
        var isQueued = flow.blocks.map(\.isReachable)
        var head = 0
        while head < queue.count {
            let block = Int(queue[head])
            head += 1
            isQueued[block] = false
            var live: RegisterSet = []
            for successor in flow.successors(block) { live.formUnion(liveIn[Int(successor)]) }
            live = live.subtracting(writes[block]).union(reads[block])
            if live == liveIn[block] { continue }
            liveIn[block] = live
            for predecessor in predecessors[block] where !isQueued[Int(predecessor)] {
                isQueued[Int(predecessor)] = true
                queue.append(predecessor)
            }
        }
        before = [RegisterSet](repeating: [], count: code.instructions.count)
        for block in 0..<count where flow.blocks[block].isReachable {
            var live: RegisterSet = []
            for successor in flow.successors(block) { live.formUnion(liveIn[Int(successor)]) }
            for index in (Int(flow.blocks[block].start)..<Int(flow.blocks[block].end)).reversed() {
                let instruction = code.instructions[index]
                live.subtract(instruction.writes(code, macros))
                live.formUnion(instruction.reads(code, macros))
                before[index] = live
            }
        }
        atStart = liveIn
    }
}
