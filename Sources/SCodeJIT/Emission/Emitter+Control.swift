import CSCodeRuntime
import SCodeIR
import X86Assembler

extension Emitter {
    // MARK: Guards

    mutating func emitNonZeroGuard(_ instruction: VInstruction) {
        let abort = site(.abort(.divisionByZero), instruction)
        if instruction.hasImmediate {
            assembler.jmp(abort)
            return
        }
        let divisor = fetch(instruction.a, .rcx)
        assembler.test(instruction.width, divisor, divisor)
        assembler.jcc(.e, abort)
    }

    mutating func emitTableIndexGuard(_ instruction: VInstruction) {
        let abort = site(.abort(.jumpTableIndex), instruction)
        let index = fetch(instruction.a, .rcx)
        assembler.alu(.cmp, .w64, index, immediate: Int32(truncatingIfNeeded: instruction.immediate))
        assembler.jcc(.ae, abort)
    }

    mutating func emitBudgetGuard(_ instruction: VInstruction) {
        usesBudget = true
        if instruction.flag { return assembler.alu(.sub, .w64, Self.budget, immediate: 1) }
        usesContext = true
        usesInstance = true
        assembler.alu(.sub, .w64, Self.budget, immediate: 1)
        if isInterruptible {
            let entry = assembler.newLabel()
            assembler.jcc(.b, entry)
            coldPaths.append(
                .interrupt(entry: entry, back: assembler.boundLabel(), source: instruction.source))
        } else {
            let abort = site(.abort(.budgetExhausted), instruction)
            assembler.jcc(.b, abort)
        }
    }

    /// Takes what the jumps and calls that cost nothing by themselves cost together.
    mutating func emitEntryGuard(_ instruction: VInstruction) {
        usesBudget = true
        let abort = site(.abort(.budgetExhausted), instruction)
        if let charge = Int32(exactly: instruction.immediate) {
            assembler.alu(.sub, .w64, Self.budget, immediate: charge)
        } else {
            assembler.mov(.rax, immediate: UInt64(bitPattern: instruction.immediate))
            assembler.alu(.sub, .w64, Self.budget, .rax)
        }
        assembler.jcc(.b, abort)
    }

    /// A backward jump and its guard in one conditional jump: budget left is the condition to jump.
    mutating func emitBudgetedJump(_ instruction: VInstruction, to target: UInt32) {
        if instruction.flag {
            emitBudgetGuard(instruction)
            return assembler.jmp(labels[Int(target)])
        }
        usesBudget = true
        usesContext = true
        usesInstance = true
        assembler.alu(.sub, .w64, Self.budget, immediate: 1)
        assembler.jcc(.ae, labels[Int(target)])
        if isInterruptible {
            emitSiteCall(.interrupt, instruction.source)
            assembler.jmp(labels[Int(target)])
        } else {
            emitSiteCall(.abort(.budgetExhausted), instruction.source)
        }
    }

    // MARK: Jumps

    /// - Parameter index: of the branch, or of the one that it was made of. The flags of what stands before it may be those
    ///   that it needs.
    mutating func emitBranch(_ instruction: VInstruction, after index: Int) {
        if instruction.condition.isFloat { return emitFloatBranch(instruction) }
        if index > 0, vcode.instructions[index - 1].setsFlags(of: instruction) {
            return emitJump(instruction)
        }
        emitBranch(
            instruction, instruction.condition, labels[Int(instruction.target)], isNear: instruction.isNear)
    }

