import SCodeIR
import SCodeVerifier
import X86Assembler

/// Linear scan over the live intervals of the SCODE registers, for integers and for floating-point numbers each.
///
/// *Requires* VCode of a verified fragment; liveness is that of the fragment. *Produces* a location for every register
/// that is ever live, and one for constants of the instance that are used often. When there are too few machine
/// registers, the value that is used least, loops counted, goes to the frame; a constant is read where it is used.
struct LinearScan {
    /// The machine registers that hold integers. rax, rcx and rdx are scratch; r13 to r15 are pinned. Registers
    /// that need no saving come first.
    static let allocatable: [GPR] = [.rsi, .rdi, .r8, .r9, .r10, .r11, .rbx, .rbp, .r12]
    /// How many of them need no saving.
    private static let unsavedCount = 6
    /// Those that hold floating-point numbers. xmm14 and xmm15 are scratch.
    static let allocatableVectors: [XMM] = [
        .xmm0, .xmm1, .xmm2, .xmm3, .xmm4, .xmm5, .xmm6, .xmm7, .xmm8, .xmm9, .xmm10, .xmm11, .xmm12, .xmm13,
    ]

    private let fragment: VerifiedFragment
    private let observation: RegisterObservation
    private let frequency: Frequency
    private var allocation: Allocation
    private var use = RegisterUse()

    static func run(_ code: VCode, observing observation: RegisterObservation) -> Allocation {
        var scan = LinearScan(code, observation)
        scan.collectUse(code)
        scan.collectLiveness()
        withUnsafeTemporaryAllocation(of: Interval.self, capacity: Interval.limit) {
            var intervals = IntervalList($0)
            scan.addRegisters(.integers, &intervals)
            scan.addConstants(code, &intervals)
            scan.addAnchors(code, &intervals)
            scan.addPages(code, &intervals)
            scan.assign(intervals, count: allocatable.count) { .machine(allocatable[$0]) }
            intervals.clear()
            scan.addRegisters(.floats, &intervals)
            scan.assign(intervals, count: allocatableVectors.count) { .vector(allocatableVectors[$0]) }
        }
        scan.assignHomes(code)
        return scan.allocation
    }

    private init(_ code: VCode, _ observation: RegisterObservation) {
        fragment = code.fragment
        self.observation = observation
        frequency = Frequency(code)
        allocation = Allocation(ValueLiveness(fragment, observing: observation))
    }

    // MARK: Intervals

    /// What VCode does with registers: how often, and where it writes them.
    private mutating func collectUse(_ code: VCode) {
        var folded = RegisterSet()
        for instruction in code.instructions {
            let index = Int(instruction.source)
            let read = instruction.reads.subtracting(folded)
            var written = instruction.writes
            folded = instruction.isFolded ? written : []
            if instruction.isFolded { written = [] }
            use.weigh(read.union(written), frequency[index])
            use.extend(written, 2 * index + 1)
            // Accesses name registers that are dead by the verifier's liveness.
            use.extend(read.union(instruction.coldReads), 2 * index)
            use.needed.formUnion(instruction.coldReads)
            if instruction.isObserved || observation == .all {
                use.needed.formUnion(allocation.liveness.before(index))
            }
        }
    }

    /// Where registers are live, as far as they were not the instruction before.
    private mutating func collectLiveness() {
        let liveness = allocation.liveness
        for block in fragment.flow.blocks where block.isReachable {
            var live = RegisterSet()
            for index in Int(block.start)..<Int(block.end) {
                let now = liveness.before(index)
                use.extend(now.subtracting(live), 2 * index)
                use.extend(live.subtracting(now), 2 * index - 2)
                live = now
            }
            use.extend(live, 2 * Int(block.end) - 2)
        }
        // What callers keep is live all through a procedure.
        for (procedure, kept) in liveness.acrossProcedure.enumerated() {
            let range = liveness.range(of: procedure)
            use.extend(kept, 2 * range.lowerBound)
            use.extend(kept, 2 * range.upperBound - 1)
        }
    }

    private func addRegisters(_ bank: RegisterSet, _ intervals: inout IntervalList) {
        var members = use.needed.intersection(use.live).intersection(bank).rawValue
        while members != 0 {
            let number = members.trailingZeroBitCount
            members &= members - 1
            intervals.insert(
                Interval(
                    value: .register(Register(number)), start: Int(use.first[number]),
                    end: Int(use.last[number]),
                    weight: use.weight[number]))
        }
    }

