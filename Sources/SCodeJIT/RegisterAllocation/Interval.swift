import SCodeIR

/// What wants a machine register, and from where to where.
struct Interval: BitwiseCopyable {
    enum Value: BitwiseCopyable {
        case register(Register)
        case constant(InstanceConstant)
        case anchor(UInt8)
        case page(PageCacheValue)
    }

    static let limit =
        Register.count + InstanceConstant.limit + Allocation.anchorLimit + PageCacheValue.limit

    var value: Value
    /// Twice the index of the first and last instruction; odd where the instruction writes it.
    var start: Int
    var end: Int
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
struct RegisterUse {
    private(set) var first = InlineArray<64, Int32>(repeating: .max)
    private(set) var last = InlineArray<64, Int32>(repeating: -1)
    private(set) var weight = InlineArray<64, Float>(repeating: 0)
    private(set) var live = RegisterSet()
    /// Those that VCode uses, or somebody sees.
    var needed = RegisterSet()

    mutating func extend(_ set: RegisterSet, _ index: Int) {
        let position = Int32(truncatingIfNeeded: index)
        live.formUnion(set)
        var members = set.rawValue
        while members != 0 {
            let number = members.trailingZeroBitCount
            first[number] = min(first[number], position)
            last[number] = max(last[number], position)
            members &= members - 1
        }
    }

    mutating func weigh(_ set: RegisterSet, _ amount: Float) {
        needed.formUnion(set)
        var members = set.rawValue
        while members != 0 {
            weight[members.trailingZeroBitCount] += amount
            members &= members - 1
        }
    }
}
