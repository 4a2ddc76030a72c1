import SCodeIR

/// The loops of a fragment and how they nest, and which blocks every path to a block passes.
///
/// The graph is that of each procedure by itself: a call leads to what stands behind it. Blocks are numbered in
/// preorder of a depth-first search; number 0 is an artificial root above the entries of body and procedures.
///
/// Loops are found as Havlak does ("Nesting of reducible and irreducible loops", TOPLAS 1997), dominators by semi-
/// dominators with path compression (Lengauer and Tarjan, TOPLAS 1979; Georgiadis' variant): both near linear.
struct LoopForest {
    private let view: FragmentView
    private let flow: FlowGraph
    /// How many nodes there are, the root included.
    private(set) var count = 1
    /// Per block: its number, or -1 where the search did not come.
    let number: Table<Int32>
    /// Per number: the block; of the root, -1.
    let block: Table<Int32>
    private let parent: Table<Int32>
    /// Per number: the last one below it in the search tree.
    let lastBelow: Table<Int32>
    /// Per number: the head of the innermost loop that it is in, its own loop apart; 0 for none.
    let header: Table<Int32>
    let isHead: Table<Bool>
    /// Whether some loop can be entered other than at its head. Nothing is said about loops then.
    private(set) var isIrreducible = false
    private var hasHeads = false
    private let predecessors: FlowGraph.Grouped
    private let hasProcedures: Bool
    /// Per number: its place in a preorder of the dominator tree, and how many it dominates, itself included.
    private let place: Table<Int32>
    private let dominated: Table<Int32>

    /// Per head: the least and the greatest place in the dominator tree of the nodes from which a jump leads back to it.
    private let firstLatch: Table<Int32>
    private let lastLatch: Table<Int32>

    /// - Parameter predecessors: of each block of `flow`.
    init(_ view: FragmentView, _ flow: FlowGraph, _ predecessors: FlowGraph.Grouped) {
        self.view = view
        self.flow = flow
        self.predecessors = predecessors
        hasProcedures = view.procedureStarts.count > 0
        let arena = view.arena
        let capacity = view.hasLoops ? flow.order.count + 1 : 1
        number = arena.table(flow.blocks.count, -1)
        block = arena.table(capacity, -1)
        parent = arena.table(capacity, 0)
        lastBelow = arena.table(capacity, 0)
        header = arena.table(capacity, 0)
        isHead = arena.table(capacity, false)
        place = arena.table(capacity, 0)
        dominated = arena.table(capacity, 1)
        firstLatch = arena.table(capacity, Int32.max)
        lastLatch = arena.table(capacity, 0)
        guard view.hasLoops else { return }
        search()
        findLoops()
        if hasHeads, !isIrreducible { findDominators() }
    }

    /// The head of the innermost loop that a node is in, its own when it is a head; 0 for none.
    func loop(of node: Int) -> Int { isHead[node] ? node : Int(header[node]) }

    /// Whether every way round the loop passes a node: it dominates all from which a jump leads back to the head.
    func isOnEveryRound(_ node: Int, _ head: Int) -> Bool {
        firstLatch[head] >= place[node] && lastLatch[head] < place[node] + dominated[node]
    }

    /// Whether an edge from a node of the loop stays in it. Loops are entered at their heads only.
    func isInside(_ node: Int, _ head: Int) -> Bool { node == head || Int(header[node]) == head }

    /// Whether every path to `other` passes `node`.
    func dominates(_ node: Int, _ other: Int) -> Bool {
        place[other] >= place[node] && place[other] < place[node] + dominated[node]
    }

    /// Calls `body` for each node from which an edge leads to one, within its procedure.
    @inline(__always)
    private func forEachPredecessor(_ node: Int, _ body: (Int) -> Void) {
        let block = Int(self.block[node])
        if parent[node] == 0 { body(0) }
        for predecessor in predecessors[block] {
            let from =
                hasProcedures ? self.predecessor(Int(predecessor), block) : Int(number[Int(predecessor)])
            if from >= 0 { body(from) }
        }
    }

    /// The node that leads to a block where the flow of the whole fragment has one of its predecessors: from a
    /// procedure's exit the call leads there, to a procedure's entry the root, for which -1 stands.
    private func predecessor(_ predecessor: Int, _ block: Int) -> Int {
        if predecessor >= flow.codeBlockCount { return Int(number[block - 1]) }
        return endsWithCall(predecessor) ? -1 : Int(number[predecessor])
    }

    @inline(__always)
    private func endsWithCall(_ block: Int) -> Bool {
        view.uses[Int(flow.blocks[block].end) - 1].shape == .call
    }

    /// Whether `node` is `ancestor` or lies below it in the search tree.
    func isBelow(_ node: Int, _ ancestor: Int) -> Bool {
        node >= ancestor && node <= Int(lastBelow[ancestor])
    }

    /// The nodes of a procedure, or with -1 of the fragment's body: heads before what is in their loops.
    func nodes(ofProcedure procedure: Int) -> Range<Int> {
        let first = Int(number[entry(procedure)])
        return first < 0 ? 0..<0 : first..<Int(lastBelow[first]) + 1
    }

    private func entry(_ procedure: Int) -> Int {
        procedure < 0 ? 0 : Int(flow.blockOfInstruction[Int(view.procedureStarts[procedure])])
    }

    // MARK: Search

    /// Within a procedure: a call leads to what stands behind it, and `ret` nowhere.
    @inline(__always)
    private func successorCount(_ block: Int) -> Int {
        guard hasProcedures else { return Int(flow.blocks[block].successorCount) }
        switch view.uses[Int(flow.blocks[block].end) - 1].shape {
        case .call: return 1
        case .return: return 0
        default: return Int(flow.blocks[block].successorCount)
        }
    }

