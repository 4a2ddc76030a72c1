import SCodeIR
import SCodeVerifier
import X86Assembler

/// Where the value of a SCODE register is kept, for the whole fragment.
enum Location: Hashable, BitwiseCopyable {
    case nowhere
    case machine(GPR)
    /// A slot of the frame, 8 bytes each.
    case slot(UInt8)
}

/// The result of register allocation.
struct Allocation {
    /// Per SCODE register.
    var locations = [Location](repeating: .nowhere, count: Register.count)
    /// Per SCODE register that is kept in a machine register across a call: the slot it is saved in meanwhile.
    var homes = [UInt8?](repeating: nil, count: Register.count)
    var slotCount = 0

    func location(_ register: Register) -> Location { locations[Int(register.number)] }
}

/// Linear scan over the live intervals of the SCODE registers.
///
/// *Requires* a verified fragment; works on its liveness, not on VCode. *Produces* a location for every
/// register that is ever live. When there are too few machine registers, the value that is used least, loops
/// counted, goes to the frame.
struct LinearScan {
    /// The machine registers that hold values. rax, rcx and rdx are scratch; r13 to r15 are pinned. Registers
    /// that need no saving come first.
    static let allocatable: [GPR] = [.rsi, .rdi, .r8, .r9, .r10, .r11, .rbx, .rbp, .r12]

    private struct Interval {
        var register: Register
        /// Twice the index of the first and last instruction; odd where the instruction writes it.
        var start: Int
        var end: Int
        var weight: Double
    }

    static func run(_ fragment: VerifiedFragment, observing observation: RegisterObservation) -> Allocation {
        var allocation = Allocation()
        assign(intervals(fragment, observation), &allocation)
        assignHomes(fragment, observation, &allocation)
        return allocation
    }

    /// The registers whose value must be at hand before instruction `index`.
    static func live(_ fragment: VerifiedFragment, _ index: Int, _ observation: RegisterObservation)
        -> RegisterSet
    {
        let live = fragment.liveBefore[index].intersection(fragment.initialised[index])
        return observation == .all ? fragment.initialised[index] : live
    }

    private static func intervals(
        _ fragment: VerifiedFragment, _ observation: RegisterObservation
    ) -> [Interval] {
        var first = [Int](repeating: .max, count: Register.count)
        var last = [Int](repeating: -1, count: Register.count)
        var weight = [Double](repeating: 0, count: Register.count)
        let loopWeight = loopWeights(fragment)
        for block in fragment.flow.blocks where block.isReachable {
            for index in Int(block.start)..<Int(block.end) {
                let instruction = fragment.code.instructions[index]
                let reads = instruction.reads(fragment.code, fragment.macros)
                let writes = instruction.writes(fragment.code, fragment.macros)
                extend(live(fragment, index, observation).union(reads), 2 * index, &first, &last)
                extend(writes, 2 * index + 1, &first, &last)
                var used = reads.union(writes).rawValue
                while used != 0 {
                    weight[used.trailingZeroBitCount] += loopWeight[index]
                    used &= used - 1
                }
            }
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

    private static func assign(_ intervals: [Interval], _ allocation: inout Allocation) {
        var active: [Interval] = []
        var free = allocatable
        for interval in intervals {
            for finished in active where finished.end < interval.start {
                if case .machine(let register) = allocation.location(finished.register) {
                    free.append(register)
                }
            }
            active.removeAll { $0.end < interval.start }
            if let register = takeFirst(&free) {
                allocation.locations[Int(interval.register.number)] = .machine(register)
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

    private static func takeFirst(_ free: inout [GPR]) -> GPR? {
        for register in allocatable {
            if let index = free.firstIndex(of: register) { return free.remove(at: index) }
        }
        return nil
    }

    private static func spill(_ register: Register, _ allocation: inout Allocation) {
        allocation.locations[Int(register.number)] = .slot(UInt8(allocation.slotCount))
        allocation.slotCount += 1
    }

    private static func assignHomes(
        _ fragment: VerifiedFragment, _ observation: RegisterObservation, _ allocation: inout Allocation
    ) {
        var crossing: RegisterSet = []
        for (index, instruction) in fragment.code.instructions.enumerated()
        where isCall(fragment, instruction) && index + 1 < fragment.code.instructions.count {
            crossing.formUnion(live(fragment, index + 1, observation))
        }
        for register in crossing.registers {
            guard case .machine = allocation.location(register) else { continue }
            allocation.homes[Int(register.number)] = UInt8(allocation.slotCount)
            allocation.slotCount += 1
        }
    }

    static func isCall(_ fragment: VerifiedFragment, _ instruction: Instruction) -> Bool {
        instruction.opcode.operation == .macro
            && fragment.macros[Int(instruction.index)].expansion.fallsThrough
    }
}
