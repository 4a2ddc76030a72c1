import Foundation
import Testing

@testable import SCodeIR

/// What the format fixes, and its description.
@Suite struct ModuleFormatTests {
    /// An opcode's number is its place in the table. Whoever changes this gives the format a new version
    /// (`ModuleFormat.version`) and then this test the new values.
    @Test func opcodeNumbersArePinned() {
        #expect(ModuleFormat.version == 2)
        let names = Opcode.numbered.map { "\($0.mnemonic) \($0.form)" }
        #expect(names.count == 368)
        #expect(names.first == "addi register")
        #expect(names.last == " register")
        let hash = fnv1a(names.joined(separator: "\n"))
        #expect(hash == 0x99e9_a62c_fad5_7183, "0x\(String(hash, radix: 16))")
    }

    private func fnv1a(_ text: String) -> UInt64 {
        text.utf8.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
    }

    @Test func opcodeNumbersLeadBack() {
        #expect(Opcode.numbered == Opcode.all + [Opcode(.macro)])
        for (number, opcode) in Opcode.numbered.enumerated() {
            #expect(opcode.number == number)
            #expect(OperandLayout.all[number].opcode == opcode)
            #expect(opcode.isKnown)
        }
        #expect(Opcode(.add, .c).number == nil)
        // The decoder reads a number of two bytes at most at once.
        #expect(Opcode.numbered.count < 1 << 14)
    }

