import SCode

/// Writes a decision as SCODE. Each node is there once; each is written after all that lead to it, so that every jump
/// goes forward and what was computed on all ways to a node need not be computed again.
struct DecisionEmitter {
    private let graph: DecisionGraph
    /// What a filter is accepted with, by its place in the order.
    private let verdicts: [UInt64]
    private let refuse: FilterBuilder.Place
    private var labels: [Int32: FilterBuilder.Place] = [:]
    /// Per node: values that registers hold on every way to it that was written so far.
    private var arriving: [Int32: [Held]] = [:]
    /// Values in registers, the one used last at the end.
    private var held: [Held] = []
    /// Registers that the expression at hand still reads.
    private var pinned: [Register] = []

    private struct Held: Hashable {
        var expression: Int32
        var register: Register
    }

    /// One more than any expression needs: the processor has registers for few more.
    private static let pool = FilterBuilder.values.prefix(Int(DecisionGraph.registerLimit) + 1)

    init(_ graph: DecisionGraph, verdicts: [UInt64], refuse: FilterBuilder.Place) {
        self.graph = graph
        self.verdicts = verdicts
        self.refuse = refuse
    }

    mutating func emit(from root: Int32, into builder: inout FilterBuilder) {
        let order = graph.order(from: root).filter { graph.node($0) != .verdict(nil) }
        for (place, number) in order.enumerated() where !builder.isFull {
            if let label = labels[number] { builder.place(label) }
            held = arriving.removeValue(forKey: number) ?? []
            let next = place + 1 < order.count ? order[place + 1] : nil
            emit(number, next, &builder)
        }
        // A decision that takes nothing has no code.
        if order.isEmpty { builder.jump(refuse) }
    }

    private mutating func emit(_ number: Int32, _ next: Int32?, _ builder: inout FilterBuilder) {
        switch graph.node(number) {
        case .verdict(let filter): builder.accept(filter.map { verdicts[Int($0)] } ?? 0)
        case .atLeast(let asked, let bound, let yes, let no):
            let register = value(of: asked, &builder)
            if case .room(let base) = graph.expression(asked) {
                // Room before the start of the packet cannot be: of all of it, the length is a number without sign.
                let isWhole = graph.expression(base) == .constant(0)
                builder.branch(.blt, isWhole ? .ul : .l, register, bound, way(no, &builder))
            } else {
                builder.branch(.blt, .u, register, bound, way(no, &builder))
            }
            if yes != next { builder.jump(way(yes, &builder)) }
        case .choose(let asked, let cases, let otherwise):
            let register = value(of: asked, &builder)
            choose(register, cases[...], otherwise, next, &builder)
        }
        for way in graph.node(number).ways { arrive(at: way) }
    }

    private mutating func way(_ number: Int32, _ builder: inout FilterBuilder) -> FilterBuilder.Place {
        if graph.node(number) == .verdict(nil) { return refuse }
        if let label = labels[number] { return label }
        let label = builder.label()
        labels[number] = label
        return label
    }

    private mutating func arrive(at number: Int32) {
        if let others = arriving[number] {
            arriving[number] = others.filter { held.contains($0) }
        } else {
            arriving[number] = held
        }
    }

    // MARK: Choices

    /// Few cases one by one, many that lie close by a jump table, others by halving.
    private mutating func choose(
        _ register: Register, _ cases: ArraySlice<DecisionCase>, _ otherwise: Int32, _ next: Int32?,
        _ builder: inout FilterBuilder
    ) {
        guard let first = cases.first?.value, let last = cases.last?.value else { return }
        let span = Int(last - first) + 1
        if let only = cases.first, cases.count == 1, only.node == next {
            builder.branch(.bne, .u, register, UInt64(only.value), way(otherwise, &builder))
        } else if cases.count <= 3 {
            for way in cases {
                builder.branch(.beq, .u, register, UInt64(way.value), self.way(way.node, &builder))
            }
            if otherwise != next { builder.jump(way(otherwise, &builder)) }
        } else if cases.count >= 8, span <= 4 * cases.count {
            jumpThroughTable(register, cases, first, span, otherwise, &builder)
        } else {
            let middle = cases.startIndex + cases.count / 2
            let low = builder.label()
            builder.branch(.blt, .u, register, UInt64(cases[middle].value), low)
            choose(register, cases[middle...], otherwise, nil, &builder)
            builder.place(low)
            choose(register, cases[..<middle], otherwise, next, &builder)
        }
    }

