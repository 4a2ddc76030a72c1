import SCodeIR

/// Which registers have been written on every path, and floating-point ones as what.
struct WrittenRegisters: Hashable, BitwiseCopyable {
    var all: RegisterSet
    /// Of `all`, floating-point registers that hold an `f`, and those that hold a `d`, on every path.
    var singles: RegisterSet
    var doubles: RegisterSet

    /// What is written when the fragment is entered.
    init(_ entryRegisters: [EntryRegister], _ parameters: [Parameter]) {
        self.init(all: [])
        for register in entryRegisters { write(register.register, register.type) }
        for parameter in parameters { write(parameter.register, parameter.type) }
    }

    init(all: RegisterSet, singles: RegisterSet = [], doubles: RegisterSet = []) {
        self.all = all
        self.singles = singles
        self.doubles = doubles
    }

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

/// The registers that are written before an instruction on every path from the entry, where a path leads to it.
public struct WrittenBefore: Hashable, Sendable, BitwiseCopyable {
    public let all: RegisterSet
    /// Of the floating-point registers, those that hold a `d`; of the others the low half counts.
    public let doubles: RegisterSet

    init(_ written: WrittenRegisters) {
        all = written.all
        doubles = written.doubles
    }
}

/// The fixed point of `WrittenRegisters` over the control flow: what V8 asks for, and no more; it does not depend on
/// what values are known.
struct Initialisation {
    /// Per block: what holds at its start; everything where no path leads.
    let atStart: Table<WrittenRegisters>
    private let view: FragmentView
    /// Per block: what it writes.
    private let written: Table<WrittenRegisters>

    init(
        _ view: FragmentView, _ flow: FlowGraph, _ procedures: ProcedureFacts, entry: WrittenRegisters
    ) {
        self.view = view
        let count = flow.blocks.count
        atStart = view.arena.table(count, .everything)
        written = view.arena.table(count, WrittenRegisters(all: []))
        guard count > 0 else { return }
        for block in 0..<flow.codeBlockCount {
            var state = WrittenRegisters(all: flow.uses[block].writes)
            if view.usesFloats { for index in flow.instructions(block) { step(index, &state) } }
            written[block] = state
        }
        atStart[0] = entry
        solve(flow, procedures)
    }

    /// Per instruction: what holds before it.
    func beforeInstructions(_ flow: FlowGraph) -> [WrittenBefore] {
        var before = [WrittenBefore](repeating: WrittenBefore(.everything), count: view.uses.count)
        for block in 0..<flow.codeBlockCount where flow.blocks[block].isReachable {
            var state = atStart[block]
            for index in flow.instructions(block) {
                before[index] = WrittenBefore(state)
                step(index, &state)
            }
        }
        return before
    }

    /// The same of a fragment that has been verified.
    static func beforeInstructions(_ fragment: VerifiedFragment) -> [WrittenBefore] {
        let arena = Arena(expecting: 8192 + fragment.code.instructions.count * 160)
        defer { arena.giveBack() }
        return withUnsafePointer(to: fragment.code) { code in
            withUnsafePointer(to: fragment.macros) { macros in
                let view = FragmentView(code, macros, arena)
                var procedures = ProcedureRules(view)
                procedures.check()
                let flow = FlowGraph(view)
                let entry = WrittenRegisters(fragment.acceptor.entryRegisters, code.pointee.parameters)
                return Initialisation(view, flow, procedures.facts, entry: entry).beforeInstructions(flow)
            }
        }
    }

    /// Everything is written where nobody has been yet, so joining is intersecting.
    private func solve(_ flow: FlowGraph, _ procedures: ProcedureFacts) {
        var pending = PendingBlocks(flow, view.arena)
        pending.insertAll()
        while let block = pending.popFirst() {
            let state = atStart[block]
            if block >= flow.codeBlockCount {
                // A procedure's exit changed: what its callers know after the call did too.
                for caller in flow.callers(block - flow.codeBlockCount) { pending.insert(Int(caller)) }
                continue
            }
            let after = state.returning(written[block], from: written[block].all)
            for successor in flow.successors(block) { join(after, into: Int(successor), &pending) }
            let last = Int(flow.blocks[block].end) - 1
            if view.uses[last].shape == .call {
                let procedure = Int(view.instruction(last).index)
                let exit = atStart[flow.exitBlock(ofProcedure: procedure)]
                join(after.returning(exit, from: procedures.written[procedure]), into: block + 1, &pending)
            }
        }
    }

    @inline(__always)
    private func join(_ state: WrittenRegisters, into block: Int, _ pending: inout PendingBlocks) {
        let old = atStart[block]
        let both = old.intersection(state)
        guard both != old else { return }
        atStart[block] = both
        pending.insert(block)
    }

    /// The effect of one instruction.
    @inline(__always)
    func step(_ index: Int, _ state: inout WrittenRegisters) {
        let writes = view.uses[index].writes
        if writes.rawValue >> UInt64(Register.bankSize) == 0 {
            state.all.formUnion(writes)
        } else {
            writeFloats(index, &state)
        }
    }

    private func writeFloats(_ index: Int, _ state: inout WrittenRegisters) {
        let instruction = view.instruction(index)
        guard instruction.opcode.shape.isExpanded else {
            return state.write(instruction.rd, instruction.opcode.type)
        }
        let call = Int(instruction.index)
        for (operand, kind) in zip(view.code.macroCalls[call].operands, view.macros[call].operands) {
            if case .register(let register) = operand, case .result(let type) = kind {
                state.write(register, type)
            }
        }
    }
}
