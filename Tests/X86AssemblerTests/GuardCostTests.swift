import SCode
import SCodeTestSupport
import Testing

/// What `check --explain` says of a guard's cost is what the compiler emits: the machine code of one instruction, guarded
/// and proved.
@Suite struct GuardCostTests {
    /// Machine instructions on the way through the SCODE instruction with this mnemonic; calls of stubs and of the
    /// runtime are not on it.
    private func count(
        _ mnemonic: String, in body: String, region: String = "physical", guards: GuardPolicy = .standard
    ) throws -> Int {
        let text = """
            region data: \(region) rw, \(region == "host" ? 4096 : 64)
            fragment f(n: ul, from: p = data, always: p in r9 = data) {
                table t = { done, done, done, done }
            \(body)
            done:
                accept  n
            }
            """
        let acceptor = Acceptor(
            name: "cost", suppliedArguments: 2, policies: Set(MemoryPolicy.allCases), guards: guards,
            macros: [MacroInstruction("accept", [.value(.ul)], .accept, meaning: "")])
        let code = try #require(try Module(text: text, acceptor: acceptor).fragment())
        let index = try #require(code.code.instructions.firstIndex { $0.opcode.mnemonic == mnemonic })
        let machine = try NativeCode.translate(code)
        let disassembler = try Disassembler()
        var count = 0
        for (piece, next) in zip(machine.pieces, machine.pieces.dropFirst()) where piece.instruction == index
        {
            var offset = piece.offset
            while offset < next.offset {
                let bytes = machine.bytes
                let decoded = try #require(bytes.withUnsafeBytes { disassembler.decode($0, at: offset) })
                if !decoded.text.hasPrefix("call") { count += 1 }
                offset += decoded.size
            }
        }
        return count
    }

    @Test func boundsOfARegion() throws {
        let guarded = try count("ldul", in: "    ldul v, from, n\n    movul n, v")
        let proved = try count("ldul", in: "    andul k, n, 31\n    ldul v, always, k\n    movul n, v")
        #expect(guarded - proved == GuardCost.region)
    }

    @Test func pages() throws {
        let paged = try count("ldul", in: "    ldul v, from, n\n    movul n, v", region: "virtual")
        let proved = try count("ldul", in: "    andul k, n, 31\n    ldul v, always, k\n    movul n, v")
        #expect(paged - proved == GuardCost.page)
    }

    /// A proof does not count: it follows branches, and the processor guesses them.
    @Test func speculationIsMasked() throws {
        let masks = GuardPolicy(masksSpeculation: true)
        let access = "    ldul v, from, n\n    movul n, v"
        let proved = "    andul k, n, 31\n    ldul v, always, k\n    movul n, v"
        let guarded = try count("ldul", in: access)
        #expect(try count("ldul", in: access, guards: masks) == guarded + GuardCost.regionMask)
        #expect(try count("ldul", in: proved, guards: masks) == guarded + GuardCost.regionMask)
        let paged = try count("ldul", in: access, region: "virtual")
        #expect(try count("ldul", in: access, region: "virtual", guards: masks) == paged + GuardCost.pageMask)
        let jump = "    andul n, n, 3\n    jt n, t"
        #expect(try count("jt", in: jump, guards: masks) == count("jt", in: jump) + GuardCost.indexMask)
    }

    @Test func windows() throws {
        // So many that what both need is in a register.
        func several(_ load: String) -> String { Array(repeating: load, count: 4).joined(separator: "\n") }
        let guarded = try count("lduli", in: several("    ldul n, from, 8"), region: "host")
        let proved = try count("lduli", in: several("    ldul n, always, 8"), region: "host")
        #expect(guarded - proved == GuardCost.window)
    }

    @Test func divisors() throws {
        let guarded = try count("divul", in: "    divul n, n, from")
        let proved = try count("divul", in: "    orul k, n, 1\n    divul n, n, k")
        #expect(guarded - proved == GuardCost.divisor)
    }

    @Test func tableIndices() throws {
        let guarded = try count("jt", in: "    jt n, t")
        let proved = try count("jt", in: "    andul n, n, 3\n    jt n, t")
        #expect(guarded - proved == GuardCost.index)
    }

    @Test func alignment() throws {
        // Both are guarded by the region's bounds; the second is known to be aligned.
        let guarded = try count("atomadduli", in: "    addp q, from, n\n    atomaddul n, q, 0")
        let proved = try count(
            "atomadduli", in: "    lshul k, n, 3\n    addp q, always, k\n    atomaddul n, q, 0")
        #expect(guarded - proved == GuardCost.alignment)
    }

    @Test func backwardJumps() throws {
        let guarded = try count("bneuli", in: "again:\n    subul n, n, 1\n    bneul n, 0, again")
        let proved = try count(
            "bneuli", in: "    setul n, 5\nagain:\n    subul n, n, 1\n    bneul n, 0, again")
        // And one that stands behind the branch, for whoever does not jump.
        #expect(guarded - proved == GuardCost.budget + 1)
    }
}
