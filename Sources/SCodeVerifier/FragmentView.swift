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
    /// Whether it may abort for its operands: an access, a division, a jump through a table.
    var isChecked: Bool

    /// *Requires* V1, V4, V5 and V6.
    @inline(__always)
    init(_ instruction: Instruction, _ code: FragmentCode, _ macros: [MacroInstruction]) {
        self.instruction = instruction
        let facts = instruction.opcode.facts
        shape = facts.shape
        endsBlock = facts.effects.contains(.endsBlock)
        fallsThrough = !facts.effects.contains(.noFallThrough)
        (reads, writes) = instruction.registers(facts, code, macros)
        isChecked =
            shape.isAccess || shape == .jumpTable
            || instruction.opcode.operation == .div || instruction.opcode.operation == .mod
        if shape.isExpanded {
            fallsThrough = macros[Int(instruction.index)].expansion.fallsThrough
            endsBlock = !fallsThrough
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
    let backward: [Bool]

    init(_ code: FragmentCode, _ macros: [MacroInstruction]) {
        self.code = code
        self.macros = macros
        let count = code.instructions.count
        arena = Arena(expecting: 4096 + count * 320)
        uses = arena.uninitialised(count)
        var used: RegisterSet = []
        for index in 0..<count {
            let use = InstructionUse(code.instructions[index], code, macros)
            used.formUnion(use.reads.union(use.writes))
            uses[index] = use
        }
        usesFloats = used.intersection(.floats) != []
        var hasLoops = !code.procedures.isEmpty
        let uses = uses
        backward = Array(unsafeUninitializedCapacity: count) { buffer, initialised in
            for index in 0..<count {
                let isBackward = code.isBackward(index, uses[index].shape)
                hasLoops = hasLoops || isBackward
                buffer.initializeElement(at: index, to: isBackward)
            }
            initialised = count
        }
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
    func isBackward(_ index: Int, _ shape: OperandShape) -> Bool {
        switch shape {
        case .jump, .branch:
            return Int(labels[Int(instructions[index].index)].position) <= index
        case .jumpTable:
            return tables[Int(instructions[index].index)].labels.contains {
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
