import SCodeIR
import X86Assembler

extension Emitter {
    /// A load and the instruction that takes the value from memory, as one.
    mutating func emitFolded(_ load: VInstruction, into next: VInstruction) {
        let memory = place(of: load)
        beginRange(next.source)
        if next.operation == .branch { return emitBranch(next, on: load, memory) }
        // `place` may use rax and rdx.
        var target = GPR.rcx
        if case .machine(let machine) = allocation.location(next.dst) { target = machine }
        copy(next.dst, to: target, next.width)
        noteFault(of: load)
        emit(next.operation, next.width, target, memory)
        keep(next.dst, from: target)
    }

    private mutating func emitBranch(_ branch: VInstruction, on load: VInstruction, _ memory: Memory) {
        if let comparand = branch.hasImmediate ? branch.comparand(of: load) : nil {
            noteFault(of: load)
            assembler.compare(MemoryWidth(bytes: load.size), memory, immediate: comparand)
        } else if branch.a == load.dst {
            let right = fetch(branch.b, .rcx)
            noteFault(of: load)
            assembler.alu(.cmp, branch.width, memory, right)
        } else {
            let left = fetch(branch.a, .rcx)
            noteFault(of: load)
            assembler.alu(.cmp, branch.width, left, memory)
        }
        emitJump(branch)
    }
}
