import SCode
import SCodeFilter
import SCodeTestSupport
import Testing

/// Translations, and decisions of sets of filters, against a plain interpreter of classic BPF.
@Suite struct TranslationTests {
    static let engines = EngineKind.allCases

    private func installed(_ program: Program) throws -> [PacketFilter] {
        try Self.engines.map { try PacketFilter(program, engine: $0) }
    }

    /// Random programs, over packets like real ones and over noise: on both engines, as they stand and as a decision.
    @Test(arguments: 0..<40) func randomPrograms(_ seed: Int) throws {
        var programs = RandomClassicProgram(generator: SeededGenerator(seed: UInt64(seed)))
        var packets = PacketGenerator(seed: UInt64(seed))
        for round in 0..<5 {
            let raw = programs.make(length: 2 + (seed * 5 + round) % 60)
            let program = try ClassicProgram(dump: RawInstruction.text(raw))
            let translated = try installed(program.translated())
            var set = FilterSet()
            try set.insert(program, number: 7)
            let decided = try installed(set.program())
            let explanation = FilterExplanation(program)
            for _ in 0..<30 {
                let packet = packets.make()
                let result = ClassicMachine.run(raw, packet.bytes, wireLength: packet.wireLength)
                let reasons = packet.bytes.withUnsafeBytes {
                    explanation?.reasons($0, wireLength: packet.wireLength, linkType: 1)
                }
                // What is taken needs no reason, what is not has one.
                if explanation != nil { #expect((reasons == nil) == (result != 0)) }
                for filter in translated {
                    let verdict = filter.decide(packet.bytes, wireLength: packet.wireLength)
                    #expect(
                        verdict == (result == 0 ? .refuse : .accept(UInt64(result))), "seed \(seed): \(raw)")
                }
                for filter in decided {
                    let verdict = filter.decide(packet.bytes, wireLength: packet.wireLength)
                    #expect(verdict == (result == 0 ? .refuse : .accept(7)), "seed \(seed): \(raw)")
                }
            }
        }
    }

    /// The longest program, and the deepest: one test after the other.
    @Test func longPrograms() throws {
        var programs = RandomClassicProgram(generator: SeededGenerator(seed: 1))
        let limit = ClassicProgram.instructionLimit
        var tests: [RawInstruction] = []
        while tests.count < limit - 2 {
            tests.append(RawInstruction(code: 0x30, k: UInt32(tests.count % 60)))
            tests.append(RawInstruction(code: 0x15, then: 0, otherwise: 0, k: 3))
        }
        tests += [RawInstruction(code: 6, k: 1), RawInstruction(code: 6, k: 0)]
        for raw in [programs.make(length: limit), tests] {
            let program = try ClassicProgram(dump: RawInstruction.text(raw))
            var set = FilterSet()
            try set.insert(program, number: 1)
            let filters = [try PacketFilter(program.translated()), try PacketFilter(set.program())]
            var packets = PacketGenerator(seed: 3)
            for _ in 0..<20 {
                let packet = packets.make()
                let takes = ClassicMachine.run(raw, packet.bytes, wireLength: packet.wireLength) != 0
                for filter in filters {
                    let verdict = filter.decide(packet.bytes, wireLength: packet.wireLength)
                    #expect((verdict != .refuse) == takes)
                }
            }
        }
    }

    /// Long random programs, several of them: what reaches a place in many ways, and code that is asked in turn.
    @Test func longRandomPrograms() throws {
        var programs = RandomClassicProgram(generator: SeededGenerator(seed: 77))
        let raw = (0..<3).map { _ in programs.make(length: 1500) }
        var set = FilterSet()
        for (number, program) in raw.enumerated() {
            try set.insert(try ClassicProgram(dump: RawInstruction.text(program)), number: UInt64(number))
        }
        let filters = try EngineKind.allCases.map { try PacketFilter(set.program(), engine: $0) }
        var packets = PacketGenerator(seed: 5)
        for _ in 0..<40 {
            let packet = packets.make()
            let first = raw.firstIndex {
                ClassicMachine.run($0, packet.bytes, wireLength: packet.wireLength) != 0
            }
            let expected = first.map { PacketFilter.Verdict.accept(UInt64($0)) } ?? .refuse
            for filter in filters {
                #expect(filter.decide(packet.bytes, wireLength: packet.wireLength) == expected)
            }
        }
    }

