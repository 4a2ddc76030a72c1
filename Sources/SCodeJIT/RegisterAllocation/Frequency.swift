import SCodeIR
import SCodeVerifier

/// How often each instruction is expected to run: eightfold for each backward jump that spans it.
struct Frequency: ~Copyable {
    /// Per instruction; nil when no jump leads back.
    private let weights: UnsafeMutablePointer<Float>?
    private let lastInstruction: Int
    /// Whether control may come back to places that no backward jump spans.
    private let hasHiddenLoops: Bool

    init(_ code: VCode) {
        let fragment = code.fragment.code
        lastInstruction = fragment.instructions.count - 1
        hasHiddenLoops = !fragment.tables.isEmpty || !fragment.procedures.isEmpty
        guard code.hasLoops else {
            weights = nil
            return
        }
        let count = fragment.instructions.count + 1
        let weights = UnsafeMutablePointer<Float>.allocate(capacity: count)
        self.weights = weights
        // First by how many more jumps an instruction is spanned than the one before it.
        weights.initialize(repeating: 0, count: count)
        for jump in code.backwardJumps {
            weights[Int(jump.to)] += 1
            weights[Int(jump.from) + 1] -= 1
        }
        var depth: Float = 0
        for index in 0..<count {
            depth += weights[index]
            weights[index] = Float(1 << (3 * min(Int(depth), 6)))
        }
    }

    deinit { weights?.deallocate() }

    @inline(__always) subscript(index: Int) -> Float {
        guard let weights else { return 1 }
        assert(index <= lastInstruction)
        return weights[index]
    }

    /// The last instruction from which control may come back to this one, or this one.
    func endOfLoops(around index: Int) -> Int {
        if hasHiddenLoops { return lastInstruction }
        guard let weights else { return index }
        var end = index
        while end < lastInstruction, weights[end] > 1 { end += 1 }
        return end
    }
}
