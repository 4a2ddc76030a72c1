/// How the nodes of a tree share the processor from one window of time to the next.
struct ShareSeries {
    /// More cannot be told apart in a picture.
    static let mostWindows: UInt64 = 800
    /// About as many as that if nobody says how long a window is.
    private static let usualWindows: UInt64 = 50
    /// Of all nodes together: many nodes have fewer windows.
    private static let mostShares = 8_000_000

    /// The length of each window but the last, which ends with the simulation; nanoseconds.
    let window: UInt64
    /// When the last window ends.
    let end: UInt64
    /// For each node, and in it for each window: the part of the processor time in the window, of all processors, that
    /// the node, or what is below it, had.
    private(set) var shares: [[Double]]
    private let processors: Double

    /// - Parameter window: nanoseconds; nil, or so few that nobody could see them: what suits the length.
    init(_ timeline: Timeline, window: UInt64? = nil) {
        let end = timeline.end
        let most = min(Self.mostWindows, UInt64(Self.mostShares / max(1, timeline.nodes.count)))
        let shortest = Self.step(end, max(Self.usualWindows, most))
        self.window = max(window ?? Self.step(end, Self.usualWindows), shortest)
        self.end = end
        processors = Double(max(1, timeline.processors))
        let count = end == 0 ? 0 : Int((end - 1) / self.window) + 1
        shares = Array(repeating: Array(repeating: 0, count: count), count: timeline.nodes.count)
        for span in timeline.spans where span.state == .running { add(span) }
        let tree = Timeline.Tree(timeline.nodes)
        for index in tree.preorder.reversed() {
            guard let parent = tree.parent[index] else { continue }
            for place in 0..<count { shares[parent][place] += shares[index][place] }
        }
    }

    private static func step(_ length: UInt64, _ most: UInt64) -> UInt64 {
        ChartCanvas.tickStep(length, atMost: most)
    }

    /// Where a window begins and ends.
    func bounds(_ place: Int) -> (start: UInt64, end: UInt64) {
        let start = UInt64(place) * window
        return (start, end - start > window ? start + window : end)
    }

    private mutating func add(_ span: Timeline.Span) {
        // Timelines may come from anywhere.
        guard shares.indices.contains(span.node), span.start < min(span.end, end) else { return }
        let last = min(span.end, end)
        for place in Int(span.start / window)...Int((last - 1) / window) {
            let bounds = bounds(place)
            let part = min(last, bounds.end) - max(span.start, bounds.start)
            shares[span.node][place] += Double(part) / (Double(bounds.end - bounds.start) * processors)
        }
    }
}