    private mutating func jumpThroughTable(
        _ register: Register, _ cases: ArraySlice<DecisionCase>, _ first: UInt32, _ span: Int,
        _ otherwise: Int32, _ builder: inout FilterBuilder
    ) {
        pinned.append(register)
        let index = takeRegister()
        pinned.removeAll()
        builder.binary(.sub, .u, index, register, UInt64(first))
        builder.branch(.bgt, .u, index, UInt64(span - 1), way(otherwise, &builder))
        var targets = Array(repeating: way(otherwise, &builder), count: span)
        for way in cases { targets[Int(way.value - first)] = self.way(way.node, &builder) }
        builder.jump(through: index, to: targets)
    }

    // MARK: Values

    /// The register that holds an expression, computed unless one does already.
    private mutating func value(of number: Int32, _ builder: inout FilterBuilder) -> Register {
        let register = compute(number, &builder)
        pinned.removeAll()
        return register
    }

    /// The same, which leaves the register pinned.
    private mutating func compute(_ number: Int32, _ builder: inout FilterBuilder) -> Register {
        if let place = held.firstIndex(where: { $0.expression == number }) {
            let known = held.remove(at: place)
            held.append(known)
            pinned.append(known.register)
            return known.register
        }
        let depth = pinned.count
        let register: Register
        switch graph.expression(number) {
        case .wireLength: return FilterBuilder.wireLength
        case .room(let base):
            if graph.expression(base) == .constant(0) { return FilterBuilder.length }
            let start = compute(base, &builder)
            register = takeRegister()
            builder.binary(.sub, .l, register, FilterBuilder.length, start)
        case .constant(let value):
            register = takeRegister()
            builder.set(register, UInt64(value))
        case .load(let size, nil, let offset):
            register = takeRegister()
            builder.load(size, register, FilterBuilder.base, UInt64(offset))
        case .load(let size, let base?, let offset):
            let start = compute(base, &builder)
            register = takeRegister()
            builder.binary(.add, .p, register, FilterBuilder.base, start)
            builder.load(size, register, register, UInt64(offset))
        case .negate(let operand):
            let source = compute(operand, &builder)
            register = takeRegister()
            builder.unary(.neg, .u, register, source)
        case .arithmetic(let operation, let left, let right):
            let first = compute(left, &builder)
            if case .constant(let value) = graph.expression(right) {
                register = takeRegister()
                builder.binary(operation.operation, .u, register, first, UInt64(value))
            } else {
                let second = compute(right, &builder)
                register = takeRegister()
                builder.binary(operation.operation, .u, register, first, second)
            }
        case .less(let left, let right):
            let first = compute(left, &builder)
            let second = compute(right, &builder)
            register = takeRegister()
            builder.binary(.sub, .ul, register, first, second)
            builder.binary(.rsh, .ul, register, register, 63)
        }
        pinned.removeSubrange(depth...)
        pinned.append(register)
        held.append(Held(expression: number, register: register))
        return register
    }

    /// A register that holds nothing, or what was not used for longest.
    private mutating func takeRegister() -> Register {
        for register in Self.pool where !held.contains(where: { $0.register == register }) {
            if !pinned.contains(register) { return register }
        }
        let oldest = held.firstIndex { !pinned.contains($0.register) }
        // `DecisionGraph.registerLimit` sees to it that there is one.
        return oldest.map { held.remove(at: $0).register } ?? Self.pool[Self.pool.startIndex]
    }
}
