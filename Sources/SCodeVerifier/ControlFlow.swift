import SCodeIR

/// The basic blocks of a fragment and how control flows between them.
///
/// *Requires* that every label and table lies inside the fragment (V4). Edges are kept in two flat arrays, so
/// that a fragment with a million edges costs no more than their number.
public struct ControlFlow: Sendable {
    public struct Block: Sendable, BitwiseCopyable {
        /// The first instruction, and the one after the last.
        public var start: UInt32
        public var end: UInt32
        var firstSuccessor: UInt32
        var successorCount: UInt32
        /// Whether a path leads here from the entry.
        public var isReachable: Bool
    }

    public private(set) var blocks: [Block] = []
    /// Per instruction: the block it is in.
    public private(set) var blockOfInstruction: [UInt32] = []
    private var edges: [UInt32] = []
    /// Reachable blocks in reverse postorder: before its successors, but for loops.
    public private(set) var order: [UInt32] = []

    public func successors(_ block: Int) -> ArraySlice<UInt32> {
        let first = Int(blocks[block].firstSuccessor)
        return edges[first..<first + Int(blocks[block].successorCount)]
    }

    init(_ code: FragmentCode, macros: [MacroInstruction]) {
        findBlocks(code, macros)
        connect(code, macros)
        findOrder()
    }

    private static func fallsThrough(_ instruction: Instruction, _ macros: [MacroInstruction]) -> Bool {
        if instruction.opcode.operation == .macro {
            return macros[Int(instruction.index)].expansion.fallsThrough
        }
        return !instruction.opcode.effects.contains(.noFallThrough)
    }

    private mutating func findBlocks(_ code: FragmentCode, _ macros: [MacroInstruction]) {
        let count = code.instructions.count
        var starts = [Bool](repeating: false, count: count + 1)
        if count > 0 { starts[0] = true }
        for label in code.labels { starts[Int(label.position)] = true }
        for (index, instruction) in code.instructions.enumerated()
        where instruction.opcode.effects.contains(.endsBlock)
            || !Self.fallsThrough(instruction, macros)
        {
            starts[index + 1] = true
        }
        blockOfInstruction.reserveCapacity(count)
        for index in 0..<count {
            if starts[index] {
                let position = UInt32(index)
                blocks.append(
                    Block(
                        start: position, end: position, firstSuccessor: 0, successorCount: 0,
                        isReachable: false))
            }
            blockOfInstruction.append(UInt32(blocks.count - 1))
            blocks[blocks.count - 1].end += 1
        }
    }

    private mutating func connect(_ code: FragmentCode, _ macros: [MacroInstruction]) {
        for block in blocks.indices {
            blocks[block].firstSuccessor = UInt32(edges.count)
            let last = code.instructions[Int(blocks[block].end) - 1]
            if Self.fallsThrough(last, macros), block + 1 < blocks.count { edges.append(UInt32(block + 1)) }
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
            case .binary, .unary, .constant, .convert, .load, .store, .macro:
                break
            }
            blocks[block].successorCount = UInt32(edges.count) - blocks[block].firstSuccessor
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
