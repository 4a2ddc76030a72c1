/// Where labels stand, and from where they are reached.
struct LabelPlaces {
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

    /// Whether control comes to a label from instructions of a range only, as far as it jumps there.
    func isReached(_ label: UInt32, onlyFrom range: ClosedRange<Int>) -> Bool {
        let place = places[Int(label)]
        return place.last < 0 || (Int(place.first) >= range.lowerBound && Int(place.last) <= range.upperBound)
    }
}
