import Testing
import X86Assembler

@Suite struct CodeBufferTests {
    static let canary: UInt8 = 0xA5

    /// The longest of each kind: with index, 32-bit displacement and 32-bit immediate, and what takes several parts or looks
    /// for room once for several instructions: fix-ups, tables, padding, labels.
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
        { assembler, _ in
            let label = assembler.newLabel()
            assembler.jmp(label)
            assembler.jcc(.e, label)
            assembler.ret()
            assembler.bind(label)
        },
        { assembler, _ in assembler.subtract(UniformWidth.w64, .r15, .r14, .r15) },
        { assembler, _ in assembler.add(UniformWidth.w32, .r15, .r14, immediate: 1000) },
        { assembler, _ in assembler.load(as: .w16, .r15, plainBase: .r14, 1, isWide: true) },
        { assembler, _ in assembler.store(as: .w16, plainBase: .r14, 1000, .r15) },
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
        let end = 128 + capacity + Assembler.margin
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: end + 128, alignment: 16)
        defer { memory.deallocate() }
        memory.initializeMemory(as: UInt8.self, repeating: Self.canary)

        var assembler = Assembler(over: UnsafeMutableRawBufferPointer(rebasing: memory[128..<end]))
        let label = assembler.boundLabel()
        for _ in 0..<2000 { Self.emissions[emission](&assembler, label) }

        #expect(assembler.overflowed == true)
        #expect(throws: AssemblerError.overflow(limit: capacity)) { try assembler.finish() }
        #expect(memory[..<128].allSatisfy { $0 == Self.canary })
        #expect(memory[end...].allSatisfy { $0 == Self.canary })
        // What did fit is as it would be with more room.
        var larger = Assembler()
        let other = larger.boundLabel()
        while larger.position < capacity { Self.emissions[emission](&larger, other) }
        #expect(memory[128..<128 + capacity].elementsEqual(larger.bytes[..<capacity]))
    }

    @Test(arguments: 0...128)
    func overflowIsSticky(capacity: Int) {
        var assembler = Assembler(initialCapacity: 0, limit: capacity)
        for _ in 0..<capacity { assembler.push(.rax) }
        #expect(assembler.overflowed == false)
        assembler.push(.rax)
        #expect(assembler.overflowed == true)
        for _ in 0..<100 {
            for emission in Self.emissions { emission(&assembler, CodeLabel.zero) }
            #expect(assembler.overflowed == true)
        }
        #expect(throws: AssemblerError.overflow(limit: capacity)) { try assembler.finish() }
    }

    @Test(arguments: 0...128)
    func codeMayBeAsLongAsItsLimit(limit: Int) throws {
        var assembler = Assembler(initialCapacity: 0, limit: limit)
        for _ in 0..<limit { assembler.push(.rax) }
        try assembler.finish()
        #expect(assembler.bytes.count == limit)
        #expect(assembler.bytes.allSatisfy { $0 == 0x50 })
    }

    @Test(arguments: emissions.indices)
    func growthChangesNothing(emission: Int) {
        var small = Assembler(initialCapacity: 0)
        var large = Assembler(initialCapacity: 1 << 20)
        let (left, right) = (small.boundLabel(), large.boundLabel())
        for _ in 0..<2000 {
            Self.emissions[emission](&small, left)
            Self.emissions[emission](&large, right)
        }
        #expect(small.position == large.position)
        #expect(small.bytes.elementsEqual(large.bytes))
    }

    /// Uses of a label that the code has no room for are not told where it is, whatever lies there.
    @Test(arguments: 0...128)
    func labelsPastTheLimit(capacity: Int) {
        var assembler = Assembler(initialCapacity: 0, limit: capacity)
        var place = CodePlace()
        for _ in 0..<500 { assembler.jmp(&place) }
        assembler.bind(&place)
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
        var last = 0
        while !assembler.overflowed {
            last = assembler.position
            assembler.alu(.add, .w64, longest, immediate: .max)
        }
        #expect(last > (64 << 20) - 16 && last <= 64 << 20)
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
        for limit in [Int.min, -1, 0] {
            var assembler = Assembler(limit: limit)
            assembler.ret()
            #expect(throws: AssemblerError.overflow(limit: 0)) { try assembler.finish() }
        }
        var nowhere = Assembler(over: UnsafeMutableRawBufferPointer(start: nil, count: 0))
        nowhere.ret()
        #expect(throws: AssemblerError.overflow(limit: 0)) { try nowhere.finish() }
        // Less than what is not for code.
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: Assembler.margin - 1, alignment: 16)
        defer { memory.deallocate() }
        memory.initializeMemory(as: UInt8.self, repeating: Self.canary)
        var narrow = Assembler(over: memory)
        narrow.ret()
        #expect(throws: AssemblerError.overflow(limit: 0)) { try narrow.finish() }
        #expect(memory.allSatisfy { $0 == Self.canary })
    }
}

extension CodeLabel {
    /// The first label of any assembler.
    static let zero: CodeLabel = {
        var assembler = Assembler()
        return assembler.newLabel()
    }()
}
