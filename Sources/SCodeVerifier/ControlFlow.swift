import SCodeIR

/// The basic blocks of a fragment and how control flows between them.
///
/// Behind the blocks of instructions stands one empty block for each local procedure, its *exit*: a call leads to
/// the procedure's entry, each `ret` to the exit, and the exit to every place behind a call. So the edges are no more
/// than the instructions and table entries, however many calls and returns there are.
///
/// *Requires* that every label and table lies inside the fragment (V4) and that procedures obey V12. Edges are kept
/// in flat arrays, so that a fragment with a million edges costs no more than their number.
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
    public private(set) var blocks: [Block] = []
    /// How many blocks have instructions.
    public private(set) var codeBlockCount = 0
    /// Per instruction: the block it is in.
    public private(set) var blockOfInstruction: [UInt32] = []
    private var edges: [UInt32] = []
    /// Reachable blocks in reverse postorder: before its successors, but for loops.
    public private(set) var order: [UInt32] = []
    /// Per procedure: the blocks that end with a call of it.
    public private(set) var callers: [[UInt32]] = []

    public func successors(_ block: Int) -> ArraySlice<UInt32> {
        let first = Int(blocks[block].firstSuccessor)
        return edges[first..<first + Int(blocks[block].successorCount)]
    }

    /// One of a block's successors, by its place among them.
    @inline(__always)
    func successor(_ block: Int, _ place: Int) -> Int {
        Int(edges[Int(blocks[block].firstSuccessor) + place])
    }

    /// The block that stands for the return from a procedure.
    public func exitBlock(ofProcedure procedure: Int) -> Int { codeBlockCount + procedure }

    /// Per block: the reachable blocks that lead to it, while the fragment is verified.
    struct Predecessors {
        fileprivate let first: Table<UInt32>
        fileprivate let edges: Table<UInt32>

        @inline(__always) subscript(block: Int) -> UnsafeBufferPointer<UInt32> {
            let start = Int(first[block])
            return UnsafeBufferPointer(start: edges.base + start, count: Int(first[block + 1]) - start)
        }
    }

    init(_ view: FragmentView) {
        findBlocks(view)
        connect(view)
        findOrder(view.arena)
    }

    private mutating func findBlocks(_ view: FragmentView) {
        let code = view.code
        let count = code.instructions.count
        let starts = view.arena.table(count + 1, false)
        if count > 0 { starts[0] = true }
        for label in code.labels { starts[Int(label.position)] = true }
        for procedure in code.procedures { starts[Int(procedure.start)] = true }
        var blockCount = 0
        for index in 0..<count {
            if starts[index] { blockCount += 1 }
            if view.uses[index].endsBlock { starts[index + 1] = true }
        }
        codeBlockCount = blockCount
        blocks.reserveCapacity(blockCount + code.procedures.count)
        blockOfInstruction = Array(unsafeUninitializedCapacity: count) { buffer, initialised in
            var start = 0
            for index in 0..<count {
                if index > 0, starts[index] {
                    blocks.append(Block(start: UInt32(start), end: UInt32(index)))
                    start = index
                }
                buffer.initializeElement(at: index, to: UInt32(blocks.count))
            }
            if count > 0 { blocks.append(Block(start: UInt32(start), end: UInt32(count))) }
            initialised = count
        }
        for _ in code.procedures { blocks.append(Block(start: UInt32(count), end: UInt32(count))) }
    }

    private mutating func connect(_ view: FragmentView) {
        let code = view.code
        callers = Array(repeating: [], count: code.procedures.count)
        edges.reserveCapacity(2 * blocks.count)
        // A table may list a label many times; one edge each is enough.
        let listedBy = view.arena.table(code.tables.isEmpty ? 0 : blocks.count, UInt32.max)
        var procedure = -1
        for block in 0..<codeBlockCount {
            let start = blocks[block].start
            while procedure + 1 < code.procedures.count, code.procedures[procedure + 1].start <= start {
                procedure += 1
            }
            let firstEdge = UInt32(edges.count)
            let end = Int(blocks[block].end) - 1
            let last = code.instructions[end]
            if view.uses[end].fallsThrough, block + 1 < codeBlockCount { edges.append(UInt32(block + 1)) }
            switch view.uses[end].shape {
            case .branch, .jump:
                edges.append(blockOfInstruction[Int(code.labels[Int(last.index)].position)])
            case .jumpTable:
                for label in code.tables[Int(last.index)].labels {
                    let target = blockOfInstruction[Int(code.labels[Int(label)].position)]
                    if listedBy[Int(target)] == UInt32(block) { continue }
                    listedBy[Int(target)] = UInt32(block)
                    edges.append(target)
                }
            case .call:
                edges.append(blockOfInstruction[Int(code.procedures[Int(last.index)].start)])
                callers[Int(last.index)].append(UInt32(block))
            case .return:
                if procedure >= 0 { edges.append(UInt32(exitBlock(ofProcedure: procedure))) }
            case .binary, .unary, .constant, .convert, .load, .store, .fetch, .compareExchange, .hostCall,
                .macro:
                break
            }
            blocks[block].firstSuccessor = firstEdge
            blocks[block].successorCount = UInt32(edges.count) - firstEdge
        }
        for procedure in code.procedures.indices {
            let exit = exitBlock(ofProcedure: procedure)
            blocks[exit].firstSuccessor = UInt32(edges.count)
            // V6: something stands behind every call.
            for caller in callers[procedure] { edges.append(caller + 1) }
            blocks[exit].successorCount = UInt32(callers[procedure].count)
        }
    }

    /// Depth-first search with a stack of its own: a chain of a million blocks must not overflow the real one.
    private mutating func findOrder(_ arena: Arena) {
        guard !blocks.isEmpty else { return }
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
                let successor = edges[Int(blocks[Int(block)].firstSuccessor + next)]
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
        self.order = order.array(from: first)
    }

    func predecessors(_ arena: Arena) -> Predecessors {
        let first = arena.table(blocks.count + 1, UInt32(0))
        for block in order {
            for successor in successors(Int(block)) { first[Int(successor) + 1] += 1 }
        }
        for block in blocks.indices { first[block + 1] += first[block] }
        let list: Table<UInt32> = arena.uninitialised(Int(first[blocks.count]))
        let next: Table<UInt32> = arena.uninitialised(blocks.count)
        for block in blocks.indices { next[block] = first[block] }
        for block in order {
            for successor in successors(Int(block)) {
                list[Int(next[Int(successor)])] = block
                next[Int(successor)] += 1
            }
        }
        return Predecessors(first: first, edges: list)
    }
}
