import SCodeIR

/// What wants a machine register, and from where to where.
struct Interval: BitwiseCopyable {
    enum Value: BitwiseCopyable {
        case register(Register)
        case constant(InstanceConstant)
        case anchor(UInt8)
        case page(PageCacheValue)
    }

    var value: Value
    /// Twice the index of the first and last instruction; odd where the instruction writes it.
    var start: Int32
    var end: Int32
    var weight: Float

    /// Whether it is used so often that a machine register is worth saving for it.
    var isWorthSaving: Bool { if case .register = value { true } else { weight >= 8 } }
}

/// Intervals in the order of their starts, in memory that somebody else gives back.
struct IntervalList: ~Copyable {
    private let storage: UnsafeMutableBufferPointer<Interval>
    private(set) var count = 0

    init(_ storage: UnsafeMutableBufferPointer<Interval>) { self.storage = storage }

    subscript(index: Int) -> Interval { storage[index] }

    mutating func clear() { count = 0 }

    /// Behind those that start where it does.
    mutating func insert(_ interval: Interval) {
        var place = count
        while place > 0, storage[place - 1].start > interval.start {
            storage[place] = storage[place - 1]
            place -= 1
        }
        storage[place] = interval
        count += 1
    }
}

/// Per SCODE register: where it is live first and last, and how often it is used.
struct RegisterUse: ~Copyable {
    struct Use: BitwiseCopyable {
        /// Positions: twice the index of an instruction; odd where the instruction writes it.
        var first = Int32.max
        var last: Int32 = -1
        var weight: Float = 0
    }

    private var uses = InlineArray<64, Use>(repeating: Use())
    private(set) var live = RegisterSet()
    /// What the last instruction left to the next one.
    private var folded = RegisterSet()
    /// Those that VCode uses, or somebody sees.
    var needed = RegisterSet()

    /// Mutating, since a read that borrows copies the table.
    subscript(number: Int) -> Use { mutating get { uses[number] } }

    mutating func extend(_ set: RegisterSet, _ position: Int32) {
        live.formUnion(set)
        var members = set.rawValue
        while members != 0 {
            let number = members.trailingZeroBitCount
            var use = uses[number]
            use.first = min(use.first, position)
            use.last = max(use.last, position)
            uses[number] = use
            members &= members &- 1
        }
    }

    /// To be told of every VCode instruction, which uses operands so and runs `weight` times.
    @inline(__always)
    mutating func add(_ instruction: VInstruction, _ operands: OperandUse, _ weight: Float) {
        if operands.isSubset(of: .isObserved) { return }
        var registers = instruction.registers(operands)
        // What a folded load fetches no register gets.
        registers.read.subtract(folded)
        folded = instruction.isFolded ? registers.written : []
        registers.written.subtract(folded)
        let written = registers.written
        let counted = registers.read.union(written)
        // Accesses name registers that are dead by the verifier's liveness.
        let read = registers.read.union(registers.readCold)
        let all = read.union(written)
        live.formUnion(all)
        needed.formUnion(all)
        let position = 2 &* Int32(truncatingIfNeeded: instruction.source)
        var members = all.rawValue
        while members != 0 {
            let number = members.trailingZeroBitCount
            let bit = members & (0 &- members)
            var use = uses[number]
            use.first = min(use.first, read.rawValue & bit != 0 ? position : position &+ 1)
            use.last = max(use.last, written.rawValue & bit != 0 ? position &+ 1 : position)
            use.weight += counted.rawValue & bit != 0 ? weight : 0
            uses[number] = use
            members ^= bit
        }
    }
}
