import CSCodeRuntime
import SCodeIR
import SCodeVerifier

/// Holds an execution against everything that the verifier claims about it: values, addresses, divisors, table indices,
/// how often loops go round. A claim that does not hold is a hole in the wall, whatever the program.
///
/// One for each invocation of a fragment, sub-fragments apart.
final class FactChecker {
    private let fragment: VerifiedFragment
    private let memory: SimulatedMemory
    private let cursor: KnownValuesCursor
    /// Per instruction: its place in `fragment.costs`, or -1; and per cost, or per loop, how often it was taken.
    private var costOf: [Int]
    private var taken: [UInt64]
    private var takenInLoop: [UInt64]
    private var prepaid: UInt64 = 0
    /// The first claim that did not hold.
    private(set) var violation: String?

    /// Nil when the verifier was not asked to keep what it knows.
    init?(_ fragment: VerifiedFragment, _ memory: SimulatedMemory) {
        guard let cursor = KnownValuesCursor(fragment) else { return nil }
        self.fragment = fragment
        self.memory = memory
        self.cursor = cursor
        costOf = Array(repeating: -1, count: fragment.code.instructions.count)
        for (place, cost) in fragment.costs.enumerated() { costOf[Int(cost.instruction)] = place }
        taken = Array(repeating: 0, count: fragment.costs.count)
        takenInLoop = Array(repeating: 0, count: fragment.loops.count)
    }

    private func report(_ index: Int, _ what: String) {
        let instruction = fragment.code.instructions[index]
        violation = violation ?? "instruction \(index) (\(instruction.opcode.mnemonic)): \(what)"
    }

    /// Before an instruction is executed.
    func check(_ index: Int, registers: [UInt64]) {
        guard violation == nil else { return }
        guard cursor.move(to: index) else { return report(index, "was said to be out of reach") }
        var claimed = cursor.claimed.rawValue
        while claimed != 0 {
            let register = Register(claimed.trailingZeroBitCount)
            claimed &= claimed - 1
            let value = registers[Int(register.number)]
            if !cursor.allows(register, value, base: memory.base(ofRegion:)) {
                report(index, "\(register.name) = \(value), said to be \(cursor.text(register))")
            }
        }
        checkClaims(index, registers)
    }

    private func checkClaims(_ index: Int, _ registers: [UInt64]) {
        let instruction = fragment.code.instructions[index]
        let opcode = instruction.opcode
        let second =
            opcode.form == .immediate
            ? UInt64(bitPattern: instruction.immediate) : registers[Int(instruction.rs2.number)]
        if opcode.shape.isAccess {
            let address = registers[Int(instruction.rs1.number)] &+ second
            checkAddress(index, address, UInt64(opcode.type.size))
            if opcode.isAtomic, fragment.facts[index].isSafe, address % UInt64(opcode.type.size) != 0 {
                report(index, "address \(address) was said to be aligned")
            }
        }
        guard fragment.facts[index].isSafe else { return }
        switch opcode.operation {
        case .div, .mod:
            if !opcode.type.isFloat, opcode.type.canonical(second) == 0 {
                report(index, "the divisor was said not to be zero")
            }
        case .jumpTable:
            let count = fragment.code.tables[Int(instruction.index)].labels.count
            if registers[Int(instruction.rs1.number)] >= UInt64(count) {
                report(index, "the index was said to lie in the table")
            }
        default: break
        }
    }

    private func checkAddress(_ index: Int, _ address: UInt64, _ size: UInt64) {
        let region: UInt8
        switch fragment.facts[index].access {
        case .unknown, .based: return
        case .inside(let inside): region = inside
        case .proved(let inside, let offset):
            region = inside
            if address &- memory.base(ofRegion: Int(region)) != UInt64(bitPattern: offset) {
                report(index, "address \(address) was said to be at offset \(offset)")
            }
        }
        let declared = fragment.regions[Int(region)].size
        let offset = address &- memory.base(ofRegion: Int(region))
        if size > declared || offset > declared - size {
            report(index, "address \(address) was said to lie in region \(region)")
        }
    }

    /// When a backward jump is taken, or a procedure called.
    func checkCost(_ index: Int) {
        let place = costOf[index]
        guard place >= 0, violation == nil else { return }
        let cost = fragment.costs[place]
        if cost.isPrepaid {
            prepaid += 1
            if prepaid > fragment.entryCharge { report(index, "more was taken than was paid for") }
        }
        guard let bound = cost.bound else { return }
        let count: UInt64
        if let loop = cost.loop {
            takenInLoop[loop] += 1
            count = takenInLoop[loop]
        } else {
            taken[place] += 1
            count = taken[place]
        }
        if count > bound { report(index, "was said to be taken at most \(bound) times") }
    }
}