    /// Where SCODE and classic BPF differ, and at the edges of numbers: A and X come out of the packet.
    @Test func arithmeticAtTheEdges() throws {
        let edges: [UInt32] = [0, 1, 2, 31, 32, 33, 63, 64, 65, 255, 1 << 16, 1 << 31, .max - 1, .max]
        let operations = [0x0c, 0x1c, 0x2c, 0x3c, 0x4c, 0x5c, 0x6c, 0x7c, 0x9c, 0xac, 0x84]
        let comparisons = [0x1d, 0x2d, 0x3d, 0x4d]
        let start = [
            RawInstruction(code: 0x20, k: 4), RawInstruction(code: 7), RawInstruction(code: 0x20, k: 0),
        ]
        let programs =
            operations.map { start + [RawInstruction(code: $0), RawInstruction(code: 0x16)] }
            + comparisons.map {
                start + [
                    RawInstruction(code: $0, then: 0, otherwise: 1), RawInstruction(code: 6, k: 5),
                    RawInstruction(code: 6, k: 0),
                ]
            } + [[start[0], start[1], RawInstruction(code: 0x50, k: 2), RawInstruction(code: 6, k: 5)]]
        for raw in programs {
            let program = try ClassicProgram(dump: RawInstruction.text(raw))
            var set = FilterSet()
            try set.insert(program, number: 7)
            let translated = try installed(program.translated())
            let decided = try installed(set.program())
            for a in edges {
                for x in edges {
                    let packet = [a, x].flatMap { word in [24, 16, 8, 0].map { UInt8(word >> $0 & 255) } }
                    let result = ClassicMachine.run(raw, packet, wireLength: 8)
                    for filter in translated {
                        let verdict = filter.decide(packet)
                        #expect(
                            verdict == (result == 0 ? .refuse : .accept(UInt64(result))), "\(raw) \(a) \(x)")
                    }
                    for filter in decided {
                        let verdict = filter.decide(packet)
                        #expect(verdict == (result == 0 ? .refuse : .accept(7)), "\(raw) \(a) \(x)")
                    }
                }
            }
        }
    }

    /// What is translated is a program like any other: its text says the same.
    @Test func translationsPrint() throws {
        var programs = RandomClassicProgram(generator: SeededGenerator(seed: 5))
        for length in [2, 10, 50] {
            let program = try ClassicProgram(dump: RawInstruction.text(programs.make(length: length)))
            var set = FilterSet()
            try set.insert(program, number: 1)
            for scode in [try program.translated(), try set.program()] {
                let text = scode.printed()
                let parsed = parse(text)
                #expect(parsed.diagnostics == [])
                #expect(parsed.program.printed() == text)
                #expect(parsed.program.fragments.first?.instructions == scode.fragments.first?.instructions)
            }
        }
    }
}

