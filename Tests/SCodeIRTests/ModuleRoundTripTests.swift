import SCodeIR
import SCodeTestSupport
import Testing

/// What holds of every program and of all bytes: a program has one encoding, and bytes are that or no module.
@Suite struct ModuleRoundTripTests {
    @Test func programsSurviveTheRoundTrip() throws {
        var generator = SeededGenerator(seed: 1)
        for _ in 0..<4000 {
            let program = Program.randomModule(using: &generator)
            #expect(try Program(decoding: program.encoded()) == program)
        }
    }

    @Test func everyOpcodeSurvivesWithEveryConstant() throws {
        let edges: [Int64] = [
            0, 1, -1, 63, 64, -64, -65, 127, 128, -128, -129, 255, 256, 32767, 32768, -32768, 65535, 65536,
            0x7fff_ffff, 0x8000_0000, -0x8000_0000, 0xffff_ffff, .max, .min, 0x4009_21fb_5444_2d18,
        ]
        for opcode in Opcode.all + [Opcode(.macro)] {
            var fragment = FragmentCode(name: "f")
            for edge in edges {
                let immediate =
                    opcode.shape.isAccess
                    ? Int64(Int32(truncatingIfNeeded: edge)) : opcode.type.immediate(edge)
                var instruction = Instruction(opcode)
                for kind in opcode.operands {
                    switch kind {
                    case .destination, .value, .exchanged: instruction.rd = Register(63)
                    case .source: instruction.rs1 = Register(31)
                    case .source2: instruction.rs2 = Register(32)
                    case .immediate: instruction.immediate = immediate
                    case .symbol: (instruction.index, instruction.immediate) = (.max, edge)
                    case .label, .table, .procedure: instruction.index = UInt32(truncatingIfNeeded: edge)
                    }
                }
                if opcode.shape.isExpanded { instruction.index = UInt32(truncatingIfNeeded: edge) }
                fragment.instructions.append(instruction)
            }
            let program = Program(fragments: [fragment])
            #expect(try Program(decoding: program.encoded()) == program, "\(opcode.mnemonic)")
        }
    }

