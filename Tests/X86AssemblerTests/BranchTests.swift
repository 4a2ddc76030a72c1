import SCodeTestSupport
import Testing
import X86Assembler

@Suite struct BranchTests {
    @Test func computedTargets() throws {
        var listing = Listing()
        for register in GPR.allCases {
            listing.expect("jmp \(name(register))") { $0.jmp(register) }
            listing.expect("call \(name(register))") { $0.call(register) }
        }
        for memory in everyMemory {
            listing.expect("jmp \(text(memory, 64))") { $0.jmp(memory) }
            listing.expect("call \(text(memory, 64))") { $0.call(memory) }
        }
        listing.expect("ret") { $0.ret() }
        listing.expect("ud2") { $0.ud2() }
        try listing.verify()
    }

    @Test func conditionsComeInPairs() {
        let opposites: [(Condition, Condition)] = [
            (.o, .no), (.b, .ae), (.e, .ne), (.be, .a), (.s, .ns), (.p, .np), (.l, .ge), (.le, .g),
        ]
        for (one, other) in opposites {
            #expect(one.inverted == other)
            #expect(other.inverted == one)
        }
    }

    @Test func swappedConditionsHoldForSwappedOperands() {
        for (left, right) in [(1, 2), (2, 2), (2, 1)] {
            let outcomes: [(Condition, (Int, Int) -> Bool)] = [
                (.b, { $0 < $1 }), (.ae, { $0 >= $1 }), (.be, { $0 <= $1 }), (.a, { $0 > $1 }),
                (.e, { $0 == $1 }),
                (.ne, { $0 != $1 }), (.l, { $0 < $1 }), (.ge, { $0 >= $1 }), (.le, { $0 <= $1 }),
                (.g, { $0 > $1 }),
            ]
            for (condition, holds) in outcomes {
                for (other, otherHolds) in outcomes where other == condition.swapped {
                    #expect(holds(left, right) == otherHolds(right, left))
                }
            }
        }
    }

    // MARK: Distances

    enum Jump: CaseIterable { case jmp, jcc, call, jmpShort, jccShort }

    static func emit(_ jump: Jump, _ label: CodeLabel, _ assembler: inout Assembler) {
        switch jump {
        case .jmp: assembler.jmp(label)
        case .jcc: assembler.jcc(.le, label)
        case .call: assembler.call(label)
        case .jmpShort: assembler.jmp(label, isNear: true)
        case .jccShort: assembler.jcc(.le, label, isNear: true)
        }
    }

    static func mnemonic(_ jump: Jump) -> String {
        switch jump {
        case .jmp, .jmpShort: "jmp"
        case .jcc, .jccShort: "jle"
        case .call: "call"
        }
    }

    static let gaps = Array(0...3) + Array(120...135) + [32_767, 32_768, 65_535, 65_536, 1 << 20]

    @Test(arguments: Jump.allCases, gaps)
    func backward(jump: Jump, gap: Int) throws {
        var listing = Listing()
        listing.expect("ret") { $0.ret() }
        let target = listing.assembler.boundLabel()
        for _ in 0..<gap { listing.expect("ret") { $0.ret() } }
        let start = listing.assembler.position
        listing.expect(Self.mnemonic(jump), 1) { Self.emit(jump, target, &$0) }
        let length = listing.assembler.position - start

        // A two-byte form reaches back 128 bytes, itself included.
        let reaches = gap + 2 <= 128
        switch jump {
        case .jmp: #expect(length == (reaches ? 2 : 5))
        case .jcc: #expect(length == (reaches ? 2 : 6))
        case .call: #expect(length == 5)
        case .jmpShort, .jccShort:
            #expect(length == 2)
            guard reaches else {
                #expect(throws: AssemblerError.shortJumpTooFar(to: target, distance: -gap - 2)) {
                    try listing.verify()
                }
                return
            }
        }
        try listing.verify()
    }

    @Test(arguments: Jump.allCases, gaps)
    func forward(jump: Jump, gap: Int) throws {
        var listing = Listing()
        let target = listing.assembler.newLabel()
        let length =
            switch jump {
            case .jmpShort, .jccShort: 2
            case .jmp, .call: 5
            case .jcc: 6
            }
        listing.expect(Self.mnemonic(jump), Int64(length + gap)) { Self.emit(jump, target, &$0) }
        #expect(listing.assembler.position == length)
        for _ in 0..<gap { listing.expect("ret") { $0.ret() } }
        listing.assembler.bind(target)
        listing.expect("ret") { $0.ret() }
        guard length > 2 || gap <= 127 else {
            #expect(throws: AssemblerError.shortJumpTooFar(to: target, distance: gap)) {
                try listing.verify()
            }
            return
        }
        try listing.verify()
    }

    @Test(arguments: Condition.allCases)
    func everyCondition(condition: Condition) throws {
        var listing = Listing()
        let behind = listing.assembler.boundLabel()
        let ahead = listing.assembler.newLabel()
        listing.expect("j\(condition)", 0) { $0.jcc(condition, behind) }
        listing.expect("j\(condition)", 10) { $0.jcc(condition, ahead) }
        listing.expect("j\(condition)", 10) { $0.jcc(condition, ahead, isNear: true) }
        listing.assembler.bind(ahead)
        listing.expect("ret") { $0.ret() }
        try listing.verify()
    }

    // MARK: Tables and padding

    @Test func addressOfLabel() throws {
        for register in GPR.allCases {
            var listing = Listing()
            let behind = listing.assembler.boundLabel()
            let ahead = listing.assembler.newLabel()
            listing.expect("ret") { $0.ret() }
            listing.expect("lea \(name(register)), [rip - 8]") { $0.lea(register, behind) }
            listing.expect("lea \(name(register)), [rip + 0x12]") { $0.lea(register, ahead) }
            for _ in 0..<0x12 { listing.expect("ret") { $0.ret() } }
            listing.assembler.bind(ahead)
            listing.expect("ret") { $0.ret() }
            try listing.verify()
        }
    }

    @Test func jumpTable() throws {
        var assembler = Assembler()
        let first = assembler.boundLabel()
        assembler.nop(5)
        assembler.align(to: 4)
        let table = assembler.boundLabel()
        let last = assembler.newLabel()
        for label in [first, last, table] { assembler.emitTableEntry(label, relativeTo: table) }
        assembler.bind(last)
        try assembler.finish()
        #expect(assembler.position == 20)
        let entries = (0..<3).map {
            assembler.bytes.loadUnaligned(fromByteOffset: 8 + 4 * $0, as: Int32.self)
        }
        #expect(entries == [-8, 12, 0])
    }

    @Test func padding() throws {
        let disassembler = try Disassembler()
        for length in 0...40 {
            var assembler = Assembler()
            assembler.nop(length)
            try assembler.finish()
            #expect(assembler.position == length)
            var offset = 0
            while offset < length {
                let decoded = disassembler.decode(assembler.bytes, at: offset)
                let found = try #require(decoded)
                #expect(found.text.hasPrefix("nop"))
                #expect(found.size == min(9, length - offset))
                offset += found.size
            }
        }
        for alignment in [1, 2, 4, 8, 16, 32, 64] {
            for start in 0...65 {
                var assembler = Assembler()
                for _ in 0..<start { assembler.ret() }
                assembler.align(to: alignment)
                #expect(assembler.position % alignment == 0)
                #expect(assembler.position - start < alignment)
            }
        }
    }
}
