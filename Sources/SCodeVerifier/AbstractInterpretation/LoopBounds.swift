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

/// How often loops go round, from the values that abstract interpretation found: a register that grows, or shrinks,
/// each time round without wrapping takes no more values than its range has.
///
/// *Requires* the fixed point. *Produces* a bound for each loop and for each instruction that costs budget, and decides
/// which of them are paid for at the fragment's entry.
struct LoopBounds {
    private(set) var loops: [LoopFact] = []
    private(set) var costs: [CostFact] = []
    /// What is taken from the budget at the fragment's entry.
    private(set) var entryCharge: UInt64 = 0

    private let view: FragmentView
    private var code: FragmentCode { view.code }
    private let procedures: ProcedureFacts
    private let flow: FlowGraph
    private let forest: LoopForest

    /// Per node of the forest that is a loop's head: registers that the loop writes in one place of its own, and those
    /// that it writes in several, or in an inner loop or procedure.
    private let writtenOnce: Table<RegisterSet>
    private let writtenOften: Table<RegisterSet>
    /// Per head: the bound of trips, `unbounded` when there is none, and what counts them.
    private let trips: Table<UInt64>
    private let counters: Table<Counter>
    private static let unbounded = UInt64.max
    /// Registers that some loop changes by the same amount each time round.
    private var steps: [(head: Int, register: Register, step: UInt64, isNarrow: Bool)] = []

    private struct Counter: BitwiseCopyable {
        var register = Register(0)
        /// Where it is changed; -1 for none.
        var instruction: Int32 = -1
    }

    /// - Parameter prepayable: how much may be charged at the fragment's entry.
    init(
        _ view: FragmentView, _ procedures: ProcedureFacts, _ flow: FlowGraph,
        _ interpreter: borrowing AbstractInterpreter, costsBudget: Table<Bool>, prepayable: UInt64
    ) {
        self.view = view
        self.procedures = procedures
        self.flow = flow
        forest = LoopForest(view, flow, interpreter.states)
        writtenOnce = view.arena.table(forest.count, RegisterSet())
        writtenOften = view.arena.table(forest.count, RegisterSet())
        trips = view.arena.table(forest.count, Self.unbounded)
        counters = view.arena.table(forest.count, Counter())
        guard view.hasLoops else { return }
        if !forest.isIrreducible {
            collectWrites()
            findCounters(interpreter)
        }
        weigh(costsBudget)
        prepay(upTo: prepayable)
    }

    // MARK: Counters

    private func collectWrites() {
        for node in 1..<max(1, forest.count) {
            let loop = forest.loop(of: node)
            guard loop != 0 else { continue }
            for index in flow.instructions(Int(forest.block[node])) {
                let use = view.uses[index]
                writtenOften[loop].formUnion(writtenOnce[loop].intersection(use.writes))
                writtenOnce[loop].formUnion(use.writes)
                if use.shape == .call {
                    writtenOften[loop].formUnion(procedures.written[Int(view.instruction(index).index)])
                }
            }
        }
        // Inner loops have the larger numbers.
        for head in stride(from: forest.count - 1, through: 1, by: -1) where forest.isHead[head] {
            let outer = Int(forest.header[head])
            if outer != 0 { writtenOften[outer].formUnion(writtenOnce[head].union(writtenOften[head])) }
        }
    }

    /// Looks for instructions that change a register, which nothing else in the loop does, each time round.
    private mutating func findCounters(_ interpreter: borrowing AbstractInterpreter) {
        for node in 1..<max(1, forest.count) {
            let head = forest.loop(of: node)
            guard head != 0 else { continue }
            let block = Int(forest.block[node])
            let range = flow.instructions(block)
            guard let last = range.last(where: { isCandidate($0, head) }) else { continue }
            guard forest.isOnEveryRound(node, head) else { continue }
            interpreter.states.load(block, into: interpreter.values)
            for index in range.lowerBound...last {
                if isCandidate(index, head) { consider(view.instruction(index), index, head, interpreter) }
                view.step(index, interpreter.values)
            }
        }
    }

    private func isCandidate(_ index: Int, _ head: Int) -> Bool {
        guard view.uses[index].shape == .binary else { return false }
        let instruction = view.instruction(index)
        switch instruction.opcode.operation {
        case .add, .sub: break
        case .rsh where instruction.opcode.form == .immediate && !instruction.opcode.type.isSigned: break
        default: return false
        }
        return instruction.rd == instruction.rs1 && instruction.rd.bank == .integer
            && writtenOnce[head].contains(instruction.rd) && !writtenOften[head].contains(instruction.rd)
    }

    private mutating func consider(
        _ instruction: Instruction, _ index: Int, _ head: Int, _ interpreter: borrowing AbstractInterpreter
    ) {
        let headBlock = Int(forest.block[head])
        let number = Int(instruction.rd.number)
        guard interpreter.states.kept[headBlock] >> UInt32(number) & 1 != 0 else { return }
        let atHead = interpreter.states.value(number, at: headBlock)
        let before = interpreter.values[instruction.rd]
        let step = interpreter.values.second(instruction).pointee
        guard step.isNumber else { return }
        noteStep(instruction, step, head, atHead)
        guard atHead.region == before.region else { return }
        let bound: UInt64?
        if instruction.opcode.type.size == 4 {
            bound = before.isNumber ? Self.trips(instruction, atHead.low, before.low, step.low) : nil
        } else {
            bound = Self.trips(instruction, atHead.wide, before.wide, step.wide)
        }
        if let bound, bound < trips[head] {
            trips[head] = bound
            counters[head] = Counter(register: instruction.rd, instruction: Int32(index))
        }
    }

