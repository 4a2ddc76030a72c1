/// A number of 32 bits that a filter computes from a packet. Equal expressions are one: they are named by index.
enum Expression: Hashable, Sendable {
    case constant(UInt32)
    /// `size` bytes of the packet at `offset`, in network byte order, or at the value of `base` plus it.
    case load(ClassicSize, base: Int32?, offset: UInt32)
    case wireLength
    /// Arithmetic as classic BPF has it, on expressions.
    case arithmetic(ClassicArithmetic, Int32, Int32)
    case negate(Int32)
    /// 1 if the first is less than the second, unsigned; else 0.
    case less(Int32, Int32)
    /// Bytes of the packet that are there behind the value of an expression; below zero when it lies beyond the end. The
    /// one expression that is a signed number of 64 bits; only `atLeast` asks about it.
    case room(Int32)
}

/// A question about a packet, and where it leads. Equal nodes are one, so that what filters share is there once.
enum DecisionNode: Hashable, Sendable {
    /// The filter that takes the packet, by its place in the order; nil: none does.
    case verdict(Int32?)
    /// Which of these constants an expression has: ascending, at least one.
    case choose(Int32, [DecisionCase], otherwise: Int32)
    /// Whether an expression is no less than a constant, which is at least 1.
    case atLeast(Int32, UInt64, yes: Int32, no: Int32)
}

/// One way out of `choose`.
struct DecisionCase: Hashable, Sendable {
    var value: UInt32
    var node: Int32
}

/// What is known about an expression on the way to a node.
enum DecisionFact: Hashable {
    case equal(Int32, UInt32)
    /// None of the constants that the cases of a node have.
    case noCase(of: Int32)
    case atLeast(Int32, UInt64)
    case below(Int32, UInt64)
}

/// Why a graph was given up: it, or the work for it, grew beyond what was allowed.
struct DecisionOverflow: Error {}

/// Nodes and expressions of decisions, without duplicates.
///
/// *Invariant*: a node's number is greater than those it leads to; no node leads to equal places only; below a `choose`
/// nothing asks about the same expression what is settled by it.
struct DecisionGraph {
    private(set) var expressions: [Expression] = []
    private(set) var nodes: [DecisionNode] = []
    private var expressionNumbers: [Expression: Int32] = [:]
    private var nodeNumbers: [DecisionNode: Int32] = [:]
    /// Per node: the expressions asked about at it and below, as a Bloom filter; the longest way to a verdict.
    private var mentions: [UInt64] = []
    private var depths: [Int32] = []
    /// Per expression: how many steps and registers computing it takes, with nothing kept.
    private var steps: [Int32] = []
    private var registers: [Int32] = []
    private var restricted: [Restriction: Int32] = [:]
    private var joined: [Pair: Int32] = [:]
    /// Steps that may still be made before the work is given up.
    var work = 0

    private struct Restriction: Hashable { var node: Int32, fact: DecisionFact }
    private struct Pair: Hashable { var first: Int32, second: Int32 }

    /// No way to a verdict is longer: recursion over a graph goes no deeper.
    static let depthLimit: Int32 = 500
    /// No expression takes more steps or registers to compute.
    static let stepLimit: Int32 = 64
    static let registerLimit: Int32 = 6

    func expression(_ number: Int32) -> Expression { expressions[Int(number)] }
    func node(_ number: Int32) -> DecisionNode { nodes[Int(number)] }

    private mutating func spend(_ steps: Int = 1) throws(DecisionOverflow) {
        work -= steps
        if work < 0 { throw DecisionOverflow() }
    }

    // MARK: Expressions

    mutating func intern(_ expression: Expression) throws(DecisionOverflow) -> Int32 {
        if let known = expressionNumbers[expression] { return known }
        let long = 1 + expression.operands.reduce(0) { $0 + steps[Int($1)] }
        let wide = registersNeeded(expression)
        guard long <= Self.stepLimit, wide <= Self.registerLimit else { throw DecisionOverflow() }
        let number = Int32(truncatingIfNeeded: expressions.count)
        expressions.append(expression)
        steps.append(long)
        registers.append(wide)
        expressionNumbers[expression] = number
        return number
    }

