extension Timeline {
    /// The nodes as a tree, whatever `parent` says: what hangs nowhere, or in a circle, counts as a root.
    struct Tree {
        /// Every node once, each before its descendants, children in the order of their indices.
        var preorder: [Int] = []
        var depth: [Int]
        var children: [[Int]]
        /// Nil for roots.
        var parent: [Int?]

        init(_ nodes: [Node]) {
            depth = Array(repeating: 0, count: nodes.count)
            children = Array(repeating: [], count: nodes.count)
            parent = nodes.enumerated().map { index, node in
                node.parent.flatMap { nodes.indices.contains($0) && $0 != index ? $0 : nil }
            }
            for index in nodes.indices {
                if let parent = parent[index] { children[parent].append(index) }
            }
            var isPlaced = Array(repeating: false, count: nodes.count)
            for index in nodes.indices where parent[index] == nil { place(index, &isPlaced) }
            // Whoever is left is part of a circle, or below one: cut it where it is met first.
            for index in nodes.indices where !isPlaced[index] {
                if let parent = parent[index] { children[parent].removeAll { $0 == index } }
                parent[index] = nil
                place(index, &isPlaced)
            }
        }

        private mutating func place(_ root: Int, _ isPlaced: inout [Bool]) {
            var pending = [root]
            isPlaced[root] = true
            while let index = pending.popLast() {
                preorder.append(index)
                for child in children[index].reversed() where !isPlaced[child] {
                    isPlaced[child] = true
                    depth[child] = depth[index] + 1
                    pending.append(child)
                }
            }
        }
    }

    /// Environments that one user owns: what hangs below one child of the root. Environments that the root
    /// schedules itself are one group under the root's name.
    struct Group {
        var name: String
        /// The scheduler on top; nil: nobody has attached these environments.
        var scheduler: Int?
        /// Environments, in tree order.
        var members: [Int] = []
    }

    func groups(_ tree: Tree) -> [Group] {
        var groups: [Group] = []
        var groupOfScheduler: [Int: Int] = [:]
        for index in tree.preorder where !nodes[index].isScheduler {
            var scheduler = tree.parent[index]
            while let above = scheduler, let next = tree.parent[above], tree.parent[next] != nil {
                scheduler = next
            }
            // The walk ends at the root's child, or at the root for its own environments.
            let key = scheduler ?? -1
            if groupOfScheduler[key] == nil {
                groupOfScheduler[key] = groups.count
                groups.append(
                    Group(name: scheduler.map { nodes[$0].name } ?? "unattached", scheduler: scheduler))
            }
            if let group = groupOfScheduler[key] { groups[group].members.append(index) }
        }
        return groups
    }

    /// What each node is entitled to of the machine's whole time; nil where somebody above it, or it, states nothing.
    func entitlementsOfTheWhole(_ tree: Tree) -> [Double?] {
        var result: [Double?] = Array(repeating: nil, count: nodes.count)
        for index in tree.preorder {
            let own = nodes[index].entitlement
            guard let parent = tree.parent[index] else {
                result[index] = own ?? 1
                continue
            }
            if let own, let above = result[parent] { result[index] = own * above }
        }
        return result
    }

    /// The spans of each node, oldest first; those that name no node, or run backwards, are left out.
    func spansByNode() -> [[Span]] {
        var result: [[Span]] = Array(repeating: [], count: nodes.count)
        for span in spans where nodes.indices.contains(span.node) && span.start <= span.end {
            result[span.node].append(span)
        }
        for index in result.indices where !result[index].isInOrder {
            result[index].sort { ($0.start, $0.end) < ($1.start, $1.end) }
        }
        return result
    }

    /// For each processor who had it, oldest first; what follows at once under the same name is one stretch.
    func processorStretches() -> [[Span]] {
        var running: [[Span]] = Array(repeating: [], count: max(1, processors))
        for span in spans where span.state == .running && span.start < span.end {
            guard nodes.indices.contains(span.node), Int(span.processor) < running.count else { continue }
            running[Int(span.processor)].append(span)
        }
        return running.map { spans in
            var result: [Span] = []
            for span in spans.sorted(by: { ($0.start, $0.end) < ($1.start, $1.end) }) {
                if let last = result.last, last.node == span.node, last.end >= span.start {
                    result[result.count - 1].end = max(last.end, span.end)
                } else {
                    result.append(span)
                }
            }
            return result
        }
    }

    /// For each processor the time that it spent on nobody's task, oldest first.
    func overheadsByProcessor() -> [[Overhead]] {
        var result: [[Overhead]] = Array(repeating: [], count: max(1, processors))
        for overhead in overheads where overhead.start < overhead.end {
            guard Int(overhead.processor) < result.count else { continue }
            result[Int(overhead.processor)].append(overhead)
        }
        return result
    }

    /// What a processor is called.
    func processorName(_ index: Int) -> String { processors == 1 ? "processor" : "processor \(index)" }
}

extension [Timeline.Span] {
    fileprivate var isInOrder: Bool {
        zip(self, dropFirst()).allSatisfy { ($0.start, $0.end) <= ($1.start, $1.end) }
    }
}
