import Testing
import X86Assembler

@Suite struct ArithmeticTests {
    @Test(arguments: ALU.allCases, Width.allCases)
    func aluRegisters(op: ALU, width: Width) throws {
        var listing = Listing()
        let bits = width.bits
        forEachPair { left, right in
            listing.expect("\(op) \(name(left, bits)), \(name(right, bits))") {
                $0.alu(op, width, left, right)
            }
        }
        for register in GPR.allCases {
            for value in immediates32 {
                listing.expect("\(op) \(name(register, bits)),", Int64(value), bits: bits) {
                    $0.alu(op, width, register, immediate: value)
                }
            }
        }
        try listing.verify()
    }

    @Test(arguments: ALU.allCases, Width.allCases)
    func aluMemory(op: ALU, width: Width) throws {
        var listing = Listing()
        let bits = width.bits
        var turn = 0
        forEachMemory { memory, register in
            listing.expect("\(op) \(name(register, bits)), \(text(memory, bits))") {
                $0.alu(op, width, register, memory)
            }
            listing.expect("\(op) \(text(memory, bits)), \(name(register, bits))") {
                $0.alu(op, width, memory, register)
            }
            let value = immediates32[turn % immediates32.count]
            listing.expect("\(op) \(text(memory, bits)),", Int64(value), bits: bits) {
                $0.alu(op, width, memory, immediate: value)
            }
            turn += 1
        }
        try listing.verify()
    }

    @Test(arguments: MemoryWidth.allCases)
    func compareMemory(size: MemoryWidth) throws {
        var listing = Listing()
        var turn = 0
        forEachMemory { memory, _ in
            let value = immediates32[turn % immediates32.count]
            // Of the narrow ones the low bits count.
            let bits = size.bits
            let shown = bits < 32 ? Int64(value) & ((1 << Int64(bits)) - 1) : Int64(value)
            listing.expect("cmp \(text(memory, bits)),", shown, bits: bits) {
                $0.compare(size, memory, immediate: value)
            }
            turn += 1
        }
        try listing.verify()
    }

    @Test(arguments: Width.allCases)
    func test(width: Width) throws {
        var listing = Listing()
        let bits = width.bits
        forEachPair { left, right in
            listing.expect("test \(name(left, bits)), \(name(right, bits))") { $0.test(width, left, right) }
        }
        try listing.verify()
    }

    @Test(arguments: Width.allCases)
    func imul(width: Width) throws {
        var listing = Listing()
        let bits = width.bits
        forEachPair { left, right in
            listing.expect("imul \(name(left, bits)), \(name(right, bits))") { $0.imul(width, left, right) }
            for value in immediates32 {
                listing.expect("imul \(name(left, bits)), \(name(right, bits)),", Int64(value), bits: bits) {
                    $0.imul(width, left, right, immediate: value)
                }
            }
        }
        forEachMemory { memory, register in
            listing.expect("imul \(name(register, bits)), \(text(memory, bits))") {
                $0.imul(width, register, memory)
            }
        }
        try listing.verify()
    }

    @Test(arguments: Unary.allCases, Width.allCases)
    func unary(op: Unary, width: Width) throws {
        var listing = Listing()
        let bits = width.bits
        for register in GPR.allCases {
            listing.expect("\(op) \(name(register, bits))") { $0.unary(op, width, register) }
        }
        try listing.verify()
    }

    @Test(arguments: Shift.allCases, Width.allCases)
    func shifts(op: Shift, width: Width) throws {
        var listing = Listing()
        let bits = width.bits
        for register in GPR.allCases {
            listing.expect("\(op) \(name(register, bits)), cl") { $0.shiftByCL(op, width, register) }
            for count in 0...UInt8.max {
                listing.expect("\(op) \(name(register, bits)),", Int64(count), bits: 8) {
                    $0.shift(op, width, register, by: count)
                }
            }
        }
        try listing.verify()
    }

    @Test(arguments: BitCount.allCases, Width.allCases)
    func bitCounts(op: BitCount, width: Width) throws {
        var listing = Listing()
        let bits = width.bits
        forEachPair { left, right in
            listing.expect("\(op) \(name(left, bits)), \(name(right, bits))") {
                $0.count(op, width, left, right)
            }
        }
        try listing.verify()
    }

    @Test(arguments: Width.allCases)
    func byteSwapAndSign(width: Width) throws {
        var listing = Listing()
        for register in GPR.allCases {
            listing.expect("bswap \(name(register, width.bits))") { $0.bswap(width, register) }
        }
        listing.expect(!width.isWide ? "cdq" : "cqo") { $0.signExtendRaxIntoRdx(width) }
        try listing.verify()
    }

    /// The disassembler accepts a longer form than need be; so the lengths are pinned here.
    @Test func immediatesTakeTheSmallestForm() {
        var assembler = Assembler()
        for op in ALU.allCases {
            for value in immediates32 {
                let start = assembler.position
                assembler.alu(op, .w64, .rbx, immediate: value)
                #expect(assembler.position - start == ((-128...127).contains(value) ? 4 : 7))
            }
        }
        for value in immediates32 {
            let start = assembler.position
            assembler.imul(.w64, .rbx, .rcx, immediate: value)
            #expect(assembler.position - start == ((-128...127).contains(value) ? 4 : 7))
        }
    }
}
