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
            guard instruction.operation == .branch || instruction.operation == .jump else { continue }
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
        for index in loops.indices { loops[index].isSimple = places.isSimple(loops[index], code) }
    }
}

/// Where labels stand, and from where they are reached.
private struct LabelPlaces {
    /// Of one label: the index of its instruction, and the first and last jump to it.
    private struct Place: BitwiseCopyable {
        var index = Int32.max
        var first = Int32.max
        var last: Int32 = -1
    }

    private var places: [Place]

    init(_ code: VCode) {
        places = [Place](repeating: Place(), count: code.labelCount)
        for (index, instruction) in code.instructions.enumerated() {
            let from = Int32(truncatingIfNeeded: index)
            switch instruction.operation {
            case .label: places[Int(instruction.target)].index = from
            case .branch, .jump: note(Int(instruction.target), from, from)
            case .call: note(code.label(ofProcedure: instruction.target), -1, .max)
            case .jumpTable:
                for label in code.fragment.code.tables[Int(instruction.target)].labels {
                    note(Int(label), -1, .max)
                }
            default: break
            }
        }
    }

    private mutating func note(_ label: Int, _ from: Int32, _ to: Int32) {
        places[label].first = min(places[label].first, from)
        places[label].last = max(places[label].last, to)
    }

    /// The index of a label's instruction.
    func place(_ label: UInt32) -> Int { Int(places[Int(label)].index) }

    func isSimple(_ loop: InnermostLoops.Loop, _ code: VCode) -> Bool {
        for instruction in code.instructions[loop.start...loop.end] {
            switch instruction.operation {
            case .label:
                let place = places[Int(instruction.target)]
                if place.last >= 0, Int(place.first) < loop.start || Int(place.last) > loop.end {
                    return false
                }
            case .call, .callSub, .callHost, .jumpTable, .return: return false
            default: break
            }
        }
        return true
    }
}
