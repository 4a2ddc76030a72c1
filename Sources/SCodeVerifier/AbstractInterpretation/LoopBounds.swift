import SCodeIR

/// What is known of a loop.
public struct LoopFact: Hashable, Sendable {
    /// The first instruction of the loop's head.
    public var head: UInt32
    /// How often it goes round at most, each time that it is entered: jumps back to the head. Nil: not known.
    public var trips: UInt64?
    /// The same for all entries of one invocation together.
    public var total: UInt64?
    /// The register that counts, and the instruction that changes it.
    public var counter: Register?
    public var increment: UInt32?
}

/// What is known of an instruction that is charged to the budget.
public struct CostFact: Hashable, Sendable {
    public var instruction: UInt32
    /// How often it is charged at most in one invocation; nil: not known. Jumps back to one head share a bound.
    public var bound: UInt64?
    /// The loop to whose head it jumps back, as an index into the fragment's loops.
    public var loop: Int?
    /// Whether the charge at the fragment's entry has paid for it.
    public var isPrepaid = false
}

/// What a fragment is charged.
struct BudgetFacts {
    /// As `VerifiedFragment` has them.
    fileprivate(set) var loops: [LoopFact] = []
    fileprivate(set) var costs: [CostFact] = []
    fileprivate(set) var entryCharge: UInt64 = 0

    fileprivate(set) var worstCase: UInt64? = 0
}

/// How often loops go round, from the values that abstract interpretation found: a register that grows, or shrinks,
/// each time round without wrapping takes no more values than its range has.
///
/// *Requires* the fixed point. *Produces* a bound for each loop and for each instruction that costs budget, and decides
/// which of them are paid for at the fragment's entry.
struct LoopBounds {
    private(set) var facts = BudgetFacts()

    private let view: FragmentView
    private let procedures: ProcedureFacts
    private let flow: FlowGraph
    private let structurePlace: UnsafePointer<LoopStructure>
    private var structure: LoopStructure { _read { yield structurePlace.pointee } }
    private var forest: LoopForest { _read { yield structure.forest } }

    /// Per head: the bound of trips, `unbounded` when there is none, and what counts them.
    private let trips: Table<UInt64>
    private let counters: Table<Counter>
    private static let unbounded = UInt64.max

    private struct Counter: BitwiseCopyable {
        var register = Register(0)
        /// Where it is changed; -1 for none.
        var instruction: Int32 = -1
    }

    /// - Parameter prepayable: how much may be charged at the fragment's entry.
    init(
        _ view: FragmentView, _ procedures: ProcedureFacts, _ flow: FlowGraph,
        _ structure: UnsafePointer<LoopStructure>,
        _ interpreter: borrowing AbstractInterpreter, costsBudget: Table<Bool>, prepayable: UInt64
    ) {
        self.view = view
        self.procedures = procedures
        self.flow = flow
        structurePlace = structure
        trips = view.arena.table(structure.pointee.forest.count, Self.unbounded)
        counters = view.arena.table(structure.pointee.forest.count, Counter())
        findCounters(interpreter)
        weigh(costsBudget, interpreter.states)
        prepay(upTo: prepayable)
        facts.worstCase = worstCase()
    }

    // MARK: Counters

    /// Follows each block that has steps up to the last of them.
    private mutating func findCounters(_ interpreter: borrowing AbstractInterpreter) {
        var node: Int32 = 0
        var index = 0
        for step in structure.steps.elements where structure.mayCount(step) {
            let block = Int(forest.block[Int(step.node)])
            guard interpreter.states.isReached(block) else { continue }
            if step.node != node {
                node = step.node
                index = Int(flow.blocks[block].start)
                interpreter.states.load(block, into: interpreter.values)
            }
            while index < Int(step.instruction) {
                if view.uses[index].isFollowed { view.step(index, interpreter.values) }
                index += 1
            }
            consider(step, interpreter)
        }
    }