    /// Operands are computed from left to right, and kept until the result is there.
    private func registersNeeded(_ expression: Expression) -> Int32 {
        switch expression {
        case .constant, .wireLength, .load(_, nil, _): 1
        case .load(_, let operand?, _), .negate(let operand), .room(let operand):
            max(registers[Int(operand)], 2)
        case .arithmetic(_, let left, let right), .less(let left, let right):
            max(registers[Int(left)], registers[Int(right)] + 1, 3)
        }
    }

    // MARK: Nodes

    private mutating func intern(_ node: DecisionNode) throws(DecisionOverflow) -> Int32 {
        if let known = nodeNumbers[node] { return known }
        var mentioned: UInt64 = 0
        var depth: Int32 = 0
        func lead(_ next: Int32) {
            mentioned |= mentions[Int(next)]
            depth = max(depth, depths[Int(next)] + 1)
        }
        switch node {
        case .verdict: break
        case .choose(let expression, let cases, let otherwise):
            mentioned = 1 << UInt64(expression % 64)
            cases.forEach { lead($0.node) }
            lead(otherwise)
        case .atLeast(let expression, _, let yes, let no):
            mentioned = 1 << UInt64(expression % 64)
            lead(yes)
            lead(no)
        }
        guard depth <= Self.depthLimit else { throw DecisionOverflow() }
        let number = Int32(truncatingIfNeeded: nodes.count)
        nodes.append(node)
        mentions.append(mentioned)
        depths.append(depth)
        nodeNumbers[node] = number
        return number
    }

    mutating func verdict(_ filter: Int32?) throws(DecisionOverflow) -> Int32 { try intern(.verdict(filter)) }

    /// A choice, made as small as it can be: cases that lead where the rest leads go, and cases of an equal question
    /// behind it come forward.
    mutating func choose(
        _ expression: Int32, _ cases: [DecisionCase], otherwise: Int32
    ) throws(DecisionOverflow) -> Int32 {
        try spend(cases.count)
        var cases = cases
        var otherwise = otherwise
        if case .choose(expression, let more, let rest) = node(otherwise) {
            let own = Set(cases.map(\.value))
            try spend(more.count)
            cases += more.filter { !own.contains($0.value) }
            otherwise = rest
        }
        cases.removeAll { $0.node == otherwise }
        if cases.isEmpty { return otherwise }
        cases.sort { $0.value < $1.value }
        return try intern(.choose(expression, cases, otherwise: otherwise))
    }

    mutating func atLeast(
        _ expression: Int32, _ bound: UInt64, yes: Int32, no: Int32
    ) throws(DecisionOverflow) -> Int32 {
        yes == no ? yes : try intern(.atLeast(expression, bound, yes: yes, no: no))
    }

    // MARK: Restricting

    /// What is left of a decision when something is known.
    mutating func restrict(_ number: Int32, _ fact: DecisionFact) throws(DecisionOverflow) -> Int32 {
        let about = expression(of: fact)
        guard mentions[Int(number)] & 1 << UInt64(about % 64) != 0 else { return number }
        let key = Restriction(node: number, fact: fact)
        if let known = restricted[key] { return known }
        try spend()
        let result: Int32
        switch node(number) {
        case .verdict: result = number
        case .choose(let asked, let cases, let otherwise):
            if asked == about, case .equal(_, let value) = fact {
                result = try restrict(Self.find(value, cases)?.node ?? otherwise, fact)
            } else {
                var kept: [DecisionCase] = []
                let excludes = asked == about ? excluded(by: fact) : { _ in false }
                for way in cases where !excludes(way.value) {
                    kept.append(DecisionCase(value: way.value, node: try restrict(way.node, fact)))
                }
                result = try choose(asked, kept, otherwise: restrict(otherwise, fact))
            }
        case .atLeast(let asked, let bound, let yes, let no):
            switch asked == about ? answer(fact, bound) : nil {
            case true?: result = try restrict(yes, fact)
            case false?: result = try restrict(no, fact)
            case nil:
                result = try atLeast(asked, bound, yes: restrict(yes, fact), no: restrict(no, fact))
            }
        }
        restricted[key] = result
        return result
    }

