import SCode

/// Filters in the order in which they were downloaded, each with a number. A packet belongs to the first that takes it.
///
/// Their code is one fragment: what several ask is asked once, and where they ask the same of a packet and expect
/// different answers (a thousand ports), the answer is looked up instead of compared with each. This is what the
/// exokernel's dynamic packet filter does (Engler and Kaashoek, SIGCOMM 1996), here for filters of classic BPF.
public struct FilterSet: Sendable {
    /// Filters that a set may have, and instructions of all of them.
    public static let limit = 4096
    public static let instructionLimit = ProgramLimits.instructionsPerFragment

    public struct Filter: Hashable, Sendable {
        public let number: UInt64
        public let program: ClassicProgram
    }

    /// In order of download.
    public private(set) var filters: [Filter] = []
    private var instructionCount = 0

    public init() {}

    /// Adds a filter behind the others.
    /// - Parameter number: what the set's fragment accepts with when the packet is this filter's.
    public mutating func insert(_ program: ClassicProgram, number: UInt64) throws(FilterFailure) {
        guard filters.count < Self.limit else { throw .tooManyFilters(limit: Self.limit) }
        guard !filters.contains(where: { $0.number == number }) else { throw .numberTaken(number) }
        let (count, limit) = (instructionCount + program.instructions.count, Self.instructionLimit)
        guard count <= limit else { throw .tooLarge(limit: limit) }
        instructionCount = count
        filters.append(Filter(number: number, program: program))
    }

    /// - Returns: whether there was a filter of this number.
    @discardableResult
    public mutating func remove(number: UInt64) -> Bool {
        guard let place = filters.firstIndex(where: { $0.number == number }) else { return false }
        instructionCount -= filters.remove(at: place).program.instructions.count
        return true
    }

    /// The whole set as one fragment for the acceptor `filter`. It accepts with the number of the first filter that takes
    /// the packet, or refuses.
    public func program(name: String = "filters") throws(FilterFailure) -> Program {
        let plan = DecisionPlan(filters.map(\.program))
        var builder = FilterBuilder()
        builder.setPacketBase()
        for stage in plan.stages {
            let next = builder.label()
            switch stage {
            case .decision(let root):
                var emitter = DecisionEmitter(plan.graph, verdicts: filters.map(\.number), refuse: next)
                emitter.emit(from: root, into: &builder)
            case .program(let place):
                let filter = filters[Int(place)]
                var translation = ClassicTranslation(filter.program, refuse: next, verdict: filter.number)
                translation.emit(into: &builder)
            }
            builder.place(next)
        }
        builder.refuse()
        return try builder.program(called: name)
    }

    /// How many decisions are asked in turn: 1 when all filters could be joined into one.
    public var stageCount: Int { DecisionPlan(filters.map(\.program)).stages.count }
}
