import CSCodeRuntime
import SCodeIR
import X86Assembler

extension Emitter {
    mutating func instanceField(_ offset: Int) -> Memory {
        usesInstance = true
        return Memory(Self.instance, Int32(offset))
    }

    mutating func contextField(_ offset: Int) -> Memory {
        usesContext = true
        return Memory(Self.context, Int32(offset))
    }

    mutating func regionField(_ region: UInt32, _ offset: Int) -> Memory {
        instanceField(SCODE_OFFSET_REGIONS + Int(region) * SCODE_REGION_STRIDE + offset)
    }

    mutating func emitRegionBase(_ instruction: VInstruction) {
        let target = resultRegister(instruction.dst)
        assembler.load(.w64, target, regionField(instruction.target, SCODE_OFFSET_REGION_BASE))
        if let short = Int32(exactly: instruction.immediate) {
            if short != 0 { assembler.alu(.add, .w64, target, immediate: short) }
        } else {
            assembler.mov(.rcx, immediate: UInt64(bitPattern: instruction.immediate))
            assembler.alu(.add, .w64, target, .rcx)
        }
        keep(instruction.dst, from: target)
    }

    /// rax := a + b
    mutating func emitAddress(_ instruction: VInstruction) {
        let width = instruction.width
        if instruction.hasImmediate, let offset = Int32(exactly: instruction.immediate) {
            if case .machine(let base) = allocation.location(instruction.a), offset != 0 {
                assembler.lea(width, .rax, Memory(base, offset))
                return
            }
            copy(instruction.a, to: .rax, width)
            if offset != 0 { assembler.alu(.add, width, .rax, immediate: offset) }
            return
        }
        if case .machine(let base) = allocation.location(instruction.a),
            case .machine(let index) = allocation.location(instruction.b)
        {
            assembler.lea(width, .rax, Memory(base, index: index))
            return
        }
        copy(instruction.a, to: .rax, width)
        let index = fetch(instruction.b, .rcx)
        assembler.alu(.add, width, .rax, index)
    }

    /// rax: simulated address -> offset from the host address of the region. One compare is the whole check: an
    /// offset that is too large, or that wrapped, is not below the number of offsets that an access of this size may
    /// have.
    mutating func emitRegionGuard(_ instruction: VInstruction) {
        let region = instruction.target
        let (slow, back) = slowPath(instruction)
        assembler.alu(.sub, .w64, .rax, regionField(region, SCODE_OFFSET_REGION_BASE))
        let size = vcode.fragment.regions[Int(region)].size
        if let size = Int32(exactly: size) {
            // How many offsets an access of this size may have.
            assembler.alu(.cmp, .w64, .rax, immediate: max(0, size - Int32(instruction.size) + 1))
        } else {
            let count = SCODE_OFFSET_REGION_OFFSET_COUNT + instruction.size.trailingZeroBitCount * 8
            assembler.alu(.cmp, .w64, .rax, regionField(region, count))
        }
        assembler.jcc(.ae, slow)
        if masksSpeculation { emitMaskUnlessBelow(.rax) }
        assembler.bind(back)
    }

    /// The bytes of an access. Uses rax, unless the access needs nothing that is there.
    mutating func place(of instruction: VInstruction) -> Memory {
        let displacement = Int32(truncatingIfNeeded: instruction.immediate)
        switch instruction.place {
        case .address: return Memory(.rax, displacement)
        case .cachedPage: return cachedPlace(of: instruction)
        case .anchored: return anchoredPlace(of: instruction)
        case .host: return Memory(constant(.host(instruction.target)) ?? .rax, displacement)
        case .hostIndexed:
            let scale = Scale(rawValue: instruction.scale) ?? .x1
            return indexedPlace(.host(instruction.target), instruction.index, scale, displacement)
        case .simulated:
            return indexedPlace(.delta(instruction.target), instruction.index, .x1, displacement)
        case .offset, .simulatedAddress, .window: return addressPlace(instruction.constant, displacement)
        }
    }

