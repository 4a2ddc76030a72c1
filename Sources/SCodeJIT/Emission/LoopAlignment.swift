/// Which labels begin an innermost loop, and about how much machine code it is.
///
/// The processor takes decoded instructions, and guesses branches, in lines of 64 bytes: a short loop that lies across more
/// lines than it needs takes up to twice as long as one that does not.
struct LoopAlignment {
    static let line = 64
    /// A loop of more bytes has other things to wait for.
    private static let limit = 3 * line

    /// Per label: the estimated bytes of its loop; 0: no loop, or a long one. Empty: no loops.
    private var sizes: [UInt8]

    init(_ code: VCode) {
        sizes = []
        guard code.hasLoops else { return }
        sizes = [UInt8](repeating: 0, count: code.labelCount)
        for loop in InnermostLoops(code).loops {
            var bytes = 0
            for instruction in code.instructions[loop.start...loop.end] where bytes <= Self.limit {
                bytes += instruction.estimatedSize
            }
            if bytes <= Self.limit { sizes[Int(loop.label)] = UInt8(bytes) }
        }
    }

    /// Whether the loop at a label would lie across more lines than it needs if it began at `offset`.
    func isSplit(_ label: UInt32, at offset: Int) -> Bool {
        guard !sizes.isEmpty else { return false }
        let size = Int(sizes[Int(label)])
        return size > 0 && Self.lines(offset % Self.line + size) > Self.lines(size)
    }

    private static func lines(_ bytes: Int) -> Int { (bytes + line - 1) / line }
}

extension VInstruction {
    /// About how many bytes of machine code it becomes on the hot path.
    fileprivate var estimatedSize: Int {
        switch operation {
        case .label: 0
        case .jump: 5
        case .branch: 9
        case .guardBudget: 4
        case .guardRegion: 20
        case .guardPage: 38
        case .constant: 6
        case .load, .store: 5
        default: 4
        }
    }
}
