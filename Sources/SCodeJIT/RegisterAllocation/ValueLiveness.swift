import SCodeIR
import SCodeVerifier

/// The registers whose value must be kept, at each instruction: what the rest of the fragment can read or an exit
/// shows, and in a procedure what its callers need when it has returned.
///
/// The verifier's liveness follows a procedure to all its callers at once, and its initialisation keeps what holds
/// for all of them: a register that one caller has written and needs after its call is in neither set inside the
/// procedure. So each procedure is given what its callers keep.
struct ValueLiveness {
    private let observable: ObservableRegisters
    private let instructionCount: Int
    /// Per procedure: what some caller needs after it.
    private(set) var acrossProcedure: [RegisterSet] = []
    private let procedureStarts: [Int]

    init(_ fragment: VerifiedFragment, observing observation: RegisterObservation) {
        let code = fragment.code
        observable = ObservableRegisters(fragment, observation)
        instructionCount = code.instructions.count
        procedureStarts = code.procedures.map { Int($0.start) }
        guard !code.procedures.isEmpty else { return }
        acrossProcedure = Array(repeating: [], count: code.procedures.count)
        // Callers first: they have the lower levels.
        let order = code.procedures.indices.sorted {
            fragment.procedureLevels[$0] < fragment.procedureLevels[$1]
        }
        add(callsIn: 0..<procedureStarts[0], keeping: [], fragment)
        for procedure in order {
            add(callsIn: range(of: procedure), keeping: acrossProcedure[procedure], fragment)
        }
    }

    private mutating func add(
        callsIn range: Range<Int>, keeping kept: RegisterSet, _ fragment: VerifiedFragment
    ) {
        for index in range where fragment.code.instructions[index].opcode.operation == .call {
            let callee = Int(fragment.code.instructions[index].index)
            acrossProcedure[callee].formUnion(kept.union(before(index + 1)))
        }
    }

    /// The instructions of a procedure.
    func range(of procedure: Int) -> Range<Int> {
        let isLast = procedure + 1 == procedureStarts.count
        return procedureStarts[procedure]..<(isLast ? instructionCount : procedureStarts[procedure + 1])
    }

    /// What must be kept across the instruction: for what stands behind it, and for the callers.
    func after(_ index: Int) -> RegisterSet {
        guard index + 1 < instructionCount else { return [] }
        let procedure = procedure(of: index)
        return procedure < 0 ? before(index + 1) : before(index + 1).union(acrossProcedure[procedure])
    }

    /// What the instruction and what stands behind it can read, or an exit there shows.
    @inline(__always) func before(_ index: Int) -> RegisterSet { observable.registers(at: index) }

    /// The procedure that an instruction stands in; -1: the fragment's body.
    private func procedure(of index: Int) -> Int {
        var low = 0
        var high = procedureStarts.count
        while low < high {
            let middle = (low + high) / 2
            if procedureStarts[middle] <= index { low = middle + 1 } else { high = middle }
        }
        return low - 1
    }
}