    private mutating func indexedPlace(
        _ constant: InstanceConstant, _ index: Register, _ scale: Scale, _ displacement: Int32
    ) -> Memory {
        let base = self.constant(constant) ?? .rax
        return Memory(base, index: fetch(index, base == .rax ? .rdx : .rax), scale, displacement)
    }

    /// The machine register that a constant is kept in; if in none, rax is loaded with it, and nil returned.
    private mutating func constant(_ constant: InstanceConstant) -> GPR? {
        if case .machine(let machine) = allocation.location(constant) { return machine }
        assembler.load(.w64, .rax, constantField(constant))
        return nil
    }

    /// rax and a constant.
    private mutating func addressPlace(_ constant: InstanceConstant?, _ displacement: Int32) -> Memory {
        guard let constant else { return Memory(.rax, displacement) }
        if case .machine(let base) = allocation.location(constant) {
            return Memory(base, index: .rax, .x1, displacement)
        }
        assembler.alu(.add, .w64, .rax, constantField(constant))
        return Memory(.rax, displacement)
    }

    private mutating func anchoredPlace(of instruction: VInstruction) -> Memory {
        let displacement = Int32(truncatingIfNeeded: instruction.immediate)
        if case .machine(let anchor) = allocation.location(anchor: instruction.anchor) {
            return Memory(anchor, index: fetch(instruction.index, .rax), .x1, displacement)
        }
        copy(instruction.b, to: .rax)
        let index = fetch(instruction.index, .rdx)
        assembler.alu(.add, .w64, .rax, index)
        return addressPlace(.delta(instruction.target), displacement)
    }

    /// Nothing when there was no register for it.
    mutating func emitAnchor(_ instruction: VInstruction) {
        guard case .machine(let anchor) = allocation.location(anchor: instruction.anchor) else { return }
        copy(instruction.a, to: anchor)
        if case .machine(let delta) = allocation.location(.delta(instruction.target)) {
            assembler.alu(.add, .w64, anchor, delta)
        } else {
            assembler.alu(.add, .w64, anchor, constantField(.delta(instruction.target)))
        }
    }

    mutating func constantField(_ constant: InstanceConstant) -> Memory {
        instanceField(Int(Self.offset(of: constant)))
    }

    static func offset(of constant: InstanceConstant) -> Int32 {
        guard let region = constant.region else { return Int32(SCODE_OFFSET_SPACE) }
        let field = region.isDelta ? SCODE_OFFSET_REGION_DELTA : SCODE_OFFSET_REGION_HOST
        return Int32(SCODE_OFFSET_REGIONS + region.index * SCODE_REGION_STRIDE + field)
    }

    /// rax: virtual address -> host address, when the software TLB has it. The tag is compared with the page
    /// of the *last* byte, so that an access that straddles two pages misses; so does one that wraps.
    mutating func emitPageGuard(_ instruction: VInstruction) {
        let (slow, back) = slowPath(instruction)
        let entryShift: UInt8 = 5  // the size of an entry; the C header asserts it
        let mask = Int32(SCODE_TLB_ENTRIES - 1) << Int32(entryShift)
        assembler.lea(.w64, .rcx, Memory(.rax, Int32(instruction.size) - 1))
        assembler.mov(.w32, .rdx, .rax)
        assembler.shift(.shr, .w32, .rdx, by: 12 - entryShift)
        assembler.alu(.and, .w64, .rcx, immediate: -4096)
        assembler.alu(.and, .w32, .rdx, immediate: mask)
        if case .machine(let space) = allocation.location(.space) {
            assembler.alu(.add, .w64, .rdx, space)
        } else {
            assembler.alu(.add, .w64, .rdx, constantField(.space))
        }
        let tag = instruction.flag ? SCODE_OFFSET_TLB_WRITE_TAG : SCODE_OFFSET_TLB_READ_TAG
        assembler.alu(.cmp, .w64, .rcx, Memory(.rdx, Int32(SCODE_OFFSET_TLB + tag)))
        assembler.jcc(.ne, slow)
        let addend = Memory(.rdx, Int32(SCODE_OFFSET_TLB + SCODE_OFFSET_TLB_ADDEND))
        if masksSpeculation {
            // rcx: all ones when the tags are equal, else zero; so the address is no host address otherwise.
            assembler.set(.e, .rcx)
            assembler.zeroExtend(.w8, .rcx, .rcx)
            assembler.unary(.neg, .w64, .rcx)
            assembler.alu(.add, .w64, .rax, addend)
            assembler.alu(.and, .w64, .rax, .rcx)
        } else {
            assembler.alu(.add, .w64, .rax, addend)
        }
        assembler.bind(back)
    }