    /// Remembers a register that advances by a constant, if nothing else bounds it.
    private mutating func noteStep(
        _ instruction: Instruction, _ step: AbstractValue, _ head: Int, _ atHead: AbstractValue
    ) {
        let isNarrow = instruction.opcode.type.size == 4
        let isBounded =
            isNarrow
            ? atHead.low.isBoundedAbove || atHead.low.isBoundedAboveSigned : atHead.wide.isBoundedAbove
        guard !isBounded, instruction.opcode.operation != .rsh else { return }
        let amount = isNarrow ? UInt64(step.low.umin) : step.wide.umin
        guard isNarrow ? step.low.isConstant : step.wide.isConstant else { return }
        let sign = instruction.opcode.operation == .sub ? 0 &- amount : amount
        steps.append((head, instruction.rd, sign, isNarrow))
    }

    /// Per block that is the head of a loop whose trips are known: what advances with it, for a second run.
    var inductions: [Int: LoopInductions] {
        var result: [Int: LoopInductions] = [:]
        for place in steps where trips[place.head] != Self.unbounded {
            let latches = Set(forest.latches(place.head).map { Int(forest.block[$0]) })
            result[Int(forest.block[place.head]), default: LoopInductions(variables: [], latches: latches)]
                .variables
                .append(
                    InductionVariable(
                        register: place.register, step: place.step, trips: trips[place.head],
                        isNarrow: place.isNarrow))
        }
        return result
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
    private mutating func weigh(_ costsBudget: Table<Bool>) {
        guard costsBudget.elements.contains(true) else { return }
        // Per node: how often it is executed; of a head, how often its loop is entered.
        let executions = view.arena.table(forest.count, Self.unbounded)
        let entries = view.arena.table(forest.count, Self.unbounded)
        let loopIndex = view.arena.table(forest.count, -1)
        var calls = [UInt64](repeating: 0, count: code.procedures.count)
        let order = [-1] + code.procedures.indices.sorted { procedures.levels[$0] < procedures.levels[$1] }
        for procedure in order {
            let once = procedure < 0 ? 1 : calls[procedure]
            for node in forest.nodes(ofProcedure: procedure) {
                let outer = Int(forest.header[node])
                let around = outer == 0 ? once : Self.times(entries[outer], Self.plus(trips[outer], 1))
                if forest.isHead[node] {
                    entries[node] = around
                    executions[node] = Self.times(around, Self.plus(trips[node], 1))
                    loopIndex[node] = loops.count
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
        for index in 0..<costsBudget.count where costsBudget[index] {
            addCost(index, executions, loopIndex)
        }
    }

    private mutating func addLoop(_ head: Int, _ entries: UInt64) {
        let total = Self.times(entries, trips[head])
        loops.append(
            LoopFact(
                head: flow.blocks[Int(forest.block[head])].start,
                trips: trips[head] == Self.unbounded ? nil : trips[head],
                total: total == Self.unbounded ? nil : total,
                counter: counters[head].instruction < 0 ? nil : counters[head].register,
                increment: UInt32(exactly: counters[head].instruction)))
    }

    private mutating func addCost(_ index: Int, _ executions: Table<UInt64>, _ loopIndex: Table<Int>) {
        let node = Int(forest.number[Int(flow.blockOfInstruction[index])])
        // Where no execution leads nothing is charged.
        guard node > 0 else { return costs.append(CostFact(instruction: UInt32(index), bound: 0)) }
        guard !forest.isIrreducible else { return costs.append(CostFact(instruction: UInt32(index))) }
        var bound = executions[node]
        var loop: Int?
        let instruction = code.instructions[index]
        if instruction.opcode.shape == .branch || instruction.opcode.shape == .jump {
            let target = flow.blockOfInstruction[Int(code.labels[Int(instruction.index)].position)]
            let head = Int(forest.number[Int(target)])
            if head > 0, loopIndex[head] >= 0, forest.isBelow(node, head) {
                loop = loopIndex[head]
                bound = min(bound, loops[loopIndex[head]].total ?? Self.unbounded)
            }
        }
        costs.append(
            CostFact(instruction: UInt32(index), bound: bound == Self.unbounded ? nil : bound, loop: loop))
    }

    /// The cheapest first, as long as they are few enough.
    private mutating func prepay(upTo limit: UInt64) {
        var isPaid = [Bool](repeating: false, count: loops.count)
        let order = costs.indices.filter { costs[$0].bound != nil }.sorted {
            (costs[$0].bound ?? .max, $0) < (costs[$1].bound ?? .max, $1)
        }
        for index in order {
            guard let bound = costs[index].bound else { continue }
            let price = costs[index].loop.map { isPaid[$0] ? 0 : bound } ?? bound
            guard Self.plus(entryCharge, price) <= limit else { continue }
            entryCharge += price
            costs[index].isPrepaid = true
            if let loop = costs[index].loop { isPaid[loop] = true }
        }
    }

    /// Everything that one invocation can be charged, when all of it is known.
    var worstCase: UInt64? {
        var sum: UInt64 = 0
        // Jumps back to one head share a bound.
        var isCounted = [Bool](repeating: false, count: loops.count)
        for cost in costs {
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
