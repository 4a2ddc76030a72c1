/// Reads a classic program as a decision: runs it on expressions instead of numbers, both ways at every test.
///
/// The same instruction with the same state is read once, and the work is bounded by the program's length.
struct SymbolicExecution {
    private let instructions: [ClassicInstruction]
    /// Per instruction: what is read later. What is not, is forgotten, so that states that differ in it are one.
    private let needed: [ClassicState]
    private let filter: Int32
    private var known: [Point: Int32] = [:]

    private static let workPerInstruction = 100

    /// What A, X and M hold, as expressions.
    private struct State: Hashable {
        var a: Int32
        var x: Int32
        var m: [Int32]
    }
    private struct Point: Hashable {
        var instruction: Int
        var state: State
    }

    /// - Parameter filter: the verdict where the program takes the packet.
    static func decision(
        of program: ClassicProgram, filter: Int32, in graph: inout DecisionGraph
    ) throws(DecisionOverflow) -> Int32 {
        graph.work = 1_000 + program.instructions.count * workPerInstruction
        var execution = SymbolicExecution(program, filter)
        let zero = try graph.intern(.constant(0))
        let start = State(a: zero, x: zero, m: Array(repeating: zero, count: ClassicProgram.scratchCells))
        return try execution.run(0, start, &graph, depth: 0)
    }

    private init(_ program: ClassicProgram, _ filter: Int32) {
        instructions = program.instructions
        self.filter = filter
        // Ways go forward only: one pass from the end sees all.
        var needed = [ClassicState](repeating: [], count: instructions.count)
        for (index, instruction) in instructions.enumerated().reversed() {
            let later = instruction.successors.reduce(into: ClassicState()) {
                $0.formUnion(needed[index + 1 + $1])
            }
            needed[index] = later.subtracting(instruction.writes).union(instruction.reads)
        }
        self.needed = needed
    }

    private typealias Graph = DecisionGraph

    private mutating func run(
        _ index: Int, _ state: State, _ graph: inout Graph, depth: Int32
    ) throws(DecisionOverflow) -> Int32 {
        guard depth <= Graph.depthLimit else { throw DecisionOverflow() }
        var state = state
        let zero = try graph.intern(.constant(0))
        let needed = needed[index]
        if !needed.contains(.accumulator) { state.a = zero }
        if !needed.contains(.index) { state.x = zero }
        for cell in state.m.indices where !needed.contains(.scratch(cell)) { state.m[cell] = zero }
        let point = Point(instruction: index, state: state)
        if let node = known[point] { return node }
        graph.work -= 1
        guard graph.work >= 0 else { throw DecisionOverflow() }
        let node = try step(index, state, &graph, depth: depth + 1)
        known[point] = node
        return node
    }

    private mutating func step(
        _ index: Int, _ state: State, _ graph: inout Graph, depth: Int32
    ) throws(DecisionOverflow) -> Int32 {
        var state = state
        var index = index
        // Runs on to the next instruction that asks something.
        while true {
            graph.work -= 1
            switch instructions[index] {
            case .set(let value): state.a = try graph.intern(.constant(value))
            case .setIndex(let value): state.x = try graph.intern(.constant(value))
            case .loadLength: state.a = try graph.intern(.wireLength)
            case .loadLengthIndex: state.x = try graph.intern(.wireLength)
            case .loadScratch(let cell): state.a = state.m[cell]
            case .loadScratchIndex(let cell): state.x = state.m[cell]
            case .store(let cell): state.m[cell] = state.a
            case .storeIndex(let cell): state.m[cell] = state.x
            case .negate: state.a = try graph.negated(state.a)
            case .toIndex: state.x = state.a
            case .toAccumulator: state.a = state.x
            case .jump(let distance): index += Int(distance)
            case .arithmetic(let operation, let operand):
                let right = try operand.expression(state.x, &graph)
                if case .index = operand,
                    let node = try guarded(operation, right, index, state, &graph, depth: depth)
                {
                    return node
                }
                state.a = try graph.arithmetic(operation, state.a, right)
            case .load(let size, let offset):
                return try load(size, nil, offset, index, state, &graph, depth: depth) { $0.a = $1 }
            case .loadIndexed(let size, let offset):
                return try load(size, state.x, offset, index, state, &graph, depth: depth) { $0.a = $1 }
            case .loadHeaderLength(let offset):
                let fifteen = try graph.intern(.constant(15))
                let two = try graph.intern(.constant(2))
                return try load(.byte, nil, offset, index, state, &graph, depth: depth) {
                    state, byte, graph throws(DecisionOverflow) in
                    let words = try graph.arithmetic(.and, byte, fifteen)
                    state.x = try graph.arithmetic(.lsh, words, two)
                }
            case .branch(let relation, let operand, let then, let otherwise):
                let yes = try run(index + 1 + Int(then), state, &graph, depth: depth)
                let no = try run(index + 1 + Int(otherwise), state, &graph, depth: depth)
                let right = try operand.expression(state.x, &graph)
                return try graph.test(relation, state.a, right, yes: yes, no: no)
            case .return(let value): return try graph.verdict(value == 0 ? nil : filter)
            case .returnAccumulator:
                let zero = try graph.intern(.constant(0))
                return try graph.test(
                    .equal, state.a, zero, yes: graph.verdict(nil), no: graph.verdict(filter))
            }
            index += 1
        }
    }