/// Sets of filters: the first that takes a packet has it.
@Suite struct FilterSetTests {
    /// What `tcpdump -ddd` makes of `tcp dst port PORT and host HOST`.
    static func portAndHost(_ port: UInt16, _ host: UInt32) -> [RawInstruction] {
        [
            RawInstruction(code: 0x28, k: 12), RawInstruction(code: 0x15, then: 13, otherwise: 0, k: 0x86dd),
            RawInstruction(code: 0x15, then: 0, otherwise: 12, k: 0x800), RawInstruction(code: 0x30, k: 23),
            RawInstruction(code: 0x15, then: 0, otherwise: 10, k: 6), RawInstruction(code: 0x28, k: 20),
            RawInstruction(code: 0x45, then: 8, otherwise: 0, k: 0x1fff), RawInstruction(code: 0xb1, k: 14),
            RawInstruction(code: 0x48, k: 16),
            RawInstruction(code: 0x15, then: 0, otherwise: 5, k: UInt32(port)),
            RawInstruction(code: 0x20, k: 26), RawInstruction(code: 0x15, then: 2, otherwise: 0, k: host),
            RawInstruction(code: 0x20, k: 30), RawInstruction(code: 0x15, then: 0, otherwise: 1, k: host),
            RawInstruction(code: 6, k: 262_144), RawInstruction(code: 6, k: 0),
        ]
    }
    /// `ip host HOST`.
    static func host(_ host: UInt32) -> [RawInstruction] {
        [
            RawInstruction(code: 0x28, k: 12), RawInstruction(code: 0x15, then: 0, otherwise: 5, k: 0x800),
            RawInstruction(code: 0x20, k: 26), RawInstruction(code: 0x15, then: 2, otherwise: 0, k: host),
            RawInstruction(code: 0x20, k: 30), RawInstruction(code: 0x15, then: 0, otherwise: 1, k: host),
            RawInstruction(code: 6, k: 262_144), RawInstruction(code: 6, k: 0),
        ]
    }
    /// `udp portrange LOW-HIGH`, for destinations.
    static func range(_ low: UInt16, _ high: UInt16) -> [RawInstruction] {
        [
            RawInstruction(code: 0x28, k: 12), RawInstruction(code: 0x15, then: 0, otherwise: 8, k: 0x800),
            RawInstruction(code: 0x30, k: 23), RawInstruction(code: 0x15, then: 0, otherwise: 6, k: 17),
            RawInstruction(code: 0xb1, k: 14), RawInstruction(code: 0x48, k: 16),
            RawInstruction(code: 0x35, then: 0, otherwise: 3, k: UInt32(low)),
            RawInstruction(code: 0x25, then: 2, otherwise: 0, k: UInt32(high)),
            RawInstruction(code: 6, k: 262_144), RawInstruction(code: 6, k: 0), RawInstruction(code: 6, k: 0),
        ]
    }

    private static func set(_ programs: [[RawInstruction]]) throws -> FilterSet {
        var set = FilterSet()
        for (number, raw) in programs.enumerated() {
            try set.insert(try ClassicProgram(dump: RawInstruction.text(raw)), number: UInt64(number) + 100)
        }
        return set
    }

