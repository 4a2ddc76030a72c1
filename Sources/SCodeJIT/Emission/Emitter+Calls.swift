import CSCodeRuntime
import SCodeIR
import X86Assembler

/// Calls of local procedures, of sub-fragments and of the host.
extension Emitter {
    /// No procedure calls itself, so its return address has a place of its own.
    mutating func emitCall(_ instruction: VInstruction) {
        let back = assembler.newLabel()
        assembler.lea(.rax, back)
        assembler.store(.w64, returnSlot(ofProcedure: instruction.target), .rax)
        assembler.jmp(labels[vcode.label(ofProcedure: instruction.target)])
        assembler.bind(back)
    }

    /// Saves, or fetches back, the registers that are still needed after a call.
    private mutating func transferHomes(_ instruction: VInstruction, isSave: Bool) {
        for register in allocation.liveness.after(Int(instruction.source)).registers {
            guard let home = allocation.home(register) else { continue }
            // What a host call writes has not been written yet, and is not overwritten with what was there.
            if instruction.operation == .callHost, instruction.flag, register == instruction.dst { continue }
            switch allocation.location(register) {
            case .machine(let machine) where isSave: assembler.store(.w64, slotMemory(home), machine)
            case .machine(let machine): assembler.load(.w64, machine, slotMemory(home))
            case .vector(let vector) where isSave: assembler.store(.double, slotMemory(home), vector)
            case .vector(let vector): assembler.load(.double, vector, slotMemory(home))
            case .nowhere, .slot: break
            }
        }
        guard !isSave else { return }
        emitConstants(neededAfter: 2 * Int(instruction.source) + 1)
        // Whoever was called may have changed page tables.
        forgetPages()
    }

    /// Reads the constants of the instance that are kept in machine registers and used later.
    mutating func emitConstants(
        neededAfter position: Int, instance: GPR = Self.instance,
        where isWanted: (GPR) -> Bool = { _ in true }
    ) {
        for constant in InstanceConstant.all where allocation.end(constant) > position {
            guard case .machine(let machine) = allocation.location(constant), isWanted(machine) else {
                continue
            }
            assembler.load(.w64, machine, Memory(instance, Self.offset(of: constant)))
            if instance == Self.instance { usesInstance = true }
        }
    }

    private var savedInstance: Memory { slotMemory(UInt8(allocation.slotCount)) }
    /// How many levels of sub-fragments may be below this fragment. It comes in a register and stays in the frame: a count
    /// in the context would be a chain of loads and stores through all levels.
    var levelsSlot: Memory { slotMemory(UInt8(allocation.slotCount + 1)) }

    /// Calls the fragment behind a slot of the jump table. The slot is read now: late binding.
    /// - Parameter isAtEntry: whether nothing has been done yet, so that the levels are still where they came in.
    mutating func emitSubCall(_ instruction: VInstruction, isAtEntry: Bool) {
        usesBudget = true
        let refused = assembler.newLabel()
        var slot = slotAlwaysThere(instruction)
        let noBudget: CodeLabel
        let tooDeep: CodeLabel
        let nobody: CodeLabel
        if slot != nil {
            (noBudget, tooDeep, nobody) = (assembler.newLabel(), assembler.newLabel(), assembler.newLabel())
            let call = SubCall(
                slot: Int32(truncatingIfNeeded: instruction.immediate), source: instruction.source,
                noBudget: noBudget, tooDeep: tooDeep, nobody: nobody, refused: refused)
            coldPaths.append(.failedSubCall(call))
            usesContext = true
            usesInstance = true
        } else {
            slot = emitSlotGuard(instruction)
            noBudget = site(.abort(.budgetExhausted), instruction)
            tooDeep = site(.abort(.depthExceeded), instruction)
            nobody = refused
        }
        assembler.alu(.sub, .w64, Self.budget, immediate: 1)
        assembler.jcc(.b, noBudget)
        // The store of one level and the load of the next would be a chain through all of them. Masks are made in rcx.
        if !isAtEntry || masksSpeculation { assembler.load(.w64, .rcx, levelsSlot) }
        assembler.alu(.sub, .w64, .rcx, immediate: 1)
        assembler.jcc(.b, tooDeep)
        transferHomes(instruction, isSave: true)
        assembler.store(.w64, savedInstance, Self.instance)
        if let slot { assembler.load(.w64, Self.instance, slot) }
        assembler.test(.w64, Self.instance, Self.instance)
        assembler.jcc(.e, nobody)
        assembler.lea(.w64, .rdx, Memory(Self.instance, Int32(SCODE_OFFSET_ARGUMENTS)))
        assembler.call(instanceField(SCODE_OFFSET_CODE))
        assembler.test(.w32, .rax, .rax)
        assembler.jcc(.e, refused)
        // It accepted or was aborted: all return, with its instance in place of theirs.
        emitLeave()
        assembler.bind(refused)
        assembler.load(.w64, Self.instance, savedInstance)
        transferHomes(instruction, isSave: false)
    }

