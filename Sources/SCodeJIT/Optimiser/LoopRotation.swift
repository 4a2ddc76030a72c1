import SCodeIR

/// Puts the end of a loop's round before its head, where some way through the loop skips to it:
///
///         L: …                               jump L
///            if … goto M                  M: …
///            …                ==>            if … goto E
///         M: …                            L: …
///            if … goto L                     if … goto M
///         E:                                 …
///                                            jump M
///                                         E:
///
/// So one jump is taken in a round where there were two: who skips to the end of the round jumps back to it, and runs on
/// into the next round.
///
/// *Requires* VCode of which registers have been allocated: the order of the source is what the allocator goes by.
/// *Produces* VCode of the same meaning.
struct LoopRotation {
    /// A loop that is worth it: its head, the first label before the end of its round, and what leads back to the head.
    private struct Loop: BitwiseCopyable {
        var head: Int
        var end: Int
        var back: Int
    }

    private var code: VCode
    private let places: LabelPlaces
    /// Per label: the last jump or branch back to it; -1: none.
    private var lastBack: [Int]
    /// The order to come: which instruction is the first, and of each, the ones behind and before it. What is put in has
    /// numbers behind all others.
    private var first = 0
    private var next: [Int] = []
    private var previous: [Int] = []
    private var added: [VInstruction] = []
    private static let none = -1
    /// How many jumps back nobody needs any more.
    private var leftOut = 0

    static func run(_ code: inout VCode) {
        // Two more jumps for each loop: what takes less room is better.
        guard code.hasLoops, !code.isLong else { return }
        var rotation = LoopRotation(code)
        let loops = rotation.loops()
        if loops.isEmpty { return }
        rotation.rotate(loops)
        code = rotation.result()
    }

    private init(_ code: VCode) {
        self.code = code
        places = LabelPlaces(code)
        lastBack = Array(repeating: -1, count: code.labelCount)
        for (index, instruction) in code.instructions.enumerated()
        where instruction.isDirectJump && !instruction.isUnlikely && places.place(instruction.target) <= index
        {
            lastBack[Int(instruction.target)] = index
        }
    }

    // MARK: Which

    /// Those whose last jump back ends a stretch without other jumps, to whose beginning the loop jumps ahead. By their
    /// heads: since there is no other jump in a stretch, what one rotation changes places with another one finds in the
    /// order of before, however the loops overlap.
    private func loops() -> [Loop] {
        var loops: [Loop] = []
        for (label, back) in lastBack.enumerated() where back >= 0 {
            let head = places.place(UInt32(truncatingIfNeeded: label))
            guard back + 1 < code.instructions.count, let end = startOfStretch(before: back, after: head),
                isSkippedTo(end, from: head)
            else { continue }
            loops.append(Loop(head: head, end: end, back: back))
        }
        return loops.sorted { $0.head < $1.head }
    }

    /// The first of the labels before the straight code that ends with a jump back, its own condition apart.
    private func startOfStretch(before back: Int, after head: Int) -> Int? {
        var index = back
        // `if … goto X; guardBudget; goto L; X:` is one branch.
        if code.instructions[back].operation == .jump {
            if index > head, code.instructions[index - 1].operation == .guardBudget { index -= 1 }
            guard index > head, code.instructions[index - 1].operation == .branch,
                leads(index - 1, behind: back)
            else { return nil }
            index -= 1
        }
        while index > head, code.instructions[index - 1].operation != .label {
            guard code.instructions[index - 1].operation.isStraight else { return nil }
            index -= 1
        }
        // A label behind a jump stays there: it may be that of the branch around the jump.
        let start = index
        while index > head + 1, code.instructions[index - 1].operation == .label,
            code.instructions[index - 2].operation != .jump
        { index -= 1 }
        return head < index && index < start ? index : nil
    }

    private func leads(_ branch: Int, behind jump: Int) -> Bool {
        let behind = code.instructions[jump + 1]
        return behind.operation == .label && behind.target == code.instructions[branch].target
    }

    /// Whether the loop jumps to one of the labels that begin at `end`.
    private func isSkippedTo(_ end: Int, from head: Int) -> Bool {
        var last = end
        while code.instructions[last + 1].operation == .label { last += 1 }
        return code.instructions[head..<end].contains {
            $0.isDirectJump && end...last ~= places.place($0.target)
        }
    }

    // MARK: How

    private mutating func rotate(_ loops: [Loop]) {
        let count = code.instructions.count
        next = (1...count).map { $0 < count ? $0 : Self.none }
        previous = (0..<count).map { $0 - 1 }
        for loop in loops { rotate(loop) }
    }

    /// The two stretches change places.
    private mutating func rotate(_ loop: Loop) {
        let before = previous[loop.head]
        let lastOfFirst = previous[loop.end]
        let exit = invert(loop.back)
        let lastOfSecond = code.instructions[loop.back].operation == .branch ? loop.back : previous[loop.back]
        link(before, to: loop.end, jumpingTo: loop.head)
        link(lastOfSecond, to: loop.head)
        link(lastOfFirst, to: exit, jumpingTo: loop.end)
    }

    /// Makes a branch back one that leaves the loop, and runs into the head otherwise; a jump back is left out. Returns what
    /// comes behind the loop.
    private mutating func invert(_ back: Int) -> Int {
        let behind = next[back]
        guard code.instructions[back].operation == .branch else {
            leftOut += 1
            return behind
        }
        var exit = behind
        if self[behind].operation != .label {
            exit = add(
                .label, target: UInt32(truncatingIfNeeded: code.labelCount), source: self[behind].source)
            code.labelCount += 1
            link(exit, to: behind)
        }
        code.instructions[back].condition = code.instructions[back].condition.inverted
        code.instructions[back].target = self[exit].target
        return exit
    }

    /// Lets `node` be followed by another one, with a jump between them if it would have run on.
    private mutating func link(_ node: Int, to following: Int, jumpingTo label: Int) {
        guard node == Self.none || self[node].operation.fallsThrough else { return link(node, to: following) }
        let source = self[node == Self.none ? label : node].source
        let jump = add(.jump, target: self[label].target, source: source)
        link(node, to: jump)
        link(jump, to: following)
    }

    private mutating func link(_ node: Int, to following: Int) {
        if node == Self.none { first = following } else { next[node] = following }
        previous[following] = node
    }

    private subscript(node: Int) -> VInstruction {
        let count = code.instructions.count
        return node < count ? code.instructions[node] : added[node - count]
    }

    private mutating func add(_ operation: VOperation, target: UInt32, source: UInt32) -> Int {
        var instruction = VInstruction(operation, source: Int(source))
        instruction.target = target
        added.append(instruction)
        code.operations.insert(operation)
        next.append(Self.none)
        previous.append(Self.none)
        return next.count - 1
    }

    private consuming func result() -> VCode {
        var instructions: [VInstruction] = []
        instructions.reserveCapacity(next.count)
        var node = first
        while node != Self.none {
            instructions.append(self[node])
            node = next[node]
        }
        assert(instructions.count == next.count - leftOut, "some of the code has got lost")
        code.instructions = instructions
        return code
    }
}

extension VOperation {
    /// Whether the next instruction comes next, and no other.
    fileprivate var isStraight: Bool { fallsThrough && self != .branch && self != .label }
}