    private func expression(of fact: DecisionFact) -> Int32 {
        switch fact {
        case .equal(let expression, _), .atLeast(let expression, _), .below(let expression, _):
            return expression
        case .noCase(let number):
            if case .choose(let expression, _, _) = node(number) { return expression }
            return 0
        }
    }

    /// Which values a fact rules out.
    private func excluded(by fact: DecisionFact) -> (UInt32) -> Bool {
        switch fact {
        case .equal(_, let value): return { $0 != value }
        case .atLeast(_, let bound): return { UInt64($0) < bound }
        case .below(_, let bound): return { UInt64($0) >= bound }
        case .noCase(let number):
            guard case .choose(_, let cases, _) = node(number) else { return { _ in false } }
            return { Self.find($0, cases) != nil }
        }
    }

    /// Whether a fact says that the expression is at least `bound`, or is not.
    private func answer(_ fact: DecisionFact, _ bound: UInt64) -> Bool? {
        switch fact {
        case .equal(_, let value): UInt64(value) >= bound
        case .atLeast(_, let known): known >= bound ? true : nil
        case .below(_, let known): known <= bound ? false : nil
        case .noCase: nil
        }
    }

    static func find(_ value: UInt32, _ cases: [DecisionCase]) -> DecisionCase? {
        var (low, high) = (0, cases.count)
        while low < high {
            let middle = (low + high) / 2
            if cases[middle].value < value { low = middle + 1 } else { high = middle }
        }
        return low < cases.count && cases[low].value == value ? cases[low] : nil
    }

    // MARK: Joining

    /// The decision that asks the second where the first takes nothing. What both ask is asked once.
    mutating func join(_ first: Int32, _ second: Int32) throws(DecisionOverflow) -> Int32 {
        if case .verdict(let filter) = node(first) { return filter == nil ? second : first }
        if case .verdict(nil) = node(second) { return first }
        let key = Pair(first: first, second: second)
        if let known = joined[key] { return known }
        try spend()
        let result: Int32
        switch node(first) {
        case .verdict: result = first
        case .atLeast(let asked, let bound, let yes, let no):
            result = try atLeast(
                asked, bound, yes: join(yes, restrict(second, .atLeast(asked, bound))),
                no: join(no, restrict(second, .below(asked, bound))))
        case .choose(let asked, let cases, let otherwise):
            result = try join(asked, cases, otherwise, of: first, second)
        }
        joined[key] = result
        return result
    }

    private mutating func join(
        _ asked: Int32, _ cases: [DecisionCase], _ otherwise: Int32, of first: Int32, _ second: Int32
    ) throws(DecisionOverflow) -> Int32 {
        var all: [DecisionCase] = []
        for way in cases {
            let rest = try restrict(second, .equal(asked, way.value))
            all.append(DecisionCase(value: way.value, node: try join(way.node, rest)))
        }
        let rest = try restrict(second, .noCase(of: first))
        guard case .choose(asked, let more, let last) = node(rest) else {
            return try choose(asked, all, otherwise: join(otherwise, rest))
        }
        // The second chooses by the same: one choice among the constants of both.
        for way in more {
            let own = try restrict(otherwise, .equal(asked, way.value))
            all.append(DecisionCase(value: way.value, node: try join(own, way.node)))
        }
        return try choose(asked, all, otherwise: join(restrict(otherwise, .noCase(of: rest)), last))
    }

