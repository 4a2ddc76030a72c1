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

    private enum Value: BitwiseCopyable {
        case register(Register)
        case constant(InstanceConstant)
        case anchor(UInt8)
    }

    private struct Interval {
        var value: Value
        /// Twice the index of the first and last instruction; odd where the instruction writes it.
        var start: Int
        var end: Int
        var weight: Double

        var isInteger: Bool {
            if case .register(let register) = value { register.bank == .integer } else { true }
        }

        /// Whether it is used so often that a machine register is worth saving for it.
        var isWorthSaving: Bool { if case .register = value { true } else { weight >= 8 } }
    }

    private let fragment: VerifiedFragment
    private let observation: RegisterObservation
    private let frequency: Frequency
    private var allocation: Allocation

    static func run(_ code: VCode, observing observation: RegisterObservation) -> Allocation {
        var scan = LinearScan(code, observation)
        let registers = scan.registerIntervals(code)
        let integers =
            registers.filter { $0.isInteger } + scan.constantIntervals(code) + scan.anchorIntervals(code)
        scan.assign(integers.sorted { $0.start < $1.start }, allocatable.map { .machine($0) })
        let floats = registers.filter { !$0.isInteger }
        if !floats.isEmpty {
            scan.assign(floats.sorted { $0.start < $1.start }, allocatableVectors.map { .vector($0) })
        }
        scan.assignHomes()
        return scan.allocation
    }

    private init(_ code: VCode, _ observation: RegisterObservation) {
        fragment = code.fragment
        self.observation = observation
        frequency = Frequency(fragment)
        allocation = Allocation(
            ValueLiveness(fragment, observing: observation), anchorCount: code.anchorCount)
    }

    // MARK: Intervals

    private func registerIntervals(_ code: VCode) -> [Interval] {
        let liveness = allocation.liveness
        var first = [Int](repeating: .max, count: Register.count)
        var last = [Int](repeating: -1, count: Register.count)
        for block in fragment.flow.blocks where block.isReachable {
            for index in Int(block.start)..<Int(block.end) {
                let instruction = fragment.code.instructions[index]
                let reads = instruction.reads(fragment.code, fragment.macros)
                let writes = instruction.writes(fragment.code, fragment.macros)
                Self.extend(liveness.before(index).union(reads), 2 * index, &first, &last)
                Self.extend(writes, 2 * index + 1, &first, &last)
            }
        }
        // What callers keep is live all through a procedure.
        for (procedure, kept) in liveness.acrossProcedure.enumerated() {
            let range = liveness.range(of: procedure)
            Self.extend(kept, 2 * range.lowerBound, &first, &last)
            Self.extend(kept, 2 * range.upperBound - 1, &first, &last)
        }
        let weights = registerWeights(code)
        return (0..<Register.count).compactMap { number in
            guard last[number] >= 0, let weight = weights[number] else { return nil }
            return Interval(
                value: .register(Register(number)), start: first[number], end: last[number], weight: weight)
        }
    }

    /// How often each register is used; nil: never, and nobody sees it.
    private func registerWeights(_ code: VCode) -> [Double?] {
        var weights = [Double?](repeating: nil, count: Register.count)
        func add(_ set: RegisterSet, _ amount: Double) {
            var members = set.rawValue
            while members != 0 {
                weights[members.trailingZeroBitCount] = (weights[members.trailingZeroBitCount] ?? 0) + amount
                members &= members - 1
            }
        }
        for instruction in code.instructions {
            let index = Int(instruction.source)
            add(instruction.reads.union(instruction.writes), frequency[index])
            add(instruction.coldReads, 0)
            if instruction.isObserved || observation == .all { add(allocation.liveness.before(index), 0) }
        }
        return weights
    }

    private static func extend(_ set: RegisterSet, _ position: Int, _ first: inout [Int], _ last: inout [Int])
    {
        var members = set.rawValue
        while members != 0 {
            let number = members.trailingZeroBitCount
            first[number] = min(first[number], position)
            last[number] = max(last[number], position)
            members &= members - 1
        }
    }

    /// Constants that are used three times or more, or in a loop. They are read at the entry, and again after each call.
    private mutating func constantIntervals(_ code: VCode) -> [Interval] {
        var last = [Int](repeating: -1, count: InstanceConstant.count)
        var weight = [Double](repeating: 0, count: InstanceConstant.count)
        var calls = 2.0
        for instruction in code.instructions {
            let index = Int(instruction.source)
            if instruction.operation == .callSub || instruction.operation == .callHost {
                calls += frequency[index]
            }
            guard let constant = instruction.constant else { continue }
            last[Int(constant.index)] = index
            weight[Int(constant.index)] += frequency[index]
        }
        return InstanceConstant.all.filter { weight[Int($0.index)] > calls }.map { constant in
            let end = 2 * frequency.endOfLoops(around: last[Int(constant.index)]) + 1
            allocation.constantEnds[Int(constant.index)] = end
            return Interval(
                value: .constant(constant), start: -1, end: end, weight: weight[Int(constant.index)] - calls)
        }
    }

    /// Anchors live from before their loop to its last use of them, and so to its end.
    private func anchorIntervals(_ code: VCode) -> [Interval] {
        guard code.anchorCount > 0 else { return [] }
        var intervals: [Interval] = []
        for instruction in code.instructions {
            let index = Int(instruction.source)
            if instruction.operation == .anchor {
                intervals.append(
                    Interval(
                        value: .anchor(instruction.anchor), start: 2 * index,
                        end: 2 * Int(instruction.immediate) + 1,
                        weight: 0))
            } else if instruction.operation.isAccess, instruction.place == .anchored {
                intervals[Int(instruction.anchor)].weight += frequency[index]
            }
        }
        return intervals
    }

    // MARK: Assignment

    /// Gives each interval a location of `pool`, the first ones by preference, or none.
    private mutating func assign(_ intervals: [Interval], _ pool: [Location]) {
        var active: [(interval: Interval, place: Int)] = []
        var free = UInt32(1) << UInt32(pool.count) - 1
        for interval in intervals {
            for expired in active where expired.interval.end < interval.start {
                free |= 1 << UInt32(expired.place)
            }
            active.removeAll { $0.interval.end < interval.start }
            let usable = interval.isWorthSaving ? free : free & (1 << UInt32(Self.unsavedCount) - 1)
            if usable != 0 {
                let place = usable.trailingZeroBitCount
                free &= ~(1 << UInt32(place))
                locate(interval.value, pool[place])
                active.append((interval, place))
                continue
            }
            guard interval.isWorthSaving,
                let victim = active.indices.min(by: {
                    active[$0].interval.weight < active[$1].interval.weight
                }),
                active[victim].interval.weight < interval.weight
            else {
                spill(interval.value)
                continue
            }
            spill(active[victim].interval.value)
            locate(interval.value, pool[active[victim].place])
            active[victim].interval = interval
        }
    }

    private mutating func locate(_ value: Value, _ location: Location) {
        switch value {
        case .register(let register): allocation.locations[Int(register.number)] = location
        case .constant(let constant): allocation.locations[Register.count + Int(constant.index)] = location
        case .anchor(let anchor): allocation.anchors[Int(anchor)] = location
        }
    }

    private mutating func spill(_ value: Value) {
        guard case .register = value else { return locate(value, .nowhere) }
        locate(value, .slot(UInt8(allocation.slotCount)))
        allocation.slotCount += 1
    }

    /// Across calls of sub-fragments and of the host no machine register keeps its value.
    private mutating func assignHomes() {
        var crossing: RegisterSet = []
        for (index, instruction) in fragment.code.instructions.enumerated() where isCall(instruction) {
            crossing.formUnion(allocation.liveness.after(index))
        }
        for register in crossing.registers {
            switch allocation.location(register) {
            case .machine, .vector:
                allocation.homes[Int(register.number)] = UInt8(allocation.slotCount)
                allocation.slotCount += 1
            case .nowhere, .slot: break
            }
        }
    }

    private func isCall(_ instruction: Instruction) -> Bool {
        instruction.opcode.shape.isExpanded && fragment.macros[Int(instruction.index)].expansion.fallsThrough
    }
}
