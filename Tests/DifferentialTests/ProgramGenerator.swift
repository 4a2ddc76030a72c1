import SCode
import SCodeTestSupport

/// Makes random fragments that keep every rule of the verifier, most of the time: loops, branches, tables,
/// calls of sub-fragments and of the host, memory under every policy, boundary values, dst = src, and up to
/// all 32 registers live.
struct ProgramGenerator {
    var random: SeededGenerator
    /// Registers that the fragment uses; the more, the more are spilled.
    private let registers: [Register]
    private let length: Int
    private var code: FragmentCode
    private let regions: [Region]
    private let acceptor: Acceptor

    static let boundaries: [Int64] = [
        0, 1, 2, 3, 7, 8, 31, 32, 33, 63, 64, 127, 128, 129, 255, 256, 4095, 4096, 32767, 32768, 65535, 65536,
        0x7fff_fffe, 0x7fff_ffff, 0x8000_0000, 0x8000_0001, 0xffff_fffe, 0xffff_ffff, 0x1_0000_0000,
        .max, .max - 1, .min, .min + 1, -1, -2, -7, -8, -128, -129, -32768, -0x8000_0000, -0x8000_0001,
    ]

    init(seed: UInt64, acceptor: Acceptor, regions: [Region]) {
        random = SeededGenerator(seed: seed)
        self.acceptor = acceptor
        self.regions = regions
        let count = [2, 4, 8, 9, 10, 14, 20, 32].randomElement(using: &random) ?? 8
        registers = (0..<Register.count).map { Register($0) }.shuffled(using: &random).prefix(count).map {
            $0
        }
        length = Int.random(in: 1...60, using: &random)
        code = FragmentCode(name: "f")
    }

    mutating func make() -> Program {
        // Everything is written before anything is read.
        if Bool.random(using: &random) {
            code.parameters = [
                Parameter(
                    name: "p", register: registers[0], type: .ul,
                    defaultValue: regions.isEmpty
                        ? .constant(boundary())
                        : .region(UInt32(regions.indices.randomElement(using: &random) ?? 0)))
            ]
        }
        for register in registers where register != code.parameters.first?.register {
            append(Instruction(Opcode(.set, .ul, .immediate), rd: register, immediate: boundary()))
        }
        let start = code.instructions.count
        for label in 0..<Int.random(in: 1...6, using: &random) {
            let place = Int.random(in: (label == 0 ? 0 : start)...start + length, using: &random)
            code.labels.append(Label(name: "l\(label)", position: UInt32(place)))
        }
        for table in 0..<Int.random(in: 0...2, using: &random) {
            let labels = (0..<Int.random(in: 1...5, using: &random)).map { _ in label() }
            code.tables.append(JumpTable(name: "t\(table)", labels: labels))
        }
        while code.instructions.count < start + length { appendRandom() }
        // Make the registers matter: fold them into one, which leaves as the exit's value.
        let sum = registers[0]
        if code.instructions.count == start + length, !code.labels.isEmpty {
            for other in registers.dropFirst() where Bool.random(using: &random) {
                append(Instruction(Opcode(.xor, .ul), rd: sum, rs1: sum, rs2: other))
                append(
                    Instruction(Opcode(.mul, .ul, .immediate), rd: sum, rs1: sum, immediate: 0x1_0000_01b3))
            }
        }
        appendMacro(Int.random(in: 0..<8, using: &random) == 0 ? "refuse" : "accept")
        code.sourceRanges = code.instructions.indices.map {
            SourceRange(line: UInt32($0 + 1), column: 1, length: 1)
        }
        return Program(acceptorName: acceptor.name, regions: regions, fragments: [code])
    }

    private mutating func append(_ instruction: Instruction) { code.instructions.append(instruction) }
    private mutating func register() -> Register { registers.randomElement(using: &random) ?? Register(0) }
    private mutating func label() -> UInt32 { UInt32(Int.random(in: 0..<code.labels.count, using: &random)) }

    private mutating func boundary() -> Int64 {
        switch Int.random(in: 0..<8, using: &random) {
        case 0: Int64.random(in: .min ... .max, using: &random)
        case 1: Int64.random(in: -300...300, using: &random)
        default: Self.boundaries.randomElement(using: &random) ?? 0
        }
    }

