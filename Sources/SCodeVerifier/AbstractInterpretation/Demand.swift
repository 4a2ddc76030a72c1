import SCodeIR

/// Which integer registers hold something that a fact may depend on: an address, a divisor, the index of a table, what
/// counts the rounds of a loop, and whatever those are computed from or compared with. What the other registers hold
/// (sums, hashes, data) is not followed.
struct Demand {
    /// Per block: such registers at its start, as bits; none where no path leads.
    let atStart: Table<UInt32>

    /// Leaves in `view` which instructions are worth following.
    init(_ view: FragmentView, _ flow: FlowGraph, _ predecessors: FlowGraph.Grouped) {
        let atStart = view.arena.table(flow.blocks.count, UInt32(0))
        self.atStart = atStart
        let dependences = view.dependences
        let uses = view.uses
        BackwardFlow.solve(view.arena, flow, predecessors) { block in
            var demand = Self.atEnd(block, flow, atStart)
            let range = flow.instructions(block)
            var index = range.upperBound
            while index > range.lowerBound {
                index -= 1
                // The last time that a block is looked at counts.
                uses[index].isFollowed = dependences[index].concerns & demand != 0
                demand = dependences[index].demand(after: demand)
            }
            if demand == atStart[block] { return false }
            atStart[block] = demand
            return true
        }
    }

    /// Goes over all instructions of reachable blocks with what is followed behind each.
    @inline(__always)
    private func forEachInstruction(
        _ flow: FlowGraph, _ dependences: Table<Dependences>, _ body: (_ index: Int, _ after: UInt32) -> Void
    ) {
        for block in 0..<flow.codeBlockCount where flow.blocks[block].isReachable {
            var demand = Self.atEnd(block, flow, atStart)
            let range = flow.instructions(block)
            var index = range.upperBound
            while index > range.lowerBound {
                index -= 1
                body(index, demand)
                demand = dependences[index].demand(after: demand)
            }
        }
    }

    @inline(__always)
    private static func atEnd(_ block: Int, _ flow: FlowGraph, _ atStart: Table<UInt32>) -> UInt32 {
        var demand: UInt32 = 0
        for successor in flow.successors(block) { demand |= atStart[Int(successor)] }
        return demand
    }

    /// Per instruction: the registers that are followed before it.
    func before(_ view: FragmentView, _ flow: FlowGraph) -> [RegisterSet] {
        var before = [RegisterSet](repeating: [], count: view.uses.count)
        let dependences = view.dependences
        forEachInstruction(flow, dependences) { index, after in
            before[index] = RegisterSet(rawValue: UInt64(dependences[index].demand(after: after)))
        }
        return before
    }
}

/// What an instruction's effect on integer registers depends on, as bits of registers.
struct Dependences: BitwiseCopyable {
    /// Registers that it changes or, of a comparison, tells something about.
    let concerns: UInt32
    /// Of these, registers whose old value is gone.
    let changed: UInt32
    /// What those it concerns depend on.
    let sources: UInt32
    /// Registers that matter in any case: whether it aborts, the budget apart, or how often its loop goes round, depends
    /// on them.
    private(set) var needed: UInt32 = 0

    @inline(__always)
    init(_ use: InstructionUse) {
        let instruction = use.instruction
        let reads = UInt32(truncatingIfNeeded: use.reads.rawValue)
        changed = UInt32(truncatingIfNeeded: use.writes.rawValue)
        switch use.shape {
        case .binary, .unary, .convert: (concerns, sources) = (changed, reads)
        // A comparison tells something about both.
        case .branch: (concerns, sources) = (reads, reads)
        case .constant, .load, .store, .fetch, .compareExchange, .jump, .jumpTable, .call, .return, .hostCall,
            .macro:
            (concerns, sources) = (changed, 0)
        }
        guard use.isChecked else { return }
        let first: UInt32 = 1 &<< UInt32(instruction.rs1.number)
        let second: UInt32 = instruction.opcode.form == .register ? 1 &<< UInt32(instruction.rs2.number) : 0
        switch use.shape {
        case .load, .store, .fetch: needed = first | second
        case .binary where !instruction.opcode.type.isFloat: needed = second
        case .compareExchange, .jumpTable: needed = first
        default: break
        }
    }

    /// Of a plain instruction that reads and writes these registers.
    @inline(__always)
    init(_ instruction: Instruction, _ row: PlainRow, reads: UInt32, writes: UInt32) {
        changed = writes
        concerns = writes | reads & row.concernsReads
        sources = reads & row.sourcesAreReads
        needed =
            1 &<< UInt32(instruction.rs1.number) & row.needsRs1
            | 1 &<< UInt32(instruction.rs2.number) & row.needsRs2
    }

    /// Makes everything matter that it depends on.
    mutating func require() { needed |= sources }

    @inline(__always)
    func demand(after: UInt32) -> UInt32 {
        after & ~changed | needed | (after & concerns != 0 ? sources : 0)
    }
}
