import SCodeIR
import SCodeVerifier
import X86Assembler

/// Linear scan over the live intervals of the SCODE registers, for integers and for floating-point numbers each.
///
/// *Requires* VCode of a verified fragment; liveness is that of the fragment. *Produces* a location for every register
/// that is ever live, and one for constants of the instance that are used often. When there are too few machine
/// registers, the value that is used least, loops counted, goes to the frame; a constant is read where it is used.
struct LinearScan: ~Copyable {
    /// The machine registers that hold integers. rax, rcx and rdx are scratch; r13 to r15 are pinned. Registers
    /// that need no saving come first.
    static let allocatable: [GPR] = [.rsi, .rdi, .r8, .r9, .r10, .r11, .rbx, .rbp, .r12]
    /// How many of them need no saving.
    private static let unsavedCount = 6
    /// Those that hold floating-point numbers. xmm14 and xmm15 are scratch.
    static let allocatableVectors: [XMM] = [
        .xmm0, .xmm1, .xmm2, .xmm3, .xmm4, .xmm5, .xmm6, .xmm7, .xmm8, .xmm9, .xmm10, .xmm11, .xmm12, .xmm13,
    ]

    private let flow: ControlFlow
    private let observation: RegisterObservation
    private let frequency: Frequency
    private var allocation: Allocation
    private var use = RegisterUse()

    static func run(_ code: VCode, observing observation: RegisterObservation) -> Allocation {
        var scan = LinearScan(code, observation)
        scan.run(code)
        return scan.allocation
    }

    private mutating func run(_ code: VCode) {
        collectUse(code)
        collectLiveness()
        let capacity =
            use.needed.rawValue.nonzeroBitCount + InstanceConstant.limit + code.anchorCount
            + 2 * code.pageCaches.count
        withUnsafeTemporaryAllocation(of: Interval.self, capacity: capacity) {
            var intervals = IntervalList($0)
            addRegisters(.integers, &intervals)
            addConstants(code, &intervals)
            addAnchors(code, &intervals)
            addPages(code, &intervals)
            assign(intervals, .integer)
            if use.needed.isDisjoint(with: .floats) { return }
            intervals.clear()
            addRegisters(.floats, &intervals)
            assign(intervals, .float)
        }
        assignHomes(code)
    }

    private init(_ code: VCode, _ observation: RegisterObservation) {
        flow = code.fragment.flow
        self.observation = observation
        frequency = Frequency(code)
        allocation = Allocation(ValueLiveness(code.fragment, observing: observation))
    }

    // MARK: Intervals

    /// What VCode does with registers: how often, where it reads and writes them, and what others see on the way.
    private mutating func collectUse(_ code: VCode) {
        for instruction in code.instructions {
            let index = Int(instruction.source)
            let operands = instruction.operation.use
            use.add(instruction, operands, instruction.isUnlikely ? 0 : frequency[index])
            guard instruction.isObserved(operands) || observation == .all else { continue }
            let seen = allocation.liveness.before(index)
            use.needed.formUnion(seen)
            use.extend(seen, 2 * Int32(truncatingIfNeeded: index))
        }
    }

    /// Where blocks begin or end with registers live that were not so the block before, or are not later. Within blocks
    /// they are live from where VCode writes them to where it reads them.
    private mutating func collectLiveness() {
        let liveness = allocation.liveness
        var live = RegisterSet()
        var end: Int32 = 0
        for block in flow.blocks where block.isReachable && block.start < block.end {
            let start = 2 * Int32(bitPattern: block.start)
            let first = liveness.before(Int(block.start))
            let last = liveness.before(Int(block.end) - 1)
            use.extend(live.subtracting(first), end)
            // Those that are live before, here and behind are told of where they no longer are.
            use.extend(first.subtracting(live.intersection(last)), start)
            end = 2 * Int32(bitPattern: block.end) - 2
            live = last
        }
        use.extend(live, end)
        // What callers keep is live all through a procedure.
        for (procedure, kept) in liveness.acrossProcedure.enumerated() {
            let range = liveness.range(of: procedure)
            use.extend(kept, 2 * Int32(truncatingIfNeeded: range.lowerBound))
            use.extend(kept, 2 * Int32(truncatingIfNeeded: range.upperBound) - 1)
        }
    }