    private mutating func consider(
        _ place: LoopStructure.Step, _ interpreter: borrowing AbstractInterpreter
    ) {
        let instruction = view.instruction(Int(place.instruction))
        let headBlock = Int(forest.block[Int(place.head)])
        let number = Int(instruction.rd.number)
        guard interpreter.states.kept[headBlock] >> UInt32(number) & 1 != 0 else { return }
        let atHead = interpreter.states.value(number, at: headBlock)
        let before = interpreter.values[instruction.rd]
        let step = interpreter.values.second(instruction).pointee
        guard step.isNumber, atHead.region == before.region else { return }
        let bound: UInt64?
        if instruction.opcode.type.size == 4 {
            bound = before.isNumber ? Self.trips(instruction, atHead.low, before.low, step.low) : nil
        } else {
            bound = Self.trips(instruction, atHead.wide, before.wide, step.wide)
        }
        if let bound, bound < trips[Int(place.head)] {
            trips[Int(place.head)] = bound
            counters[Int(place.head)] = Counter(
                register: instruction.rd, instruction: Int32(place.instruction))
        }
    }

    /// How often a loop can go round whose counter has these values at the head and before it is changed.
    private static func trips<Word: MachineWord>(
        _ instruction: Instruction, _ atHead: Numeric<Word>, _ before: Numeric<Word>, _ step: Numeric<Word>
    ) -> UInt64? {
        if instruction.opcode.operation == .rsh {
            // Halved until nothing is left, which something must notice.
            let shift = step.umin % Word(truncatingIfNeeded: Word.bitWidth)
            return shift > 0 && before.umin > 0 ? UInt64(Word.bitWidth) / UInt64(shift) + 1 : nil
        }
        let isSum = instruction.opcode.operation == .add
        var best: UInt64?
        if step.umin > 0 {
            best = steps(atHead, before, isUpward: isSum, by: step.umin...step.umax)
        }
        if step.smax < 0 {
            let size =
                Word(truncatingIfNeeded: step.smax.magnitude)...Word(truncatingIfNeeded: step.smin.magnitude)
            let other = steps(atHead, before, isUpward: !isSum, by: size)
            best = best.map { min($0, other ?? $0) } ?? other
        }
        return best
    }

    /// Values that are each at least the smallest step from the last, in one direction, without wrapping: in unsigned
    /// or in signed order.
    private static func steps<Word: MachineWord>(
        _ atHead: Numeric<Word>, _ before: Numeric<Word>, isUpward: Bool, by step: ClosedRange<Word>
    ) -> UInt64? {
        var best: UInt64?
        func add(_ head: Word, _ increment: Word) {
            let bound = min(UInt64(head / step.lowerBound), UInt64(increment / step.lowerBound) &+ 1)
            best = best.map { min($0, bound) } ?? bound
        }
        let staysUnsigned =
            isUpward
            ? !before.umax.addingReportingOverflow(step.upperBound).overflow : before.umin >= step.upperBound
        if staysUnsigned { add(atHead.umax - atHead.umin, before.umax - before.umin) }
        if let size = Word.Signed(exactly: step.upperBound) {
            let staysSigned =
                isUpward
                ? !before.smax.addingReportingOverflow(size).overflow
                : !before.smin.subtractingReportingOverflow(size).overflow
            if staysSigned {
                add(
                    Word(truncatingIfNeeded: atHead.smax &- atHead.smin),
                    Word(truncatingIfNeeded: before.smax &- before.smin))
            }
        }
        return best
    }

    // MARK: Weights

    private static func times(_ a: UInt64, _ b: UInt64) -> UInt64 {
        let (product, overflow) = a.multipliedReportingOverflow(by: b)
        return overflow || a == unbounded || b == unbounded ? unbounded : product
    }

    private static func plus(_ a: UInt64, _ b: UInt64) -> UInt64 {
        let (sum, overflow) = a.addingReportingOverflow(b)
        return overflow ? unbounded : sum
    }

    /// Multiplies trips over nests and calls: how often each loop goes round, and each costly instruction is executed,
    /// in one invocation.
    private mutating func weigh(_ costsBudget: Table<Bool>, _ states: borrowing BlockStates) {
        guard costsBudget.elements.contains(true) else { return }
        // Per node: how often it is executed; of a head, how often its loop is entered.
        let executions = view.arena.table(forest.count, Self.unbounded)
        let entries = view.arena.table(forest.count, Self.unbounded)
        let loopIndex = view.arena.table(forest.count, -1)
        // Per procedure: how often it is called. Callers come first.
        let calls = view.arena.table(view.procedureStarts.count, UInt64(0))
        func weigh(_ procedure: Int, _ once: UInt64) {
            for node in forest.nodes(ofProcedure: procedure)
            where states.isReached(Int(forest.block[node])) {
                let outer = Int(forest.header[node])
                let around = outer == 0 ? once : Self.times(entries[outer], Self.plus(trips[outer], 1))
                if forest.isHead[node] {
                    entries[node] = around
                    executions[node] = Self.times(around, Self.plus(trips[node], 1))
                    loopIndex[node] = facts.loops.count
                    addLoop(node, around)
                } else {
                    executions[node] = around
                }
                let last = Int(flow.blocks[Int(forest.block[node])].end) - 1
                if view.uses[last].shape == .call {
                    let callee = Int(view.instruction(last).index)
                    calls[callee] = Self.plus(calls[callee], executions[node])
                }
            }
        }
        weigh(-1, 1)
        if calls.count > 0 {
            let levels = procedures.levels
            for procedure in (0..<levels.count).sorted(by: { levels[$0] < levels[$1] }) {
                weigh(procedure, calls[procedure])
            }
        }
        facts.costs.reserveCapacity(costsBudget.elements.count { $0 })
        for index in 0..<costsBudget.count where costsBudget[index] {
            addCost(index, executions, loopIndex, states)
        }
    }