    /// Behind a comparison, and the branch that takes what is not below away: zero for what is not below all the same,
    /// while the processor guesses. Uses rcx.
    mutating func emitMaskUnlessBelow(_ machine: GPR) {
        assembler.alu(.sbb, .w64, .rcx, .rcx)
        assembler.alu(.and, .w64, machine, .rcx)
    }

    /// To be called right before the machine instruction that makes an access: where it can fault, the place is an exit.
    mutating func noteFault(of instruction: VInstruction) {
        guard instruction.place == .window else { return }
        usesContext = true
        usesInstance = true
        faultStub = stub(.memoryFault)
        sites.append(
            ExitSite(returnOffset: UInt32(assembler.position), instruction: instruction.source))
    }

    mutating func slowPath(_ instruction: VInstruction) -> (entry: CodeLabel, back: CodeLabel) {
        let entry = assembler.newLabel()
        let back = assembler.newLabel()
        coldPaths.append(
            instruction.operation == .guardCachedPage
                ? .otherPage(instruction, entry: entry, back: back)
                : .slowAccess(instruction, entry: entry, back: back))
        usesContext = true
        usesInstance = true
        return (entry, back)
    }

    mutating func emitLoad(_ instruction: VInstruction) {
        let source = place(of: instruction)
        noteFault(of: instruction)
        if instruction.dst.bank == .float {
            let target = resultVector(instruction.dst)
            assembler.load(instruction.precision, target, source)
            keep(instruction.dst, from: target)
            return
        }
        let target = resultRegister(instruction.dst)
        let size = MemoryWidth(bytes: instruction.size)
        if instruction.flag {
            assembler.loadSigned(size, to: .w64, target, source)
        } else {
            assembler.load(size, target, source)
        }
        keep(instruction.dst, from: target)
    }

    mutating func emitStore(_ instruction: VInstruction) {
        let target = place(of: instruction)
        if case .vector(let vector) = allocation.location(instruction.a) {
            noteFault(of: instruction)
            assembler.store(instruction.precision, target, vector)
            return
        }
        let value = fetch(instruction.a, .rcx)
        noteFault(of: instruction)
        assembler.store(MemoryWidth(bytes: instruction.size), target, value)
    }

    /// The cold half of a guard: asks the runtime, and goes back with a host address in rax or aborts.
    mutating func emitSlowAccess(_ instruction: VInstruction, _ entry: CodeLabel, _ back: CodeLabel) {
        assembler.bind(entry)
        emitStoredValue(instruction)
        let shared = slowAccess(SlowAccess(instruction))
        assembler.call(shared)
        // Where the stub of faults finds the place: it is as if the site had called it.
        noteSite(instruction.source)
        assembler.jmp(back)
    }

    /// The code that slow accesses of one kind share.
    private mutating func slowAccess(_ kind: SlowAccess) -> CodeLabel {
        if let known = slowAccesses.first(where: { $0.kind == kind }) { return known.label }
        let label = assembler.newLabel()
        slowAccesses.append((kind, label))
        return label
    }

    /// rax: address, or offset from the base of the region; rdx: value. Called from the body; comes back with what the
    /// guard makes of the address in rax, or goes on to the stub.
    mutating func emitSlowAccesses() {
        guard !slowAccesses.isEmpty else { return }
        let resolve = resolveLabel()
        let fault = stub(.memoryFault)
        for (kind, label) in slowAccesses {
            noteStack(0)
            assembler.bind(label)
            // The hot path has already subtracted the base.
            if let region = kind.region {
                assembler.alu(.add, .w64, .rax, regionField(region, SCODE_OFFSET_REGION_BASE))
            }
            // The access may wait for somebody who changes page tables.
            forgetPages(below: 8)
            assembler.mov(.rcx, immediate: kind.access)
            assembler.call(resolve)
            assembler.jcc(.e, fault)
            // Wherever the bytes are: the access adds the region's host address.
            if let region = kind.region { emitSubtractHost(of: region) }
            assembler.ret()
        }
    }

