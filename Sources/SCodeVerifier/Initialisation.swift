import SCodeIR

/// Which registers have been written on every path, and floating-point ones as what.
struct WrittenRegisters: Hashable, BitwiseCopyable {
    var all: RegisterSet
    /// Of `all`, floating-point registers that hold an `f`, and those that hold a `d`, on every path.
    var singles: RegisterSet = []
    var doubles: RegisterSet = []

    static let everything = WrittenRegisters(all: .all, singles: .floats, doubles: .floats)

    mutating func write(_ register: Register, _ type: ValueType) {
        all.insert(register)
        guard register.bank == .float else { return }
        if type == .f {
            singles.insert(register)
            doubles.remove(register)
        } else {
            doubles.insert(register)
            singles.remove(register)
        }
    }

    func canRead(_ register: Register, _ type: ValueType) -> Bool {
        if register.bank == .integer { return all.contains(register) }
        return type == .f ? singles.contains(register) : doubles.contains(register)
    }

    func intersection(_ other: WrittenRegisters) -> WrittenRegisters {
        WrittenRegisters(
            all: all.intersection(other.all), singles: singles.intersection(other.singles),
            doubles: doubles.intersection(other.doubles))
    }

    /// After a call: what the procedure may have written is as at its exit, the rest as before the call.
    func returning(_ exit: WrittenRegisters, from written: RegisterSet) -> WrittenRegisters {
        WrittenRegisters(
            all: all.union(exit.all.intersection(written)),
            singles: singles.subtracting(written).union(exit.singles.intersection(written)),
            doubles: doubles.subtracting(written).union(exit.doubles.intersection(written)))
    }
}

extension Instruction {
    /// Calls `body` for each register that is read, with the type it is read as. *Requires* V1 and V5.
    func forEachRead(
        _ code: FragmentCode, _ macros: [MacroInstruction], _ body: (Register, ValueType) -> Void
    ) {
        if opcode.shape.isExpanded {
            for (operand, kind) in zip(code.macroCalls[Int(index)].operands, macros[Int(index)].operands) {
                if case .register(let register) = operand, case .value(let type) = kind {
                    body(register, type)
                }
            }
            return
        }
        let type = opcode.shape == .convert ? opcode.sourceType : opcode.type
        var registers = reads(code, macros).rawValue
        while registers != 0 {
            body(Register(registers.trailingZeroBitCount), type)
            registers &= registers - 1
        }
    }
}

/// The fixed point of `WrittenRegisters` over the control flow: what V8 asks for, and no more; it does not depend on
/// what values are known.
struct Initialisation {
    /// Per block: what holds at its start; nil where no path leads.
    private(set) var atStart: [WrittenRegisters?]
    private let code: FragmentCode
    private let macros: [MacroInstruction]

    init(
        _ code: FragmentCode, _ macros: [MacroInstruction], _ flow: ControlFlow, _ procedures: ProcedureFacts,
        entry: WrittenRegisters
    ) {
        self.code = code
        self.macros = macros
        atStart = Array(repeating: nil, count: flow.blocks.count)
        guard !atStart.isEmpty else { return }
        atStart[0] = entry
        solve(flow, procedures)
    }

    private mutating func solve(_ flow: ControlFlow, _ procedures: ProcedureFacts) {
        var queue = flow.order
        var isQueued = flow.blocks.map(\.isReachable)
        var head = 0
        func push(_ block: Int) {
            if !isQueued[block] {
                isQueued[block] = true
                queue.append(UInt32(block))
            }
        }
        while head < queue.count {
            let block = Int(queue[head])
            head += 1
            isQueued[block] = false
            guard var state = atStart[block] else { continue }
            if block >= flow.codeBlockCount {
                // A procedure's exit changed: what its callers know after the call did too.
                for caller in flow.callers[block - flow.codeBlockCount] where atStart[Int(caller)] != nil {
                    push(Int(caller))
                }
                continue
            }
            for index in Int(flow.blocks[block].start)..<Int(flow.blocks[block].end) {
                step(code.instructions[index], &state)
            }
            for successor in flow.successors(block) where join(state, into: Int(successor)) {
                push(Int(successor))
            }
            let last = code.instructions[Int(flow.blocks[block].end) - 1]
            if last.opcode.operation == .call,
                let exit = atStart[flow.exitBlock(ofProcedure: Int(last.index))]
            {
                let after = state.returning(exit, from: procedures.written[Int(last.index)])
                if join(after, into: block + 1) { push(block + 1) }
            }
        }
    }

    /// Returns whether anything was lost.
    private mutating func join(_ state: WrittenRegisters, into block: Int) -> Bool {
        guard let old = atStart[block] else {
            atStart[block] = state
            return true
        }
        let both = old.intersection(state)
        atStart[block] = both
        return both != old
    }

    /// The effect of one instruction.
    func step(_ instruction: Instruction, _ state: inout WrittenRegisters) {
        let fields = instruction.opcode.fields
        if !fields.isDisjoint(with: .writesRd) { return state.write(instruction.rd, instruction.opcode.type) }
        guard fields.isEmpty, instruction.opcode.shape.isExpanded else { return }
        let index = Int(instruction.index)
        for (operand, kind) in zip(code.macroCalls[index].operands, macros[index].operands) {
            if case .register(let register) = operand, case .result(let type) = kind {
                state.write(register, type)
            }
        }
    }
}
