import SCodeIR

/// The basic blocks of a fragment.
public struct ControlFlow: Sendable {
    public struct Block: Sendable, BitwiseCopyable {
        /// The first instruction, and the one after the last.
        public var start: UInt32
        public var end: UInt32
        var firstSuccessor: UInt32 = 0
        var successorCount: UInt32 = 0
        /// Whether a path leads here from the entry.
        public var isReachable = false
    }

    /// Blocks of instructions in source order, then the procedures' exits.
    public let blocks: [Block]
    /// How many blocks have instructions.
    public let codeBlockCount: Int

    init(_ graph: FlowGraph) {
        blocks = graph.blocks.array()
        codeBlockCount = graph.codeBlockCount
    }
}

/// The basic blocks of a fragment and how control flows between them, while it is verified.
///
/// Behind the blocks of instructions stands one empty block for each local procedure, its *exit*: a call leads to
/// the procedure's entry, each `ret` to the exit, and the exit to every place behind a call. So the edges are no more
/// than the instructions and table entries, however many calls and returns there are.
///
/// *Requires* that every label and table lies inside the fragment (V4) and that procedures obey V12. Everything lies
/// in flat tables, so that a fragment with a million edges costs no more than their number.
struct FlowGraph {
    /// As `ControlFlow` has them.
    private(set) var blocks: Table<ControlFlow.Block>
    private(set) var codeBlockCount = 0
    let blockOfInstruction: Table<UInt32>
    /// Per block: what its instructions read before they write it, and what they write.
    private(set) var uses: Table<(reads: RegisterSet, writes: RegisterSet)>
    /// Successors of all blocks: of a branch, what comes next stands before its target.
    private var edges: Table<UInt32>
    private var edgeCount = 0
    /// Reachable blocks in reverse postorder: before its successors, but for loops.
    private(set) var order: Table<UInt32>
    /// The blocks that end with a call, by procedure.
    private var calls: Grouped

    /// For each of several keys a list of blocks.
    struct Grouped {
        /// Per key: where its list begins; one more at the end.
        let first: Table<UInt32>
        let list: Table<UInt32>

        @inline(__always) subscript(key: Int) -> UnsafeBufferPointer<UInt32> {
            let start = Int(first[key])
            return UnsafeBufferPointer(start: list.base + start, count: Int(first[key + 1]) - start)
        }
    }

    @inline(__always)
    func successors(_ block: Int) -> UnsafeBufferPointer<UInt32> {
        let block = blocks[block]
        return UnsafeBufferPointer(
            start: edges.base + Int(block.firstSuccessor), count: Int(block.successorCount))
    }

    /// One of a block's successors, by its place among them.
    @inline(__always)
    func successor(_ block: Int, _ place: Int) -> Int {
        Int(edges[Int(blocks[block].firstSuccessor) + place])
    }

    /// The blocks that end with a call of a procedure.
    func callers(_ procedure: Int) -> UnsafeBufferPointer<UInt32> { calls[procedure] }

    /// The block that stands for the return from a procedure.
    func exitBlock(ofProcedure procedure: Int) -> Int { codeBlockCount + procedure }

    @inline(__always)
    func instructions(_ block: Int) -> Range<Int> {
        let block = blocks[block]
        return Range(uncheckedBounds: (Int(block.start), Int(block.end)))
    }

    init(_ view: FragmentView) {
        let arena = view.arena
        blockOfInstruction = arena.uninitialised(view.uses.count)
        blocks = arena.uninitialised(0)
        uses = arena.uninitialised(0)
        edges = arena.uninitialised(0)
        order = arena.uninitialised(0)
        calls = Grouped(first: edges, list: edges)
        findBlocks(view)
        findCalls(view)
        connect(view)
        findOrder(arena)
    }

    private mutating func findBlocks(_ view: FragmentView) {
        let count = view.uses.count
        let starts = view.arena.table(count + 1, false)
        starts[0] = true
        for position in view.positions.elements { starts[Int(position)] = true }
        for start in view.procedureStarts.elements { starts[Int(start)] = true }
        var blockCount = 0
        var edgeLimit = 0
        for index in 0..<count {
            if starts[index] { blockCount += 1 }
            guard view.uses[index].endsBlock else { continue }
            starts[index + 1] = true
            if view.uses[index].shape == .jumpTable {
                edgeLimit += view.code.tables[Int(view.instruction(index).index)].labels.count
            }
        }
        codeBlockCount = blockCount
        let procedureCount = view.procedureStarts.count
        let all = blockCount + procedureCount
        blocks = view.arena.table(all, ControlFlow.Block(start: UInt32(count), end: UInt32(count)))
        uses = view.arena.table(all, ([], []))
        // Two of each block; one more from an exit to behind each call.
        edges = view.arena.uninitialised(edgeLimit + 2 * all + (procedureCount == 0 ? 0 : all))
        var block = -1
        var use: (reads: RegisterSet, writes: RegisterSet) = ([], [])
        for index in 0..<count {
            if starts[index] {
                if block >= 0 {
                    blocks[block].end = UInt32(index)
                    uses[block] = use
                }
                block += 1
                blocks[block].start = UInt32(index)
                use = ([], [])
            }
            blockOfInstruction[index] = UInt32(block)
            use.reads.formUnion(view.uses[index].reads.subtracting(use.writes))
            use.writes.formUnion(view.uses[index].writes)
        }
        if block >= 0 { uses[block] = use }
    }

