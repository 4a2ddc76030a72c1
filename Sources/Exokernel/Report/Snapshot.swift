/// The tree of schedulers and environments at one moment of a simulation.
public struct Snapshot: Sendable, Hashable {
    public enum Status: String, Sendable, CaseIterable {
        /// Has not begun, or has ended.
        case absent = ""
        /// Has a processor; of a scheduler: something below it has.
        case running
        /// Could run; of a scheduler: something below it could.
        case runnable
        /// Waits for time to pass.
        case sleeping
        /// Waits for somebody else; of a scheduler: nothing below it could run.
        case waiting
    }

    public struct Node: Sendable, Hashable {
        public var name: String
        public var depth: Int
        public var isScheduler: Bool
        public var status: Status
        /// Nanoseconds of processor time so far; of a scheduler, of everything below it.
        public var ran: UInt64
        /// How many environments could run, or do: below a scheduler; of an environment, itself.
        public var runnable: Int
        /// The part of the whole machine's time that it is entitled to, 0 … 1; nil: not stated.
        public var entitlement: Double?
    }

    /// Nanoseconds of simulated time.
    public var time: UInt64
    /// When the simulation ends at the latest.
    public var duration: UInt64
    public var processors: Int
    public var decisions: Int
    public var incidents: Int
    /// Each before what is below it. The same nodes at all moments; their places change when something moves in the tree.
    public var nodes: [Node]
}

extension Machine {
    /// What is so now.
    public var snapshot: Snapshot {
        let timeline = recorder.timeline
        let tree = Timeline.Tree(timeline.nodes)
        let entitlements = timeline.entitlementsOfTheWhole(tree)
        var runnable = timeline.nodes.indices.map { node in
            environments[node + 1].status == .runnable && !timeline.nodes[node].isScheduler ? 1 : 0
        }
        for node in tree.preorder.reversed() {
            if let parent = tree.parent[node] { runnable[parent] += runnable[node] }
        }
        var runs: Set<Int> = []
        for processor in processors where processor.running != 0 {
            var next: Int? = environments[processor.running].node
            while let node = next {
                runs.insert(node)
                next = tree.parent[node]
            }
        }
        let nodes = tree.preorder.map { node in
            Snapshot.Node(
                name: timeline.nodes[node].name, depth: tree.depth[node],
                isScheduler: timeline.nodes[node].isScheduler,
                status: runs.contains(node) ? .running : status(of: node, runnable: runnable[node]),
                ran: environments[node + 1].ran, runnable: runnable[node],
                entitlement: tree.parent[node] == nil ? nil : entitlements[node])
        }
        return Snapshot(
            time: clock.now, duration: scenario.machine.duration, processors: processors.count,
            decisions: timeline.decisions.count, incidents: recorder.incidentCount, nodes: nodes)
    }

    private func status(of node: Int, runnable: Int) -> Snapshot.Status {
        switch environments[node + 1].status {
        case .free: .absent
        case .runnable: .runnable
        case .sleeping: .sleeping
        case .blocked: runnable > 0 ? .runnable : .waiting
        }
    }
}