    /// Compares what a branch compares, and goes to `target` if `condition` holds.
    private mutating func emitBranch(
        _ instruction: VInstruction, _ condition: VCondition, _ target: CodeLabel, isNear: Bool = false
    ) {
        guard let condition = Condition(condition) else { return }
        let width = instruction.width
        guard instruction.hasImmediate else {
            let left = fetch(instruction.a, .rax)
            if case .slot(let slot) = allocation.location(instruction.b) {
                assembler.alu(.cmp, width, left, slotMemory(slot))
                return assembler.jcc(condition, target, isNear: isNear)
            }
            return assembler.branch(
                condition, width, left, fetch(instruction.b, .rcx), target, isNear: isNear)
        }
        guard let constant = instruction.shortImmediate else {
            let left = fetch(instruction.a, .rax)
            assembler.mov(.rcx, immediate: UInt64(bitPattern: instruction.immediate))
            return assembler.branch(condition, width, left, .rcx, target, isNear: isNear)
        }
        if case .slot(let slot) = allocation.location(instruction.a) {
            assembler.alu(.cmp, width, slotMemory(slot), immediate: constant)
            assembler.jcc(condition, target, isNear: isNear)
        } else {
            let left = fetch(instruction.a, .rax)
            assembler.branch(condition, width, left, immediate: constant, target, isNear: isNear)
        }
    }

    /// A branch that costs budget when it is taken. The budget is taken before the comparison, and given back where the
    /// branch is not taken: so of the two jumps of a round one is never taken, which makes the other easier to guess.
    mutating func emitCountedBranch(_ around: VInstruction, _ budget: VInstruction, to target: UInt32) {
        if budget.flag {
            emitBudgetGuard(budget)
            emitBranch(around, around.condition.inverted, labels[Int(target)])
            return assembler.alu(.add, .w64, Self.budget, immediate: 1)
        }
        usesBudget = true
        usesContext = true
        usesInstance = true
        let entry = assembler.newLabel()
        assembler.alu(.sub, .w64, Self.budget, immediate: 1)
        assembler.jcc(.b, entry)
        emitBranch(around, around.condition.inverted, labels[Int(target)])
        let back = assembler.boundLabel()
        assembler.alu(.add, .w64, Self.budget, immediate: 1)
        coldPaths.append(.countedBranch(around, to: target, entry: entry, back: back))
    }

    /// There is no budget: so it matters whether the branch is taken.
    private mutating func emitUnpaidBranch(
        _ around: VInstruction, to target: UInt32, _ entry: CodeLabel, _ back: CodeLabel
    ) {
        assembler.bind(entry)
        emitBranch(around, around.condition, back)
        if isInterruptible {
            emitSiteCall(.interrupt, around.source)
            assembler.jmp(labels[Int(target)])
        } else {
            emitSiteCall(.abort(.budgetExhausted), around.source)
        }
    }

    /// Behind a comparison.
    mutating func emitJump(_ branch: VInstruction) {
        guard let condition = Condition(branch.condition) else { return }
        assembler.jcc(condition, labels[Int(branch.target)], isNear: branch.isNear)
    }

    mutating func emitJumpTable(_ instruction: VInstruction) {
        let table = label(ofTable: instruction.target)
        var index = fetch(instruction.a, .rcx)
        if masksSpeculation {
            let count = vcode.fragment.code.tables[Int(instruction.target)].labels.count
            assembler.mov(.w64, .rax, index)
            index = .rax
            assembler.alu(.cmp, .w64, .rax, immediate: Int32(truncatingIfNeeded: count))
            emitMaskUnlessBelow(.rax)
        }
        assembler.lea(.rdx, table)
        assembler.loadSigned(.w32, to: .w64, .rax, Memory(.rdx, index: index, .x4))
        assembler.alu(.add, .w64, .rax, .rdx)
        assembler.jmp(.rax)
    }

    private mutating func label(ofTable number: UInt32) -> CodeLabel {
        if tables.isEmpty { tables = Array(repeating: nil, count: vcode.fragment.code.tables.count) }
        if let label = tables[Int(number)] { return label }
        let label = assembler.newLabel()
        tables[Int(number)] = label
        return label
    }

    mutating func emitTables() {
        for (number, label) in tables.enumerated() {
            guard let label else { continue }
            assembler.align(to: 4)
            assembler.bind(label)
            for target in vcode.fragment.code.tables[number].labels {
                assembler.emitTableEntry(labels[Int(target)], relativeTo: label)
            }
        }
    }