    private mutating func appendRandom() {
        switch Int.random(in: 0..<100, using: &random) {
        case 0..<6: appendAccess()
        case 6..<12:
            appendMacro(["s_sub", "h_mix", "h_void", "h_many"].randomElement(using: &random) ?? "s_sub")
        case 12..<15:
            append(
                Instruction(Opcode(.set, .p, .symbol), rd: register(), index: region(), immediate: offset()))
        default: appendOpcode(Opcode.all.randomElement(using: &random) ?? Opcode(.add))
        }
    }

    private mutating func region() -> UInt32 {
        UInt32(Int.random(in: 0..<max(regions.count, 1), using: &random))
    }

    /// An offset near the edges of a region.
    private mutating func offset() -> Int64 {
        let size = Int64(regions.first?.size ?? 64)
        return [0, 1, 7, 8, size - 9, size - 8, size - 4, size - 2, size - 1, size, -1, -8, 4090, 4095]
            .randomElement(using: &random) ?? 0
    }

    private mutating func appendOpcode(_ opcode: Opcode) {
        // Most accesses get an address that has a chance: a wild one ends the program too early.
        if opcode.shape == .load || opcode.shape == .store, Int.random(in: 0..<20, using: &random) != 0 {
            appendAccess()
            return
        }
        var instruction = Instruction(opcode)
        for operand in opcode.operands {
            switch operand {
            case .destination, .value, .exchanged: instruction.rd = register()
            case .source: instruction.rs1 = register()
            case .source2: instruction.rs2 = register()
            case .immediate:
                instruction.immediate =
                    opcode.shape == .load || opcode.shape == .store
                    ? offset() : opcode.type.immediate(boundary())
            case .symbol:
                instruction.index = region()
                instruction.immediate = offset()
            case .procedure: return
            case .label: instruction.index = label()
            case .table:
                if code.tables.isEmpty { return }
                instruction.index = UInt32(Int.random(in: 0..<code.tables.count, using: &random))
            }
        }
        if opcode.operation == .jumpTable, Bool.random(using: &random) {
            append(
                Instruction(
                    Opcode(.and, .ul, .immediate), rd: instruction.rs1, rs1: instruction.rs1, immediate: 3))
        }
        append(instruction)
    }

    /// A load or store whose address has a chance of being good.
    private mutating func appendAccess() {
        let base = register()
        if Bool.random(using: &random) {
            append(Instruction(Opcode(.set, .p, .symbol), rd: base, index: region(), immediate: offset()))
        } else {
            let pages: [Int64] = [
                0, 0x1000, 0x2000, 0x3000, 0x4000, 0x40_0000, 0x3f_f000, 0xffff_f000, 0x1_0000_0000,
            ]
            let address = (pages.randomElement(using: &random) ?? 0) &+ offset()
            append(Instruction(Opcode(.set, .ul, .immediate), rd: base, immediate: address))
        }
        var opcode = Opcode(
            Bool.random(using: &random) ? .load : .store,
            ValueType.allCases.randomElement(using: &random) ?? .ul)
        if Bool.random(using: &random) { opcode.form = .immediate }
        var instruction = Instruction(opcode, rd: register(), rs1: base)
        if opcode.form == .immediate {
            instruction.immediate = [0, 1, 4, 8, -8, -1, 16].randomElement(using: &random) ?? 0
        } else {
            instruction.rs2 = register()
            append(
                Instruction(
                    Opcode(.and, .ul, .immediate), rd: instruction.rs2, rs1: instruction.rs2, immediate: 15))
        }
        append(instruction)
    }

    private mutating func appendMacro(_ name: String) {
        guard let macro = acceptor.macro(named: name) else { return }
        var operands: [MacroOperand] = []
        for kind in macro.operands {
            switch kind {
            case .result: operands.append(.register(register()))
            case .value(let type):
                if name == "s_sub" || Bool.random(using: &random) {
                    operands.append(
                        .immediate(
                            name == "s_sub"
                                ? Int64.random(in: 0...4, using: &random) : type.immediate(boundary())))
                } else {
                    operands.append(.register(register()))
                }
            }
        }
        append(Instruction(Opcode(.macro), index: UInt32(code.macroCalls.count)))
        code.macroCalls.append(MacroCall(name: name, operands: operands))
    }
}
