import SCodeIR
import SCodeVerifier
import X86Assembler

/// Where the value of a SCODE register is kept, for the whole fragment.
enum Location: Hashable, BitwiseCopyable {
    case nowhere
    /// An integer or address.
    case machine(GPR)
    /// A floating-point number.
    case vector(XMM)
    /// A slot of the frame, 8 bytes each.
    case slot(UInt8)
}

/// The result of register allocation.
struct Allocation {
    /// Per SCODE register.
    var locations = [Location](repeating: .nowhere, count: Register.count)
    /// Per SCODE register that is kept in a machine register across a call: the slot it is saved in meanwhile.
    var homes = [UInt8?](repeating: nil, count: Register.count)
    /// Slots that hold SCODE registers; one has a location or a home there, not both.
    var slotCount = 0
    let liveness: ValueLiveness

    init(_ liveness: ValueLiveness) { self.liveness = liveness }

    func location(_ register: Register) -> Location { locations[Int(register.number)] }

    func uses(_ register: GPR) -> Bool { locations.contains(.machine(register)) }
    func uses(_ register: XMM) -> Bool { locations.contains(.vector(register)) }
}

/// Linear scan over the live intervals of the SCODE registers, for integers and for floating-point numbers each.
///
/// *Requires* a verified fragment; works on its liveness, not on VCode. *Produces* a location for every
/// register that is ever live. When there are too few machine registers, the value that is used least, loops
/// counted, goes to the frame.
struct LinearScan {
    /// The machine registers that hold integers. rax, rcx and rdx are scratch; r13 to r15 are pinned. Registers
    /// that need no saving come first.
    static let allocatable: [GPR] = [.rsi, .rdi, .r8, .r9, .r10, .r11, .rbx, .rbp, .r12]
    /// Those that hold floating-point numbers. xmm14 and xmm15 are scratch.
    static let allocatableVectors: [XMM] = [
        .xmm0, .xmm1, .xmm2, .xmm3, .xmm4, .xmm5, .xmm6, .xmm7, .xmm8, .xmm9, .xmm10, .xmm11, .xmm12, .xmm13,
    ]

    private struct Interval {
        var register: Register
        /// Twice the index of the first and last instruction; odd where the instruction writes it.
        var start: Int
        var end: Int
        var weight: Double
    }

    static func run(_ fragment: VerifiedFragment, observing observation: RegisterObservation) -> Allocation {
        var allocation = Allocation(ValueLiveness(fragment, observing: observation))
        let intervals = intervals(fragment, allocation.liveness)
        assign(
            intervals.filter { $0.register.bank == .integer }, allocatable.map { .machine($0) }, &allocation)
        assign(
            intervals.filter { $0.register.bank == .float }, allocatableVectors.map { .vector($0) },
            &allocation)
        assignHomes(fragment, &allocation)
        return allocation
    }

    private static func intervals(_ fragment: VerifiedFragment, _ liveness: ValueLiveness) -> [Interval] {
        var first = [Int](repeating: .max, count: Register.count)
        var last = [Int](repeating: -1, count: Register.count)
        var weight = [Double](repeating: 0, count: Register.count)
        let loopWeight = loopWeights(fragment)
        for block in fragment.flow.blocks where block.isReachable {
            for index in Int(block.start)..<Int(block.end) {
                let instruction = fragment.code.instructions[index]
                let reads = instruction.reads(fragment.code, fragment.macros)
                let writes = instruction.writes(fragment.code, fragment.macros)
                extend(liveness.before(index).union(reads), 2 * index, &first, &last)
                extend(writes, 2 * index + 1, &first, &last)
                var used = reads.union(writes).rawValue
                while used != 0 {
                    weight[used.trailingZeroBitCount] += loopWeight[index]
                    used &= used - 1
                }
            }
        }
        // What callers keep is live all through a procedure.
        for (procedure, kept) in liveness.acrossProcedure.enumerated() {
            let range = liveness.range(of: procedure)
            extend(kept, 2 * range.lowerBound, &first, &last)
            extend(kept, 2 * range.upperBound - 1, &first, &last)
        }
        return (0..<Register.count).filter { last[$0] >= 0 }.map {
            Interval(register: Register($0), start: first[$0], end: last[$0], weight: weight[$0])
        }.sorted { ($0.start, $0.register.number) < ($1.start, $1.register.number) }
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

    /// How often each instruction is expected to run: eightfold for each backward jump that spans it.
    private static func loopWeights(_ fragment: VerifiedFragment) -> [Double] {
        let code = fragment.code
        var change = [Int](repeating: 0, count: code.instructions.count + 1)
        for (index, instruction) in code.instructions.enumerated()
        where instruction.opcode.shape == .branch || instruction.opcode.shape == .jump {
            let target = Int(code.labels[Int(instruction.index)].position)
            if target <= index {
                change[target] += 1
                change[index + 1] -= 1
            }
        }
        var depth = 0
        return code.instructions.indices.map { index in
            depth += change[index]
            return Double(1 << (3 * min(depth, 6)))
        }
    }

    /// Gives each interval a location of `pool`, the first ones by preference, or a slot.
    private static func assign(_ intervals: [Interval], _ pool: [Location], _ allocation: inout Allocation) {
        var active: [Interval] = []
        var free = pool
        for interval in intervals {
            for finished in active where finished.end < interval.start {
                free.append(allocation.location(finished.register))
            }
            active.removeAll { $0.end < interval.start }
            if let location = pool.first(where: { free.contains($0) }) {
                free.removeAll { $0 == location }
                allocation.locations[Int(interval.register.number)] = location
                active.append(interval)
                continue
            }
            guard let victim = active.indices.min(by: { active[$0].weight < active[$1].weight }),
                active[victim].weight < interval.weight
            else {
                spill(interval.register, &allocation)
                continue
            }
            allocation.locations[Int(interval.register.number)] = allocation.location(active[victim].register)
            spill(active[victim].register, &allocation)
            active[victim] = interval
        }
    }

    private static func spill(_ register: Register, _ allocation: inout Allocation) {
        allocation.locations[Int(register.number)] = .slot(UInt8(allocation.slotCount))
        allocation.slotCount += 1
    }

    /// Across calls of sub-fragments and of the host no machine register keeps its value.
    private static func assignHomes(_ fragment: VerifiedFragment, _ allocation: inout Allocation) {
        var crossing: RegisterSet = []
        for (index, instruction) in fragment.code.instructions.enumerated()
        where isCall(fragment, instruction) {
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

    private static func isCall(_ fragment: VerifiedFragment, _ instruction: Instruction) -> Bool {
        instruction.opcode.shape.isExpanded && fragment.macros[Int(instruction.index)].expansion.fallsThrough
    }
}