    /// A load: if the packet is long enough, what follows with the number loaded.
    private mutating func load(
        _ size: ClassicSize, _ base: Int32?, _ offset: UInt32, _ index: Int, _ state: State,
        _ graph: inout Graph, depth: Int32, _ assign: (inout State, Int32) -> Void
    ) throws(DecisionOverflow) -> Int32 {
        try load(size, base, offset, index, state, &graph, depth: depth) {
            state, value, _ throws(DecisionOverflow) in assign(&state, value)
        }
    }

    private mutating func load(
        _ size: ClassicSize, _ base: Int32?, _ offset: UInt32, _ index: Int, _ state: State,
        _ graph: inout Graph, depth: Int32,
        _ assign: (inout State, Int32, inout Graph) throws(DecisionOverflow) -> Void
    ) throws(DecisionOverflow) -> Int32 {
        var base = base
        var start = UInt64(offset)
        if let number = base, case .constant(let value) = graph.expression(number) {
            base = nil
            start += UInt64(value)
        }
        let refused = try graph.verdict(nil)
        let need = start + size.bytes
        guard need <= UInt64(PacketLimits.bytes) else { return refused }
        let value = try graph.intern(.load(size, base: base, offset: UInt32(start)))
        var state = state
        try assign(&state, value, &graph)
        let rest = try run(index + 1, state, &graph, depth: depth)
        let zero = try graph.intern(.constant(0))
        let room = try graph.intern(.room(base ?? zero))
        let known = try graph.restrict(rest, .atLeast(room, need))
        return try graph.atLeast(room, need, yes: known, no: refused)
    }

    /// What division by X and shifts by X ask first. Nil: nothing.
    private mutating func guarded(
        _ operation: ClassicArithmetic, _ right: Int32, _ index: Int, _ state: State, _ graph: inout Graph,
        depth: Int32
    ) throws(DecisionOverflow) -> Int32? {
        let zero = try graph.intern(.constant(0))
        let constant: UInt32? = if case .constant(let value) = graph.expression(right) { value } else { nil }
        switch operation {
        case .div, .mod:
            if constant == 0 { return try graph.verdict(nil) }
            if constant != nil { return nil }
            let rest = try after(operation, right, index, state, &graph, depth: depth)
            return try graph.test(.equal, right, zero, yes: graph.verdict(nil), no: rest)
        case .lsh, .rsh:
            if let constant, constant < 32 { return nil }
            var shifted = state
            shifted.a = zero
            let none = try run(index + 1, shifted, &graph, depth: depth)
            if constant != nil { return none }
            let some = try after(operation, right, index, state, &graph, depth: depth)
            let limit = try graph.intern(.constant(32))
            return try graph.test(.greaterOrEqual, right, limit, yes: none, no: some)
        case .add, .sub, .mul, .or, .and, .xor: return nil
        }
    }

    private mutating func after(
        _ operation: ClassicArithmetic, _ right: Int32, _ index: Int, _ state: State, _ graph: inout Graph,
        depth: Int32
    ) throws(DecisionOverflow) -> Int32 {
        var state = state
        state.a = try graph.arithmetic(operation, state.a, right)
        return try run(index + 1, state, &graph, depth: depth)
    }
}