    // MARK: Exits

    /// Leaves the frame, with status in eax and value in rdx.
    mutating func emitLeave() {
        if frameSize != 0 { shrinkStack(frameSize) }
        assembler.ret()
        noteStack(frameSize)  // of what follows, which is reached by other ways
    }

    mutating func emitAccept(_ instruction: VInstruction) {
        loadOperand(instruction, .rdx)
        if observation == .all {
            let leave = site(.observedAccept, instruction)
            assembler.jmp(leave)
            return
        }
        assembler.mov(.rax, immediate: UInt64(SCODE_ACCEPTED.rawValue))
        emitLeave()
    }

    mutating func emitRefuse(_ instruction: VInstruction) {
        if observation == .all {
            let leave = site(.observedRefuse, instruction)
            assembler.jmp(leave)
            return
        }
        assembler.zero(.rax)
        emitLeave()
    }

    /// A macro operand, cut to its declared type.
    mutating func loadOperand(_ instruction: VInstruction, _ target: GPR) {
        if instruction.hasImmediate {
            emitLoadConstant(instruction.immediate, target)
            return
        }
        let size = MemoryWidth(bytes: instruction.size)
        if instruction.a.bank == .float {
            copyBits(instruction.a, size == .w32 ? .single : .double, to: target)
            return
        }
        let source = fetch(instruction.a, target)
        if instruction.flag {
            assembler.signExtend(size, to: .w64, target, source)
        } else if size != .w64 {
            assembler.zeroExtend(size, target, source)
        } else if source != target {
            assembler.mov(.w64, target, source)
        }
    }

    // MARK: Cold code

    mutating func emitColdPaths() {
        for path in coldPaths {
            switch path {
            case .site(let kind, let entry, let source):
                noteColdCode(source)
                assembler.bind(entry)
                emitSiteCall(kind, source)
            case .interrupt(let entry, let back, let source):
                noteColdCode(source)
                assembler.bind(entry)
                emitSiteCall(.interrupt, source)
                assembler.jmp(back)
            case .countedBranch(let around, let target, let entry, let back):
                noteColdCode(around.source)
                emitUnpaidBranch(around, to: target, entry, back)
            case .slowAccess(let instruction, let entry, let back):
                noteColdCode(instruction.source)
                emitSlowAccess(instruction, entry, back)
            case .otherPage(let instruction, let entry, let back):
                noteColdCode(instruction.source)
                emitOtherPage(instruction, entry, back)
            case .failedSubCall(let call):
                noteColdCode(call.source)
                emitFailedSubCall(call)
            }
        }
        notes?.helpersOffset = assembler.position
        emitRefills()
        emitSlowAccesses()
        if let resolve { emitResolve(resolve) }
    }

    /// Calls the stub; the return address names the place.
    mutating func emitSiteCall(_ kind: StubKind, _ source: UInt32) {
        // Where nobody can continue it, an interruption is an abort.
        if kind == .interrupt { _ = stub(.abort(.budgetExhausted)) }
        let stub = stub(kind)
        assembler.call(stub)
        noteSite(source)
    }

    /// A return to here names this instruction.
    mutating func noteSite(_ source: UInt32) {
        sites.append(ExitSite(returnOffset: UInt32(assembler.position), instruction: source))
    }

    mutating func stub(_ kind: StubKind) -> CodeLabel {
        if let known = stubs.first(where: { $0.reason == kind }) { return known.label }
        let label = assembler.newLabel()
        stubs.append((kind, label))
        return label
    }