    @inline(__always)
    private func successor(_ block: Int, _ place: Int) -> Int {
        hasProcedures && endsWithCall(block) ? block + 1 : flow.successor(block, place)
    }

    private mutating func search() {
        let stack: Table<(node: Int32, next: Int32)> = view.arena.uninitialised(block.count)
        var depth = 0
        for procedure in -1..<view.procedureStarts.count {
            let root = entry(procedure)
            guard flow.blocks[root].isReachable, number[root] < 0 else { continue }
            enter(root, below: 0, stack, &depth)
            while depth > 0 {
                let (node, next) = stack[depth - 1]
                let from = Int(block[Int(node)])
                guard Int(next) < successorCount(from) else {
                    lastBelow[Int(node)] = Int32(count - 1)
                    depth -= 1
                    continue
                }
                stack[depth - 1].next = next + 1
                let to = successor(from, Int(next))
                if number[to] < 0, flow.blocks[to].isReachable { enter(to, below: node, stack, &depth) }
            }
        }
        lastBelow[0] = Int32(count - 1)
    }

    private mutating func enter(
        _ child: Int, below: Int32, _ stack: Table<(node: Int32, next: Int32)>, _ depth: inout Int
    ) {
        number[child] = Int32(count)
        block[count] = Int32(child)
        parent[count] = below
        stack[depth] = (Int32(count), 0)
        depth += 1
        count += 1
    }

    // MARK: Loops

    /// Heads from the innermost outwards; what a loop has taken in counts as its head from then on.
    private mutating func findLoops() {
        let representative: Table<Int32> = view.arena.uninitialised(count)
        for node in 0..<count { representative[node] = Int32(node) }
        let taken = view.arena.table(count, Int32(-1))
        let members: Table<Int32> = view.arena.uninitialised(count)
        for head in stride(from: count - 1, through: 1, by: -1) {
            var memberCount = 0
            func take(_ node: Int) {
                if node == head || Int(taken[node]) == head { return }
                taken[node] = Int32(head)
                members[memberCount] = Int32(node)
                memberCount += 1
            }
            forEachPredecessor(head) { predecessor in
                guard isBelow(predecessor, head) else { return }
                isHead[head] = true
                take(Self.find(predecessor, representative))
            }
            guard isHead[head] else { continue }
            hasHeads = true
            var next = 0
            while next < memberCount {
                let member = Int(members[next])
                next += 1
                var isEnteredBeside = false
                forEachPredecessor(member) { predecessor in
                    guard !isBelow(predecessor, member) else { return }
                    let other = Self.find(predecessor, representative)
                    if isBelow(other, head) { take(other) } else { isEnteredBeside = true }
                }
                guard !isEnteredBeside else {
                    isIrreducible = true
                    return
                }
            }
            for place in 0..<memberCount {
                header[Int(members[place])] = Int32(head)
                representative[Int(members[place])] = Int32(head)
            }
        }
    }

    private static func find(_ node: Int, _ representative: Table<Int32>) -> Int {
        var root = node
        while Int(representative[root]) != root { root = Int(representative[root]) }
        var current = node
        while current != root {
            let above = Int(representative[current])
            representative[current] = Int32(root)
            current = above
        }
        return root
    }

    // MARK: Dominators

    private func findDominators() {
        let arena = view.arena
        let semi: Table<Int32> = arena.uninitialised(count)
        let label: Table<Int32> = arena.uninitialised(count)
        let idom: Table<Int32> = arena.uninitialised(count)
        for node in 0..<count {
            semi[node] = Int32(node)
            label[node] = Int32(node)
            idom[node] = parent[node]
        }
        let ancestor = arena.table(count, Int32(-1))
        let path: Table<Int32> = arena.uninitialised(count)
        /// The node with the least semidominator on the linked path above `node`.
        func evaluate(_ node: Int) -> Int {
            guard ancestor[node] >= 0 else { return node }
            var length = 0
            var current = node
            while ancestor[Int(ancestor[current])] >= 0 {
                path[length] = Int32(current)
                length += 1
                current = Int(ancestor[current])
            }
            while length > 0 {
                length -= 1
                let below = Int(path[length])
                let above = Int(ancestor[below])
                if semi[Int(label[above])] < semi[Int(label[below])] { label[below] = label[above] }
                ancestor[below] = ancestor[above]
            }
            return Int(label[node])
        }
        for node in stride(from: count - 1, through: 1, by: -1) {
            forEachPredecessor(node) { semi[node] = min(semi[node], semi[evaluate($0)]) }
            ancestor[node] = parent[node]
        }
        for node in 1..<max(1, count) {
            while idom[node] > semi[node] { idom[node] = idom[Int(idom[node])] }
        }
        numberDominatorTree(idom)
    }

    /// A dominator has the smaller number, so one pass up counts and one pass down places.
    private func numberDominatorTree(_ idom: Table<Int32>) {
        for node in stride(from: count - 1, through: 1, by: -1) {
            dominated[Int(idom[node])] += dominated[node]
        }
        let next = view.arena.table(count, Int32(1))
        for node in 1..<max(1, count) {
            let above = Int(idom[node])
            place[node] = next[above]
            next[above] += dominated[node]
            next[node] = place[node] + 1
        }
        for head in 1..<max(1, count) where isHead[head] {
            forEachPredecessor(head) { latch in
                guard isBelow(latch, head) else { return }
                firstLatch[head] = min(firstLatch[head], place[latch])
                lastLatch[head] = max(lastLatch[head], place[latch])
            }
        }
    }
}