extension ClassicOperand {
    fileprivate func expression(_ x: Int32, _ graph: inout DecisionGraph) throws(DecisionOverflow) -> Int32 {
        switch self {
        case .constant(let value): try graph.intern(.constant(value))
        case .index: x
        }
    }
}

extension DecisionGraph {
    fileprivate func constant(_ number: Int32) -> UInt32? {
        if case .constant(let value) = expression(number) { value } else { nil }
    }

    fileprivate mutating func negated(_ operand: Int32) throws(DecisionOverflow) -> Int32 {
        if let value = constant(operand) { return try intern(.constant(0 &- value)) }
        return try intern(.negate(operand))
    }

    /// *Requires* that a constant divisor is not 0, and a constant shift below 32.
    fileprivate mutating func arithmetic(
        _ operation: ClassicArithmetic, _ left: Int32, _ right: Int32
    ) throws(DecisionOverflow) -> Int32 {
        guard let second = constant(right) else { return try intern(.arithmetic(operation, left, right)) }
        if let first = constant(left) {
            return try intern(.constant(operation.applied(to: first, second)))
        }
        switch operation {
        case .add, .sub, .or, .xor, .lsh, .rsh: if second == 0 { return left }
        case .mul, .div: if second == 1 { return left }
        case .and, .mod: break
        }
        return try intern(.arithmetic(operation, left, right))
    }

    /// A test of two expressions, settled when both are constant.
    fileprivate mutating func test(
        _ relation: ClassicRelation, _ left: Int32, _ right: Int32, yes: Int32, no: Int32
    ) throws(DecisionOverflow) -> Int32 {
        if yes == no { return yes }
        switch relation {
        case .anyBit:
            let common = try arithmetic(.and, left, right)
            return try isEqual(common, 0, yes: no, no: yes)
        case .equal:
            if left == right { return yes }
            if let value = constant(right) { return try isEqual(left, value, yes: yes, no: no) }
            if let value = constant(left) { return try isEqual(right, value, yes: yes, no: no) }
            return try isEqual(intern(.arithmetic(.sub, left, right)), 0, yes: yes, no: no)
        case .greaterOrEqual, .greater:
            let isStrict = relation == .greater
            if left == right { return isStrict ? no : yes }
            if let value = constant(right) {
                return try isAtLeast(left, UInt64(value) + (isStrict ? 1 : 0), yes: yes, no: no)
            }
            // Greater: the right is less. Greater or equal: the left is not less.
            return isStrict
                ? try isEqual(intern(.less(right, left)), 1, yes: yes, no: no)
                : try isEqual(intern(.less(left, right)), 1, yes: no, no: yes)
        }
    }

    private mutating func isEqual(
        _ number: Int32, _ value: UInt32, yes: Int32, no: Int32
    ) throws(DecisionOverflow) -> Int32 {
        if let known = constant(number) { return known == value ? yes : no }
        let settled = try restrict(yes, .equal(number, value))
        let question = try choose(number, [DecisionCase(value: value, node: settled)], otherwise: no)
        // What the other way asks about the same constant is settled too.
        guard case .choose(number, let cases, let otherwise) = node(question), cases.count == 1 else {
            return question
        }
        let rest = try restrict(otherwise, .noCase(of: question))
        return try choose(number, cases, otherwise: rest)
    }

    private mutating func isAtLeast(
        _ number: Int32, _ bound: UInt64, yes: Int32, no: Int32
    ) throws(DecisionOverflow) -> Int32 {
        if let known = constant(number) { return UInt64(known) >= bound ? yes : no }
        if bound == 0 { return yes }
        if bound > UInt64(UInt32.max) { return no }
        return try atLeast(
            number, bound, yes: restrict(yes, .atLeast(number, bound)),
            no: restrict(no, .below(number, bound)))
    }
}

extension ClassicArithmetic {
    /// *Requires* that a divisor is not 0; shifts by 32 and more give 0.
    func applied(to left: UInt32, _ right: UInt32) -> UInt32 {
        switch self {
        case .add: left &+ right
        case .sub: left &- right
        case .mul: left &* right
        case .div: right == 0 ? 0 : left / right
        case .mod: right == 0 ? 0 : left % right
        case .or: left | right
        case .and: left & right
        case .xor: left ^ right
        case .lsh: right < 32 ? left << right : 0
        case .rsh: right < 32 ? left >> right : 0
        }
    }
}
