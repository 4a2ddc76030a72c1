import SCodeTestSupport

@testable import SCodeBPF

/// Random programs that keep the rules of eBPF: r9 stays the memory's address, control stays inside.
struct RandomEBPF {
    private var generator: SeededGenerator
    private var program: [EBPFInstruction] = []
    /// Whether functions call one another. They keep to their own frames then: what lies beyond is not the RFC's business.
    private var hasCalls = false

    static func program(seed: UInt64) -> [EBPFInstruction] {
        var random = RandomEBPF(generator: SeededGenerator(seed: seed))
        random.build()
        return random.program
    }

    private mutating func build() {
        let functions = Int.random(in: 1...3, using: &generator)
        hasCalls = functions > 1
        // Each function may call the next, so that its frame lies where the reference machine has it.
        var calls: [(index: Int, callee: Int)] = []
        var starts: [Int] = []
        for function in 0..<functions {
            starts.append(program.count)
            let start = program.count
            if function == 0 { program.append(EBPFInstruction(code: 0xbf, destination: 9, source: 1)) }
            let length = Int.random(in: 2...30, using: &generator)
            var targets: [Int] = []
            for _ in 0..<length {
                targets.append(program.count)
                if function + 1 < functions, generator.oneIn(12) {
                    calls.append((program.count, function + 1))
                    program.append(EBPFInstruction(code: 0x85, source: 1))
                } else {
                    append()
                }
            }
            targets.append(program.count)
            program.append(EBPFInstruction(code: 0x95))
            for index in start..<program.count - 1 { aim(index, targets) }
            // Some functions are entered in the middle, and jump back to before that.
            if function > 0, generator.oneIn(3) {
                starts[function] = targets.randomElement(using: &generator) ?? start
            }
        }
        for (index, callee) in calls { program[index].immediate = Int32(starts[callee] - index - 1) }
    }

    /// Gives a jump somewhere to go to: mostly forward.
    private mutating func aim(_ index: Int, _ targets: [Int]) {
        let forward = targets.filter { $0 > index }
        let target = (generator.oneIn(8) ? targets : forward).randomElement(using: &generator) ?? index + 1
        switch EBPFOpcode.rows(of: program[index].code).first?.operation {
        case .branch, .branchIfSet, .jump: program[index].offset = Int16(target - index - 1)
        case .jumpFar: program[index].immediate = Int32(target - index - 1)
        default: break
        }
    }

    private mutating func append() {
        while true {
            guard let row = EBPFOpcode.table.randomElement(using: &generator) else { return }
            switch row.operation {
            case .callHelper, .callLocal, .callRegister, .exit: continue
            default: break
            }
            var instruction = EBPFInstruction(
                code: row.code, source: row.source, offset: row.offset, immediate: row.immediate)
            if row.uses.contains(.destination) {
                instruction.destination = UInt8.random(in: 0...8, using: &generator)
            }
            if row.uses.contains(.source) { instruction.source = UInt8.random(in: 0...8, using: &generator) }
            if row.uses.contains(.immediate) {
                instruction.immediate = Int32(truncatingIfNeeded: generator.interestingValue())
            }
            let isAccess = aimAccess(&instruction, row)
            // A source that is written must not be the memory's address, nor the frame's.
            if !isAccess, row.uses.contains(.source), generator.oneIn(8) {
                instruction.source = hasCalls || generator.oneIn(2) ? 9 : 10
            }
            program.append(instruction)
            if row.operation == .setWide {
                program.append(
                    EBPFInstruction(
                        code: 0, immediate: Int32(truncatingIfNeeded: generator.interestingValue())))
            }
            return
        }
    }

    /// Most accesses hit the memory or the stack.
    private mutating func aimAccess(_ instruction: inout EBPFInstruction, _ row: EBPFOpcode) -> Bool {
        let isLoad: Bool
        switch row.operation {
        case .load: isLoad = true
        case .store, .atomic: isLoad = false
        default: return false
        }
        if generator.oneIn(20) { return true }
        let usesStack = generator.oneIn(2)
        let offset =
            usesStack
            ? -Int16.random(in: (hasCalls ? 8 : 0)...72, using: &generator)
            : .random(in: -2...40, using: &generator)
        let isAligned = if case .atomic = row.operation { !generator.oneIn(10) } else { false }
        instruction.offset = isAligned ? offset & ~7 : offset
        if isLoad {
            instruction.source = usesStack ? 10 : 9
        } else {
            instruction.destination = usesStack ? 10 : 9
        }
        return true
    }
}
