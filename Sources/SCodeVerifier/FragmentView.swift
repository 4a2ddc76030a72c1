import SCodeIR

/// An instruction, what it reads and writes, and how control leaves it: what every pass asks, worked out once.
struct InstructionUse: BitwiseCopyable {
    let instruction: Instruction
    var reads: RegisterSet
    /// At most one register, but for macro-instructions.
    var writes: RegisterSet
    var shape: OperandShape
    /// Whether the next instruction can come next; of a call, what it calls comes next.
    var fallsThrough: Bool
    var endsBlock: Bool
    /// Whether it changes what is known of integer registers.
    var changesValues: Bool
    /// Whether it may abort for its operands: an access, a division, a jump through a table.
    var isChecked: Bool

    /// *Requires* V1, V4, V5 and V6.
    @inline(__always)
    init(
        _ instruction: Instruction, _ facts: Opcode.Facts, _ code: FragmentCode,
        _ macros: [MacroInstruction]
    ) {
        self.instruction = instruction
        shape = facts.shape
        endsBlock = facts.effects.contains(.endsBlock)
        fallsThrough = !facts.effects.contains(.noFallThrough)
        (reads, writes) = instruction.registers(facts, code, macros)
        changesValues = UInt32(truncatingIfNeeded: writes.rawValue) != 0
        // Jumps but those through tables abort for want of budget only.
        isChecked = facts.effects.contains(.canAbort) && (!endsBlock || shape == .jumpTable)
        if shape.isExpanded {
            fallsThrough = macros[Int(instruction.index)].expansion.fallsThrough
            endsBlock = !fallsThrough
            isChecked = false
        } else if shape == .call {
            fallsThrough = false
        }
    }
}

/// One fragment that obeys the structural rules, as the passes behind them see it.
final class FragmentView {
    let code: FragmentCode
    /// Per macro call: what the acceptor makes of it.
    let macros: [MacroInstruction]
    let arena: Arena
    let uses: Table<InstructionUse>
    /// Whether any instruction reads or writes a floating-point register.
    let usesFloats: Bool
    /// Whether anything is executed more than once: there is a jump to itself or backward, or a procedure.
    let hasLoops: Bool
    /// Per instruction: whether it may jump to itself or backward, or calls a procedure.
    let backward: Table<Bool>

    init(_ code: FragmentCode, _ macros: [MacroInstruction]) {
        self.code = code
        self.macros = macros
        let count = code.instructions.count
        arena = Arena(expecting: 4096 + count * 320)
        let uses: Table<InstructionUse> = arena.uninitialised(count)
        var used: RegisterSet = []
        let backward: Table<Bool> = arena.uninitialised(count)
        let facts = Opcode.allFacts
        var hasLoops = !code.procedures.isEmpty
        code.instructions.withUnsafeBufferPointer { instructions in
            for index in 0..<count {
                let instruction = instructions[index]
                let use = InstructionUse(instruction, facts[instruction.opcode], code, macros)
                used.formUnion(use.reads.union(use.writes))
                uses[index] = use
                let isBackward = use.endsBlock && code.isBackward(instruction, at: index, use.shape)
                hasLoops = hasLoops || isBackward
                backward[index] = isBackward
            }
        }
        self.uses = uses
        self.backward = backward
        usesFloats = used.intersection(.floats) != []
        self.hasLoops = hasLoops
    }

    @inline(__always)
    func instruction(_ index: Int) -> Instruction { uses[index].instruction }

    /// Follows one instruction's effect on what is known of the registers.
    @inline(__always)
    func step(_ index: Int, _ values: RegisterValues) {
        if uses[index].shape.isExpanded {
            let call = Int(uses[index].instruction.index)
            values.step(code.macroCalls[call], macros[call])
        } else {
            values.step(uses[index].instruction)
        }
    }
}

extension FragmentCode {
    /// Whether executing an instruction may jump to itself or backward, or calls a procedure. A `jt` counts as
    /// backward when any entry of its table lies there.
    @inline(__always)
    func isBackward(_ instruction: Instruction, at index: Int, _ shape: OperandShape) -> Bool {
        switch shape {
        case .jump, .branch:
            return Int(labels[Int(instruction.index)].position) <= index
        case .jumpTable:
            return tables[Int(instruction.index)].labels.contains {
                Int(labels[Int($0)].position) <= index
            }
        case .call:
            return true
        case .binary, .unary, .constant, .convert, .load, .store, .fetch, .compareExchange, .return,
            .hostCall, .macro:
            return false
        }
    }

    /// Whether the next instruction can be executed after it: a call comes back.
    func fallsThrough(_ index: Int, _ macros: [MacroInstruction]) -> Bool {
        let instruction = instructions[index]
        return instruction.opcode.operation == .macro
            ? macros[Int(instruction.index)].expansion.fallsThrough
            : !instruction.opcode.effects.contains(.noFallThrough)
    }
}
