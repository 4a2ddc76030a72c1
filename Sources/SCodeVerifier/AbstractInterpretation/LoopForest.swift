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
    private let lastBelow: Table<Int32>
    /// Per number: the head of the innermost loop that it is in, its own loop apart; 0 for none.
    let header: Table<Int32>
    let isHead: Table<Bool>
    /// Whether some loop can be entered other than at its head. Nothing is said about loops then.
    private(set) var isIrreducible = false
    private var hasHeads = false
    /// Per number: where its predecessors begin in `predecessors`; one more at the end.
    private let firstPredecessor: Table<Int32>
    private var predecessors: Table<Int32>
    /// Per number: its place in a preorder of the dominator tree, and how many it dominates, itself included.
    private let place: Table<Int32>
    private let dominated: Table<Int32>

    init(_ view: FragmentView, _ flow: FlowGraph, _ states: borrowing BlockStates) {
        self.view = view
        self.flow = flow
        let arena = view.arena
        let capacity = view.hasLoops ? flow.order.count + 1 : 1
        number = arena.table(flow.blocks.count, -1)
        block = arena.table(capacity, -1)
        parent = arena.table(capacity, 0)
        lastBelow = arena.table(capacity, 0)
        header = arena.table(capacity, 0)
        isHead = arena.table(capacity, false)
        firstPredecessor = arena.table(capacity + 1, 0)
        predecessors = arena.table(0, 0)
        place = arena.table(capacity, 0)
        dominated = arena.table(capacity, 1)
        guard view.hasLoops else { return }
        search(states)
        collectPredecessors()
        findLoops()
        if hasHeads, !isIrreducible { findDominators() }
    }

    /// The head of the innermost loop that a node is in, its own when it is a head; 0 for none.
    func loop(of node: Int) -> Int { isHead[node] ? node : Int(header[node]) }

    /// The nodes from which a jump leads back to the head of a loop.
    func latches(_ head: Int) -> [Int] {
        predecessors(head).filter { isBelow(Int($0), head) }.map { Int($0) }
    }

    /// Whether every way round the loop passes a node.
    func isOnEveryRound(_ node: Int, _ head: Int) -> Bool {
        predecessors(head).allSatisfy { !isBelow(Int($0), head) || dominates(node, Int($0)) }
    }

    private func dominates(_ node: Int, _ other: Int) -> Bool {
        place[other] >= place[node] && place[other] < place[node] + dominated[node]
    }

    @inline(__always)
    private func predecessors(_ node: Int) -> UnsafeBufferPointer<Int32> {
        let first = Int(firstPredecessor[node])
        return UnsafeBufferPointer(
            start: predecessors.base + first, count: Int(firstPredecessor[node + 1]) - first)
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
        procedure < 0 ? 0 : Int(flow.blockOfInstruction[Int(view.code.procedures[procedure].start)])
    }

    // MARK: Search

    /// Within a procedure: a call leads to what stands behind it, and `ret` nowhere.
    @inline(__always)
    private func successorCount(_ block: Int) -> Int {
        switch view.uses[Int(flow.blocks[block].end) - 1].shape {
        case .call: 1
        case .return: 0
        default: Int(flow.blocks[block].successorCount)
        }
    }

    @inline(__always)
    private func successor(_ block: Int, _ place: Int) -> Int {
        view.uses[Int(flow.blocks[block].end) - 1].shape == .call
            ? block + 1 : flow.successor(block, place)
    }

    private mutating func search(_ states: borrowing BlockStates) {
        let stack: Table<(node: Int32, next: Int32)> = view.arena.uninitialised(block.count)
        var depth = 0
        for procedure in -1..<view.code.procedures.count {
            let root = entry(procedure)
            guard states.isReached(root), number[root] < 0 else { continue }
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
                if number[to] < 0, states.isReached(to) { enter(to, below: node, stack, &depth) }
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

    @inline(__always)
    private func forEachEdge(_ body: (_ from: Int, _ to: Int) -> Void) {
        for procedure in -1..<view.code.procedures.count {
            let root = Int(number[entry(procedure)])
            if root >= 0 { body(0, root) }
        }
        for node in 1..<max(1, count) {
            let from = Int(block[node])
            for place in 0..<successorCount(from) {
                let to = Int(number[successor(from, place)])
                if to >= 0 { body(node, to) }
            }
        }
    }

    private mutating func collectPredecessors() {
        let first = firstPredecessor
        forEachEdge { first[$1 + 1] += 1 }
        for node in 0..<count { first[node + 1] += first[node] }
        let next: Table<Int32> = view.arena.uninitialised(count)
        for node in 0..<count { next[node] = first[node] }
        let list: Table<Int32> = view.arena.uninitialised(Int(first[count]))
        forEachEdge { from, to in
            list[Int(next[to])] = Int32(from)
            next[to] += 1
        }
        predecessors = list
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
            for predecessor in predecessors(head) where isBelow(Int(predecessor), head) {
                isHead[head] = true
                hasHeads = true
                take(Self.find(Int(predecessor), representative))
            }
            var next = 0
            while next < memberCount {
                let member = Int(members[next])
                next += 1
                for predecessor in predecessors(member) where !isBelow(Int(predecessor), member) {
                    let other = Self.find(Int(predecessor), representative)
                    guard isBelow(other, head) else {
                        isIrreducible = true
                        return
                    }
                    take(other)
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
            for predecessor in predecessors(node) {
                semi[node] = min(semi[node], semi[evaluate(Int(predecessor))])
            }
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
    }
}
