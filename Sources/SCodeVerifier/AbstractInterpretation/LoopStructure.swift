import SCodeIR

/// What can be said of a fragment's loops before any value is known: what each of them writes and compares, and which
/// instructions change a register, in one place only, each time round.
struct LoopStructure: BitwiseCopyable {
    let forest: LoopForest
    /// An instruction that changes a register which nothing else in its loop changes, once each time round.
    struct Step: BitwiseCopyable {
        /// The node that it is in, and the head of its loop.
        var node: Int32
        var head: Int32
        var instruction: UInt32
    }
    /// In the order of nodes. None when some loop can be entered other than at its head.
    private(set) var steps: Table<Step>

    private let view: FragmentView
    private let flow: FlowGraph
    /// Per node that is a loop's head: registers that the loop writes in one place of its own, and those that it writes
    /// in several, or in an inner loop or procedure.
    private let writtenOnce: Table<RegisterSet>
    private let writtenOften: Table<RegisterSet>
    /// Per head: registers that the loop, or one in it, compares.
    private let compared: Table<RegisterSet>

    /// *Requires* that the fragment has loops.
    init(
        _ view: FragmentView, _ flow: FlowGraph, _ predecessors: FlowGraph.Grouped,
        _ procedures: ProcedureFacts
    ) {
        self.view = view
        self.flow = flow
        let arena = view.arena
        forest = LoopForest(view, flow, predecessors)
        writtenOnce = arena.table(forest.count, RegisterSet())
        writtenOften = arena.table(forest.count, RegisterSet())
        compared = arena.table(forest.count, RegisterSet())
        steps = arena.uninitialised(view.uses.count)
        var count = 0
        if !forest.isIrreducible {
            count = collect(procedures)
            count = keepSteps(count)
        }
        steps = steps.prefix(count)
        for step in steps.elements where mayCount(step) {
            view.dependences[Int(step.instruction)].require()
        }
    }

    /// Whether no way round the loop changes a register.
    func isInvariant(_ register: Register, _ head: Int) -> Bool {
        !writtenOnce[head].union(writtenOften[head]).contains(register)
    }

    /// Whether a step may tell how often its loop goes round: something in it must notice the register.
    func mayCount(_ step: Step) -> Bool {
        compared[Int(step.head)].contains(view.instruction(Int(step.instruction)).rd)
    }

    /// Adds up what loops write and compare; lists what looks like a step. Returns how many of them.
    private func collect(_ procedures: ProcedureFacts) -> Int {
        var count = 0
        for node in 1..<max(1, forest.count) {
            let loop = forest.loop(of: node)
            guard loop != 0 else { continue }
            for index in flow.instructions(Int(forest.block[node])) {
                let use = view.uses[index]
                writtenOften[loop].formUnion(writtenOnce[loop].intersection(use.writes))
                writtenOnce[loop].formUnion(use.writes)
                switch use.shape {
                case .binary where Self.isStep(use.instruction):
                    steps[count] = Step(
                        node: Int32(node), head: Int32(loop), instruction: UInt32(index))
                    count += 1
                case .branch: compared[loop].formUnion(use.reads)
                case .call: writtenOften[loop].formUnion(procedures.written[Int(use.instruction.index)])
                default: break
                }
            }
        }
        // Inner loops have the larger numbers.
        for head in stride(from: forest.count - 1, through: 1, by: -1) where forest.isHead[head] {
            let outer = Int(forest.header[head])
            guard outer != 0 else { continue }
            writtenOften[outer].formUnion(writtenOnce[head].union(writtenOften[head]))
            compared[outer].formUnion(compared[head])
        }
        return count
    }

    /// Whether an instruction changes a register by an amount: adds, subtracts, or halves.
    private static func isStep(_ instruction: Instruction) -> Bool {
        guard instruction.rd == instruction.rs1, instruction.rd.bank == .integer else { return false }
        switch instruction.opcode.operation {
        case .add, .sub: return true
        case .rsh: return instruction.opcode.form == .immediate && !instruction.opcode.type.isSigned
        default: return false
        }
    }

    /// Keeps what is executed once each time round, and the register's only change. Returns how many are left.
    private func keepSteps(_ count: Int) -> Int {
        var kept = 0
        for place in 0..<count {
            let step = steps[place]
            let register = view.instruction(Int(step.instruction)).rd
            guard !writtenOften[Int(step.head)].contains(register),
                forest.isOnEveryRound(Int(step.node), Int(step.head))
            else { continue }
            steps[kept] = step
            kept += 1
        }
        return kept
    }
}