    /// Raw values that modules hold.
    @Test func numbersOfTypesAndPoliciesArePinned() {
        #expect(
            ValueType.allCases.map(\.suffix) == ["c", "uc", "s", "us", "i", "u", "l", "ul", "p", "f", "d"])
        #expect(MemoryPolicy.allCases.map(\.name) == ["static", "physical", "virtual", "host"])
        #expect(MemoryPolicy.allCases.allSatisfy { UInt64($0.rawValue) < ModuleFormat.regionIsWritable })
        #expect(ValueType.allCases.allSatisfy { $0.rawValue < 1 << ModuleFormat.parameterTypeBits })
    }

    @Test func layoutsAreWhatTheTableCallsFor() {
        for layout in OperandLayout.all {
            let opcode = layout.opcode
            let kinds = opcode.operands
            let places = (0..<UInt32(layout.registerCount)).map { layout.place($0) }
            let expected: [UInt32] = kinds.compactMap {
                switch $0 {
                case .destination, .value, .exchanged: 0
                case .source: 8
                case .source2: 16
                case .immediate, .symbol, .label, .table, .procedure: nil
                }
            }
            #expect(places == expected, "\(opcode.mnemonic)")
            #expect(Set(places).count == places.count)
            let hasConstant = kinds.contains { $0 == .immediate || $0 == .symbol }
            #expect((layout.constantBits > 0) == hasConstant)
        }
    }

    /// The decoder trusts these to tell a count that lies; a smaller one would be wrong in the other direction
    /// only, but would let lists be allocated that the bytes do not justify.
    @Test func leastBytesAreTheFewest() {
        typealias Least = ModuleFormat.LeastBytes
        let empty = Program().encoded().count
        // What a list with one element takes more than one without, its section and count apart.
        #expect(
            Program(hostFunctions: [HostDeclaration(name: "", parameters: [])]).encoded().count - empty == 2
                + Least.hostFunction)
        let region = Region(name: "", policy: .static, isWritable: false, size: 0)
        #expect(Program(regions: [region]).encoded().count - empty == 2 + Least.region)
        let code = FragmentCode(name: "")
        #expect(Program(fragments: [code]).encoded().count - empty == 2 + Least.fragment)
        func more(_ change: (inout FragmentCode) -> Void) -> Int {
            var changed = code
            change(&changed)
            return Program(fragments: [changed]).encoded().count - Program(fragments: [code]).encoded().count
        }
        #expect(
            more { $0.parameters = [Parameter(name: "", register: Register(0), type: .c)] } == Least.parameter
        )
        #expect(more { $0.labels = [Label(name: "", position: 0)] } == Least.label)
        #expect(more { $0.tables = [JumpTable(name: "", labels: [])] } == Least.table)
        #expect(more { $0.tables = [JumpTable(name: "", labels: [0])] } == Least.table + Least.tableEntry)
        #expect(more { $0.procedures = [Procedure(name: "", start: 0)] } == Least.procedure)
        #expect(more { $0.macroCalls = [MacroCall(name: "", operands: [])] } == Least.macroCall)
        let operands: [MacroOperand] = [.register(Register(0))]
        #expect(
            more { $0.macroCalls = [MacroCall(name: "", operands: operands)] } == Least.macroCall
                + Least.macroOperand)
        let shortest = Opcode.numbered.map { opcode in more { $0.instructions = [Instruction(opcode)] } }
            .min()
        #expect(shortest == Least.instruction)
        #expect(more { $0.range = SourceRange(line: 1, column: 0, length: 0) } == 3 + Least.range)
    }

    /// A list as long as the limits allow is read, and in time.
    @Test func theLargestFragmentIsRead() throws {
        var code = FragmentCode(name: "f")
        code.instructions = Array(
            repeating: Instruction(Opcode(.add, .ul, .immediate), immediate: .min),
            count: ProgramLimits.instructionsPerFragment)
        code.labels = Array(repeating: Label(name: "", position: .max), count: ProgramLimits.labels)
        code.tables = Array(repeating: JumpTable(name: "", labels: []), count: ProgramLimits.tables)
        code.tables[0].labels = Array(repeating: 7, count: ProgramLimits.tableEntries)
        code.procedures = Array(repeating: Procedure(name: "p", start: 1), count: ProgramLimits.procedures)
        code.macroCalls = Array(
            repeating: MacroCall(name: "", operands: []), count: ProgramLimits.instructionsPerFragment)
        let program = Program(fragments: [code])
        #expect(try Program(decoding: program.encoded()) == program)
    }

    @Test func whatNoModuleCanSayIsRefused() {
        var code = FragmentCode(name: "f", instructions: [Instruction(Opcode(.add, .c))])
        #expect(throws: DecodingFailure.badValue(.opcode, UInt64(Opcode.numbered.count), at: 15)) {
            try Program(decoding: Program(fragments: [code]).encoded())
        }
        code.instructions = [Instruction(Opcode(.add, .u), rd: Register(64))]
        #expect(throws: DecodingFailure.self) { try Program(decoding: Program(fragments: [code]).encoded()) }
        code.instructions = []
        code.name = String(repeating: "n", count: 256)
        #expect(throws: DecodingFailure.self) { try Program(decoding: Program(fragments: [code]).encoded()) }
        code.name = "a\nb"
        #expect(throws: DecodingFailure.badName(at: 7)) {
            try Program(decoding: Program(fragments: [code]).encoded())
        }
    }

    // MARK: The description

    private static let guide: String = {
        let package = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        return (try? String(contentsOf: package.appending(path: "docs/module-format.md"), encoding: .utf8))
            ?? ""
    }()

    /// The worked example of the guide: its bytes are a module, whose text is the text beside them.
    @Test func theWorkedExampleIsRight() throws {
        let blocks = Self.guide.components(separatedBy: "```")
        let text = try #require(blocks.first { $0.hasPrefix("scode\n") }).dropFirst("scode\n".count)
        let dump = try #require(blocks.first { $0.hasPrefix("hex\n") }).dropFirst("hex\n".count)
        var bytes: [UInt8] = []
        for line in dump.split(separator: "\n") {
            let columns = line.split(separator: "|", maxSplits: 2, omittingEmptySubsequences: false)
            try #require(columns.count == 3, "\(line)")
            #expect(Int(columns[0].trimmingCharacters(in: .whitespaces), radix: 16) == bytes.count, "\(line)")
            for byte in columns[1].split(separator: " ") {
                bytes.append(try #require(UInt8(byte, radix: 16)))
            }
        }
        let program = try Program(decoding: bytes)
        #expect(program.encoded() == bytes)
        #expect(program.printed() == text)
        #expect(!program.sourceFiles.isEmpty && !program.fragments[0].sourceRanges.isEmpty)
    }

    @Test func theGuideSaysWhatIsFixed() {
        #expect(Self.guide.contains("version \(ModuleFormat.version)"))
        for type in ValueType.allCases { #expect(Self.guide.contains("\(type.rawValue) `\(type.suffix)`")) }
        for policy in MemoryPolicy.allCases {
            #expect(Self.guide.contains("\(policy.rawValue) `\(policy.name)`"))
        }
        // Where each operation's opcodes begin.
        for row in Opcode.table {
            let first = Opcode.numbered.firstIndex { $0.operation == row.operation } ?? -1
            let last = Opcode.numbered.lastIndex { $0.operation == row.operation } ?? -1
            let name = row.mnemonic.isEmpty ? "macro-instructions" : "`\(row.mnemonic)`"
            let numbers = first == last ? "\(first)" : "\(first) – \(last)"
            #expect(Self.guide.contains("| \(name) | \(numbers) |"), "| \(name) | \(numbers) |")
        }
    }
}
