import CSCodeRuntime
import SCodeIR
import X86Assembler

/// Operations that read, change and write memory at once. The host address is as aligned as the simulated one.
extension Emitter {
    /// The simulated address is in rax; it is what an abort reports.
    mutating func emitAlignmentGuard(_ instruction: VInstruction) {
        let abort = site(.abort(.misaligned), instruction)
        assembler.mov(.w32, .rcx, .rax)
        assembler.alu(.and, .w32, .rcx, immediate: Int32(instruction.size) - 1)
        assembler.jcc(.ne, abort)
    }

    private static func alu(_ operation: VOperation) -> ALU {
        switch operation {
        case .atomicAnd, .fetchAnd: .and
        case .atomicOr, .fetchOr: .or
        case .atomicXor, .fetchXor: .xor
        default: .add
        }
    }

    mutating func emitAtomic(_ instruction: VInstruction) {
        let memory = place(of: instruction)
        let operand = fetch(instruction.a, .rcx)
        noteFault(of: instruction)
        assembler.locked(Self.alu(instruction.operation), instruction.width, memory, operand)
    }

    /// The operand's register gets what was in memory.
    mutating func emitExchange(_ instruction: VInstruction) {
        let memory = place(of: instruction)
        copy(instruction.a, to: .rcx)
        noteFault(of: instruction)
        if instruction.operation == .exchange {
            assembler.xchg(instruction.width, memory, .rcx)
        } else {
            assembler.lockedXadd(instruction.width, memory, .rcx)
        }
        keep(instruction.dst, from: GPR.rcx)
    }

    /// Tries until nobody has written in between.
    mutating func emitFetch(_ instruction: VInstruction) {
        let width = instruction.width
        let operation = Self.alu(instruction.operation)
        let memory = place(of: instruction)
        assembler.lea(.w64, .rdx, memory)
        noteFault(of: instruction)
        assembler.load(width == .w64 ? .w64 : .w32, .rax, Memory(.rdx))
        let again = assembler.boundLabel()
        assembler.mov(width, .rcx, .rax)
        if case .slot(let slot) = allocation.location(instruction.a) {
            assembler.alu(operation, width, .rcx, slotMemory(slot))
        } else {
            assembler.alu(operation, width, .rcx, fetch(instruction.a, .rcx))
        }
        // The page may be there, and read-only.
        noteFault(of: instruction)
        assembler.lockedCmpxchg(width, Memory(.rdx), .rcx)
        assembler.jcc(.ne, again)
        keep(instruction.dst, from: GPR.rax)
    }

    mutating func emitCompareExchange(_ instruction: VInstruction) {
        let memory = place(of: instruction)
        assembler.lea(.w64, .rdx, memory)
        // Cut to the width here: when the processor stores, it leaves rax as it was.
        copy(instruction.a, to: .rax, instruction.width)
        let new = fetch(instruction.b, .rcx)
        noteFault(of: instruction)
        assembler.lockedCmpxchg(instruction.width, Memory(.rdx), new)
        keep(instruction.dst, from: GPR.rax)
    }
}
