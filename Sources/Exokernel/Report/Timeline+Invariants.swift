/// What is wrong with a timeline.
public enum TimelineProblem: Hashable, Sendable {
    /// A span, decision, wake-up or incident names a node that does not exist, or a span names a scheduler.
    case noSuchNode(Int)
    /// Following the parents of this node leads back to it, or nowhere.
    case badParent(Int)
    case backwards(Timeline.Span)
    /// The environment's spans leave out the time from `from` to `to`.
    case gap(node: Int, from: UInt64, to: UInt64)
    /// The span begins before the one before it has ended.
    case overlap(Timeline.Span)
    /// A span, decision or hand-over names a processor that does not exist.
    case noSuchProcessor(Int)
    /// Two environments have one processor at once.
    case twoRunning(Timeline.Span, Timeline.Span)
    /// An environment has a processor that is busy in the kernel or a fragment, or the two are so at once; or the time
    /// runs backwards.
    case overheadOverlaps(Timeline.Overhead)
    /// Something happens after the end.
    case afterEnd(UInt64)
}

extension Timeline {
    /// Checks that the record adds up: the spans of each environment cover its life without gap or overlap (so it has
    /// one processor at a time), and no two environments have one processor at once. Empty when all is well.
    public func problems() -> [TimelineProblem] {
        var problems: [TimelineProblem] = []
        let known = nodes.indices
        let tree = Tree(nodes)
        for (index, node) in nodes.enumerated() where node.parent != nil && tree.parent[index] == nil {
            problems.append(.badParent(index))
        }
        for span in spans {
            if !known.contains(span.node) || nodes[span.node].isScheduler {
                problems.append(.noSuchNode(span.node))
            } else if span.start > span.end {
                problems.append(.backwards(span))
            }
        }
        let named =
            decisions.compactMap(\.chosen) + wakeups.map(\.node) + incidents.compactMap(\.node)
            + handOvers.flatMap { [$0.from, $0.to] }
        problems += named.filter { !known.contains($0) }.map(TimelineProblem.noSuchNode)
        for (index, spans) in spansByNode().enumerated() where !nodes[index].isScheduler {
            problems += coverageProblems(of: index, spans)
        }
        let places = spans.map(\.processor) + decisions.map(\.processor) + handOvers.map(\.processor)
        problems += places.filter { $0 >= processors }.map { .noSuchProcessor(Int($0)) }
        for stretches in processorStretches() {
            for (one, next) in zip(stretches, stretches.dropFirst()) where next.start < one.end {
                problems.append(.twoRunning(one, next))
            }
        }
        problems += overheadProblems()
        let moments =
            incidents.map(\.time) + decisions.map(\.time) + wakeups.map(\.time) + handOvers.map(\.arrival)
        problems += moments.filter { $0 > end }.map(TimelineProblem.afterEnd)
        return problems
    }

    private func overheadProblems() -> [TimelineProblem] {
        var problems: [TimelineProblem] = []
        for overhead in overheads {
            if overhead.start > overhead.end { problems.append(.overheadOverlaps(overhead)) }
            if overhead.end > end { problems.append(.afterEnd(overhead.end)) }
            if overhead.processor >= processors { problems.append(.noSuchProcessor(Int(overhead.processor))) }
            let scheduler = overhead.scheduler.flatMap { nodes.indices.contains($0) ? nodes[$0] : nil }
            if let index = overhead.scheduler, scheduler?.isScheduler != true {
                problems.append(.noSuchNode(index))
            }
        }
        for (overheads, stretches) in zip(overheadsByProcessor(), processorStretches()) {
            for (one, next) in zip(overheads, overheads.dropFirst()) where next.start < one.end {
                problems.append(.overheadOverlaps(next))
            }
            var rest = stretches[...]
            for overhead in overheads {
                while let stretch = rest.first, stretch.end <= overhead.start { rest.removeFirst() }
                if let stretch = rest.first, stretch.start < overhead.end {
                    problems.append(.overheadOverlaps(overhead))
                }
            }
        }
        return problems
    }

    private func coverageProblems(of index: Int, _ spans: [Span]) -> [TimelineProblem] {
        let node = nodes[index]
        let last = node.ended ?? max(end, node.created)
        var problems: [TimelineProblem] = last > max(end, node.created) ? [.afterEnd(last)] : []
        var covered = node.created
        for span in spans {
            if span.start > covered {
                problems.append(.gap(node: index, from: covered, to: span.start))
            } else if span.start < covered {
                problems.append(.overlap(span))
            }
            covered = max(covered, span.end)
        }
        if covered < last { problems.append(.gap(node: index, from: covered, to: last)) }
        if covered > last { problems.append(.afterEnd(covered)) }
        return problems
    }
}
