/// The loops without another one inside, as stretches of VCode: from the label to which they jump back, to the last
/// jump that does so.
struct InnermostLoops {
    struct Loop: BitwiseCopyable {
        var label: UInt32
        /// The index of the label's instruction, and that of the last jump back.
        var start: Int
        var end: Int
        /// Whether control enters at the label only, from what stands before it, and nothing is called inside.
        var isSimple = false
    }

    private(set) var loops: [Loop] = []

    init(_ code: VCode) {
        let places = LabelPlaces(code)
        var innermost = -1
        for (index, instruction) in code.instructions.enumerated() {
            guard instruction.isDirectJump, !instruction.isUnlikely else { continue }
            let start = places.place(instruction.target)
            guard start <= index, start >= innermost else { continue }
            if start == innermost {
                // Another jump back to the same label.
                if loops.last?.start == start { loops[loops.count - 1].end = index }
            } else {
                loops.append(Loop(label: instruction.target, start: start, end: index))
                innermost = start
            }
        }
        for index in loops.indices { loops[index].isSimple = Self.isSimple(loops[index], code, places) }
    }

    private static func isSimple(_ loop: Loop, _ code: VCode, _ places: LabelPlaces) -> Bool {
        for instruction in code.instructions[loop.start...loop.end] {
            switch instruction.operation {
            case .label:
                if !places.isReached(instruction.target, onlyFrom: loop.start...loop.end) { return false }
            case .call, .callSub, .callHost, .jumpTable, .return: return false
            default: break
            }
        }
        return true
    }
}