    // What only looks is mutating too: a call that borrows copies the whole of this.

    private mutating func addRegisters(_ bank: RegisterSet, _ intervals: inout IntervalList) {
        var members = use.needed.intersection(use.live).intersection(bank).rawValue
        while members != 0 {
            let number = members.trailingZeroBitCount
            members &= members - 1
            intervals.insert(
                Interval(
                    value: .register(Register(number)), start: use[number].first, end: use[number].last,
                    weight: use[number].weight))
        }
    }

    /// Constants that are used three times or more, or in a loop. They are read at the entry, and again after each call.
    private mutating func addConstants(_ code: VCode, _ intervals: inout IntervalList) {
        var last = InlineArray<17, Int>(repeating: -1)
        var weight = InlineArray<17, Float>(repeating: 0)
        var calls: Float = 2
        for instruction in code.instructions {
            let index = Int(instruction.source)
            if instruction.operation == .callSub || instruction.operation == .callHost {
                calls += frequency[index]
            }
            guard let constant = instruction.constant else { continue }
            last[Int(constant.index)] = max(last[Int(constant.index)], index)
            if !instruction.isUnlikely { weight[Int(constant.index)] += frequency[index] }
        }
        for constant in InstanceConstant.all where weight[Int(constant.index)] > calls {
            let end = 2 * frequency.endOfLoops(around: last[Int(constant.index)]) + 1
            intervals.insert(
                Interval(
                    value: .constant(constant), start: -1, end: Int32(truncatingIfNeeded: end),
                    weight: weight[Int(constant.index)] - calls))
        }
    }

    /// Anchors live from before their loop to its end.
    private mutating func addAnchors(_ code: VCode, _ intervals: inout IntervalList) {
        guard code.anchorCount > 0 else { return }
        var weight = InlineArray<16, Float>(repeating: 0)
        for instruction in code.instructions
        where instruction.operation.isAccess && instruction.place == .anchored {
            weight[Int(instruction.anchor)] += frequency[Int(instruction.source)]
        }
        for instruction in code.instructions where instruction.operation == .anchor {
            intervals.insert(
                Interval(
                    value: .anchor(instruction.anchor), start: 2 * Int32(bitPattern: instruction.source),
                    end: 2 * Int32(truncatingIfNeeded: instruction.immediate) + 1,
                    weight: weight[Int(instruction.anchor)]))
        }
    }

    /// What page caches know holds from a first access to the next, whatever lies between.
    private mutating func addPages(_ code: VCode, _ intervals: inout IntervalList) {
        for cache in code.pageCaches.indices {
            var last = 0
            var weight: Float = 0
            for instruction in code.instructions
            where instruction.operation == .guardCachedPage && Int(instruction.cache) == cache {
                last = max(last, Int(instruction.source))
                weight += frequency[Int(instruction.source)]
            }
            let end = 2 * Int32(truncatingIfNeeded: frequency.endOfLoops(around: last)) + 1
            for value in [PageCacheValue.minusPage(cache), .host(cache)] {
                intervals.insert(Interval(value: .page(value), start: -1, end: end, weight: weight))
            }
        }
    }

    // MARK: Assignment

    /// Gives each interval one of the bank's machine registers, the first ones by preference, or none.
    private mutating func assign(_ intervals: borrowing IntervalList, _ bank: RegisterBank) {
        let count = bank == .integer ? Self.allocatable.count : Self.allocatableVectors.count
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
                locate(interval, location(free, bank))
            } else if victim >= 0, interval.isWorthSaving, intervals[active[victim]].weight < interval.weight
            {
                spill(intervals[active[victim]])
                active[victim] = index
                locate(interval, location(victim, bank))
            } else {
                spill(interval)
            }
        }
    }

    private mutating func location(_ place: Int, _ bank: RegisterBank) -> Location {
        bank == .integer ? .machine(Self.allocatable[place]) : .vector(Self.allocatableVectors[place])
    }

    private mutating func locate(_ interval: Interval, _ location: Location) {
        switch interval.value {
        case .register(let register): allocation.locate(register, location)
        case .constant(let constant): allocation.locate(constant, location, end: Int(interval.end))
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
        guard code.operations.contains(.callSub) || code.operations.contains(.callHost) else { return }
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
