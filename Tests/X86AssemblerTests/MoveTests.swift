import Testing
import X86Assembler

@Suite struct MoveTests {
    @Test(arguments: Width.allCases)
    func betweenRegisters(width: Width) throws {
        var listing = Listing()
        let bits = width.bits
        forEachPair { left, right in
            let operands = "\(name(left, bits)), \(name(right, bits))"
            listing.expect("mov " + operands) { $0.mov(width, left, right) }
        }
        try listing.verify()
    }

    @Test func immediates() throws {
        var listing = Listing()
        for register in GPR.allCases {
            for value in immediates64 {
                let start = listing.assembler.position
                let signed = Int64(bitPattern: value)
                let rex = register.rawValue >= 8 ? 1 : 0
                if value <= 0xFFFF_FFFF {
                    listing.expect("mov \(name(register, 32)),", signed, bits: 32) {
                        $0.mov(register, immediate: value)
                    }
                    #expect(listing.assembler.position - start == 5 + rex)
                } else if signed < 0 && signed >= -0x8000_0000 {
                    listing.expect("mov \(name(register)),", signed) { $0.mov(register, immediate: value) }
                    #expect(listing.assembler.position - start == 7)
                } else {
                    listing.expect("movabs \(name(register)),", signed) { $0.mov(register, immediate: value) }
                    #expect(listing.assembler.position - start == 10)
                }
            }
        }
        try listing.verify()
    }

    @Test func oneRegister() throws {
        var listing = Listing()
        for register in GPR.allCases {
            listing.expect("xor \(name(register, 32)), \(name(register, 32))") { $0.zero(register) }
            listing.expect("push \(name(register))") { $0.push(register) }
            listing.expect("pop \(name(register))") { $0.pop(register) }
        }
        try listing.verify()
    }

    @Test(arguments: MemoryWidth.allCases)
    func zeroExtension(size: MemoryWidth) throws {
        var listing = Listing()
        let mnemonic = size.bits < 32 ? "movzx" : "mov"
        let bits = max(size.bits, 32)
        forEachPair { left, right in
            listing.expect("\(mnemonic) \(name(left, bits)), \(name(right, size.bits))") {
                $0.zeroExtend(size, left, right)
            }
        }
        forEachMemory { memory, register in
            listing.expect("\(mnemonic) \(name(register, bits)), \(text(memory, size.bits))") {
                $0.load(size, register, memory)
            }
        }
        try listing.verify()
    }

    @Test(arguments: MemoryWidth.allCases, Width.allCases)
    func signExtension(size: MemoryWidth, width: Width) throws {
        var listing = Listing()
        let mnemonic =
            switch (size, width.isWide) {
            case (.w8, _), (.w16, _): "movsx"
            case (.w32, true): "movsxd"
            case (.w32, false), (.w64, _): "mov"
            }
        let source = min(size.bits, width.bits)
        forEachPair { left, right in
            listing.expect("\(mnemonic) \(name(left, width.bits)), \(name(right, source))") {
                $0.signExtend(size, to: width, left, right)
            }
        }
        forEachMemory { memory, register in
            listing.expect("\(mnemonic) \(name(register, width.bits)), \(text(memory, source))") {
                $0.loadSigned(size, to: width, register, memory)
            }
        }
        try listing.verify()
    }

    /// All registers with all memory operands: 140,544 instructions a size.
    @Test(arguments: MemoryWidth.allCases)
    func stores(size: MemoryWidth) throws {
        for register in GPR.allCases {
            var listing = Listing()
            for memory in everyMemory {
                listing.expect("mov \(text(memory, size.bits)), \(name(register, size.bits))") {
                    $0.store(size, memory, register)
                }
            }
            try listing.verify()
        }
    }

    @Test(arguments: MemoryWidth.allCases)
    func immediateStores(size: MemoryWidth) throws {
        var listing = Listing()
        var turn = 0
        forEachMemory { memory, _ in
            let value = immediates32[turn % immediates32.count]
            listing.expect("mov \(text(memory, size.bits)),", Int64(value), bits: size.bits) {
                $0.store(size, memory, immediate: value)
            }
            turn += 1
        }
        try listing.verify()
    }

    @Test(arguments: Width.allCases)
    func addresses(width: Width) throws {
        var listing = Listing()
        forEachMemory { memory, register in
            listing.expect("lea \(name(register, width.bits)), \(text(memory))") {
                $0.lea(width, register, memory)
            }
        }
        try listing.verify()
    }

    @Test(arguments: Condition.allCases)
    func conditional(condition: Condition) throws {
        var listing = Listing()
        for register in GPR.allCases {
            listing.expect("set\(condition) \(name(register, 8))") { $0.set(condition, register) }
        }
        try listing.verify()
    }

    /// SIB only for an index, rsp or r12; no displacement, one byte, or four.
    @Test func addressesTakeTheSmallestForm() {
        var assembler = Assembler()
        for memory in everyMemory {
            let start = assembler.position
            assembler.load(.w64, .rax, memory)
            let sib = memory.index != nil || memory.base == .rsp || memory.base == .r12
            let displacement =
                switch memory.displacement {
                case 0: memory.base == .rbp || memory.base == .r13 ? 1 : 0
                case -128...127: 1
                default: 4
                }
            #expect(assembler.position - start == 3 + (sib ? 1 : 0) + displacement)
        }
    }
}
