import SCodeIR
import SCodeVerifier

/// How often each instruction is expected to run: eightfold for each backward jump that spans it.
struct Frequency {
    /// Per instruction: how many backward jumps span it; empty when there is no such jump.
    private var depths: [Int32]
    private let lastInstruction: Int
    /// Whether control may come back to places that no backward jump spans.
    private let hasHiddenLoops: Bool

    init(_ code: VCode) {
        let fragment = code.fragment.code
        lastInstruction = fragment.instructions.count - 1
        hasHiddenLoops = !fragment.tables.isEmpty || !fragment.procedures.isEmpty
        depths = []
        guard code.hasLoops else { return }
        depths = [Int32](repeating: 0, count: fragment.instructions.count + 1)
        for (index, instruction) in fragment.instructions.enumerated()
        where instruction.opcode.shape == .branch || instruction.opcode.shape == .jump {
            let target = Int(fragment.labels[Int(instruction.index)].position)
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
    }

    subscript(index: Int) -> Float { depths.isEmpty ? 1 : Float(1 << (3 * min(Int(depths[index]), 6))) }

    /// The last instruction from which control may come back to this one, or this one.
    func endOfLoops(around index: Int) -> Int {
        if hasHiddenLoops { return lastInstruction }
        guard !depths.isEmpty else { return index }
        var end = index
        while end < lastInstruction, depths[end] > 0 { end += 1 }
        return end
    }
}
