import Foundation
import SCode
import SCodeJIT
import SCodeTestSupport
import Testing

/// Code that runs without guards where checks before it allow that does what the interpreter does: at the edges of the
/// region, of the budget and of the numbers that loops count with. `SCODE_DIFFERENTIAL_PROGRAMS=N`.
@Suite struct VersioningTests {
    private static let base: UInt64 = 1 << 32
    private static let size = 64
    private static let programs =
        Int(ProcessInfo.processInfo.environment["SCODE_DIFFERENTIAL_PROGRAMS"] ?? "") ?? 4_000

    @Test func loopsAgree() throws {
        try run(seed: 1, marked: ["extent", "take one", "else take that", "<<", "multiple", "extent + 1"]) {
            $0.loop()
        }
    }

    @Test func straightCodeAgrees() throws {
        try run(seed: 1 << 32, marked: ["unless range"]) { $0.run() }
    }

    /// What a loop would reach is more than 64 bits can count; with a budget that never ends it.
    @Test(arguments: [1 << 61, 1 << 62, 3 << 61, Int64.max, -16] as [Int64], [0, 1, 7])
    func hugeLimits(limit: Int64, more: Int64) throws {
        let text = """
            region data: physical rw, 64
            fragment f(p: p, n: ul) {
                setul   i, 0
            again:
                stul    i, p, 0
                addpi   p, p, 8
                adduli  i, i, 1
                bltul   i, n, again
                accept  i
            }
            """
        let fragment = try #require(Module(text: text, acceptor: .plain).fragment())
        #expect(CompilerDump.vcode(fragment).contains("8 more"))
        let memory = UnsafeMutableRawPointer.allocate(byteCount: Self.size, alignment: 16)
        defer { memory.deallocate() }
        let exit = try BothEngines.run(
            fragment, [Self.base, UInt64(bitPattern: limit &+ more)],
            regions: [.physical(base: Self.base, host: memory, size: Self.size, writable: true)], budget: .max
        ).exit
        guard case .abort(let abort) = exit else { return #expect(Bool(false), "it ended") }
        #expect(abort.reason == .outOfBounds && abort.address == Self.base + UInt64(Self.size))
    }

    /// What the processor guesses ahead of one check for many accesses no mask would make harmless.
    @Test func masksKeepGuards() throws {
        var acceptor = Acceptor.plain
        acceptor.guards.masksSpeculation = true
        var guarded = 0
        for seed in 0..<UInt64(100) {
            var generator = LoopGenerator(seed: seed)
            for text in [generator.loop(), generator.run()] {
                let fragment = try #require(Module(text: text, acceptor: acceptor).fragment())
                let vcode = CompilerDump.vcode(fragment)
                #expect(!vcode.contains("unless range"))
                if vcode.contains("guard region") { guarded += 1 }
            }
        }
        #expect(guarded > 100)
    }

    /// Random programs, each with some arguments and budgets. Of what the compiler is to do there must be some.
    private func run(
        seed: UInt64, marked marks: [String], _ text: (inout LoopGenerator) -> String
    ) throws {
        var seen: [String: Int] = [:]
        for number in 0..<UInt64(Self.programs) {
            var generator = LoopGenerator(seed: seed &+ number)
            let program = text(&generator)
            let fragment = try #require(Module(text: program, acceptor: .plain).fragment())
            let vcode = CompilerDump.vcode(fragment)
            for mark in marks where vcode.contains(mark) { seen[mark, default: 0] += 1 }
            let memories = EngineKind.allCases.map { _ in
                UnsafeMutableRawPointer.allocate(byteCount: Self.size + 32, alignment: 16)
            }
            defer { for memory in memories { memory.deallocate() } }
            let fragments = try zip(EngineKind.allCases, memories).map { engine, memory in
                try Fragment(
                    fragment,
                    regions: [
                        .physical(base: Self.base, host: memory + 16, size: Self.size, writable: true)
                    ], engine: engine)
            }
            for _ in 0..<6 {
                let arguments = generator.arguments(Self.base, Self.size)
                let budget = UInt64.random(in: 0...40, using: &generator.random)
                var results: [Invocation] = []
                for (fragment, memory) in zip(fragments, memories) {
                    for byte in 0..<Self.size + 32 {
                        memory.storeBytes(
                            of: UInt8(byte % 5 * byte % 251), toByteOffset: byte, as: UInt8.self)
                    }
                    results.append(fragment.invoke(arguments: arguments, budget: budget))
                }
                let isSame =
                    results[0].exit == results[1].exit
                    && results[0].remainingBudget == results[1].remainingBudget
                    && memcmp(memories[0], memories[1], Self.size + 32) == 0
                guard !isSame else { continue }
                Issue.record(
                    """
                    seed \(seed &+ number), arguments \(arguments), budget \(budget): \
                    \(results.map { "\($0.exit), left \($0.remainingBudget)" })
                    \(program)
                    \(vcode)
                    """)
                return
            }
        }
        for mark in marks { #expect(seen[mark, default: 0] > 0, "no program has '\(mark)'") }
    }
}

/// Writes fragments whose accesses nobody has proved: `p` and `q` are somewhere, `n` is a limit, `s` a step, `c` counts.
struct LoopGenerator {
    var random: SeededGenerator
    private var labels = 0

    init(seed: UInt64) { random = SeededGenerator(seed: seed) }

    private mutating func pick<T>(_ choices: [T]) -> T {
        choices[Int.random(in: 0..<choices.count, using: &random)]
    }
    private mutating func number(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &random) }

    private static let head = """
        accept plain
        region data: physical rw, 64
        fragment f(p: p, q: p, n: ul, s: ul, c: ul) {
            setul   sum, 3
            setul   x, 5
            setul   t, 0

        """

    mutating func arguments(_ base: UInt64, _ size: Int) -> [UInt64] {
        func near(_ random: inout SeededGenerator) -> UInt64 {
            base &+ UInt64(bitPattern: Int64(Int.random(in: -4...size, using: &random)))
        }
        let p = random.oneIn(12) ? UInt64(bitPattern: random.interestingValue()) : near(&random)
        let q = random.oneIn(3) ? p : near(&random)
        let s = random.oneIn(8) ? UInt64(bitPattern: random.interestingValue()) : UInt64(number(0...9))
        let c = random.oneIn(8) ? UInt64(bitPattern: random.interestingValue()) : UInt64(number(0...8))
        if random.oneIn(6) {
            // Where numbers end, or change their sign.
            let most = pick([UInt64.max, UInt64(Int64.max), UInt64(UInt32.max), UInt64(Int32.max)])
            let n = most &- UInt64(number(0...4))
            return [p, q, n, s, n &- UInt64(number(0...12))]
        }
        let n: UInt64 =
            switch number(0...9) {
            case 0: UInt64(bitPattern: random.interestingValue())
            case 1: near(&random)
            case 2: c
            case 3: 0 &- UInt64(number(1...9))
            default: c &+ UInt64(number(0...20))
            }
        return [p, q, n, s, c]
    }

    mutating func loop() -> String {
        let type = pick(["ul", "ul", "ul", "u", "l", "i"])
        var body = (0..<number(1...3)).map { _ in piece() }
        let step = pick([1, 1, 1, 2, 3, 4, 8, 16])
        let byRegister = random.oneIn(4)
        let advance = byRegister ? "addul c, c, s" : "add\(type)i c, c, \(step)"
        body.insert(sometimes(advance), at: number(0...body.count))
        if random.oneIn(2) {
            let pace = byRegister ? "addp q, q, s" : "addpi q, q, \(step * pick([1, 2, 4]))"
            body.insert(sometimes(pace), at: number(0...body.count))
        }
        if random.oneIn(5) { body.append("bequli x, \(number(0...3)), out") }
        // The comparison stands at the end, or at the head.
        let isFirst = random.oneIn(4)
        let comparison = end(type, step)
        body.insert(isFirst ? Self.inverted(comparison).replacing("again", with: "out") : "", at: 0)
        body.append(isFirst ? "j again" : comparison)
        return Self.head + "again:\n" + body.joined(separator: "\n") + "\nout:\n"
            + "addul sum, sum, x\nxorul sum, sum, q\nxorul sum, sum, c\naccept sum\n}\n"
    }

    /// The same, or not in every round.
    private mutating func sometimes(_ line: String) -> String {
        guard random.oneIn(8) else { return line }
        labels += 1
        return "bequli x, \(number(0...2)), skip\(labels)\n\(line)\nadduli sum, sum, 1\nskip\(labels):"
    }

    private static func inverted(_ comparison: String) -> String {
        let other = ["bne": "beq", "beq": "bne", "ble": "bgt", "bgt": "ble", "bge": "blt", "blt": "bge"]
        return (other[String(comparison.prefix(3))] ?? "") + comparison.dropFirst(3)
    }

    /// The comparison that ends the loop.
    private mutating func end(_ type: String, _ step: Int) -> String {
        let counter = pick(["c", "c", "c", "q"])
        let limit = random.oneIn(5) ? "\(step * number(0...9))" : "n"
        switch number(0...5) {
        case 0: return "\(pick(["bne", "beq"]))\(type)\(limit == "n" ? "" : "i") \(counter), \(limit), again"
        case 1: return "ble\(type)\(limit == "n" ? "" : "i") \(counter), \(limit), again"
        case 2 where limit == "n": return "bgt\(type) n, \(counter), again"
        case 3 where limit == "n": return "bge\(type) n, \(counter), again"
        default: return "blt\(type)\(limit == "n" ? "" : "i") \(counter), \(limit), again"
        }
    }

    /// An access, sometimes on one way only, or something that may abort.
    private mutating func piece() -> String {
        switch number(0...9) {
        case 0: return "divul sum, sum, x"
        case 1:
            labels += 1
            return "bequli x, \(number(0...2)), skip\(labels)\n\(access())\nskip\(labels):"
        default: return access()
        }
    }

    private mutating func access() -> String {
        let type = pick(["uc", "us", "u", "ul", "c", "s"])
        let offset = number(-5...9)
        let (before, address): (String, String) =
            switch number(0...6) {
            case 0: ("addp t, p, c\n", "t, \(offset)")
            case 1: ("lshuli t, c, \(number(1...4))\naddp t, p, t\n", "t, \(offset)")
            case 2: ("", "p, c")
            case 3: ("movul t, q\naddul t, t, \(number(0...9))\n", "t, \(offset)")
            case 4: ("", "p, \(offset)")
            default: ("", "q, \(offset)")
            }
        if random.oneIn(3) { return before + "st\(type) sum, \(address)" }
        return before + "ld\(type) x, \(address)\naddul sum, sum, x"
    }

    /// Accesses one after the other, most of them from one register, which may change on the way.
    mutating func run() -> String {
        var lines: [String] = []
        for _ in 0..<number(2...7) {
            switch number(0...9) {
            case 0: lines.append("addpi q, q, \(number(1...4))")
            case 1: lines.append("ldul q, q, \(number(0...8))")
            case 2:
                labels += 1
                lines.append("bequli x, \(number(0...2)), skip\(labels)")
                lines.append(access())
                lines.append("skip\(labels):")
            default: lines.append("lduc x, q, \(number(-3...12))\naddul sum, sum, x")
            }
            if random.oneIn(3) { lines.append("stus sum, q, \(number(-3...12))") }
            if random.oneIn(6) { lines.append("divul sum, sum, x") }
            if random.oneIn(6) { lines.append("bltul x, n, out") }
        }
        return Self.head + lines.joined(separator: "\n")
            + "\nout:\naddul sum, sum, x\nxorul sum, sum, q\naccept sum\n}\n"
    }
}
