import SCodeIR

/// The loops of a fragment and how they nest, and which blocks every path to a block passes.
///
/// The graph is that of each procedure by itself: a call leads to what stands behind it. Blocks are numbered in
/// preorder of a depth-first search; number 0 is an artificial root above the entries of body and procedures.
///
/// Loops are found as Havlak does ("Nesting of reducible and irreducible loops", TOPLAS 1997), dominators by semi-
/// dominators with path compression (Lengauer and Tarjan, TOPLAS 1979; Georgiadis' variant): both near linear.
struct LoopForest {
    /// Per block: its number, or -1 where the search did not come.
    private(set) var number: [Int32]
    /// Per number: the block; of the root, -1.
    private(set) var block: [Int32] = [-1]
    private var parent: [Int32] = [0]
    /// Per number: the last one below it in the search tree.
    private var lastBelow: [Int32] = [0]
    /// Per number: the head of the innermost loop that it is in, its own loop apart; 0 for none.
    private(set) var header: [Int32] = []
    private(set) var isHead: [Bool] = []
    /// Whether some loop can be entered other than at its head. Nothing is said about loops then.
    private(set) var isIrreducible = false
    /// Per number: where its predecessors begin in `predecessors`; one more at the end.
    private var firstPredecessor: [Int32] = []
    private var predecessors: [Int32] = []
    private var idom: [Int32] = []
    /// Per number: its place in a preorder of the dominator tree, and how many it dominates, itself included.
    private var place: [Int32] = []
    private var dominated: [Int32] = []

    init(_ flow: ControlFlow, roots: [Int], isReached: (Int) -> Bool, successors: (Int) -> ArraySlice<UInt32>)
    {
        number = Array(repeating: -1, count: flow.blocks.count)
        search(roots, isReached, successors)
        collectPredecessors(roots, successors)
        findLoops()
        if !isIrreducible { findDominators() }
    }

    var count: Int { block.count }

    /// The head of the innermost loop that a node is in, its own when it is a head; 0 for none.
    func loop(of node: Int) -> Int { isHead[node] ? node : Int(header[node]) }

    /// The nodes from which a jump leads back to the head of a loop.
    func latches(_ head: Int) -> [Int] {
        self.predecessors(head).filter { isBelow(Int($0), head) }.map { Int($0) }
    }

    func dominates(_ node: Int, _ other: Int) -> Bool {
        place[other] >= place[node] && place[other] < place[node] + dominated[node]
    }

    private func predecessors(_ node: Int) -> ArraySlice<Int32> {
        predecessors[Int(firstPredecessor[node])..<Int(firstPredecessor[node + 1])]
    }

    /// Whether `node` is `ancestor` or lies below it in the search tree.
    func isBelow(_ node: Int, _ ancestor: Int) -> Bool {
        node >= ancestor && node <= Int(lastBelow[ancestor])
    }

    // MARK: Search

    private mutating func search(
        _ roots: [Int], _ isReached: (Int) -> Bool, _ successors: (Int) -> ArraySlice<UInt32>
    ) {
        var stack: [(node: Int, rest: ArraySlice<UInt32>)] = []
        func enter(_ child: Int, below: Int, _ forest: inout LoopForest) {
            let node = forest.block.count
            forest.number[child] = Int32(node)
            forest.block.append(Int32(child))
            forest.parent.append(Int32(below))
            forest.lastBelow.append(Int32(node))
            stack.append((node, successors(child)))
        }
        for root in roots where isReached(root) && number[root] < 0 {
            enter(root, below: 0, &self)
            while let top = stack.last {
                guard let next = top.rest.first else {
                    lastBelow[top.node] = Int32(block.count - 1)
                    stack.removeLast()
                    continue
                }
                stack[stack.count - 1].rest = top.rest.dropFirst()
                if number[Int(next)] < 0, isReached(Int(next)) { enter(Int(next), below: top.node, &self) }
            }
        }
        lastBelow[0] = Int32(block.count - 1)
    }

    private mutating func collectPredecessors(_ roots: [Int], _ successors: (Int) -> ArraySlice<UInt32>) {
        firstPredecessor = Array(repeating: 0, count: count + 1)
        func forEachEdge(_ body: (_ from: Int, _ to: Int) -> Void) {
            for root in roots where number[root] >= 0 { body(0, Int(number[root])) }
            for node in 1..<count {
                for successor in successors(Int(block[node])) where number[Int(successor)] >= 0 {
                    body(node, Int(number[Int(successor)]))
                }
            }
        }
        guard count > 1 else { return }
        var first = firstPredecessor
        forEachEdge { first[$1 + 1] += 1 }
        for node in 0..<count { first[node + 1] += first[node] }
        var next = first
        var list = [Int32](repeating: 0, count: Int(first[count]))
        forEachEdge { from, to in
            list[Int(next[to])] = Int32(from)
            next[to] += 1
        }
        firstPredecessor = first
        predecessors = list
    }

    // MARK: Loops

    /// Heads from the innermost outwards; what a loop has taken in counts as its head from then on.
    private mutating func findLoops() {
        header = Array(repeating: 0, count: count)
        isHead = Array(repeating: false, count: count)
        var representative = (0..<Int32(count)).map { $0 }
        var taken = [Int32](repeating: -1, count: count)
        for head in stride(from: count - 1, through: 1, by: -1) {
            var members: [Int] = []
            for predecessor in predecessors(head) where isBelow(Int(predecessor), head) {
                isHead[head] = true
                let member = Self.find(Int(predecessor), &representative)
                if member != head, taken[member] != head {
                    taken[member] = Int32(head)
                    members.append(member)
                }
            }
            var next = 0
            while next < members.count {
                let member = members[next]
                next += 1
                for predecessor in predecessors(member) where !isBelow(Int(predecessor), member) {
                    let other = Self.find(Int(predecessor), &representative)
                    guard isBelow(other, head) else {
                        isIrreducible = true
                        return
                    }
                    if other != head, taken[other] != head {
                        taken[other] = Int32(head)
                        members.append(other)
                    }
                }
            }
            for member in members {
                header[member] = Int32(head)
                representative[member] = Int32(head)
            }
        }
    }

    private static func find(_ node: Int, _ representative: inout [Int32]) -> Int {
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

    private mutating func findDominators() {
        var semi = (0..<Int32(count)).map { $0 }
        var label = semi
        var ancestor = [Int32](repeating: -1, count: count)
        idom = parent
        var path: [Int] = []
        /// The node with the least semidominator on the linked path above `node`.
        func evaluate(_ node: Int) -> Int {
            guard ancestor[node] >= 0 else { return node }
            path.removeAll(keepingCapacity: true)
            var current = node
            while ancestor[Int(ancestor[current])] >= 0 {
                path.append(current)
                current = Int(ancestor[current])
            }
            for below in path.reversed() {
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
        numberDominatorTree()
    }

    /// A dominator has the smaller number, so one pass up counts and one pass down places.
    private mutating func numberDominatorTree() {
        dominated = Array(repeating: 1, count: count)
        for node in stride(from: count - 1, through: 1, by: -1) {
            dominated[Int(idom[node])] += dominated[node]
        }
        place = Array(repeating: 0, count: count)
        var next = [Int32](repeating: 1, count: count)
        for node in 1..<max(1, count) {
            let above = Int(idom[node])
            place[node] = next[above]
            next[above] += dominated[node]
            next[node] = place[node] + 1
        }
    }
}
