import SCodeIR
import SCodeTestSupport
import Testing

@Suite struct BinaryCodecTests {
    @Test func programsSurviveTheRoundTrip() throws {
        var generator = SeededGenerator(seed: 1)
        for _ in 0..<2000 {
            var program = Program.random(using: &generator)
            if generator.oneIn(2) { program.addPositions() }
            #expect(try Program(decoding: program.encoded()) == program)
        }
    }

    /// Bytes from anywhere are refused or read, and what is read can be written again.
    @Test func damagedModulesAreRefusedOrRead() throws {
        var generator = SeededGenerator(seed: 2)
        var read = 0
        for _ in 0..<20_000 {
            var bytes = Program.random(using: &generator).encoded()
            for _ in 0..<Int.random(in: 0...3, using: &generator) {
                damage(&bytes, &generator)
            }
            guard let program = try? Program(decoding: bytes) else { continue }
            read += 1
            #expect(program.encoded() == bytes)
            _ = program.printed()
        }
        #expect(read > 1000)
    }

    @Test func everyPrefixIsRefused() throws {
        var generator = SeededGenerator(seed: 3)
        var program = Program.random(using: &generator)
        while program.fragments.isEmpty { program = Program.random(using: &generator) }
        let bytes = program.encoded()
        for length in 0..<bytes.count {
            #expect(throws: DecodingFailure.self) { try Program(decoding: Array(bytes.prefix(length))) }
        }
    }

    @Test func failuresSayWhere() throws {
        let empty = Program().encoded()
        #expect(empty.count == 15)
        #expect(try Program(decoding: empty) == Program())
        expect(.notAModule, of: [])
        expect(.notAModule, of: [0x7F, 0x45, 0x4C, 0x46, 1, 0])
        expect(.truncated(at: 4), of: Array(empty.prefix(5)))
        expect(.unknownVersion(2, at: 4), of: empty, at: 4, 2)
        expect(.badByte(.optional, 2, at: 6), of: empty, at: 6, 2)
        expect(.tooMany(.regions, 9, at: 7), of: empty, at: 7, 9)
        expect(.tooMany(.regions, 8, at: 7), of: empty, at: 7, 8)
        expect(.tooMany(.regions, 1, at: 7), of: empty, at: 7, 1)
        expect(.tooMany(.fragments, 0xFF00_0000, at: 11), of: empty, at: 14, 0xFF)
        expect(.trailingBytes(at: 15), of: empty + [0])

        let named = Program(acceptorName: "ab").encoded()
        expect(.badName(at: 7), of: named, at: 8, 0x1B)
        expect(.badName(at: 7), of: named, at: 8, 0xC3)

        var fragment = FragmentCode(name: "f")
        fragment.instructions = [Instruction(Opcode(.add))]
        let code = Program(fragments: [fragment]).encoded()
        // The instruction is the last 21 bytes but one: no positions follow.
        let start = code.count - 21
        expect(.badByte(.operation, 0xFF, at: start), of: code, at: start, 0xFF)
        expect(.badByte(.type, 9, at: start + 1), of: code, at: start + 1, 9)
        expect(.badByte(.sourceType, 9, at: start + 2), of: code, at: start + 2, 9)
        expect(.badByte(.form, 3, at: start + 3), of: code, at: start + 3, 3)
        expect(.badByte(.register, 32, at: start + 4), of: code, at: start + 4, 32)
        expect(.badByte(.padding, 1, at: start + 7), of: code, at: start + 7, 1)
        expect(.badByte(.positions, 4, at: start + 20), of: code, at: start + 20, 4)
    }

    private func expect(
        _ failure: DecodingFailure, of bytes: [UInt8], at index: Int? = nil, _ byte: UInt8 = 0
    ) {
        var bytes = bytes
        if let index { bytes[index] = byte }
        #expect(throws: failure) { try Program(decoding: bytes) }
    }

    private func damage(_ bytes: inout [UInt8], _ generator: inout SeededGenerator) {
        guard let index = bytes.indices.randomElement(using: &generator) else { return }
        switch Int.random(in: 0..<5, using: &generator) {
        case 0: bytes[index] = UInt8.random(in: .min ... .max, using: &generator)
        case 1: bytes[index] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
        case 2: bytes.removeSubrange(index...)
        case 3: bytes.insert(bytes[index], at: index)
        default: for place in index..<min(index + 4, bytes.count) { bytes[place] = 0xFF }
        }
    }
}

extension Program {
    fileprivate mutating func addPositions() {
        for index in fragments.indices {
            fragments[index].range = SourceRange(line: 1, column: 2, length: .max)
            fragments[index].sourceRanges = fragments[index].instructions.indices.map {
                SourceRange(line: UInt32($0), column: 5, length: 7)
            }
        }
    }
}
