import SCode

/// Makes a program that shows a fault smaller, as long as it shows it.
struct Shrinker {
    /// Whether a program still shows the fault.
    let isFaulty: (Program) -> Bool
    /// Programs that may be tried.
    var attempts = 4000

    mutating func shrink(_ program: Program) -> Program {
        var best = program
        var hasChanged = true
        while hasChanged, attempts > 0 {
            hasChanged = false
            for fragment in best.fragments.indices.reversed() {
                if fragment > 0, attempt(&best, { $0.fragments.remove(at: fragment) }) {
                    hasChanged = true
                    continue
                }
                if removeInstructions(&best, fragment) { hasChanged = true }
            }
        }
        return best
    }

    /// Tries without half of the instructions, then a quarter, down to one at a time.
    private mutating func removeInstructions(_ program: inout Program, _ fragment: Int) -> Bool {
        var hasChanged = false
        var length = max(1, program.fragments[fragment].instructions.count / 2)
        while length > 0, attempts > 0 {
            var start = 0
            while start < program.fragments[fragment].instructions.count, attempts > 0 {
                let end = min(start + length, program.fragments[fragment].instructions.count)
                if attempt(&program, { $0.fragments[fragment].remove(start..<end) }) {
                    hasChanged = true
                } else {
                    start = end
                }
            }
            length /= 2
        }
        return hasChanged
    }

    private mutating func attempt(_ program: inout Program, _ change: (inout Program) -> Void) -> Bool {
        attempts -= 1
        var smaller = program
        change(&smaller)
        guard isFaulty(smaller) else { return false }
        program = smaller
        return true
    }
}

extension FragmentCode {
    /// Labels and procedures stay at their instructions; those in the middle go to what follows.
    mutating func remove(_ range: Range<Int>) {
        func moved(_ place: UInt32) -> UInt32 {
            let place = Int(place)
            return UInt32(place <= range.lowerBound ? place : max(range.lowerBound, place - range.count))
        }
        instructions.removeSubrange(range)
        if sourceRanges.count >= range.upperBound { sourceRanges.removeSubrange(range) }
        for index in labels.indices { labels[index].position = moved(labels[index].position) }
        for index in procedures.indices { procedures[index].start = moved(procedures[index].start) }
    }
}
