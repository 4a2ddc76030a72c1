import CSCodeRuntime
import SCodeIR
import X86Assembler

/// The ways into a fragment: from C, and from the fragment above it.
extension Emitter {
    /// Makes the frame; keeps the levels that are left; fetches the argument words, rdx[0…], that anybody reads, and the
    /// constants of the instance that are kept in machine registers.
    /// - Parameter instance: where the address of the instance is: its own register, or rsi on the way in from outside.
    mutating func emitPrologue(instance: GPR) {
        if frameSize != 0 { growStack(frameSize) }
        if keepsLevels { assembler.store(.w64, levelsSlot, .rcx) }
        forgetPages()
        let arguments = vcode.fragment.argumentRegisters
        let live = allocation.liveness.before(0)
        // What overwrites the instance comes last.
        for isLast in [false, true] {
            for (index, register) in arguments.enumerated()
            where live.contains(register) && isInMachine(register, instance) == isLast {
                emitArgument(register, Memory(.rdx, Int32(index) * 8))
            }
            emitConstants(neededAfter: -1, instance: instance) { ($0 == instance) == isLast }
        }
    }

    private mutating func emitArgument(_ register: Register, _ word: Memory) {
        if register.bank == .float {
            let target = resultVector(register)
            assembler.load(.double, target, word)
            keep(register, from: target)
        } else {
            let target = resultRegister(register)
            assembler.load(.w64, target, word)
            keep(register, from: target)
        }
    }

    /// scode_result outer(scode_context *, scode_instance *, const uint64_t *arguments): saves what C wants
    /// saved, sets the pinned registers, calls the inner entry. A fragment that needs none of this is its own
    /// outer entry.
    mutating func emitOuterEntry(_ inner: Int, _ entry: CodeLabel) -> Int {
        var saved: [GPR] = []
        saved.reserveCapacity(6)
        if makesCalls {
            saved = [.rbx, .rbp, .r12, .r13, .r14, .r15]
        } else {
            for register in [GPR.rbx, .rbp, .r12] where allocation.uses(register) {
                saved.append(register)
            }
            if usesInstance || readsConstants { saved.append(Self.instance) }
            if usesBudget { saved.append(Self.budget) }
            if usesContext || usesBudget { saved.append(Self.context) }
        }
        if saved.isEmpty { return inner }

        assembler.align(to: 16)
        let outer = assembler.position
        noteStack(0)
        notes?.saved = saved
        let padding: Int32 = saved.count % 2 == 0 ? 8 : 0  // with the return address: aligned to 16
        for register in saved { push(register) }
        if padding != 0 { growStack(padding) }
        if saved.contains(Self.context) { assembler.mov(.w64, Self.context, .rdi) }
        if saved.contains(Self.instance) { assembler.mov(.w64, Self.instance, .rsi) }
        let countsBudget = saved.contains(Self.budget)
        if countsBudget { assembler.load(.w64, Self.budget, contextField(SCODE_OFFSET_BUDGET)) }
        if callsFragments { assembler.load(.w64, .rcx, contextField(SCODE_OFFSET_DEPTH)) }
        assembler.call(entry)
        // Whose fragment left: the instance that was not put back on the way up.
        if callsFragments { assembler.store(.w64, contextField(SCODE_OFFSET_INSTANCE), Self.instance) }
        if countsBudget { assembler.store(.w64, contextField(SCODE_OFFSET_BUDGET), Self.budget) }
        if padding != 0 { shrinkStack(padding) }
        for register in saved.reversed() { pop(register) }
        assembler.ret()
        return outer
    }

    /// The inner entry of a leaf, to which sub-fragment calls come: it finds the instance elsewhere.
    mutating func emitInnerEntry(_ outer: Int, _ body: CodeLabel) -> Int {
        guard readsConstants else { return outer }
        assembler.align(to: 16)
        let inner = assembler.position
        noteStack(0)
        emitPrologue(instance: Self.instance)
        usesInstance = false
        assembler.jmp(body)
        return inner
    }

    /// Whether the body uses no pinned register and none that C wants saved: constants of the instance are all that it has
    /// of it, and the prologue reads those.
    var needsNothing: Bool {
        if observation == .all || makesCalls { return false }
        for register in [GPR.rbx, .rbp, .r12] where allocation.uses(register) { return false }
        return vcode.instructions.allSatisfy { instruction in
            if let constant = instruction.constant {
                guard case .machine = allocation.location(constant) else { return false }
            }
            switch instruction.operation {
            case .address, .branch, .jump, .jumpTable, .label, .trap, .accept, .refuse, .anchor: return true
            case .regionBase: return false
            case _ where instruction.operation.isAccess:
                switch instruction.place {
                case .host, .hostIndexed, .simulated, .simulatedAddress: return true
                case .anchored:
                    if case .machine = allocation.location(anchor: instruction.anchor) { return true }
                    return false
                case .address, .offset, .cachedPage, .window: return false
                }
            default: return instruction.isPure
            }
        }
    }
}
