import SCodeIR

/// What becomes of the guard of a loop's jump back in the version without guards.
enum LoopBudget { case guarded, counted, taken }

/// Code of which stretches stand twice: without guards that checks before it have made superfluous, and as it was, where
/// it goes when they fail. The second version lies behind all else, out of the way.
struct VersionedCode {
    private let code: VCode
    private var output: [VInstruction] = []
    private var guarded: [VInstruction] = []
    private var labelCount: Int
    private var ranges: [ByteRange]
    /// How much of the code has been written.
    private var done = 0

    init(_ code: VCode) {
        self.code = code
        labelCount = code.labelCount
        ranges = code.ranges
        output.reserveCapacity(code.instructions.count + 32)
    }

    mutating func newLabel() -> UInt32 {
        labelCount += 1
        return UInt32(truncatingIfNeeded: labelCount - 1)
    }

    /// Writes what comes before an instruction.
    mutating func copy(upTo index: Int) {
        output += code.instructions[done..<index]
        done = index
    }

    mutating func append(_ instruction: VInstruction) { output.append(instruction) }

    /// Appends the check of a range.
    mutating func append(_ check: VInstruction, of range: ByteRange) {
        var check = check
        check.immediate = Int64(ranges.count)
        ranges.append(range)
        output.append(check)
    }

    /// Writes a stretch without some of its guards, and the whole of it as the other version.
    /// - Parameters:
    ///   - end: the last instruction of the stretch.
    ///   - covered: whether an instruction is a guard that is superfluous.
    ///   - other: the label of the other version, which checks go to. Of a loop, jumps back inside it go there, too.
    ///   - head: of a loop, the label that takes the place of its own.
    ///   - budget: what becomes of the guard of the loop's jump back.
    mutating func writeVersions(
        to end: Int, without covered: (Int) -> Bool, other: UInt32, head: UInt32? = nil,
        budget: LoopBudget = .guarded
    ) {
        let start = done
        writeGuarded(start...end, other, isLoop: head != nil)
        let ownHead = code.instructions[start].target
        var index = start
        while index <= end {
            var instruction = code.instructions[index]
            index += 1
            switch instruction.operation {
            case .label, .branch, .jump:
                if let head, instruction.target == ownHead { instruction.target = head }
            case .guardBudget where index == end && head != nil:
                if budget == .taken { continue }
                instruction.flag = budget == .counted
            case .guardRegion where covered(index - 1):
                var access = code.instructions[index]
                index += 1
                Self.placeInside(&access, &output)
                instruction = access
            default: break
            }
            output.append(instruction)
        }
        if code.instructions[end].operation.fallsThrough { comeBack(behind: end) }
        done = end + 1
    }

    /// An access whose address stands before it finds its bytes without a guard: by a register and a constant if it can.
    private static func placeInside(_ access: inout VInstruction, _ output: inout [VInstruction]) {
        access.place = .simulatedAddress
        guard let address = output.last, address.operation == .address, address.hasImmediate,
            Int32(exactly: address.immediate) != nil
        else { return }
        output.removeLast()
        access.place = .simulated
        access.index = address.a
        access.immediate = address.immediate
    }

    private mutating func writeGuarded(_ stretch: ClosedRange<Int>, _ other: UInt32, isLoop: Bool) {
        var labels: [(old: UInt32, new: UInt32)] = []
        for index in stretch where code.instructions[index].operation == .label {
            let isHead = isLoop && index == stretch.lowerBound
            labels.append((code.instructions[index].target, isHead ? other : newLabel()))
        }
        if !isLoop { mark(other, at: stretch.lowerBound) }
        for index in stretch {
            var instruction = code.instructions[index]
            switch instruction.operation {
            case .label, .branch, .jump:
                if let label = labels.first(where: { $0.old == instruction.target }) {
                    instruction.target = label.new
                }
            default: break
            }
            instruction.isUnlikely = true
            guarded.append(instruction)
        }
    }

    private mutating func mark(_ label: UInt32, at index: Int) {
        var mark = VInstruction(.label, source: Int(code.instructions[index].source))
        mark.target = label
        mark.isUnlikely = true
        guarded.append(mark)
    }

    /// The other version goes on where the first one does, behind an instruction.
    private mutating func comeBack(behind index: Int) {
        var jump = VInstruction(.jump, source: Int(code.instructions[index].source))
        jump.isUnlikely = true
        if index + 1 < code.instructions.count, code.instructions[index + 1].operation == .label {
            jump.target = code.instructions[index + 1].target
        } else {
            jump.target = newLabel()
            var label = VInstruction(.label, source: Int(jump.source))
            label.target = jump.target
            output.append(label)
        }
        guarded.append(jump)
    }

    /// The code with all that was written.
    consuming func finish(_ code: inout VCode) {
        copy(upTo: code.instructions.count)
        code.instructions = output + guarded
        code.labelCount = labelCount
        code.ranges = ranges
    }
}
