/// What a set of filters becomes: decisions and programs that are asked in turn, until one takes the packet.
struct DecisionPlan {
    var graph = DecisionGraph()
    private(set) var stages: [Stage] = []

    enum Stage {
        /// Filters whose decisions were joined: the root.
        case decision(Int32)
        /// A filter whose decision would be too large: it stays as it is, by its place in the order.
        case program(Int32)
    }

    /// Joined decisions of a run of filters.
    private struct Group {
        var stage: Stage
        /// Nodes and cases of the filters' own decisions, added up.
        var ownSize: Int
    }

    /// A joined decision is no more than this many times as large as those that it is made of: so the code for a set of
    /// filters grows with their number, whatever they are.
    private static let growth = 3
    /// Steps for joining two decisions, for each node or case.
    private static let workPerNode = 24

    /// - Parameter programs: in the order in which they are asked.
    init(_ programs: [ClassicProgram]) {
        stages = groups(programs, programs.indices).map(\.stage)
    }

    /// Joins halves, so that each filter is touched as often as the number of filters can be halved.
    private mutating func groups(_ programs: [ClassicProgram], _ range: Range<Int>) -> [Group] {
        guard let first = range.first else { return [] }
        if range.count == 1 { return [single(programs[first], Int32(truncatingIfNeeded: first))] }
        let middle = range.lowerBound + range.count / 2
        let left = groups(programs, range.lowerBound..<middle)
        let right = groups(programs, middle..<range.upperBound)
        if left.count == 1, right.count == 1, let joined = join(left[0], right[0]) { return [joined] }
        return left + right
    }

    private mutating func single(_ program: ClassicProgram, _ filter: Int32) -> Group {
        // Code for the decision that is no larger than a few times the program's.
        let most = Self.growth * program.instructions.count + 16
        let root = kept(since: graph.mark, atMost: most) { graph throws(DecisionOverflow) in
            try SymbolicExecution.decision(of: program, filter: filter, in: &graph)
        }
        guard let root else { return Group(stage: .program(filter), ownSize: program.instructions.count) }
        return Group(stage: .decision(root), ownSize: graph.size(from: root))
    }

    private mutating func join(_ left: Group, _ right: Group) -> Group? {
        guard case .decision(let first) = left.stage, case .decision(let second) = right.stage else {
            return nil
        }
        let ownSize = left.ownSize + right.ownSize
        graph.work = 1_000 + ownSize * Self.workPerNode
        let root = kept(since: graph.mark, atMost: Self.growth * ownSize) { graph throws(DecisionOverflow) in
            try graph.join(first, second)
        }
        return root.map { Group(stage: .decision($0), ownSize: ownSize) }
    }

    /// What `make` makes, and nothing else of what was made on the way. Nil, and nothing, when it is too large or too much
    /// work.
    private mutating func kept(
        since mark: DecisionGraph.Mark, atMost most: Int,
        _ make: (inout DecisionGraph) throws(DecisionOverflow) -> Int32
    ) -> Int32? {
        do throws(DecisionOverflow) {
            let root = try make(&graph)
            guard graph.size(from: root) <= most else { throw DecisionOverflow() }
            return try graph.keepOnly(reachableFrom: root, since: mark)
        } catch {
            graph.rewind(to: mark)
            return nil
        }
    }
}
