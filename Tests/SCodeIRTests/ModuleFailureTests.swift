import SCodeIR
import Testing

/// What is wrong with a module is said exactly: the kind of mistake and the byte where it is.
@Suite struct ModuleFailureTests {
    private static let header: [UInt8] = [0x53, 0x43, 0x4f, 0x44, 2]

    private func expect(
        _ failure: DecodingFailure, of rest: [UInt8], sourceLocation: SourceLocation = #_sourceLocation
    ) {
        #expect(throws: failure, sourceLocation: sourceLocation) {
            try Program(decoding: Self.header + rest)
        }
    }

    @Test func headerAndSections() throws {
        #expect(try Program(decoding: Self.header + [0]) == Program())
        #expect(throws: DecodingFailure.notAModule) { try Program(decoding: []) }
        #expect(throws: DecodingFailure.notAModule) { try Program(decoding: [0x53, 0x43, 0x4f]) }
        #expect(throws: DecodingFailure.notAModule) { try Program(decoding: [0x7f, 0x45, 0x4c, 0x46, 2, 0]) }
        #expect(throws: DecodingFailure.truncated(at: 4)) { try Program(decoding: Self.header.dropLast()) }
        for version: UInt64 in [0, 1, 3, 127, 128, 1 << 32, .max] {
            let bytes = Self.header.dropLast() + leb128(version) + [0]
            #expect(throws: DecodingFailure.unknownVersion(version, at: 4)) {
                try Program(decoding: Array(bytes))
            }
        }
        expect(.truncated(at: 5), of: [])
        expect(.trailingBytes(at: 6), of: [0, 0])
        expect(.unknownSection(7, at: 5), of: [7, 0])
        expect(.unknownSection(0xff, at: 5), of: [0xff, 0])
    }

    @Test func sectionsStandInOrderAndOnce() {
        let acceptor: [UInt8] = [1, 1, 0x61, 0]
        let regions: [UInt8] = [3, 1, 1, 0x72, 0, 8]
        let sections = [
            acceptor, [2, 1, 1, 0x68, 0, 0], regions, [4, 1, 1, 0x66, 0, 0, 0, 0, 0, 0], [6, 1, 0, 0],
        ]
        #expect(throws: Never.self) { try Program(decoding: Self.header + sections.joined() + [0]) }
        for (index, section) in sections.enumerated() {
            let before = Array(sections[...index].joined())
            expect(.sectionOrder(section[0], at: 5 + before.count), of: before + section + [0])
            guard index > 0 else { continue }
            let earlier = sections[index - 1]
            let swapped = section.first == 6 ? [6, 1, 0] : section
            expect(.sectionOrder(earlier[0], at: 5 + swapped.count), of: swapped + earlier + [0])
        }
    }

    @Test func contentsOfRegions() throws {
        let read = try Program(decoding: Self.header + [3, 1, 1, 0x72, 8, 4, 2, 7, 9, 0])
        #expect(read.regions.first?.contents == [7, 9])
        // None announced, more than the region has room for, more than there are.
        expect(.empty(.regionContents, at: 11), of: [3, 1, 1, 0x72, 8, 4, 0, 0])
        expect(.tooMany(.regionContents, 5, at: 11), of: [3, 1, 1, 0x72, 8, 4, 5, 1, 2, 3, 4, 5, 0])
        expect(.tooMany(.regionContents, 4, at: 11), of: [3, 1, 1, 0x72, 8, 4, 4, 1, 2, 3])
        let limit = UInt64(ProgramLimits.regionContents)
        expect(
            .tooMany(.regionContents, limit + 1, at: 15),
            of: [3, 1, 1, 0x72, 8] + leb128(1 << 31) + leb128(limit + 1))
    }

    @Test func emptySectionsAreLeftOut() {
        expect(.empty(.hostFunctions, at: 6), of: [2, 0, 0])
        expect(.empty(.regions, at: 6), of: [3, 0, 0])
        expect(.empty(.fragments, at: 6), of: [4, 0, 0])
        expect(.empty(.names, at: 6), of: [5, 0])
        expect(.empty(.positions, at: 6), of: [6, 0, 0])
        let fragment: [UInt8] = [4, 1, 1, 0x66, 0, 1, 0, 0, 0, 0, 0]
        expect(.empty(.names, at: 17), of: fragment + [5, 0, 0])
        // A fragment with a label, and flags that promise names of which there are none.
        expect(.empty(.labelNames, at: 18), of: fragment + [5, 4, 0, 0])
        expect(.empty(.parameterNames, at: 18), of: fragment + [5, 1, 0])
        expect(.empty(.tableNames, at: 18), of: fragment + [5, 8, 0])
        expect(.empty(.procedureNames, at: 18), of: fragment + [5, 16, 0])
        expect(.empty(.registerNames, at: 18), of: fragment + [5, 2, 0, 0])
        expect(.empty(.registerNames, at: 19), of: fragment + [5, 2, 1, 7, 0, 0])
        expect(.badValue(.nameFlags, 32, at: 17), of: fragment + [5, 32, 0])
        expect(.empty(.positions, at: 17), of: fragment + [6, 0, 0, 0])
        expect(.empty(.headingPosition, at: 19), of: fragment + [6, 0, 1, 0, 0, 0])
        expect(.empty(.instructionPositions, at: 19), of: fragment + [6, 0, 2, 0])
        expect(.badValue(.positionFlags, 4, at: 18), of: fragment + [6, 0, 4, 0])
    }

    @Test func numbersHaveOneSpelling() {
        expect(.notMinimal(at: 6), of: [1, 0x80, 0])
        expect(.notMinimal(at: 6), of: [1, 0xff, 0x80, 0])
        expect(.tooLarge(at: 6), of: [1] + [UInt8](repeating: 0x80, count: 9) + [2])
        expect(.tooLarge(at: 6), of: [1] + [UInt8](repeating: 0x80, count: 10) + [1])
        expect(.tooMany(.nameBytes, .max, at: 6), of: [1] + leb128(.max))
        expect(.truncated(at: 8), of: [1, 0x80, 0x80])
        #expect(throws: DecodingFailure.notMinimal(at: 4)) {
            try Program(decoding: [0x53, 0x43, 0x4f, 0x44, 0x82, 0, 0])
        }
    }

    @Test func names() throws {
        #expect(try Program(decoding: Self.header + [1, 2, 0xc3, 0xa4, 0, 0]).acceptorName == "ä")
        for bad: [UInt8] in [
            [0x1b], [0x00], [0x0a], [0x7f], [0xc2, 0x80], [0xc2, 0x9f], [0xff], [0xc3], [0xed, 0xa0, 0x80],
            [0xc0, 0x80], [0x61, 0x07],
        ] {
            expect(.badName(at: 6), of: [1, UInt8(bad.count)] + bad + [0, 0])
        }
        expect(.truncated(at: 8), of: [1, 2, 0x61])
        let long = [UInt8](repeating: 0x61, count: 256)
        expect(.tooMany(.nameBytes, 256, at: 6), of: [1] + leb128(256) + long + [0, 0])
        let file = [UInt8](repeating: 0x61, count: ProgramLimits.sourceFileNameLength)
        #expect(throws: Never.self) {
            try Program(decoding: Self.header + [6, 1] + leb128(UInt64(file.count)) + file + [0])
        }
        expect(.tooMany(.nameBytes, 4097, at: 7), of: [6, 1] + leb128(4097) + file + [0x61, 0])
    }

    @Test func fieldsOfDeclarations() {
        expect(.badValue(.acceptorVersion, 1 << 32, at: 8), of: [1, 1, 0x61] + leb128(1 << 32) + [0])
        expect(.badValue(.type, 11, at: 9), of: [2, 1, 1, 0x68, 12, 0, 0])
        expect(.badValue(.type, 11, at: 11), of: [2, 1, 1, 0x68, 0, 1, 11, 0])
        expect(.badValue(.type, 256, at: 11), of: [2, 1, 1, 0x68, 0, 1] + leb128(256) + [0])
        expect(
            .tooMany(.hostParameters, 9, at: 10),
            of: [2, 1, 1, 0x68, 0, 9] + [UInt8](repeating: 0, count: 20))
        expect(.badValue(.regionFlags, 16, at: 9), of: [3, 1, 1, 0x72, 16, 8, 0])
        expect(.tooMany(.regions, 9, at: 6), of: [3, 9] + [UInt8](repeating: 0, count: 100))
    }

    /// A fragment called f of which these bytes follow its name.
    private func fragment(_ bytes: [UInt8]) -> [UInt8] { [4, 1, 1, 0x66] + bytes }

    @Test func fieldsOfFragments() {
        // Parameters: register, type and default.
        expect(.badValue(.register, 64, at: 10), of: fragment([1, 64, 7, 0, 0, 0, 0, 0, 0]))
        expect(.badValue(.type, 11, at: 11), of: fragment([1, 0, 11, 0, 0, 0, 0, 0, 0]))
        expect(.badValue(.parameterFlags, 0x37, at: 11), of: fragment([1, 0, 0x37, 0, 0, 0, 0, 0, 0]))
        expect(
            .badValue(.parameterRegion, 1 << 32, at: 12),
            of: fragment([1, 0, 0x27] + leb128(1 << 32) + [0, 0, 0, 0, 0]))
        expect(.tooMany(.parameters, 9, at: 9), of: fragment([9] + [UInt8](repeating: 0, count: 40)))
        // Labels, tables, procedures.
        expect(
            .badValue(.labelPosition, 1 << 32, at: 11),
            of: fragment([0, 1] + leb128(1 << 32) + [0, 0, 0, 0]))
        expect(
            .badValue(.tableEntry, 1 << 32, at: 13),
            of: fragment([0, 0, 1, 1] + leb128(1 << 32) + [0, 0, 0]))
        expect(
            .badValue(.procedureStart, 1 << 32, at: 13),
            of: fragment([0, 0, 0, 1] + leb128(1 << 32) + [0, 0]))
        // Calls.
        expect(.badValue(.macroOperand, 65, at: 16), of: fragment([0, 0, 0, 0, 1, 0, 1, 65, 0]))
        expect(
            .tooMany(.macroOperands, 9, at: 15),
            of: fragment([0, 0, 0, 0, 1, 0, 9] + [UInt8](repeating: 0, count: 20)))
    }

    @Test func fieldsOfInstructions() throws {
        let one: [UInt8] = [0, 0, 0, 0, 0, 1]
        let count = UInt64(Opcode.all.count) + 1
        #expect(
            try Program(decoding: Self.header + fragment(one + leb128(count - 1) + [0, 0])).fragments.count
                == 1)
        expect(.badValue(.opcode, count, at: 15), of: fragment(one + leb128(count) + [0, 0, 0, 0]))
        expect(.badValue(.opcode, .max, at: 15), of: fragment(one + leb128(.max) + [0, 0, 0, 0]))
        expect(.notMinimal(at: 15), of: fragment(one + [0x80, 0, 0, 0, 0, 0]))
        expect(.truncated(at: 15 + 2), of: fragment(one + [0x81, 0x81]))
        // addi with three registers.
        expect(.badValue(.register, 64, at: 16), of: fragment(one + [0, 64, 0, 0, 0]))
        expect(.badValue(.register, 128, at: 17), of: fragment(one + [0, 63, 128, 255, 0]))
        expect(.badValue(.register, 255, at: 18), of: fragment(one + [0, 0, 0, 255, 0]))
        expect(.truncated(at: 18), of: fragment(one + [0, 0, 0]))
        // An index of 33 bits.
        let jump = leb128(try number(of: Opcode(.jump)))
        expect(.badValue(.index, 1 << 32, at: 17), of: fragment(one + jump + leb128(1 << 32) + [0]))
    }

    /// Constants have the width of their type: the greatest and least of it are read, one further is refused.
    @Test func constantsHaveTheWidthOfTheirType() throws {
        let one: [UInt8] = [0, 0, 0, 0, 0, 1]
        for type in ValueType.allCases {
            let opcode = leb128(try number(of: Opcode(.set, type, .immediate)))
            let greatest = UInt64.max >> UInt64(64 - type.bits)
            let bytes = Self.header + fragment(one + opcode + [0] + leb128(greatest) + [0])
            let read = try Program(decoding: bytes).fragments.first?.instructions.first?.immediate
            #expect(read == type.immediate(Int64.min >> Int64(64 - type.bits)))
            guard type.bits < 64 else { continue }
            let at = 15 + opcode.count + 1
            expect(
                .badValue(.constant, greatest + 1, at: at),
                of: fragment(one + opcode + [0] + leb128(greatest + 1) + [0]))
        }
        let load = leb128(try number(of: Opcode(.load, .uc, .immediate)))
        expect(
            .badValue(.constant, 1 << 32, at: 15 + load.count + 2),
            of: fragment(one + load + [0, 0] + leb128(1 << 32) + [0]))
    }

    private func number(of opcode: Opcode) throws -> UInt64 {
        UInt64(try #require(Opcode.all.firstIndex(of: opcode)))
    }

    @Test func fieldsOfPositions() {
        // An instruction at which the range stands, in a file or without.
        let one = fragment([0, 0, 0, 0, 0, 1, 0, 0, 0, 0])
        let start = 5 + one.count
        expect(.badValue(.line, 4, at: start + 3), of: one + [6, 0, 2, 4, 0, 0])
        expect(.badValue(.line, 1 << 35, at: start + 3), of: one + [6, 0, 2] + leb128(1 << 35) + [0, 0])
        expect(.badValue(.line, .max, at: start + 3), of: one + [6, 0, 2] + leb128(.max) + [0, 0])
        expect(.badValue(.length, 1 << 32, at: start + 4), of: one + [6, 0, 2, 8] + leb128(1 << 32) + [0])
        // A column or file that is announced as another one, and is the same.
        expect(.badValue(.column, 0, at: start + 5), of: one + [6, 0, 2, 8 + 2, 0, 0, 0])
        expect(
            .badValue(.column, 1 << 32, at: start + 5), of: one + [6, 0, 2, 8 + 2, 0] + leb128(1 << 32) + [0])
        expect(.badValue(.file, 1, at: start + 5), of: one + [6, 0, 2, 8 + 1, 0, 1, 0])
        expect(.badValue(.file, 0, at: start + 6), of: one + [6, 1, 0, 2, 8 + 1, 0, 0, 0])
        expect(.badValue(.file, 2, at: start + 7), of: one + [6, 2, 0, 0, 2, 8 + 1, 0, 2, 0])
        expect(.badValue(.namedRegister, 7, at: start + 6), of: one + [5, 2, 2, 7, 1, 0x61, 7, 1, 0x62, 0])
        expect(.badValue(.namedRegister, 6, at: start + 6), of: one + [5, 2, 2, 7, 1, 0x61, 6, 1, 0x62, 0])
        expect(.badValue(.namedRegister, 64, at: start + 3), of: one + [5, 2, 1, 64, 1, 0x61, 0])
    }

    /// A count is held against the limit and against the bytes that are left, before anything is allocated.
    @Test func countsDoNotLie() {
        let lists: [(DecodingFailure.DecodedList, before: [UInt8], limit: Int, leastBytes: Int)] = [
            (.hostFunctions, [2], ProgramLimits.hostFunctions, 3),
            (.hostParameters, [2, 1, 0, 0], ProgramLimits.macroOperands, 1),
            (.regions, [3], ProgramLimits.regions, 3),
            (.fragments, [4], ProgramLimits.fragments, 7),
            (.parameters, fragment([]), ProgramLimits.parameters, 2),
            (.labels, fragment([0]), ProgramLimits.labels, 1),
            (.tables, fragment([0, 0]), ProgramLimits.tables, 1),
            (.tableEntries, fragment([0, 0, 1]), ProgramLimits.tableEntries, 1),
            (.procedures, fragment([0, 0, 0]), ProgramLimits.procedures, 1),
            (.macroCalls, fragment([0, 0, 0, 0]), ProgramLimits.instructionsPerFragment, 2),
            (.macroOperands, fragment([0, 0, 0, 0, 1, 0]), ProgramLimits.macroOperands, 1),
            (.instructions, fragment([0, 0, 0, 0, 0]), ProgramLimits.instructionsPerFragment, 2),
            (.registerNames, fragment([0, 0, 0, 0, 0, 0, 5, 2]), Register.count, 2),
            (.sourceFiles, [6], ProgramLimits.sourceFiles, 1),
        ]
        for (list, before, limit, leastBytes) in lists {
            let at = 5 + before.count
            for count in [UInt64(limit) + 1, 1 << 31, 1 << 32, 1 << 63, .max] {
                // Enough bytes for one element more than the limit allows.
                let zeros = [UInt8](repeating: 0, count: (limit + 2) * leastBytes)
                expect(.tooMany(list, count, at: at), of: before + leb128(count) + zeros)
            }
            // One byte too few for what is announced.
            let zeros = [UInt8](repeating: 0, count: limit * leastBytes - 1)
            expect(.tooMany(list, UInt64(limit), at: at), of: before + leb128(UInt64(limit)) + zeros)
            // Just enough: the count passes, and what follows is looked at.
            do {
                _ = try Program(decoding: Self.header + before + leb128(UInt64(limit)) + zeros + [0])
                Issue.record("zeros are no module")
            } catch {
                #expect(error.offset > at)
            }
        }
        // As many positions as there are instructions, or none.
        let two = fragment([0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0])
        expect(.tooMany(.instructionPositions, 2, at: 5 + two.count + 3), of: two + [6, 0, 2, 8, 9, 0])
    }
}
