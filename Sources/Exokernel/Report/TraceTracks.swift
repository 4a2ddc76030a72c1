/// Where a trace shows the nodes of the tree.
///
/// Viewers know two levels only, processes and their threads, and order both by the sort index that they are given.
/// So each scheduler right below the root is a process, and everything below it a thread of that, in the order of the
/// tree; names say the path. The root is a process too, with its own applications. Numbers of processes and threads
/// are unique in the whole trace, as viewers want it, but for the thread that gives a process its number.
struct TraceTracks {
    /// What belongs to no node: who has the processors, and counters. Its first thread is the first processor's.
    static let machine = 1

    struct Track {
        var process: Int
        var thread: Int
        var name: String
    }

    /// For each node; a scheduler's for the first processor.
    private(set) var tracks: [Track] = []
    private let timeline: Timeline
    private let tree: Timeline.Tree

    init(_ timeline: Timeline, _ tree: Timeline.Tree) {
        self.timeline = timeline
        self.tree = tree
        for (index, node) in timeline.nodes.enumerated() {
            let top = top(of: index)
            var path = [node.name]
            var next = index == top ? nil : tree.parent[index]
            while let ancestor = next, ancestor != top {
                path.append(timeline.nodes[ancestor].name)
                next = tree.parent[ancestor]
            }
            tracks.append(
                Track(
                    process: firstNode + top, thread: firstNode + index,
                    name: path.reversed().joined(separator: " / ")))
        }
    }

    private var processors: Int { max(1, timeline.processors) }
    /// Processors have the first numbers, then nodes, then what schedulers do on further processors.
    private var firstNode: Int { Self.machine + processors }

    /// Nodes that are processes, in the order of the tree.
    var tops: [Int] { tree.preorder.filter { tracks[$0].thread == tracks[$0].process } }

    func processor(_ index: Int) -> Track {
        Track(process: Self.machine, thread: Self.machine + index, name: timeline.processorName(index))
    }

    /// Where a scheduler shows who below it has one of the processors.
    func track(_ node: Int, on processor: Int) -> Track {
        var track = tracks[node]
        guard timeline.nodes[node].isScheduler, processors > 1 else { return track }
        track.name += ", \(timeline.processorName(processor))"
        if processor > 0 {
            track.thread = firstNode + timeline.nodes.count * processor + node
        }
        return track
    }

    /// The root, or the scheduler right below it, that a node belongs to.
    private func top(of index: Int) -> Int {
        var (root, below) = (index, index)
        while let above = tree.parent[root] { (root, below) = (above, root) }
        return timeline.nodes[below].isScheduler ? below : root
    }
}

/// Stretches in which a node, or something below it, had the processor, as the schedulers above it show them.
struct TraceSlices {
    struct Slice: Hashable {
        /// Who had the processor.
        var node: Int
        var start: UInt64
        var end: UInt64
    }

    /// Levels below itself that a scheduler's track shows; those further down have tracks of their own.
    static let levels = 4

    /// For each processor, and in it for each node, on its track: a slice begins inside another one only if it ends there
    /// too, and stands after it.
    private(set) var slices: [[[Slice]]]

    init(_ timeline: Timeline, _ tree: Timeline.Tree) {
        slices = timeline.processorStretches().map { Self.slices($0, tree) }
    }

    private static func slices(_ stretches: [Timeline.Span], _ tree: Timeline.Tree) -> [[Slice]] {
        var slices: [[Slice]] = Array(repeating: [], count: tree.parent.count)
        // From the root down to who runs, and where the slices about each are: a scheduler and a place in its list.
        var open: [(node: Int, slices: [(track: Int, place: Int)])] = []
        var now: UInt64 = 0
        for stretch in stretches where stretch.end > now {
            let start = max(stretch.start, now)
            let path = path(to: stretch.node, tree)
            // What goes on without a gap stays open.
            var kept = 0
            while start == now, kept < min(open.count, path.count), open[kept].node == path[kept] {
                kept += 1
            }
            open.removeSubrange(kept...)
            for (depth, node) in path.enumerated().dropFirst(kept) {
                var entries: [(track: Int, place: Int)] = []
                for scheduler in path[max(0, depth - levels)..<depth] {
                    entries.append((scheduler, slices[scheduler].count))
                    slices[scheduler].append(Slice(node: node, start: start, end: start))
                }
                open.append((node, entries))
            }
            for entry in open {
                for (track, place) in entry.slices { slices[track][place].end = stretch.end }
            }
            now = stretch.end
        }
        return slices
    }

    private static func path(to node: Int, _ tree: Timeline.Tree) -> [Int] {
        var path = [node]
        var next = tree.parent[node]
        while let ancestor = next {
            path.append(ancestor)
            next = tree.parent[ancestor]
        }
        return path.reversed()
    }
}
