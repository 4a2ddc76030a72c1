/// What a timeline comes to, for each node of the tree and for the machine.
///
/// A scheduler's figures are those of everything below it together.
public struct Statistics: Sendable, Hashable {
    /// Times from waking up to having the processor.
    public struct Latencies: Sendable, Hashable {
        public var count = 0
        public var median: UInt64 = 0
        public var p95: UInt64 = 0
        public var p99: UInt64 = 0
        public var p999: UInt64 = 0
        public var maximum: UInt64 = 0

        /// By nearest rank: the smallest value that at least so many of the values do not exceed.
        public init(_ values: [UInt64]) {
            guard let largest = values.max() else { return }
            let sorted = values.sorted()
            func rank(_ perMille: Int) -> UInt64 {
                sorted[max(0, (sorted.count * perMille + 999) / 1000 - 1)]
            }
            count = sorted.count
            median = rank(500)
            p95 = rank(950)
            p99 = rank(990)
            p999 = rank(999)
            maximum = largest
        }
    }

    /// What a processor's time went to.
    public struct Processor: Sendable, Hashable {
        /// Environments.
        public var busy: UInt64 = 0
        /// Decisions and switches.
        public var kernel: UInt64 = 0
        public var fragments: UInt64 = 0
        /// Nothing.
        public var idle: UInt64 = 0
    }

    public struct Node: Sendable, Hashable {
        public var name: String
        public var isScheduler: Bool
        public var parent: Int?
        public var depth: Int
        public var processorTime: UInt64 = 0
        /// Time that its fragment took, and those below it.
        public var fragmentTime: UInt64 = 0
        /// Of the time of all processors.
        public var shareOfTotal = 0.0
        /// Of the processor time that the node and its siblings had together; nil when they had none.
        public var shareOfSiblings: Double?
        public var entitlement: Double?
        /// From creation to end; a scheduler's from the first creation to the last end. nil: not ended.
        public var turnaround: UInt64?
        /// From creation to first having the processor; nil: never had it.
        public var response: UInt64?
        /// Time in which it could have run and did not.
        public var wait: UInt64 = 0
        public var sleeping: UInt64 = 0
        public var blocked: UInt64 = 0
        public var wakeups = Latencies([])
        /// How often it took the processor over from another environment.
        public var switches = 0
        /// How often it lost the processor and could have gone on.
        public var preemptions = 0
        /// Jain's index over the children, each child's processor time divided by its entitlement: 1 when
        /// all get what they are entitled to, 1/n when one of n gets everything. Children without
        /// entitlement count only if none has one. nil: no child ran.
        public var fairness: Double?
        /// Decisions that gave the processor to it or to something below it.
        public var decisions = 0
        /// Those of them that the kernel's default took.
        public var defaultDecisions = 0
        /// Incidents in its own fragment.
        public var incidents = 0
    }

    public var nodes: [Node]
    /// Indices into `nodes`: each node before what is below it.
    public var preorder: [Int]
    /// The length of the simulation.
    public var total: UInt64
    /// Time in which environments ran, kernel and fragments did, and nobody, of all processors together. The four add
    /// up to that of all processors.
    public var busy: UInt64
    public var kernel: UInt64
    public var fragments: UInt64
    public var idle: UInt64
    /// The same of each processor.
    public var processors: [Processor]
    /// Directed yields.
    public var directedYields: Int
    public var switches: Int
    public var preemptions: Int
    public var decisions: Int
    public var defaultDecisions: Int
    /// Decisions that left the machine idle.
    public var idleDecisions: Int
    public var budgetUsed: UInt64
    public var incidents: Int
    public var wakeups: Latencies
    /// Wall-clock time spent in fragments, if it was measured.
    public var fragmentNanoseconds: UInt64?

    public init(_ timeline: Timeline) {
        let tree = Timeline.Tree(timeline.nodes)
        let stretches = timeline.processorStretches()
        var gathering = Gathering(timeline, tree)
        gathering.addSpans()
        gathering.addFragments()
        gathering.addSwitches(stretches)
        let latencies = gathering.latencies()
        gathering.addDecisions()
        gathering.sumUp(latencies)
        gathering.addShares()
        nodes = gathering.nodes
        preorder = tree.preorder
        total = timeline.end
        processors = zip(stretches, timeline.overheadsByProcessor()).map {
            Processor($0, $1, length: timeline.end)
        }
        busy = processors.reduce(into: 0) { $0.add($1.busy) }
        kernel = processors.reduce(into: 0) { $0.add($1.kernel) }
        fragments = processors.reduce(into: 0) { $0.add($1.fragments) }
        idle = processors.reduce(into: 0) { $0.add($1.idle) }
        directedYields = timeline.handOvers.count { $0.kind == .directed }
        switches = nodes.reduce(0) { $0 + ($1.isScheduler ? 0 : $1.switches) }
        preemptions = nodes.reduce(0) { $0 + ($1.isScheduler ? 0 : $1.preemptions) }
        decisions = timeline.decisions.count
        defaultDecisions = timeline.decisions.count { $0.byDefault }
        idleDecisions = timeline.decisions.count { $0.chosen == nil }
        budgetUsed = timeline.decisions.reduce(into: 0) { $0.add($1.budgetUsed) }
        incidents = timeline.incidents.count
        wakeups = Latencies(latencies.flatMap { $0 })
        fragmentNanoseconds = timeline.fragmentNanoseconds
    }

    /// Whether decisions took any time.
    public var hasOverhead: Bool { kernel > 0 || fragments > 0 }

    /// A time as a part of that of all processors.
    public func shareOfCapacity(_ time: UInt64) -> Double {
        total == 0 ? 0 : Double(time) / (Double(total) * Double(processors.count))
    }

    /// Jain's fairness index; nil when there is nothing to share.
    static func fairness(_ values: [Double]) -> Double? {
        let sum = values.reduce(0, +)
        let squares = values.reduce(0) { $0 + $1 * $1 }
        return squares > 0 ? sum * sum / (Double(values.count) * squares) : nil
    }
}

extension Statistics.Processor {
    fileprivate init(_ stretches: [Timeline.Span], _ overheads: [Timeline.Overhead], length: UInt64) {
        var covered: UInt64 = 0
        for stretch in stretches {
            let start = max(stretch.start, covered)
            if stretch.end > start { busy.add(stretch.end - start) }
            covered = max(covered, stretch.end)
        }
        for overhead in overheads {
            if overhead.scheduler == nil {
                kernel.add(overhead.end - overhead.start)
            } else {
                fragments.add(overhead.end - overhead.start)
            }
        }
        var used = busy
        used.add(kernel)
        used.add(fragments)
        idle = length > used ? length - used : 0
    }
}

extension UInt64 {
    /// Adds, and stays at the largest value when that is exceeded.
    mutating func add(_ other: UInt64) {
        let (sum, overflow) = addingReportingOverflow(other)
        self = overflow ? .max : sum
    }
}
