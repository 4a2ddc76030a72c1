import SCodeIR

/// What matters of a region for an access.
struct RegionFacts: BitwiseCopyable {
    let size: UInt64
    let policy: MemoryPolicy
    let isWritable: Bool
    init(_ region: borrowing Region) {
        size = region.size
        policy = region.policy
        isWritable = region.isWritable
    }
}

/// Runs a fragment with sets of values in place of values, until nothing new can happen: what then holds at a place
/// holds there in every execution.
///
/// Blocks are looked at in reverse postorder and again only when the state at their start has lost something, which
/// widening allows a dozen times at most: the time is linear in the program, whatever its paths.
///
/// *Requires* the structural rules and V8. *Produces* facts about accesses, divisors and table indices, and the states
/// from which `LoopBounds` counts.
struct AbstractInterpreter: ~Copyable {
    private let view: FragmentView
    private let regions: Table<RegionFacts>
    private let procedures: ProcedureFacts
    private let flow: FlowGraph
    private(set) var states: BlockStates
    let values: RegisterValues
    /// The block whose state `values` holds because it was set from there just now; -1 for none.
    private var loaded = -1
    private let ends: Table<ComparedEnds>
    private var pending: PendingBlocks
    /// Per block: whether some edge leads back to it, so that its state may go round.
    private let isWideningPoint: Table<Bool>
    /// Per block: how often its state has changed.
    private let visits: Table<UInt8>
    /// Registers that advance by steps in their loops.
    private let inductions: Inductions?

    /// Per instruction, as `VerifiedFragment` has them.
    let accesses: Table<AccessFact>
    let isSafe: Table<Bool>

    init(
        _ view: FragmentView, _ regions: Table<RegionFacts>, _ procedures: ProcedureFacts, _ flow: FlowGraph,
        _ demand: Demand, _ inductions: Inductions?
    ) {
        self.view = view
        self.regions = regions
        self.procedures = procedures
        self.flow = flow
        let arena = view.arena
        states = BlockStates(keeping: demand.atStart, arena)
        values = RegisterValues(base: arena.table(RegisterValues.count, AbstractValue.top).base)
        ends = arena.table(view.hasLoops ? Register.bankSize : 0, ComparedEnds())
        pending = PendingBlocks(flow, arena)
        isWideningPoint = arena.table(flow.blocks.count, false)
        visits = arena.table(flow.blocks.count, 0)
        self.inductions = inductions
        accesses = arena.table(view.uses.count, .unknown)
        isSafe = arena.table(view.uses.count, false)
        if view.hasLoops { findWideningPoints() }
    }

    /// Procedures are entered from several places, and what returns from one may be passed to it again.
    private func findWideningPoints() {
        let rank = pending.rank
        for block in flow.order.elements {
            for successor in flow.successors(Int(block)) where rank[Int(successor)] <= rank[Int(block)] {
                isWideningPoint[Int(successor)] = true
            }
        }
        for start in view.procedureStarts.elements {
            isWideningPoint[Int(flow.blockOfInstruction[Int(start)])] = true
        }
    }

    /// Runs from the entry, where the registers hold what `values` says.
    mutating func run() {
        guard flow.blocks.count > 0 else { return }
        // The entry may be the head of a loop; nobody has been there yet, so this does not go round it.
        propagate(from: 0, to: 0)
        while let block = pending.popFirst() {
            if block < flow.codeBlockCount {
                if loaded != block { states.load(block, into: values) }
                loaded = -1
                visit(block)
            } else {
                // A procedure's exit changed: what its callers know after the call did too.
                for caller in flow.callers(block - flow.codeBlockCount) where states.isReached(Int(caller)) {
                    pending.insert(Int(caller))
                }
            }
        }
    }

    private mutating func visit(_ block: Int) {
        let end = Int(flow.blocks[block].end)
        let uses = view.uses
        for index in flow.instructions(block) {
            if uses[index].isChecked { record(uses[index].instruction, index) }
            if uses[index].isFollowed { view.step(index, values) }
        }
        let last = uses[end - 1].instruction
        switch uses[end - 1].shape {
        case .branch where uses[end - 1].isFollowed: leaveByBranch(last, block)
        case .call: leaveByCall(Int(last.index), block)
        case .binary, .unary, .constant, .convert, .load, .store, .fetch, .compareExchange, .branch, .jump,
            .jumpTable, .return, .hostCall, .macro:
            for successor in flow.successors(block) { propagate(from: block, to: Int(successor)) }
        }
    }

