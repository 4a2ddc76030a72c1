import SCodeIR
import SCodeSyntax
import SCodeTestSupport
import Testing

@Suite struct RoundTripTests {
    @Test func printedProgramsParseBack() {
        var generator = SeededGenerator(seed: 11)
        for _ in 0..<2000 {
            let program = Program.random(using: &generator)
            let text = program.printed()
            let result = parse(text)
            #expect(result.diagnostics == [])
            #expect(result.program.withoutPositions == program, "\(text)")
            if result.program.withoutPositions != program { return }
        }
    }

    /// What the printer writes is laid out as the formatter would.
    @Test func printedProgramsAreFormatted() throws {
        var generator = SeededGenerator(seed: 12)
        for _ in 0..<300 {
            let text = Program.random(using: &generator).printed()
            let formatted = try format(text)
            #expect(formatted == text)
            if formatted != text { return }
        }
    }

    @Test func everyOpcodeParsesBack() {
        for opcode in Opcode.all {
            var instruction = Instruction(opcode)
            func register(_ number: Int, _ kind: OperandKind) -> Register {
                opcode.bank(kind) == .float ? .float(number) : Register(number)
            }
            for kind in opcode.operands {
                switch kind {
                case .destination, .value, .exchanged: instruction.rd = register(3, kind)
                case .source: instruction.rs1 = register(17, kind)
                case .source2: instruction.rs2 = register(31, kind)
                case .immediate: instruction.immediate = 100
                case .symbol: (instruction.index, instruction.immediate) = (1, -8)
                case .label, .table, .procedure: instruction.index = 1
                }
            }
            var fragment = FragmentCode(name: "f", instructions: [instruction])
            fragment.labels = [Label(name: "a", position: 0), Label(name: "b", position: 1)]
            fragment.tables = [JumpTable(name: "s", labels: []), JumpTable(name: "t", labels: [1, 0, 1])]
            fragment.procedures = [Procedure(name: "p", start: 0), Procedure(name: "q", start: 1)]
            let host = HostDeclaration(name: "h", parameters: [.ul, .d], result: .f)
            if opcode.shape == .hostCall {
                let operands: [MacroOperand] = [.register(.float(9)), .immediate(-1), .register(.float(31))]
                fragment.macroCalls = [MacroCall(name: "h", operands: operands)]
            }
            let regions = ["x", "y"].map { Region(name: $0, policy: .physical, isWritable: true, size: 64) }
            let program = Program(hostFunctions: [host], regions: regions, fragments: [fragment])
            let result = parse(program.printed())
            #expect(result.diagnostics == [])
            #expect(result.program.withoutPositions == program, "\(opcode.mnemonic)")
        }
    }

    /// Every pattern of bits of a number survives, whichever way it is written.
    @Test func numbersKeepTheirBits() {
        var generator = SeededGenerator(seed: 13)
        let edges: [UInt64] = [
            0, 1, 0x000f_ffff_ffff_ffff, 0x0010_0000_0000_0000, 0x7fef_ffff_ffff_ffff, 0x7ff0_0000_0000_0000,
            0x7ff0_0000_0000_0001, 0x7ff8_0000_0000_0000, 0x7fff_ffff_ffff_ffff, 0x3ff0_0000_0000_0000,
            0x007f_ffff, 0x0080_0000, 0x7f7f_ffff, 0x7f80_0000, 0x7f80_0001, 0x7fc0_0000, 0x7fff_ffff,
            0x3f80_0000,
        ]
        let random = (0..<4000).map { _ in generator.next() >> (generator.oneIn(4) ? 12 : 0) }
        for type in ValueType.floats {
            let sign = UInt64(1) << (type.bits - 1)
            let patterns = (edges.flatMap { [$0, $0 | sign] } + random).map { type.canonical($0) }
            let text = patterns.map { "    set\(type.suffix) x, \(type.literal($0))\n" }.joined()
            let result = parse("fragment f() {\n\(text)}\n")
            #expect(result.diagnostics == [])
            let parsed = result.program.fragments.first?.instructions.map { UInt64(bitPattern: $0.immediate) }
            #expect(parsed == patterns)
        }
    }

    /// Names that the text form cannot write are replaced, and the code stays what it is.
    @Test func strangeNamesAreReplaced() {
        let strange = ["", "r7", "a b", "table", "é", "\u{1B}[2J", "x", "x", "region_0", "L0"]
        var program = Program(acceptorName: "my acceptor")
        program.regions = strange.prefix(8).map {
            Region(name: $0, policy: .static, isWritable: false, size: 8)
        }
        var fragment = FragmentCode(name: "a-b")
        fragment.labels = strange.enumerated().map { Label(name: $1, position: UInt32($0)) }
        fragment.parameters = [
            Parameter(name: "x", register: Register(4), type: .u, defaultValue: .constant(7)),
            Parameter(name: "r9", register: Register(2), type: .p, defaultValue: .region(1)),
        ]
        for (number, name) in strange.enumerated() { fragment.registerNames[number] = name }
        fragment.instructions = (0..<UInt32(10)).map { Instruction(Opcode(.jump), index: $0) }
        program.fragments = [fragment, fragment]
        let result = parse(program.printed())
        #expect(result.diagnostics == [])
        for parsed in result.program.fragments {
            #expect(parsed.instructions == fragment.instructions)
            #expect(parsed.labels.map(\.position) == fragment.labels.map(\.position))
            #expect(parsed.parameters.map(\.register) == fragment.parameters.map(\.register))
            #expect(parsed.parameters.map(\.defaultValue) == fragment.parameters.map(\.defaultValue))
        }
        #expect(result.program.regions.count == 8)
    }

    /// A program that keeps no rule prints without a trap.
    @Test func brokenProgramsPrint() {
        let instruction = Instruction(
            Opcode(.jumpTable), rd: Register(200), rs1: Register(255), index: .max, immediate: .min)
        var fragment = FragmentCode(
            name: "f", instructions: [instruction, Instruction(Opcode(.macro), index: 9)])
        fragment.registerNames = []
        fragment.labels = [Label(name: "far", position: .max)]
        fragment.tables = [JumpTable(name: "t", labels: [4, .max])]
        fragment.parameters = [
            Parameter(name: "p", register: Register(99), type: .c, defaultValue: .region(.max))
        ]
        let program = Program(fragments: [fragment])
        #expect(program.printed().contains("jt      f223, ?"))
        _ = parse(program.printed())
        _ = program.encoded()
    }
}
