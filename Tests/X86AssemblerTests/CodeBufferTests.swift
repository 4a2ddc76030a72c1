import Testing
import X86Assembler

@Suite struct CodeBufferTests {
    /// Room that must be left for an instruction to be begun: a byte more than the longest has.
    let headroom = 16
    static let canary: UInt8 = 0xA5

    /// The longest of each kind: with index, 32-bit displacement and 32-bit immediate, and what is appended
    /// to a reservation later: fix-ups, tables, padding.
    static let emissions: [@Sendable (inout Assembler, CodeLabel) -> Void] = [
        { assembler, _ in assembler.alu(.add, .w64, Memory(.r15, index: .r14, .x8, .max), immediate: .max) },
        { assembler, _ in assembler.store(.w16, Memory(.r15, index: .r14, .x8, .min), immediate: .max) },
        { assembler, _ in assembler.mov(.r15, immediate: .max - 1) },
        { assembler, _ in assembler.mov(.r15, immediate: 1 << 40) },
        { assembler, _ in assembler.imul(.w64, .r15, .r14, immediate: .max) },
        { assembler, _ in assembler.count(.popcnt, .w64, .r15, .r14) },
        { assembler, _ in assembler.set(.e, .rsi) },
        { assembler, label in assembler.jcc(.e, label) },
        { assembler, label in assembler.jmp(label) },
        { assembler, label in assembler.jmp(label, isNear: true) },
        { assembler, label in assembler.jcc(.e, label, isNear: true) },
        { assembler, label in assembler.call(label) },
        { assembler, label in assembler.lea(.r15, label) },
        { assembler, label in assembler.emitTableEntry(label, relativeTo: label) },
        { assembler, _ in assembler.nop(64) },
        { assembler, _ in assembler.ud2() },
        { assembler, _ in assembler.ret() },
        { assembler, _ in assembler.push(.r15) },
        { assembler, _ in assembler.bswap(.w64, .r15) },
        { assembler, _ in assembler.signExtendRaxIntoRdx(.w64) },
    ]

    @Test(arguments: 0...128, emissions.indices)
    func fixedMemoryIsNotOverrun(capacity: Int, emission: Int) {
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 512, alignment: 16)
        defer { memory.deallocate() }
        memory.initializeMemory(as: UInt8.self, repeating: Self.canary)

        var assembler = Assembler(
            over: UnsafeMutableRawBufferPointer(rebasing: memory[128..<128 + capacity]))
        let label = assembler.boundLabel()
        for _ in 0..<200 { Self.emissions[emission](&assembler, label) }

        #expect(assembler.overflowed == true)
        #expect(assembler.position <= capacity)
        #expect(throws: AssemblerError.overflow(limit: capacity)) { try assembler.finish() }
        #expect(memory[..<128].allSatisfy { $0 == Self.canary })
        #expect(memory[(128 + capacity)...].allSatisfy { $0 == Self.canary })
    }

    @Test(arguments: 0...128)
    func overflowIsSticky(capacity: Int) {
        var assembler = Assembler(initialCapacity: 0, limit: capacity)
        while !assembler.overflowed { assembler.push(.rax) }
        #expect(assembler.position == max(0, capacity - (headroom - 1)))
        let position = assembler.position
        for emission in Self.emissions { emission(&assembler, CodeLabel.zero) }
        assembler.ret()
        #expect(assembler.position == position)
        #expect(throws: AssemblerError.overflow(limit: capacity)) { try assembler.finish() }
    }

    @Test func growthKeepsContents() throws {
        var assembler = Assembler(initialCapacity: 1)
        for value in 0..<100_000 { assembler.mov(.rax, immediate: UInt64(value) | 1 << 40) }
        try assembler.finish()
        #expect(assembler.position == 1_000_000)
        for value in 0..<100_000 {
            let bytes = assembler.bytes.loadUnaligned(fromByteOffset: 10 * value + 2, as: UInt64.self)
            #expect(bytes == UInt64(value) | 1 << 40)
        }
    }

    @Test func defaultLimit() {
        var assembler = Assembler()
        let longest = Memory(.r15, index: .r14, .x8, .max)
        while !assembler.overflowed { assembler.alu(.add, .w64, longest, immediate: .max) }
        #expect(assembler.position > (64 << 20) - 16 && assembler.position <= 64 << 20)
        #expect(throws: AssemblerError.overflow(limit: 64 << 20)) { try assembler.finish() }
    }

    @Test func resetAfterOverflow() throws {
        var assembler = Assembler(initialCapacity: 0, limit: 64)
        assembler.nop(100)
        #expect(assembler.overflowed == true)
        assembler.reset()
        #expect(assembler.overflowed == false)
        assembler.nop(40)
        try assembler.finish()
        #expect(assembler.position == 40)
    }

    @Test func emptyAndOddLimits() {
        for limit in [Int.min, -1, 0, 1, 15] {
            var assembler = Assembler(limit: limit)
            assembler.ret()
            #expect(assembler.overflowed == true)
            #expect(assembler.position == 0)
        }
        var nowhere = Assembler(over: UnsafeMutableRawBufferPointer(start: nil, count: 0))
        nowhere.ret()
        #expect(nowhere.overflowed == true)
    }
}

extension CodeLabel {
    /// The first label of any assembler.
    static let zero: CodeLabel = {
        var assembler = Assembler()
        return assembler.newLabel()
    }()
}