    @Test func strippedProgramsSurviveToo() throws {
        var generator = SeededGenerator(seed: 2)
        for _ in 0..<1000 {
            let program = Program.randomModule(using: &generator)
            let whole = program.encoded()
            for (names, positions) in [(true, true), (true, false), (false, true)] {
                let stripped = program.stripped(names: names, positions: positions)
                let bytes = stripped.encoded()
                #expect(try Program(decoding: bytes) == stripped)
                #expect(bytes.count <= whole.count)
                #expect(stripped.stripped(names: names, positions: positions) == stripped)
            }
            #expect(program.stripped(names: false, positions: false) == program)
            #expect(
                program.stripped(names: true, positions: false).stripped(names: false, positions: true)
                    == program.stripped())
        }
    }

    @Test func strippingLeavesWhatOthersNeed() {
        var generator = SeededGenerator(seed: 3)
        for _ in 0..<300 {
            let program = Program.randomModule(using: &generator)
            let stripped = program.stripped()
            #expect(stripped.acceptorName == program.acceptorName)
            #expect(stripped.hostFunctions == program.hostFunctions)
            #expect(stripped.regions == program.regions)
            #expect(stripped.fragments.map(\.name) == program.fragments.map(\.name))
            #expect(stripped.fragments.map(\.instructions) == program.fragments.map(\.instructions))
            #expect(stripped.fragments.map(\.macroCalls) == program.fragments.map(\.macroCalls))
            #expect(stripped.fragments.flatMap(\.labels).allSatisfy { $0.name.isEmpty })
            #expect(stripped.fragments.flatMap(\.registerNames).allSatisfy { $0 == nil })
            #expect(stripped.sourceFiles.isEmpty)
        }
    }

    /// The three ways in are one.
    @Test func bytesAreReadWhereTheyLie() throws {
        var generator = SeededGenerator(seed: 4)
        for _ in 0..<100 {
            let program = Program.randomModule(using: &generator)
            let bytes = program.encoded()
            #expect(try Program(decoding: bytes.span.bytes) == program)
            // At an odd address, with other bytes around.
            let padded = [0xff] + bytes + [0xff]
            let inside = try padded.withUnsafeBytes {
                try Program(decoding: UnsafeRawBufferPointer(rebasing: $0[1..<$0.count - 1]))
            }
            #expect(inside == program)
        }
        #expect(throws: DecodingFailure.notAModule) {
            try Program(decoding: UnsafeRawBufferPointer(start: nil, count: 0))
        }
    }

    // MARK: Bytes from anywhere

    /// Each is refused or is the encoding of what was read; whether it was read.
    @discardableResult
    private func isReadCanonically(_ bytes: [UInt8], _ comment: @autoclosure () -> String = "") -> Bool {
        let program: Program
        do { program = try Program(decoding: bytes) } catch {
            #expect(error.offset <= bytes.count)
            #expect(error.description.hasPrefix("byte \(error.offset): "))
            return false
        }
        if program.encoded() != bytes { Issue.record("\(comment()) two encodings of one program: \(bytes)") }
        return true
    }

    @Test func damagedModulesAreRefusedOrCanonical() {
        var generator = SeededGenerator(seed: 5)
        var read = 0
        for round in 0..<10_000 {
            var bytes = Program.randomModule(using: &generator).encoded()
            for _ in 0..<Int.random(in: 1...3, using: &generator) { damage(&bytes, &generator) }
            if isReadCanonically(bytes, "round \(round)") { read += 1 }
            if round % 50 == 0, let program = try? Program(decoding: bytes) { _ = program.printed() }
        }
        #expect(read > 1000)
    }

    @Test func noiseIsRefused() {
        var generator = SeededGenerator(seed: 6)
        for _ in 0..<20_000 {
            let noise = (0..<Int.random(in: 0...60, using: &generator)).map { _ in
                UInt8.random(in: 0...(generator.oneIn(2) ? 255 : 8), using: &generator)
            }
            isReadCanonically(Program().encoded().dropLast() + noise)
        }
    }

    @Test func everyPrefixIsRefused() {
        for bytes in Self.samples {
            for length in 0..<bytes.count {
                #expect(throws: DecodingFailure.self) { try Program(decoding: Array(bytes.prefix(length))) }
            }
        }
    }

    @Test func everyBitFlipIsRefusedOrCanonical() {
        for bytes in Self.samples {
            for index in bytes.indices {
                for bit in 0..<8 {
                    var flipped = bytes
                    flipped[index] ^= 1 << bit
                    isReadCanonically(flipped, "byte \(index), bit \(bit):")
                }
            }
        }
    }

    /// At every place of a module the numbers at the edges of widths, short and spelled too long.
    @Test func everyNumberIsTriedAtItsEdges() {
        let edges: [UInt64] = [
            0, 1, 127, 128, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, 1 << 32, 1 << 63, .max, .max >> 1,
        ]
        var spellings = edges.flatMap { edge in [edge &- 1, edge, edge &+ 1].map { leb128($0) } }
        spellings += edges.map { leb128($0, padding: 1) }
        // More than 64 bits, and a number that never ends.
        spellings.append([UInt8](repeating: 0xff, count: 9) + [0x02])
        spellings.append([UInt8](repeating: 0xff, count: 10) + [0x01])
        spellings.append([UInt8](repeating: 0x80, count: 40))
        for bytes in Self.samples {
            for index in bytes.indices {
                // What stands there now, if it is a number of several bytes.
                var end = index
                while end < bytes.count - 1, bytes[end] >= 0x80 { end += 1 }
                for spelling in spellings {
                    isReadCanonically(bytes[..<index] + spelling + bytes[(index + 1)...], "at \(index):")
                    if end > index {
                        isReadCanonically(bytes[..<index] + spelling + bytes[(end + 1)...], "at \(index):")
                    }
                }
            }
        }
    }

    /// The same number, a byte longer: never the same program.
    @Test func noNumberHasTwoSpellings() {
        for bytes in Self.samples {
            for index in bytes.indices where bytes[index] < 0x80 {
                let longer = bytes[..<index] + [bytes[index] | 0x80, 0] + bytes[(index + 1)...]
                isReadCanonically(Array(longer), "at \(index):")
            }
        }
    }

    /// Modules that hold every kind of section, field and list.
    private static let samples: [[UInt8]] = {
        var generator = SeededGenerator(seed: 7)
        var samples: [[UInt8]] = []
        while samples.count < 6 {
            let program = Program.randomModule(using: &generator)
            let bytes = program.encoded()
            guard (100..<500).contains(bytes.count),
                program.fragments.contains(where: { !$0.procedures.isEmpty })
            else { continue }
            samples.append(bytes)
        }
        return samples
    }()

    private func damage(_ bytes: inout [UInt8], _ generator: inout SeededGenerator) {
        guard let index = bytes.indices.randomElement(using: &generator) else { return }
        switch Int.random(in: 0..<6, using: &generator) {
        case 0: bytes[index] = UInt8.random(in: .min ... .max, using: &generator)
        case 1: bytes[index] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
        case 2: bytes.removeSubrange(index...)
        case 3: bytes.insert(bytes[index], at: index)
        case 4: bytes[index] = bytes[index] &+ 1
        default: for place in index..<min(index + 4, bytes.count) { bytes[place] = 0xFF }
        }
    }
}

/// A number as modules spell it, and with `padding` bytes more than it needs.
func leb128(_ value: UInt64, padding: Int = 0) -> [UInt8] {
    var bytes: [UInt8] = []
    var rest = value
    repeat {
        bytes.append(UInt8(truncatingIfNeeded: rest & 0x7f) | 0x80)
        rest >>= 7
    } while rest > 0
    bytes += [UInt8](repeating: 0x80, count: padding)
    bytes[bytes.count - 1] &= 0x7f
    return bytes
}