    private mutating func findCalls(_ view: FragmentView) {
        let count = view.procedureStarts.count
        guard count > 0 else { return }
        let first = view.arena.table(count + 1, UInt32(0))
        for block in 0..<codeBlockCount {
            if let procedure = callee(block, view) { first[procedure + 1] += 1 }
        }
        for procedure in 0..<count { first[procedure + 1] += first[procedure] }
        let list: Table<UInt32> = view.arena.uninitialised(Int(first[count]))
        let next: Table<UInt32> = view.arena.uninitialised(count)
        for procedure in 0..<count { next[procedure] = first[procedure] }
        for block in 0..<codeBlockCount {
            guard let procedure = callee(block, view) else { continue }
            list[Int(next[procedure])] = UInt32(block)
            next[procedure] += 1
        }
        calls = Grouped(first: first, list: list)
    }

    /// The procedure that a block's last instruction calls, if it calls one.
    private func callee(_ block: Int, _ view: FragmentView) -> Int? {
        let last = Int(blocks[block].end) - 1
        return view.uses[last].shape == .call ? Int(view.instruction(last).index) : nil
    }

    private mutating func addEdge(_ block: Int) {
        edges[edgeCount] = UInt32(block)
        edgeCount += 1
    }

    private mutating func connect(_ view: FragmentView) {
        let procedureStarts = view.procedureStarts
        // A table may list a label many times; one edge each is enough.
        let listedBy = view.arena.table(view.code.tables.isEmpty ? 0 : blocks.count, UInt32.max)
        var procedure = -1
        for block in 0..<codeBlockCount {
            while procedure + 1 < procedureStarts.count,
                procedureStarts[procedure + 1] <= blocks[block].start
            {
                procedure += 1
            }
            blocks[block].firstSuccessor = UInt32(edgeCount)
            let last = view.uses[Int(blocks[block].end) - 1]
            if last.fallsThrough, block + 1 < codeBlockCount { addEdge(block + 1) }
            switch last.shape {
            case .branch, .jump: addEdge(target(last.instruction.index, view))
            case .jumpTable:
                for label in view.code.tables[Int(last.instruction.index)].labels {
                    let target = target(label, view)
                    if listedBy[target] == UInt32(block) { continue }
                    listedBy[target] = UInt32(block)
                    addEdge(target)
                }
            case .call:
                let start = procedureStarts[Int(last.instruction.index)]
                addEdge(Int(blockOfInstruction[Int(start)]))
            case .return: if procedure >= 0 { addEdge(exitBlock(ofProcedure: procedure)) }
            case .binary, .unary, .constant, .convert, .load, .store, .fetch, .compareExchange, .hostCall,
                .macro:
                break
            }
            blocks[block].successorCount = UInt32(edgeCount) - blocks[block].firstSuccessor
        }
        for procedure in 0..<procedureStarts.count {
            let exit = exitBlock(ofProcedure: procedure)
            blocks[exit].firstSuccessor = UInt32(edgeCount)
            // V6: something stands behind every call.
            for caller in callers(procedure) { addEdge(Int(caller) + 1) }
            blocks[exit].successorCount = UInt32(edgeCount) - blocks[exit].firstSuccessor
        }
    }

    @inline(__always)
    private func target(_ label: UInt32, _ view: FragmentView) -> Int {
        Int(blockOfInstruction[Int(view.positions[Int(label)])])
    }

    /// Depth-first search with a stack of its own: a chain of a million blocks must not overflow the real one.
    private mutating func findOrder(_ arena: Arena) {
        guard blocks.count > 0 else { return }
        let stack: Table<(block: UInt32, next: UInt32)> = arena.uninitialised(blocks.count)
        let order: Table<UInt32> = arena.uninitialised(blocks.count)
        var first = blocks.count
        var depth = 1
        stack[0] = (0, 0)
        blocks[0].isReachable = true
        while depth > 0 {
            let (block, next) = stack[depth - 1]
            if next < blocks[Int(block)].successorCount {
                stack[depth - 1].next = next + 1
                // What comes next is looked at last, and so stands first.
                let place = blocks[Int(block)].successorCount - 1 - next
                let successor = edges[Int(blocks[Int(block)].firstSuccessor + place)]
                if !blocks[Int(successor)].isReachable {
                    blocks[Int(successor)].isReachable = true
                    stack[depth] = (successor, 0)
                    depth += 1
                }
            } else {
                first -= 1
                order[first] = block
                depth -= 1
            }
        }
        self.order = order.dropFirst(first)
    }

    /// Per block: the reachable blocks that lead to it.
    func predecessors(_ arena: Arena) -> Grouped {
        let first = arena.table(blocks.count + 1, UInt32(0))
        for place in 0..<order.count {
            for successor in successors(Int(order[place])) { first[Int(successor) + 1] += 1 }
        }
        for block in 0..<blocks.count { first[block + 1] += first[block] }
        let list: Table<UInt32> = arena.uninitialised(Int(first[blocks.count]))
        let next: Table<UInt32> = arena.uninitialised(blocks.count)
        for block in 0..<blocks.count { next[block] = first[block] }
        for place in 0..<order.count {
            for successor in successors(Int(order[place])) {
                list[Int(next[Int(successor)])] = order[place]
                next[Int(successor)] += 1
            }
        }
        return Grouped(first: first, list: list)
    }
}
