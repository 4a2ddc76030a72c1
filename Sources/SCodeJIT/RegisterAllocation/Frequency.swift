import SCodeIR
import SCodeVerifier

/// How often each instruction is expected to run: eightfold for each backward jump that spans it.
struct Frequency {
    /// Backward jumps that span the instruction.
    private var depths: [Int32]
    /// Whether control may come back to places that no backward jump spans.
    private let hasHiddenLoops: Bool

    init(_ fragment: VerifiedFragment) {
        let code = fragment.code
        depths = [Int32](repeating: 0, count: code.instructions.count + 1)
        for (index, instruction) in code.instructions.enumerated()
        where instruction.opcode.shape == .branch || instruction.opcode.shape == .jump {
            let target = Int(code.labels[Int(instruction.index)].position)
            if target <= index {
                depths[target] += 1
                depths[index + 1] -= 1
            }
        }
        var depth: Int32 = 0
        for index in depths.indices {
            depth += depths[index]
            depths[index] = depth
        }
        hasHiddenLoops = !code.tables.isEmpty || !code.procedures.isEmpty
    }

    subscript(index: Int) -> Double { Double(1 << (3 * min(Int(depths[index]), 6))) }

    /// The last instruction from which control may come back to this one, or this one.
    func endOfLoops(around index: Int) -> Int {
        if hasHiddenLoops { return depths.count - 2 }
        var end = index
        while end + 1 < depths.count, depths[end] > 0 { end += 1 }
        return end
    }
}
