import SCodeIR

/// What has to be known of code that is still ahead: which jumps a byte reaches, and which labels begin a loop that should
/// lie in one line of the cache.
///
/// The processor takes decoded instructions, and guesses branches, in lines of 64 bytes: a short loop that lies across more
/// lines than it needs takes up to twice as long as one that does not.
///
/// *Requires* VCode and an allocation of it. *Produces* the same VCode: jumps and branches are marked as near where even
/// the longest code leaves their target within 127 bytes (`VInstruction.isNear`); a label's immediate says about how many
/// bytes its loop takes, 0: no loop, or a long one.
struct CodeLayout {
    static let line = 64
    /// A loop of more bytes has other things to wait for; and in long code, one that does not fit into a line.
    private static func limit(_ isLong: Bool) -> Int { isLong ? line : 3 * line }

    /// What is known of a label; distances are to the end of the code.
    private struct Place: BitwiseCopyable {
        /// The most that comes behind it; -1: the label is behind, as seen from where the pass is.
        var most: Int32 = -1
        /// About what comes behind the last jump back to it; -1: there is none so far.
        var loopEnd: Int32 = -1
    }

    /// Registers that live in the frame, and the bytes of an access to one: a move of an XMM register at the longest.
    private let spilled: RegisterSet
    private let slotBytes: Int

    init(_ allocation: Allocation) {
        spilled = allocation.spilled
        slotBytes = Int8(exactly: allocation.slotCount * 8) != nil ? 7 : 10
    }

    func run(_ code: inout VCode) {
        guard code.labelCount > 0 else { return }
        let count = code.labelCount
        let isLong = code.isLong
        code.instructions.withUnsafeMutableBufferPointer { instructions in
            withUnsafeTemporaryAllocation(of: Place.self, capacity: count) { places in
                places.initialize(repeating: Place())
                measure(instructions, places, limit: Self.limit(isLong))
            }
        }
    }

    /// From the end to the beginning, so that what is ahead of a jump is known.
    private func measure(
        _ instructions: UnsafeMutableBufferPointer<VInstruction>, _ places: UnsafeMutableBufferPointer<Place>,
        limit: Int
    ) {
        var most = 0
        var about = 0
        // Where the innermost loop begins that was met last.
        var innermost = -1
        for index in instructions.indices.reversed() {
            let operation = instructions[index].operation
            if operation == .label {
                let label = Int(instructions[index].target)
                places[label].most = Int32(truncatingIfNeeded: most)
                let end = Int(places[label].loopEnd)
                // Of loops that have one inside, that one counts.
                if end >= 0, innermost <= end, !instructions[index].isUnlikely {
                    let size = about - end
                    if size <= limit { instructions[index].immediate = Int64(size) }
                    innermost = about
                }
            } else if operation == .branch || operation == .jump {
                let target = Int(instructions[index].target)
                if places[target].most >= 0 {
                    let distance = most - Int(places[target].most) + instructions[index].jumpsBehindFirst
                    instructions[index].isNear = distance <= Int(Int8.max)
                } else if places[target].loopEnd < 0, !instructions[index].isUnlikely {
                    places[target].loopEnd = Int32(truncatingIfNeeded: about)
                }
            }
            most += mostBytes(of: instructions[index])
            about += instructions[index].estimatedSize
            // The flags may be there already.
            if operation == .branch, index > 0, instructions[index - 1].setsFlags(of: instructions[index]) {
                about -= 3
            }
        }
    }

    /// No fewer bytes than an instruction takes on the hot path.
    @inline(__always) func mostBytes(of instruction: VInstruction) -> Int {
        let bytes = instruction.mostBytes
        if spilled.isEmpty { return bytes }
        let registers = instruction.registers
        let used = registers.read.union(registers.written).union(registers.readCold).intersection(spilled)
        // What is changed in place is read and written.
        return bytes + 2 * slotBytes * used.rawValue.nonzeroBitCount
    }

    /// Whether the loop at a label would lie across more lines than it needs if it began at `offset`.
    @inline(__always) static func isSplit(_ label: VInstruction, at offset: Int) -> Bool {
        label.immediate > 0 && offset % line > line - 1 - label.loopRest
    }
}

