import SCodeIR

/// The basic blocks of a fragment and how control flows between them.
///
/// Behind the blocks of instructions stands one empty block for each local procedure, its *exit*: a call leads to
/// the procedure's entry, each `ret` to the exit, and the exit to every place behind a call. So the edges are no more
/// than the instructions and table entries, however many calls and returns there are.
///
/// *Requires* that every label and table lies inside the fragment (V4) and that procedures obey V12. Edges are kept
/// in flat arrays, so that a fragment with a million edges costs no more than their number.
public struct ControlFlow: Sendable {
    public struct Block: Sendable, BitwiseCopyable {
        /// The first instruction, and the one after the last.
        public var start: UInt32
        public var end: UInt32
        var firstSuccessor: UInt32 = 0
        var successorCount: UInt32 = 0
        /// Whether a path leads here from the entry.
        public var isReachable = false
    }

    /// Blocks of instructions in source order, then the procedures' exits.
    public private(set) var blocks: [Block] = []
    /// How many blocks have instructions.
    public private(set) var codeBlockCount = 0
    /// Per instruction: the block it is in.
    public private(set) var blockOfInstruction: [UInt32] = []
    private var edges: [UInt32] = []
    /// Reachable blocks in reverse postorder: before its successors, but for loops.
    public private(set) var order: [UInt32] = []
    /// Per procedure: the blocks that end with a call of it.
    public private(set) var callers: [[UInt32]] = []

    public func successors(_ block: Int) -> ArraySlice<UInt32> {
        let first = Int(blocks[block].firstSuccessor)
        return edges[first..<first + Int(blocks[block].successorCount)]
    }

    /// The block that stands for the return from a procedure.
    public func exitBlock(ofProcedure procedure: Int) -> Int { codeBlockCount + procedure }

    init(_ code: FragmentCode, macros: [MacroInstruction]) {
        findBlocks(code, macros)
        connect(code, macros)
        findOrder()
    }

    /// Whether the next instruction can come next, a call's return apart.
    private static func fallsThrough(_ instruction: Instruction, _ macros: [MacroInstruction]) -> Bool {
        switch instruction.opcode.operation {
        case .macro: macros[Int(instruction.index)].expansion.fallsThrough
        case .call: false
        default: !instruction.opcode.effects.contains(.noFallThrough)
        }
    }

    private mutating func findBlocks(_ code: FragmentCode, _ macros: [MacroInstruction]) {
        let count = code.instructions.count
        var starts = [Bool](repeating: false, count: count + 1)
        if count > 0 { starts[0] = true }
        for label in code.labels { starts[Int(label.position)] = true }
        for procedure in code.procedures { starts[Int(procedure.start)] = true }
        for (index, instruction) in code.instructions.enumerated()
        where instruction.opcode.effects.contains(.endsBlock)
            || !Self.fallsThrough(instruction, macros)
        {
            starts[index + 1] = true
        }
        blockOfInstruction.reserveCapacity(count)
        for index in 0..<count {
            if starts[index] { blocks.append(Block(start: UInt32(index), end: UInt32(index))) }
            blockOfInstruction.append(UInt32(blocks.count - 1))
            blocks[blocks.count - 1].end += 1
        }
        codeBlockCount = blocks.count
        for _ in code.procedures { blocks.append(Block(start: UInt32(count), end: UInt32(count))) }
    }

    private mutating func connect(_ code: FragmentCode, _ macros: [MacroInstruction]) {
        callers = Array(repeating: [], count: code.procedures.count)
        var procedure = -1
        for block in 0..<codeBlockCount {
            let start = blocks[block].start
            while procedure + 1 < code.procedures.count, code.procedures[procedure + 1].start <= start {
                procedure += 1
            }
            blocks[block].firstSuccessor = UInt32(edges.count)
            let last = code.instructions[Int(blocks[block].end) - 1]
            if Self.fallsThrough(last, macros), block + 1 < codeBlockCount { edges.append(UInt32(block + 1)) }
            switch last.opcode.shape {
            case .branch, .jump:
                edges.append(blockOfInstruction[Int(code.labels[Int(last.index)].position)])
            case .jumpTable:
                // A table may list a label many times; one edge each is enough.
                var seen: Set<UInt32> = []
                for label in code.tables[Int(last.index)].labels {
                    let target = blockOfInstruction[Int(code.labels[Int(label)].position)]
                    if seen.insert(target).inserted { edges.append(target) }
                }
            case .call:
                edges.append(blockOfInstruction[Int(code.procedures[Int(last.index)].start)])
                callers[Int(last.index)].append(UInt32(block))
            case .return:
                if procedure >= 0 { edges.append(UInt32(exitBlock(ofProcedure: procedure))) }
            case .binary, .unary, .constant, .convert, .load, .store, .fetch, .compareExchange, .hostCall,
                .macro:
                break
            }
            blocks[block].successorCount = UInt32(edges.count) - blocks[block].firstSuccessor
        }
        for procedure in code.procedures.indices {
            let exit = exitBlock(ofProcedure: procedure)
            blocks[exit].firstSuccessor = UInt32(edges.count)
            // V6: something stands behind every call.
            for caller in callers[procedure] { edges.append(caller + 1) }
            blocks[exit].successorCount = UInt32(callers[procedure].count)
        }
    }

    /// Depth-first search with a stack of its own: a chain of a million blocks must not overflow the real one.
    private mutating func findOrder() {
        guard !blocks.isEmpty else { return }
        var postorder: [UInt32] = []
        var stack: [(block: Int, next: Int)] = [(0, 0)]
        blocks[0].isReachable = true
        while let top = stack.last {
            if top.next < Int(blocks[top.block].successorCount) {
                stack[stack.count - 1].next += 1
                let successor = Int(edges[Int(blocks[top.block].firstSuccessor) + top.next])
                if !blocks[successor].isReachable {
                    blocks[successor].isReachable = true
                    stack.append((successor, 0))
                }
            } else {
                postorder.append(UInt32(top.block))
                stack.removeLast()
            }
        }
        order = postorder.reversed()
    }
}
