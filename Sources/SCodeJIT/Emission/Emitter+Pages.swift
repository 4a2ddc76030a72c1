import CSCodeRuntime
import SCodeIR
import X86Assembler

/// Page caches: the page of the access before, asked before the TLB.
extension Emitter {
    @inline(__always) private func pageSlot(_ cache: Int, _ slot: Int, below depth: Int32 = 0) -> Memory {
        Memory(.rsp, depth + Int32(firstPageSlot + cache * PageCacheValue.slotsOfCache + slot) * 8)
    }

    @inline(__always) private func pageSlot(_ value: PageCacheValue, below depth: Int32 = 0) -> Memory {
        pageSlot(Int(value.index) / 2, Int(value.index) % 2, below: depth)
    }

    /// How many offsets of the cached page are certainly inside: of any size.
    private static let insideCount = Int32(SCODE_PAGE_SIZE) - 7

    /// No cache knows a page any more.
    /// - Parameter depth: how far rsp lies below the frame.
    mutating func forgetPages(below depth: Int32 = 0) {
        for cache in vcode.pageCaches.indices {
            assembler.store(
                .w64, pageSlot(cache, PageCacheValue.limitSlot, below: depth), immediate: 0)
        }
    }

    private mutating func apply(_ op: ALU, _ value: PageCacheValue, below depth: Int32 = 0) {
        if case .machine(let machine) = allocation.location(value) {
            assembler.alu(op, .w64, .rax, machine)
        } else {
            assembler.alu(op, .w64, .rax, pageSlot(value, below: depth))
        }
    }

    /// The sum of an address and the guard that follows it, when one instruction can add both.
    mutating func emitAddressInPage(_ address: VInstruction, before next: VInstruction) -> Bool {
        guard next.operation == .guardCachedPage, address.isWide, address.hasImmediate,
            let offset = Int32(exactly: address.immediate),
            case .machine(let base) = allocation.location(address.a),
            case .machine(let minusPage) = allocation.location(PageCacheValue.minusPage(Int(next.cache)))
        else { return false }
        assembler.lea(.w64, .rax, Memory(base, index: minusPage, .x1, offset))
        emitComparison(next)
        return true
    }

    /// rax: virtual address -> offset in the page that the cache has.
    mutating func emitCachedPageGuard(_ instruction: VInstruction) {
        apply(.add, .minusPage(Int(instruction.cache)))
        emitComparison(instruction)
    }

    /// One compare says whether all bytes are in the page: an offset in front of it is a very large one, and a cache that
    /// knows no page has no offsets.
    private mutating func emitComparison(_ instruction: VInstruction) {
        let cache = Int(instruction.cache)
        let (other, back) = slowPath(instruction)
        assembler.alu(.cmp, .w64, .rax, pageSlot(cache, PageCacheValue.limitSlot))
        assembler.jcc(.ae, other)
        if masksSpeculation { emitMaskUnlessBelow(.rax) }
        assembler.bind(back)
        if case .machine = allocation.location(PageCacheValue.host(cache)) { return }
        assembler.alu(.add, .w64, .rax, pageSlot(.host(cache)))
    }

    mutating func cachedPlace(of instruction: VInstruction) -> Memory {
        if case .machine(let host) = allocation.location(PageCacheValue.host(Int(instruction.cache))) {
            return Memory(host, index: .rax)
        }
        return Memory(.rax)
    }

    /// The cold half of the guard: has the cache filled, and goes back with the offset from what it then has, or aborts.
    mutating func emitOtherPage(_ instruction: VInstruction, _ entry: CodeLabel, _ back: CodeLabel) {
        let cache = Int(instruction.cache)
        assembler.bind(entry)
        apply(.sub, .minusPage(cache))
        emitStoredValue(instruction)
        assembler.mov(.rcx, immediate: SlowAccess(instruction).access)
        let refill = refills[cache] ?? assembler.newLabel()
        refills[cache] = refill
        assembler.call(refill)
        noteSite(instruction.source)  // as of other slow accesses
        assembler.jmp(back)
    }

