import Testing
import X86Assembler

/// Forms that are fast to emit say the same as the shortest ones, and have the length that they promise.
@Suite struct UniformTests {
    @Test(arguments: ALU.allCases, UniformWidth.allCases)
    func alu(op: ALU, width: UniformWidth) throws {
        var listing = Listing()
        let bits = width.bits
        forEachPair { left, right in
            listing.expect("\(op) \(name(left, bits)), \(name(right, bits))") {
                $0.alu(op, width, left, right)
                #expect($0.position % 3 == 0)
            }
        }
        try listing.verify()
    }

    @Test(arguments: ALU.allCases, UniformWidth.allCases)
    func aluImmediates(op: ALU, width: UniformWidth) throws {
        var listing = Listing()
        for register in GPR.allCases {
            for value in immediates32 {
                for isWide in [false, true] {
                    let start = listing.assembler.position
                    listing.expect("\(op) \(name(register, width.bits)),", Int64(value), bits: width.bits) {
                        $0.alu(op, width, register, immediate: value, isWide: isWide)
                    }
                    let isShort = !isWide && Int8(exactly: value) != nil
                    #expect(listing.assembler.position - start == (isShort ? 4 : 7))
                }
            }
        }
        try listing.verify()
    }

    @Test(arguments: UniformWidth.allCases)
    func twoRegisters(width: UniformWidth) throws {
        var listing = Listing()
        let bits = width.bits
        forEachPair { left, right in
            let operands = "\(name(left, bits)), \(name(right, bits))"
            listing.expect("mov " + operands) { $0.mov(width, left, right) }
            listing.expect("test " + operands) { $0.test(width, left, right) }
            listing.expect("imul " + operands) { $0.imul(width, left, right) }
            for value in immediates32 {
                for isWide in [false, true] {
                    listing.expect("imul \(operands),", Int64(value), bits: bits) {
                        $0.imul(width, left, right, immediate: value, isWide: isWide)
                    }
                }
            }
        }
        try listing.verify()
    }

    @Test(arguments: UniformWidth.allCases)
    func oneRegister(width: UniformWidth) throws {
        var listing = Listing()
        for register in GPR.allCases {
            let operand = name(register, width.bits)
            for op in Unary.allCases {
                listing.expect("\(op) \(operand)") { $0.unary(op, width, register) }
            }
            for op in Shift.allCases {
                listing.expect("\(op) \(operand), cl") { $0.shiftByCL(op, width, register) }
                for count in 0...UInt8.max {
                    listing.expect("\(op) \(operand),", Int64(count), bits: 8) {
                        $0.shift(op, width, register, by: count)
                    }
                }
            }
        }
        try listing.verify()
    }

    private static let loads: [(form: LoadForm, mnemonic: String, bits: Int, from: Int)] = [
        (.w8, "movzx", 32, 8), (.w16, "movzx", 32, 16), (.w32, "mov", 32, 32), (.w64, "mov", 64, 64),
        (.signed8(to: .w64), "movsx", 64, 8), (.signed16(to: .w64), "movsx", 64, 16),
        (.signed8(to: .w32), "movsx", 32, 8), (.signed16(to: .w32), "movsx", 32, 16),
        (.signed32, "movsxd", 64, 32),
    ]
    private static let stores: [(form: StoreForm, bits: Int)] = [
        (.w8, 8), (.w16, 16), (.w32, 32), (.w64, 64),
    ]

    /// With every base that takes no SIB byte, every register and every length of displacement.
    @Test(arguments: [false, true])
    func memory(isWide: Bool) throws {
        for base in GPR.allCases where base != .rsp && base != .r12 {
            var listing = Listing()
            for displacement in displacements {
                let memory = Memory(base, displacement)
                for register in GPR.allCases {
                    for (form, mnemonic, bits, from) in Self.loads {
                        listing.expect("\(mnemonic) \(name(register, bits)), \(text(memory, from))") {
                            $0.load(as: form, register, plainBase: base, displacement, isWide: isWide)
                        }
                    }
                    for (form, bits) in Self.stores {
                        listing.expect("mov \(text(memory, bits)), \(name(register, bits))") {
                            $0.store(as: form, plainBase: base, displacement, register, isWide: isWide)
                        }
                    }
                    guard register != base else { continue }
                    listing.expect("lea \(name(register)), \(text(memory))") {
                        $0.add(UniformWidth.w64, register, base, immediate: displacement, isWide: isWide)
                    }
                }
            }
            try listing.verify()
        }
    }
}