    /// Constants that are used three times or more, or in a loop. They are read at the entry, and again after each call.
    private func addConstants(_ code: VCode, _ intervals: inout IntervalList) {
        var last = InlineArray<17, Int>(repeating: -1)
        var weight = InlineArray<17, Float>(repeating: 0)
        var calls: Float = 2
        for instruction in code.instructions {
            let index = Int(instruction.source)
            if instruction.operation == .callSub || instruction.operation == .callHost {
                calls += frequency[index]
            }
            guard let constant = instruction.constant else { continue }
            last[Int(constant.index)] = index
            weight[Int(constant.index)] += frequency[index]
        }
        for constant in InstanceConstant.all where weight[Int(constant.index)] > calls {
            let end = 2 * frequency.endOfLoops(around: last[Int(constant.index)]) + 1
            intervals.insert(
                Interval(
                    value: .constant(constant), start: -1, end: end,
                    weight: weight[Int(constant.index)] - calls))
        }
    }

    /// Anchors live from before their loop to its end.
    private func addAnchors(_ code: VCode, _ intervals: inout IntervalList) {
        guard code.anchorCount > 0 else { return }
        var weight = InlineArray<16, Float>(repeating: 0)
        for instruction in code.instructions
        where instruction.operation.isAccess && instruction.place == .anchored {
            weight[Int(instruction.anchor)] += frequency[Int(instruction.source)]
        }
        for instruction in code.instructions where instruction.operation == .anchor {
            intervals.insert(
                Interval(
                    value: .anchor(instruction.anchor), start: 2 * Int(instruction.source),
                    end: 2 * Int(instruction.immediate) + 1, weight: weight[Int(instruction.anchor)]))
        }
    }

    /// What page caches know holds from a first access to the next, whatever lies between.
    private func addPages(_ code: VCode, _ intervals: inout IntervalList) {
        for cache in code.pageCaches.indices {
            var last = 0
            var weight: Float = 0
            for instruction in code.instructions
            where instruction.operation == .guardCachedPage && Int(instruction.cache) == cache {
                last = max(last, Int(instruction.source))
                weight += frequency[Int(instruction.source)]
            }
            let end = 2 * frequency.endOfLoops(around: last) + 1
            for value in [PageCacheValue.minusPage(cache), .host(cache)] {
                intervals.insert(Interval(value: .page(value), start: -1, end: end, weight: weight))
            }
        }
    }

    // MARK: Assignment

    /// Gives each interval one of `count` places, the first ones by preference, or none.
    private mutating func assign(
        _ intervals: borrowing IntervalList, count: Int, _ location: (Int) -> Location
    ) {
        guard intervals.count > 0 else { return }
        var active = InlineArray<16, Int>(repeating: -1)  // per place: the interval that has it
        for index in 0..<intervals.count {
            let interval = intervals[index]
            var victim = -1
            var free = -1
            for place in 0..<count {
                if active[place] >= 0, intervals[active[place]].end < interval.start { active[place] = -1 }
                guard active[place] >= 0 else {
                    if free < 0, place < Self.unsavedCount || interval.isWorthSaving { free = place }
                    continue
                }
                if victim < 0 || intervals[active[place]].weight < intervals[active[victim]].weight {
                    victim = place
                }
            }
            if free >= 0 {
                active[free] = index
                locate(interval, location(free))
            } else if victim >= 0, interval.isWorthSaving, intervals[active[victim]].weight < interval.weight
            {
                spill(intervals[active[victim]])
                active[victim] = index
                locate(interval, location(victim))
            } else {
                spill(interval)
            }
        }
    }

    private mutating func locate(_ interval: Interval, _ location: Location) {
        switch interval.value {
        case .register(let register): allocation.locate(register, location)
        case .constant(let constant): allocation.locate(constant, location, end: interval.end)
        case .anchor(let anchor): allocation.locate(anchor: anchor, location)
        case .page(let value): allocation.locate(value, location)
        }
    }

    private mutating func spill(_ interval: Interval) {
        if case .register(let register) = interval.value {
            allocation.spill(register)
        } else {
            locate(interval, .nowhere)
        }
    }

    /// Across calls of sub-fragments and of the host no machine register keeps its value.
    private mutating func assignHomes(_ code: VCode) {
        var crossing: RegisterSet = []
        for instruction in code.instructions
        where instruction.operation == .callSub || instruction.operation == .callHost {
            crossing.formUnion(allocation.liveness.after(Int(instruction.source)))
        }
        var members = crossing.rawValue
        while members != 0 {
            let register = Register(members.trailingZeroBitCount)
            members &= members - 1
            switch allocation.location(register) {
            case .machine, .vector: allocation.addHome(register)
            case .nowhere, .slot: break
            }
        }
    }
}