extension VInstruction {
    /// Bytes from the end of the first conditional jump to that of the last: where a NaN counts there are two, and a jump
    /// may become those of the branch around it.
    fileprivate var jumpsBehindFirst: Int {
        operation == .jump || condition == .notEqualOrUnordered ? 6 : 0
    }

    /// Of a label where a loop begins: how far the loop reaches into the last of the lines that it needs, less one. Where it
    /// needs one more it is moved to the next, which takes no more bytes than that.
    fileprivate var loopRest: Int { Int(immediate - 1) % CodeLayout.line }

    /// No fewer bytes than it takes on the hot path when its operands are in machine registers.
    @inline(__always) fileprivate var mostBytes: Int {
        switch operation {
        case .label: immediate > 0 ? loopRest : 0
        case .trap: 2
        case .move: 4
        case .jump: isNear ? 2 : 5
        case .signExtend, .zeroExtend, .countLeadingZeros, .countTrailingZeros, .populationCount, .abort: 5
        case .not, .negate: 6
        case .add, .sub, .mul, .and, .or, .xor: (dst == a ? 4 : 7) + immediateBytes
        case .shiftLeft, .shiftRight, .shiftRightArithmetic: hasImmediate ? 7 : 12
        case .return: 8
        case .guardNonZero: 9
        case .isZero, .byteSwap, .anchor, .refuse: 10
        case .guardAligned, .guardTableIndex: 13
        case .constant: constantBytes + (dst.bank == .float ? 5 : 0)
        case .branch: (condition.isFloat ? 22 : 9 + immediateBytes) - (isNear ? 4 : 0)
        case .address: 8 + immediateBytes
        case .guardEntry: 19
        // With the jump behind it: an interruptible fragment comes back there, and jumps again.
        case .guardBudget: 20
        case .regionBase, .call, .hostArgument: 20
        case .accept: 23
        case .load, .store: placeBytes + 6 + (Int8(exactly: immediate) != nil ? 1 : 4)
        case .guardRegion: 28
        case .jumpTable: 33
        case .floatAdd, .floatSub, .floatMul, .floatDiv, .floatNegate, .floatToFloat: 26
        // By multiplication the dividend is fetched up to three times.
        case .divideSigned, .divideUnsigned, .moduloSigned, .moduloUnsigned: flag ? 80 : 40
        case .atomicAdd, .atomicAnd, .atomicOr, .atomicXor, .fetchAdd, .exchange, .compareExchange, .fetchAnd,
            .fetchOr, .fetchXor:
            52
        case .guardCachedPage, .extent: 40
        case .checkBudget: 20
        case .checkRange: 90
        case .guardPage: 70
        // Long enough for no jump over it to be short.
        case .integerToFloat, .floatToInteger, .callSub, .callHost: 1024
        }
    }

    /// Bytes that the last operand adds when it is an immediate: of 8 bits, 32, or 64, which takes a register.
    private var immediateBytes: Int {
        guard hasImmediate else { return 0 }
        if Int8(exactly: immediate) != nil { return 1 }
        return Int32(exactly: immediate) != nil ? 4 : 12
    }

    private var constantBytes: Int {
        if immediate == 0 { return 3 }
        return Int32(exactly: immediate) != nil ? 7 : 10
    }

    /// Bytes that it takes to find the place of an access.
    private var placeBytes: Int {
        switch place {
        case .address, .cachedPage: 0
        case .anchored: 13
        case .offset, .host, .hostIndexed, .simulated, .simulatedAddress, .window: 7
        }
    }

    /// About how many bytes of machine code it becomes on the hot path.
    fileprivate var estimatedSize: Int {
        switch operation {
        case .label: 0
        case .move: 3
        case .load where isFolded: 3
        case .branch: isNear ? 5 : 9
        case .jump: isNear ? 2 : 5
        case .guardBudget: 4
        case .guardRegion: 20
        case .guardPage: 38
        case .guardCachedPage, .extent: 15
        case .checkRange: 40
        case .constant: 6
        case .load, .store: 5
        default: 4
        }
    }
}
