import Testing
import X86Assembler

extension Precision {
    fileprivate var suffix: String { self == .single ? "s" : "d" }
    fileprivate var bits: Int { self == .single ? 32 : 64 }
}

/// Every memory operand, with XMM registers in turn.
private func forEachFloatMemory(_ body: (Memory, XMM) -> Void) {
    for (number, memory) in everyMemory.enumerated() { body(memory, XMM.allCases[number & 15]) }
}

@Suite struct FloatTests {
    @Test func wholeRegisters() throws {
        var listing = Listing()
        forEachFloatPair { left, right in
            listing.expect("movaps \(name(left)), \(name(right))") { $0.movaps(left, right) }
            listing.expect("xorps \(name(left)), \(name(right))") { $0.xorps(left, right) }
        }
        try listing.verify()
    }

    @Test(arguments: Precision.allCases)
    func memory(precision: Precision) throws {
        var listing = Listing()
        let suffix = precision.suffix
        forEachFloatMemory { memory, register in
            listing.expect("movs\(suffix) \(name(register)), \(text(memory, precision.bits))") {
                $0.load(precision, register, memory)
            }
            listing.expect("movs\(suffix) \(text(memory, precision.bits)), \(name(register))") {
                $0.store(precision, memory, register)
            }
        }
        try listing.verify()
    }

    @Test(arguments: Width.allCases)
    func betweenBanks(width: Width) throws {
        var listing = Listing()
        let mnemonic = !width.isWide ? "movd" : "movq"
        forEachMixedPair { float, integer in
            listing.expect("\(mnemonic) \(name(float)), \(name(integer, width.bits))") {
                $0.mov(width, float, integer)
            }
            listing.expect("\(mnemonic) \(name(integer, width.bits)), \(name(float))") {
                $0.mov(width, integer, float)
            }
        }
        try listing.verify()
    }

    @Test(arguments: FloatArithmetic.allCases, Precision.allCases)
    func arithmetic(op: FloatArithmetic, precision: Precision) throws {
        var listing = Listing()
        let mnemonic = "\(op)s\(precision.suffix)"
        forEachFloatPair { left, right in
            listing.expect("\(mnemonic) \(name(left)), \(name(right))") {
                $0.float(op, precision, left, right)
            }
        }
        forEachFloatMemory { memory, register in
            listing.expect("\(mnemonic) \(name(register)), \(text(memory, precision.bits))") {
                $0.float(op, precision, register, memory)
            }
        }
        try listing.verify()
    }

    @Test(arguments: Precision.allCases)
    func comparison(precision: Precision) throws {
        var listing = Listing()
        let mnemonic = "ucomis\(precision.suffix)"
        forEachFloatPair { left, right in
            listing.expect("\(mnemonic) \(name(left)), \(name(right))") { $0.compare(precision, left, right) }
        }
        forEachFloatMemory { memory, register in
            listing.expect("\(mnemonic) \(name(register)), \(text(memory, precision.bits))") {
                $0.compare(precision, register, memory)
            }
        }
        try listing.verify()
    }

    @Test(arguments: Precision.allCases, Width.allCases)
    func integers(precision: Precision, width: Width) throws {
        var listing = Listing()
        let suffix = precision.suffix
        forEachMixedPair { float, integer in
            let integerName = name(integer, width.bits)
            listing.expect("cvtsi2s\(suffix) \(name(float)), \(integerName)") {
                $0.convert(width, integer, to: precision, float)
            }
            listing.expect("cvtts\(suffix)2si \(integerName), \(name(float))") {
                $0.convertTruncating(precision, float, to: width, integer)
            }
        }
        try listing.verify()
    }

    @Test func precisions() throws {
        var listing = Listing()
        forEachFloatPair { left, right in
            listing.expect("cvtss2sd \(name(left)), \(name(right))") {
                $0.convertPrecision(from: .single, left, right)
            }
            listing.expect("cvtsd2ss \(name(left)), \(name(right))") {
                $0.convertPrecision(from: .double, left, right)
            }
        }
        try listing.verify()
    }
}

@Suite struct AtomicTests {
    @Test(arguments: ALU.allCases, Width.allCases)
    func locked(op: ALU, width: Width) throws {
        guard op != .cmp else { return }
        var listing = Listing()
        forEachMemory { memory, register in
            listing.expect("lock \(op) \(text(memory, width.bits)), \(name(register, width.bits))") {
                $0.locked(op, width, memory, register)
            }
        }
        try listing.verify()
    }

    @Test(arguments: Width.allCases)
    func exchanges(width: Width) throws {
        var listing = Listing()
        forEachMemory { memory, register in
            let operands = "\(text(memory, width.bits)), \(name(register, width.bits))"
            listing.expect("lock xadd " + operands) { $0.lockedXadd(width, memory, register) }
            listing.expect("lock cmpxchg " + operands) { $0.lockedCmpxchg(width, memory, register) }
            listing.expect("xchg " + operands) { $0.xchg(width, memory, register) }
        }
        try listing.verify()
    }
}