    // MARK: Measuring

    /// What can be reached from a node, each after everything that leads to it, and the last way out of each node, if it
    /// can be, right behind it.
    func order(from root: Int32) -> [Int32] {
        var seen = Set<Int32>()
        var finished: [Int32] = []
        // A node is on the stack once to be entered and once to be left.
        var stack: [(node: Int32, isLeaving: Bool)] = [(root, false)]
        while let (number, isLeaving) = stack.popLast() {
            if isLeaving {
                finished.append(number)
            } else if seen.insert(number).inserted {
                stack.append((number, true))
                // What is entered last is left last, and so comes first in the reversed order.
                for next in node(number).ways.reversed() { stack.append((next, false)) }
            }
        }
        return finished.reversed()
    }

    /// Nodes and cases that can be reached.
    func size(from root: Int32) -> Int {
        order(from: root).reduce(0) { total, number in
            if case .choose(_, let cases, _) = node(number) { total + cases.count } else { total + 1 }
        }
    }

    // MARK: Forgetting

    /// How much there was at some time.
    struct Mark {
        fileprivate var nodes: Int
        fileprivate var expressions: Int
    }
    var mark: Mark { Mark(nodes: nodes.count, expressions: expressions.count) }

    /// Forgets whatever was made since.
    mutating func rewind(to mark: Mark) {
        rewindNodes(to: mark)
        for expression in expressions[mark.expressions...] { expressionNumbers[expression] = nil }
        expressions.removeSubrange(mark.expressions...)
        steps.removeSubrange(mark.expressions...)
        registers.removeSubrange(mark.expressions...)
    }

    private mutating func rewindNodes(to mark: Mark) {
        for node in nodes[mark.nodes...] { nodeNumbers[node] = nil }
        nodes.removeSubrange(mark.nodes...)
        mentions.removeSubrange(mark.nodes...)
        depths.removeSubrange(mark.nodes...)
        restricted.removeAll(keepingCapacity: true)
        joined.removeAll(keepingCapacity: true)
    }

    /// Forgets the nodes that were made since, but for those that can be reached.
    /// - Returns: the root's new number.
    mutating func keepOnly(reachableFrom root: Int32, since mark: Mark) throws(DecisionOverflow) -> Int32 {
        let kept = order(from: root).reversed().filter { Int($0) >= mark.nodes }.map { ($0, node($0)) }
        rewindNodes(to: mark)
        var moved: [Int32: Int32] = [:]
        for (number, node) in kept { moved[number] = try intern(node.leading { moved[$0] ?? $0 }) }
        return moved[root] ?? root
    }
}

extension Expression {
    /// The expressions that it is made of.
    var operands: [Int32] {
        switch self {
        case .constant, .wireLength: []
        case .load(_, let base, _): base.map { [$0] } ?? []
        case .arithmetic(_, let left, let right), .less(let left, let right): [left, right]
        case .negate(let operand), .room(let operand): [operand]
        }
    }
}

extension DecisionNode {
    /// The same question, with other numbers for where it leads.
    func leading(_ moved: (Int32) -> Int32) -> DecisionNode {
        switch self {
        case .verdict: self
        case .choose(let asked, let cases, let otherwise):
            .choose(
                asked, cases.map { DecisionCase(value: $0.value, node: moved($0.node)) },
                otherwise: moved(otherwise))
        case .atLeast(let asked, let bound, let yes, let no):
            .atLeast(asked, bound, yes: moved(yes), no: moved(no))
        }
    }

    /// Where it leads, the way that code should fall through to last.
    var ways: [Int32] {
        switch self {
        case .verdict: []
        case .choose(_, let cases, let otherwise):
            // Of two ways, the one where the packet has what is wanted.
            cases.count == 1 ? [otherwise, cases[0].node] : cases.map(\.node) + [otherwise]
        case .atLeast(_, _, let yes, let no): [no, yes]
        }
    }
}