    private static func check(_ programs: [[RawInstruction]], seed: UInt64, packets count: Int) throws {
        let filters = try EngineKind.allCases.map { try PacketFilter(set(programs).program(), engine: $0) }
        var packets = PacketGenerator(seed: seed)
        for _ in 0..<count {
            let packet = packets.make()
            let first = programs.firstIndex {
                ClassicMachine.run($0, packet.bytes, wireLength: packet.wireLength) != 0
            }
            let expected = first.map { PacketFilter.Verdict.accept(UInt64($0) + 100) } ?? .refuse
            for filter in filters {
                #expect(
                    filter.decide(packet.bytes, wireLength: packet.wireLength) == expected, "seed \(seed)")
            }
        }
    }

    @Test(arguments: 0..<20) func filtersOfSeveralShapes(_ seed: Int) throws {
        var generator = SeededGenerator(seed: UInt64(seed))
        func port() -> UInt16 { PacketGenerator.ports.randomElement(using: &generator) ?? 0 }
        func host() -> UInt32 { PacketGenerator.hosts.randomElement(using: &generator) ?? 0 }
        let programs = (0..<2 + seed * 2).map { _ in
            switch Int.random(in: 0..<3, using: &generator) {
            case 0: return Self.portAndHost(port(), host())
            case 1: return Self.host(host())
            default:
                let low = port()
                return Self.range(low, max(low, port()))
            }
        }
        try Self.check(programs, seed: UInt64(seed), packets: 300)
    }

    @Test(arguments: 0..<20) func randomFilters(_ seed: Int) throws {
        var programs = RandomClassicProgram(generator: SeededGenerator(seed: UInt64(seed) + 1000))
        let all = (0..<2 + seed).map { _ in programs.make(length: 3 + seed) }
        try Self.check(all, seed: UInt64(seed), packets: 150)
    }

    /// A thousand filters of one shape are one decision, whose code grows as they do.
    @Test func aThousandFiltersAreOneDecision() throws {
        let programs = (0..<1000).map { Self.portAndHost(UInt16($0) * 7, 0x0a00_0000 + UInt32($0 % 250)) }
        let set = try Self.set(programs)
        #expect(set.stageCount == 1)
        let one = try PacketFilter(Self.set([programs[0]]).program()).instructionCount
        let filter = try PacketFilter(set.program())
        #expect(filter.instructionCount < 1000 * one)
        var bytes = [UInt8](repeating: 0, count: 60)
        bytes.replaceSubrange(12..<24, with: [8, 0, 0x45, 0, 0, 0, 0, 0, 0, 0, 64, 6])
        for (number, _) in programs.enumerated() {
            bytes.replaceSubrange(26..<30, with: [10, 0, 0, UInt8(number % 250)])
            bytes.replaceSubrange(36..<38, with: [UInt8((number * 7) >> 8), UInt8((number * 7) & 255)])
            #expect(filter.decide(bytes) == .accept(UInt64(number) + 100))
            bytes[26] = 11
            #expect(filter.decide(bytes) == .refuse)
        }
    }

    /// Constants that lie close become a jump table: each, the gaps, and what lies around.
    @Test func portsThatLieClose() throws {
        let ports: [UInt16] = [1000, 1001, 1002, 1003, 1005, 1006, 1008, 1011, 1012, 1020]
        let programs = ports.map { Self.portAndHost($0, 0x0a00_0001) }
        let program = try Self.set(programs).program()
        #expect(program.fragments.first?.tables.count == 1)
        for engine in EngineKind.allCases {
            let filter = try PacketFilter(program, engine: engine)
            for port in UInt16(980)...1040 {
                var bytes = [UInt8](repeating: 0, count: 60)
                bytes.replaceSubrange(12..<24, with: [8, 0, 0x45, 0, 0, 0, 0, 0, 0, 0, 64, 6])
                bytes.replaceSubrange(26..<30, with: [10, 0, 0, 1])
                bytes.replaceSubrange(36..<38, with: [UInt8(port >> 8), UInt8(port & 255)])
                let place = ports.firstIndex(of: port)
                #expect(
                    filter.decide(bytes) == (place.map { .accept(UInt64($0) + 100) } ?? .refuse), "\(port)")
            }
        }
    }

    /// Where a joined decision would grow with the square of the filters, some are asked in turn.
    @Test func noSetExplodes() throws {
        let programs = (0..<600).map { Self.host(0x0a00_0000 + UInt32($0)) }
        let set = try Self.set(programs)
        #expect(set.stageCount > 1 && set.stageCount < 60)
        let filter = try PacketFilter(set.program())
        #expect(filter.instructionCount < programs.count * 60)
        var bytes = [UInt8](repeating: 0, count: 60)
        bytes[12] = 8
        // The source is the second's, the destination the first's: the first was downloaded first.
        for (first, second) in [(0, 599), (599, 0), (17, 18), (300, 20)] {
            bytes.replaceSubrange(
                26..<34,
                with: [
                    10, 0, UInt8(second >> 8), UInt8(second & 255), 10, 0, UInt8(first >> 8),
                    UInt8(first & 255),
                ])
            #expect(filter.decide(bytes) == .accept(UInt64(min(first, second)) + 100))
        }
    }

    @Test func filtersComeAndGo() throws {
        let wide = try ClassicProgram(dump: RawInstruction.text(Self.host(0x0a00_0001)))
        let narrow = try ClassicProgram(dump: RawInstruction.text(Self.portAndHost(80, 0x0a00_0001)))
        var bytes = [UInt8](repeating: 0, count: 60)
        bytes.replaceSubrange(12..<24, with: [8, 0, 0x45, 0, 0, 0, 0, 0, 0, 0, 64, 6])
        bytes.replaceSubrange(26..<30, with: [10, 0, 0, 1])
        bytes.replaceSubrange(36..<38, with: [0, 80])
        var set = FilterSet()
        #expect(try PacketFilter(set.program()).decide(bytes) == .refuse)
        try set.insert(narrow, number: 1)
        try set.insert(wide, number: 2)
        #expect(try PacketFilter(set.program()).decide(bytes) == .accept(1))
        #expect(throws: FilterFailure.numberTaken(2)) { try set.insert(wide, number: 2) }
        let removed = set.remove(number: 1)
        #expect(removed)
        #expect(try PacketFilter(set.program()).decide(bytes) == .accept(2))
        try set.insert(narrow, number: 1)
        #expect(try PacketFilter(set.program()).decide(bytes) == .accept(2))
    }
}