    private var firstSlot: Int32 { Int32(SCODE_OFFSET_ARGUMENTS + vcode.fragment.argumentCount * 8) }

    /// The place of a slot that each instance has, or NULL in its place; nil: of any other.
    private mutating func slotAlwaysThere(_ instruction: VInstruction) -> Memory? {
        guard instruction.hasImmediate, !masksSpeculation,
            (0..<Int64(SCODE_LEAST_SLOTS)).contains(instruction.immediate)
        else { return nil }
        return Memory(Self.instance, firstSlot + Int32(truncatingIfNeeded: instruction.immediate) * 8)
    }

    /// Sees that there is such a slot. Returns where it is, which may need rax.
    private mutating func emitSlotGuard(_ instruction: VInstruction) -> Memory {
        let noSlot = site(.abort(.noSuchSlot), instruction)
        loadOperand(instruction, .rax)
        assembler.alu(.cmp, .w64, .rax, instanceField(SCODE_OFFSET_SLOT_COUNT))
        assembler.jcc(.ae, noSlot)
        if masksSpeculation { emitMaskUnlessBelow(.rax) }
        return Memory(Self.instance, index: .rax, .x8, firstSlot)
    }

    /// That there is no such slot comes before all else that may be missing, and costs no budget.
    mutating func emitFailedSubCall(_ call: SubCall) {
        let noSlot = assembler.newLabel()
        for (entry, reason) in [
            (call.noBudget, AbortReason.budgetExhausted), (call.tooDeep, .depthExceeded),
        ] {
            assembler.bind(entry)
            assembler.alu(.cmp, .w64, instanceField(SCODE_OFFSET_SLOT_COUNT), immediate: call.slot)
            assembler.jcc(.be, noSlot)
            emitSiteCall(.abort(reason), call.source)
        }
        assembler.bind(call.nobody)
        assembler.load(.w64, Self.instance, savedInstance)
        assembler.alu(.cmp, .w64, instanceField(SCODE_OFFSET_SLOT_COUNT), immediate: call.slot)
        assembler.jcc(.a, call.refused)
        assembler.bind(noSlot)
        assembler.alu(.add, .w64, Self.budget, immediate: 1)
        emitSiteCall(.abort(.noSuchSlot), call.source)
    }

    mutating func emitHostArgument(_ instruction: VInstruction) {
        loadOperand(instruction, .rax)
        assembler.store(.w64, contextField(SCODE_OFFSET_HOST_ARGUMENTS + Int(instruction.target) * 8), .rax)
    }

    mutating func emitHostCall(_ instruction: VInstruction) {
        transferHomes(instruction, isSave: true)
        assembler.load(.w64, .rdi, instanceField(SCODE_OFFSET_HOST_FUNCTIONS))
        let offset = Int32(truncatingIfNeeded: instruction.target) * Int32(SCODE_HOST_FUNCTION_STRIDE)
        if offset != 0 { assembler.alu(.add, .w64, .rdi, immediate: offset) }
        assembler.mov(.w64, .rsi, Self.context)
        assembler.lea(.w64, .rdx, contextField(SCODE_OFFSET_HOST_ARGUMENTS))
        emitShowingBudget { $0.call(Memory(.rdi, Int32(SCODE_OFFSET_HOST_INVOKE))) }
        transferHomes(instruction, isSave: false)
        guard instruction.flag else { return }
        if instruction.dst.bank == .float {
            assembler.mov(.w64, Self.vectorScratch, .rax)
            keep(instruction.dst, from: Self.vectorScratch)
        } else {
            keep(instruction.dst, from: GPR.rax)
        }
    }
}
