import SCodeIR

/// An address that is the sum of a register that a loop does not change and one that it does: the host address of the
/// first is computed before the loop, and the processor adds the other.
///
/// *Requires* VCode from lowering. *Produces* VCode of the same meaning, with anchors before innermost loops.
enum AnchorHoisting {
    /// Of a loop: more would find no registers.
    private static let limit = 4

    static func run(_ code: inout VCode) {
        guard code.computesAddresses else { return }
        var output: [VInstruction] = []
        output.reserveCapacity(code.instructions.count + limit)
        var done = 0
        for loop in InnermostLoops(code).loops where loop.isSimple {
            output += code.instructions[done..<loop.start]
            done = loop.end + 1
            hoist(code.instructions[loop.start...loop.end], &output, &code.anchorCount)
        }
        output += code.instructions[done...]
        code.instructions = output
    }

    /// Copies a loop, its anchors before it.
    private static func hoist(
        _ loop: ArraySlice<VInstruction>, _ output: inout [VInstruction], _ count: inout Int
    ) {
        let written = writtenRegisters(loop)
        var anchors: [VInstruction] = []
        var body: [VInstruction] = []
        body.reserveCapacity(loop.count)
        for var access in loop {
            if access.place == .simulatedAddress, access.operation == .load || access.operation == .store,
                let sum = body.last, sum.operation == .address, !sum.hasImmediate,
                let (fixed, moving) = split(sum, written),
                let anchor = anchor(fixed, access.target, loop, &anchors, &count)
            {
                body.removeLast()
                access.place = .anchored
                access.anchor = anchor
                access.b = fixed
                access.index = moving
            }
            body.append(access)
        }
        output += anchors
        output += body
    }

    private static func split(_ sum: VInstruction, _ written: RegisterSet) -> (
        fixed: Register, moving: Register
    )? {
        if !written.contains(sum.a) { return (sum.a, sum.b) }
        if !written.contains(sum.b) { return (sum.b, sum.a) }
        return nil
    }

    /// The anchor of a register in a region; nil when there are too many.
    private static func anchor(
        _ register: Register, _ region: UInt32, _ loop: ArraySlice<VInstruction>,
        _ anchors: inout [VInstruction],
        _ count: inout Int
    ) -> UInt8? {
        if let known = anchors.first(where: { $0.a == register && $0.target == region }) {
            return known.anchor
        }
        guard let first = loop.first, let last = loop.last, anchors.count < limit,
            count < Allocation.anchorLimit
        else {
            return nil
        }
        var anchor = VInstruction(.anchor, source: Int(first.source))
        anchor.a = register
        anchor.target = region
        anchor.anchor = UInt8(count)
        anchor.immediate = Int64(last.source)
        anchors.append(anchor)
        count += 1
        return anchor.anchor
    }

    private static func writtenRegisters(_ loop: ArraySlice<VInstruction>) -> RegisterSet {
        var written = RegisterSet()
        for instruction in loop where instruction.operation.hasResult { written.insert(instruction.dst) }
        return written
    }
}
