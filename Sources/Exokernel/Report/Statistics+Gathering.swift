extension Statistics {
    /// The steps in which the figures of the nodes come together.
    struct Gathering {
        var nodes: [Node]
        private let timeline: Timeline
        private let tree: Timeline.Tree
        private let spans: [[Timeline.Span]]
        private let overheads: [[Timeline.Overhead]]
        /// When the node, or the first below it, was created and first ran, and when the last ended.
        private var created: [UInt64?]
        private var firstRun: [UInt64?]
        private var ended: [UInt64?]

        init(_ timeline: Timeline, _ tree: Timeline.Tree) {
            self.timeline = timeline
            self.tree = tree
            spans = timeline.spansByNode()
            overheads = timeline.overheadsByProcessor()
            nodes = timeline.nodes.indices.map { index in
                let node = timeline.nodes[index]
                var result = Node(
                    name: node.name, isScheduler: node.isScheduler, parent: tree.parent[index],
                    depth: tree.depth[index])
                result.entitlement = node.entitlement
                return result
            }
            created = timeline.nodes.map { $0.isScheduler ? nil : $0.created }
            ended = timeline.nodes.map { $0.isScheduler ? nil : $0.ended }
            firstRun = Array(repeating: nil, count: nodes.count)
        }

        // MARK: Environments

        mutating func addSpans() {
            for index in nodes.indices {
                for (place, span) in spans[index].enumerated() {
                    let length = span.end - span.start
                    switch span.state {
                    case .running:
                        nodes[index].processorTime.add(length)
                        if firstRun[index] == nil, length > 0 { firstRun[index] = span.start }
                        if length > 0, isPreempted(spans[index][place...]) { nodes[index].preemptions += 1 }
                    case .runnable: nodes[index].wait.add(length)
                    case .sleeping: nodes[index].sleeping.add(length)
                    case .blocked: nodes[index].blocked.add(length)
                    }
                }
            }
        }

        /// Whether whoever runs in the first of the spans lost the processor afterwards. Who goes on when the kernel and
        /// fragments have done what they had to has only been interrupted.
        private func isPreempted(_ spans: ArraySlice<Timeline.Span>) -> Bool {
            guard let span = spans.first, let next = spans.dropFirst().first, next.state == .runnable,
                next.end > next.start
            else { return false }
            guard let after = spans.dropFirst(2).first, after.state == .running,
                after.processor == span.processor, overheads.indices.contains(Int(span.processor))
            else { return true }
            return !overheads[Int(span.processor)].cover(next.start, next.end)
        }

        mutating func addFragments() {
            for overhead in overheads.joined() {
                guard let scheduler = overhead.scheduler, nodes.indices.contains(scheduler) else { continue }
                nodes[scheduler].fragmentTime.add(overhead.end - overhead.start)
            }
        }

        mutating func addSwitches(_ processors: [[Timeline.Span]]) {
            for stretches in processors {
                var last: Int?
                for stretch in stretches where stretch.node != last {
                    nodes[stretch.node].switches += 1
                    last = stretch.node
                }
            }
        }

        /// For each node the times from its wake-ups to its next running. A wake-up after which the
        /// environment never ran is not in it.
        func latencies() -> [[UInt64]] {
            var times: [[UInt64]] = Array(repeating: [], count: nodes.count)
            for wakeup in timeline.wakeups where nodes.indices.contains(wakeup.node) {
                times[wakeup.node].append(wakeup.time)
            }
            return nodes.indices.map { index in
                let running = spans[index].filter { $0.state == .running && $0.start < $0.end }
                var next = 0
                return times[index].sorted().compactMap { time in
                    while next < running.count, running[next].end <= time { next += 1 }
                    guard next < running.count else { return nil }
                    return running[next].start > time ? running[next].start - time : 0
                }
            }
        }

        mutating func addDecisions() {
            for decision in timeline.decisions {
                guard let chosen = decision.chosen, nodes.indices.contains(chosen) else { continue }
                nodes[chosen].decisions += 1
                if decision.byDefault { nodes[chosen].defaultDecisions += 1 }
            }
            for incident in timeline.incidents {
                if let node = incident.node, nodes.indices.contains(node) { nodes[node].incidents += 1 }
            }
        }

        // MARK: Schedulers

        /// Adds each node's figures to its parent's, from below.
        mutating func sumUp(_ latencies: [[UInt64]]) {
            var merged = latencies
            var isOver = nodes.indices.map { nodes[$0].isScheduler || ended[$0] != nil }
            for index in tree.preorder.reversed() {
                nodes[index].wakeups = Latencies(merged[index])
                if let created = created[index] {
                    if let end = ended[index], isOver[index], end >= created {
                        nodes[index].turnaround = end - created
                    }
                    if let first = firstRun[index], first >= created {
                        nodes[index].response = first - created
                    }
                }
                guard let parent = tree.parent[index] else { continue }
                let node = nodes[index]
                nodes[parent].processorTime.add(node.processorTime)
                nodes[parent].fragmentTime.add(node.fragmentTime)
                nodes[parent].wait.add(node.wait)
                nodes[parent].sleeping.add(node.sleeping)
                nodes[parent].blocked.add(node.blocked)
                nodes[parent].switches += node.switches
                nodes[parent].preemptions += node.preemptions
                nodes[parent].decisions += node.decisions
                nodes[parent].defaultDecisions += node.defaultDecisions
                merged[parent] += merged[index]
                merged[index] = []
                created[parent] = [created[parent], created[index]].compactMap { $0 }.min()
                firstRun[parent] = [firstRun[parent], firstRun[index]].compactMap { $0 }.min()
                ended[parent] = [ended[parent], ended[index]].compactMap { $0 }.max()
                isOver[parent] = isOver[parent] && isOver[index]
            }
        }

        mutating func addShares() {
            let roots = tree.preorder.filter { tree.parent[$0] == nil }
            shareOut(among: roots)
            for index in nodes.indices {
                let children = tree.children[index]
                shareOut(among: children)
                let entitled = children.filter { nodes[$0].entitlement ?? 0 > 0 }
                nodes[index].fairness = Statistics.fairness(
                    entitled.isEmpty
                        ? children.map { Double(nodes[$0].processorTime) }
                        : entitled.map { Double(nodes[$0].processorTime) / (nodes[$0].entitlement ?? 1) })
            }
        }

        private mutating func shareOut(among siblings: [Int]) {
            let together = siblings.reduce(0.0) { $0 + Double(nodes[$1].processorTime) }
            for index in siblings {
                let time = Double(nodes[index].processorTime)
                if timeline.end > 0 {
                    nodes[index].shareOfTotal = time / (Double(timeline.end) * Double(timeline.processors))
                }
                if together > 0 { nodes[index].shareOfSiblings = time / together }
            }
        }
    }
}

extension [Timeline.Overhead] {
    /// Whether all the time from `start` to `end` is in these, which are in order.
    fileprivate func cover(_ start: UInt64, _ end: UInt64) -> Bool {
        var low = startIndex
        var high = endIndex
        while low < high {
            let middle = (low + high) / 2
            if self[middle].end <= start { low = middle + 1 } else { high = middle }
        }
        var covered = start
        while low < endIndex, covered < end, self[low].start <= covered {
            covered = Swift.max(covered, self[low].end)
            low += 1
        }
        return covered >= end
    }
}