    /// A branch tells something about its operands, whichever way it goes.
    private mutating func leaveByBranch(_ branch: Instruction, _ block: Int) {
        let target = Int(flow.blockOfInstruction[Int(view.positions[Int(branch.index)])])
        let isRegister = branch.opcode.form == .register && !branch.opcode.type.isFloat
        let left = values[branch.rs1]
        let right = values[branch.rs2]
        if view.hasLoops { values.noteEnds(branch, ends.base) }
        if values.assume(branch, isTaken: true) { propagate(from: block, to: target) }
        loaded = -1
        if !branch.opcode.type.isFloat { values[branch.rs1] = left }
        if isRegister { values[branch.rs2] = right }
        guard block + 1 < flow.codeBlockCount else { return }
        if values.assume(branch, isTaken: false) { propagate(from: block, to: block + 1) }
    }

    /// To the procedure, and behind the call with what is known of its exit.
    private mutating func leaveByCall(_ procedure: Int, _ block: Int) {
        propagate(from: block, to: Int(flow.blockOfInstruction[Int(view.procedureStarts[procedure])]))
        let exit = flow.exitBlock(ofProcedure: procedure)
        guard states.isReached(exit) else { return }
        loaded = -1
        var changed = UInt32(truncatingIfNeeded: procedures.written[procedure].rawValue) & states.kept[exit]
        while changed != 0 {
            let register = changed.trailingZeroBitCount
            values.base[register] = states.value(register, at: exit)
            changed &= changed - 1
        }
        propagate(from: block, to: block + 1)
    }

    private mutating func propagate(from source: Int, to block: Int) {
        guard let inductions, let loop = inductions.loop(at: block) else { return join(into: block) }
        inductions.enter(loop, from: source, values, states)
        join(into: block)
        // The other way out of `source` goes on with what was there.
        inductions.restore(loop, values)
        loaded = -1
    }

    private mutating func join(into block: Int) {
        if !states.isReached(block) {
            if states.set(block, from: values) { loaded = block }
            pending.insert(block)
            return
        }
        let visits = Int(visits[block])
        // Without a loop nobody has noted any.
        let ends = ends
        let hasEnds = view.hasLoops
        let widens = isWideningPoint[block] || visits >= AbstractValue.lastVisit
        let changed = states.join(block, values) { register, old, joined in
            widens
                ? AbstractValue.widened(
                    from: old, to: joined, visits: visits,
                    ends: hasEnds ? ends[register] : ComparedEnds()) : joined
        }
        guard changed else { return }
        // A register at a time may be forgotten; all at once ends it.
        if visits > 2 * AbstractValue.lastVisit { states.forget(block) }
        self.visits[block] += 1
        pending.insert(block)
    }

    // MARK: Facts

    // Mutating, though it only looks: a call that borrows copies the whole interpreter.
    private mutating func record(_ instruction: Instruction, _ index: Int) {
        switch instruction.opcode.operation {
        case .load, .store:
            accesses[index] = fact(instruction, values.address(of: instruction))
        case .atomicAdd, .atomicAnd, .atomicOr, .atomicXor, .fetchAdd, .fetchAnd, .fetchOr, .fetchXor,
            .exchange,
            .compareExchange:
            let address = values.address(of: instruction)
            accesses[index] = fact(instruction, address)
            // Regions that atomic operations reach begin at a multiple of 8.
            isSafe[index] =
                address.wide.knownTrailingZeros >= instruction.opcode.type.size.trailingZeroBitCount
        case .div, .mod:
            let divisor = values.second(instruction).pointee
            isSafe[index] =
                instruction.opcode.type.isFloat
                || (instruction.opcode.type.size == 4
                    ? !divisor.low.contains(0) : !divisor.number.contains(0))
        case .jumpTable:
            let count = UInt64(view.code.tables[Int(instruction.index)].labels.count)
            isSafe[index] = values[instruction.rs1].number.umax < count
        default: break
        }
    }

    private mutating func fact(_ instruction: Instruction, _ address: AbstractValue) -> AccessFact {
        guard !address.isNumber, Int(address.region) < regions.count else { return .unknown }
        let region = regions[Int(address.region)]
        let size = UInt64(instruction.opcode.type.size)
        guard region.policy != .virtual, region.size >= size, address.wide.umax <= region.size - size else {
            return .based(region: address.region)
        }
        return address.wide.isConstant
            ? .proved(region: address.region, offset: address.wide.smin) : .inside(region: address.region)
    }

    /// Goes over every instruction that can be reached, in source order, with what is known before it.
    func forEachInstruction(
        _ body: (_ index: Int, _ instruction: Instruction, _ values: RegisterValues) -> Void
    ) {
        for block in 0..<flow.codeBlockCount where states.isReached(block) {
            states.load(block, into: values)
            for index in Int(flow.blocks[block].start)..<Int(flow.blocks[block].end) {
                body(index, view.instruction(index), values)
                if view.uses[index].isFollowed { view.step(index, values) }
            }
        }
    }
}