    /// rdx: what the access stores, if it does.
    mutating func emitStoredValue(_ instruction: VInstruction) {
        guard instruction.flag else { return }
        if instruction.a.bank == .float {
            copyBits(instruction.a, .double, to: .rdx)
        } else {
            copy(instruction.a, to: .rdx)
        }
    }

    /// What asks the runtime.
    mutating func resolveLabel() -> CodeLabel {
        let label = resolve ?? assembler.newLabel()
        resolve = label
        return label
    }

    private mutating func emitSubtractHost(of region: UInt32) {
        if case .machine(let host) = allocation.location(.host(region)) {
            assembler.alu(.sub, .w64, .rax, host)
        } else {
            assembler.alu(.sub, .w64, .rax, constantField(.host(region)))
        }
    }

    /// Shared by all slow accesses: rax address, rcx access, rdx value -> rax host address, ZF set when there
    /// is none. Preserves every register that holds a value.
    mutating func emitResolve(_ entry: CodeLabel) {
        let resolve:
            @convention(c) (
                UnsafeMutablePointer<scode_context>?, UnsafeMutablePointer<scode_instance>?, UInt64, UInt32,
                UInt64
            ) -> UnsafeMutableRawPointer? = scode_resolve
        noteStack(0)
        assembler.bind(entry)
        emitPreservingCall(of: unsafeBitCast(resolve, to: UnsafeRawPointer.self), depth: 2) { assembler in
            assembler.mov(.w64, .r8, .rdx)
            assembler.mov(.w64, .rdx, .rax)
            assembler.mov(.w64, .rsi, Self.instance)
        }
        assembler.test(.w64, .rax, .rax)
        assembler.ret()
    }

    /// Calls a function of the runtime that takes the context, with every register that holds a value as it was
    /// afterwards; for code that was called from the body. The function may stop an interruptible fragment, and then
    /// leaves another budget.
    /// - Parameters:
    ///   - depth: how many return addresses lie above the frame: 1, or 2 when what the body called has called this.
    ///   - arguments: what comes behind the context.
    mutating func emitPreservingCall(
        of function: UnsafeRawPointer, depth: Int32 = 1, arguments: (inout Assembler) -> Void
    ) {
        let saved: [GPR] = [.rsi, .rdi, .r8, .r9, .r10, .r11]  // the allocatable ones that C may change
        let vectors = LinearScan.allocatableVectors.filter { allocation.uses($0) }
        // Return addresses and registers, too, take a multiple of 16 bytes.
        let space = (Int32(vectors.count) * 8 + 15) / 16 * 16 + (Int32(saved.count) + depth) % 2 * 8
        for register in saved { push(register) }
        if space != 0 { growStack(space) }
        for (index, vector) in vectors.enumerated() {
            assembler.store(.double, Memory(.rsp, Int32(index) * 8), vector)
        }
        arguments(&assembler)
        assembler.mov(.w64, .rdi, Self.context)
        assembler.mov(.rax, immediate: UInt64(UInt(bitPattern: function)))
        emitShowingBudget { $0.call(.rax) }
        for (index, vector) in vectors.enumerated() {
            assembler.load(.double, vector, Memory(.rsp, Int32(index) * 8))
        }
        if space != 0 { shrinkStack(space) }
        for register in saved.reversed() { pop(register) }
    }

    /// A call in which an interruptible fragment can stop: whoever it stops for sees what is left of the budget, and
    /// says with how much it goes on.
    mutating func emitShowingBudget(_ call: (inout Assembler) -> Void) {
        guard isInterruptible else { return call(&assembler) }
        usesBudget = true
        assembler.store(.w64, contextField(SCODE_OFFSET_BUDGET), Self.budget)
        call(&assembler)
        assembler.load(.w64, Self.budget, contextField(SCODE_OFFSET_BUDGET))
    }
}