    private mutating func addLoop(_ head: Int, _ entries: UInt64) {
        let total = Self.times(entries, trips[head])
        facts.loops.append(
            LoopFact(
                head: flow.blocks[Int(forest.block[head])].start,
                trips: trips[head] == Self.unbounded ? nil : trips[head],
                total: total == Self.unbounded ? nil : total,
                counter: counters[head].instruction < 0 ? nil : counters[head].register,
                increment: UInt32(exactly: counters[head].instruction)))
    }

    private mutating func addCost(
        _ index: Int, _ executions: Table<UInt64>, _ loopIndex: Table<Int>, _ states: borrowing BlockStates
    ) {
        let block = Int(flow.blockOfInstruction[index])
        // Where no execution leads nothing is charged.
        guard states.isReached(block) else {
            return facts.costs.append(CostFact(instruction: UInt32(index), bound: 0))
        }
        guard !forest.isIrreducible else {
            return facts.costs.append(CostFact(instruction: UInt32(index)))
        }
        let node = Int(forest.number[block])
        var bound = executions[node]
        var loop: Int?
        let instruction = view.instruction(index)
        if instruction.opcode.shape == .branch || instruction.opcode.shape == .jump {
            let target = flow.blockOfInstruction[Int(view.positions[Int(instruction.index)])]
            let head = Int(forest.number[Int(target)])
            if head > 0, loopIndex[head] >= 0, forest.isBelow(node, head) {
                loop = loopIndex[head]
                bound = min(bound, facts.loops[loopIndex[head]].total ?? Self.unbounded)
            }
        }
        facts.costs.append(
            CostFact(instruction: UInt32(index), bound: bound == Self.unbounded ? nil : bound, loop: loop))
    }

    /// The cheapest first, as long as they are few enough.
    private mutating func prepay(upTo limit: UInt64) {
        let isPaid = view.arena.table(facts.loops.count, false)
        let sum = facts.costs.reduce(0) { Self.plus($0, $1.bound ?? 0) }
        if sum <= limit {
            // All of them, in whatever order.
            for index in facts.costs.indices { prepay(index, upTo: limit, isPaid) }
            return
        }
        let order = facts.costs.indices.filter { facts.costs[$0].bound != nil }.sorted {
            (facts.costs[$0].bound ?? .max, $0) < (facts.costs[$1].bound ?? .max, $1)
        }
        for index in order { prepay(index, upTo: limit, isPaid) }
    }

    private mutating func prepay(_ index: Int, upTo limit: UInt64, _ isPaid: Table<Bool>) {
        guard let bound = facts.costs[index].bound else { return }
        let price = facts.costs[index].loop.map { isPaid[$0] ? 0 : bound } ?? bound
        guard Self.plus(facts.entryCharge, price) <= limit else { return }
        facts.entryCharge += price
        facts.costs[index].isPrepaid = true
        if let loop = facts.costs[index].loop { isPaid[loop] = true }
    }

    /// Everything that one invocation can be charged, when all of it is known.
    private func worstCase() -> UInt64? {
        var sum: UInt64 = 0
        // Jumps back to one head share a bound.
        let isCounted = view.arena.table(facts.loops.count, false)
        for cost in facts.costs {
            guard let bound = cost.bound else { return nil }
            if let loop = cost.loop {
                if isCounted[loop] { continue }
                isCounted[loop] = true
            }
            sum = Self.plus(sum, bound)
        }
        return sum == Self.unbounded ? nil : sum
    }
}