    /// One stub per reason, and the tail that they share: notes the place, the machine registers and the
    /// frame in the context, then leaves.
    mutating func emitStubs() {
        guard !stubs.isEmpty else { return }
        let tail = assembler.newLabel()
        for index in stubs.indices {
            let (kind, label) = stubs[index]
            noteStack(0)
            assembler.bind(label)
            switch kind {
            case .interrupt:
                emitInterruptStub()
                continue
            case .abort(let reason):
                if reason == .budgetExhausted { assembler.zero(Self.budget) }
                // The address is still where its guard had it.
                if reason == .misaligned {
                    assembler.store(.w64, contextField(SCODE_OFFSET_FAULT_ADDRESS), .rax)
                }
                assembler.store(.w64, contextField(SCODE_OFFSET_REASON), immediate: Int32(reason.rawValue))
                assembler.mov(.rax, immediate: UInt64(SCODE_ABORTED.rawValue))
            case .memoryFault:
                assembler.mov(.rax, immediate: UInt64(SCODE_ABORTED.rawValue))
            case .observedAccept:
                assembler.mov(.rax, immediate: UInt64(SCODE_ACCEPTED.rawValue))
            case .observedRefuse:
                assembler.zero(.rax)
            }
            // After a refusal, whoever called the fragment goes on: it is not the one that left.
            if kind != .observedRefuse {
                assembler.store(.w64, contextField(SCODE_OFFSET_INSTANCE), Self.instance)
            }
            if index + 1 < stubs.count { assembler.jmp(tail) }
        }
        noteStack(0)
        notes?.abortOffset = assembler.position
        assembler.bind(tail)
        emitObservation()
        emitLeave()
    }

    /// Stops in the middle: every register that holds a value is as it was when the fragment goes on.
    private mutating func emitInterruptStub() {
        let abort = stub(.abort(.budgetExhausted))
        assembler.alu(.cmp, .w64, contextField(SCODE_OFFSET_ACTIVATION), immediate: 0)
        assembler.jcc(.e, abort)
        emitObservation()
        assembler.load(.w64, .rcx, contextField(SCODE_OFFSET_EXIT_SITE))
        assembler.push(.rcx)
        noteStack(0)  // it is the caller again
        let interrupt: @convention(c) (UnsafeMutablePointer<scode_context>?) -> Void = scode_interrupt
        emitPreservingCall(of: unsafeBitCast(interrupt, to: UnsafeRawPointer.self)) { _ in }
        forgetPages(below: 8)
        assembler.ret()
    }

    /// Notes in the context the place, the machine registers and the frame. Takes the return address of the site's
    /// call off the stack. Changes nothing but rcx.
    private mutating func emitObservation() {
        assembler.pop(.rcx)
        noteStack(frameSize)
        assembler.store(.w64, contextField(SCODE_OFFSET_EXIT_SITE), .rcx)
        for register in LinearScan.allocatable where allocation.uses(register) {
            assembler.store(.w64, contextField(SCODE_OFFSET_MACHINE + Int(register.rawValue) * 8), register)
        }
        for vector in LinearScan.allocatableVectors where allocation.uses(vector) {
            assembler.store(
                .double, contextField(SCODE_OFFSET_MACHINE + (16 + Int(vector.rawValue)) * 8), vector)
        }
        for slot in 0..<allocation.slotCount {
            assembler.load(.w64, .rcx, slotMemory(UInt8(slot)))
            assembler.store(.w64, contextField(SCODE_OFFSET_FRAME + slot * 8), .rcx)
        }
    }
}

extension Condition {
    /// Of a comparison of integers.
    init?(_ condition: VCondition) {
        switch condition {
        case .equal: self = .e
        case .notEqual: self = .ne
        case .lessSigned: self = .l
        case .lessOrEqualSigned: self = .le
        case .greaterSigned: self = .g
        case .greaterOrEqualSigned: self = .ge
        case .lessUnsigned: self = .b
        case .lessOrEqualUnsigned: self = .be
        case .greaterUnsigned: self = .a
        case .greaterOrEqualUnsigned: self = .ae
        case .equalOrdered, .lessOrdered, .lessOrEqualOrdered, .greaterOrdered, .greaterOrEqualOrdered,
            .notEqualOrUnordered, .lessOrUnordered, .lessOrEqualOrUnordered, .greaterOrUnordered,
            .greaterOrEqualOrUnordered:
            return nil
        }
    }
}