    mutating func emitRefills() {
        for (cache, label) in refills.enumerated() {
            guard let label else { continue }
            noteStack(0)
            assembler.bind(label)
            emitRefill(cache)
        }
    }

    /// Shared by all accesses of a cache: rax address, rcx access, rdx value -> rax offset from `host`; goes on to the stub
    /// when the access may not be made. What the TLB has goes to the cache; anything else, and what may straddle two pages,
    /// takes the long way and leaves the cache empty.
    private mutating func emitRefill(_ cache: Int) {
        let miss = assembler.newLabel()
        let saved: [GPR] = [.rcx, .rdx]
        let depth = Int32(8 + saved.count * 8)  // the return address is below the frame, too
        for register in saved { push(register) }
        emitLookup(cache, miss)
        assembler.store(.w64, pageSlot(.minusPage(cache), below: depth), .rcx)
        assembler.store(.w64, pageSlot(.host(cache), below: depth), .rdx)
        assembler.store(
            .w64, pageSlot(cache, PageCacheValue.limitSlot, below: depth), immediate: Self.insideCount)
        if case .machine(let machine) = allocation.location(PageCacheValue.minusPage(cache)) {
            assembler.mov(.w64, machine, .rcx)
        }
        if case .machine(let machine) = allocation.location(PageCacheValue.host(cache)) {
            assembler.mov(.w64, machine, .rdx)
        }
        assembler.alu(.add, .w64, .rax, .rcx)
        shrinkStack(depth - 8)
        assembler.ret()

        noteStack(depth - 8)
        assembler.bind(miss)
        for register in saved.reversed() { pop(register) }
        emitLongWay(cache)
    }

    /// rax address -> rcx: the page, negated; rdx: where it lies. To `miss`, with rax as it was, when the TLB does not say,
    /// or the access is near the end of the page.
    private mutating func emitLookup(_ cache: Int, _ miss: CodeLabel) {
        let entryShift: UInt8 = 5  // the size of an entry; the C header asserts it
        let mask = Int32(SCODE_TLB_ENTRIES - 1) << Int32(entryShift)
        let tag = vcode.pageCaches[cache] ? SCODE_OFFSET_TLB_WRITE_TAG : SCODE_OFFSET_TLB_READ_TAG
        assembler.mov(.w32, .rdx, .rax)
        assembler.alu(.and, .w32, .rdx, immediate: Int32(SCODE_PAGE_SIZE) - 1)
        assembler.alu(.cmp, .w32, .rdx, immediate: Self.insideCount)
        assembler.jcc(.ae, miss)
        assembler.mov(.w32, .rdx, .rax)
        assembler.shift(.shr, .w32, .rdx, by: 12 - entryShift)
        assembler.alu(.and, .w32, .rdx, immediate: mask)
        assembler.alu(.add, .w64, .rdx, constantField(.space))
        assembler.mov(.w64, .rcx, .rax)
        assembler.alu(.and, .w64, .rcx, immediate: -Int32(SCODE_PAGE_SIZE))
        assembler.alu(.cmp, .w64, .rcx, Memory(.rdx, Int32(SCODE_OFFSET_TLB + tag)))
        assembler.jcc(.ne, miss)
        assembler.load(.w64, .rdx, Memory(.rdx, Int32(SCODE_OFFSET_TLB + SCODE_OFFSET_TLB_ADDEND)))
        assembler.alu(.add, .w64, .rdx, .rcx)
        assembler.unary(.neg, .w64, .rcx)
    }

    private mutating func emitLongWay(_ cache: Int) {
        let (resolve, fault) = (resolveLabel(), stub(.memoryFault))
        forgetPages(below: 8)
        assembler.call(resolve)
        assembler.jcc(.e, fault)
        apply(.sub, .host(cache), below: 8)
        assembler.ret()
    }
}
