import SCode
import SCodeTestSupport

/// Makes random fragments that keep every rule of the verifier, most of the time: loops, branches, tables, local
/// procedures, calls of sub-fragments and of the host, memory under every policy, boundary values, NaNs, dst = src,
/// and up to all 64 registers live.
struct ProgramGenerator {
    var random: SeededGenerator
    /// Registers that the fragment uses, written before anything is read; the more, the more are spilled.
    let integers: [Register]
    let singles: [Register]
    let doubles: [Register]
    /// Registers that are written somewhere in the middle, if at all.
    let late: [Register]
    var code = FragmentCode(name: "f")
    let regions: [Region]
    let acceptor: Acceptor
    /// The labels and tables of the body, or of the procedure, that is being made.
    var labels: Range<Int> = 0..<0
    var tables: Range<Int> = 0..<0
    /// Procedures that may be called from there: those that come later.
    var callees: Range<Int> = 0..<0
    /// Some programs take no care that an `f` is not read as a `d`; the verifier rejects most of them.
    private let isCareless: Bool
    /// What is true of the program, if nothing jumps into the middle of where that is made sure.
    var facts: [ForcedFact] = []

    init(seed: UInt64, acceptor: Acceptor, regions: [Region]) {
        random = SeededGenerator(seed: seed)
        self.acceptor = acceptor
        self.regions = regions
        func pick(_ bank: Range<Int>, _ counts: [Int], _ random: inout SeededGenerator) -> [Register] {
            let count = counts.randomElement(using: &random) ?? 0
            return Array(bank.map { Register($0) }.shuffled(using: &random).prefix(count))
        }
        integers = pick(0..<32, [2, 4, 8, 9, 10, 14, 20, 32], &random)
        let floats = pick(32..<64, [2, 3, 4, 8, 13, 14, 15, 16, 20, 32], &random)
        // At least one of each type, for the operations that need one.
        let split = Int.random(in: 1..<floats.count, using: &random)
        singles = Array(floats[..<split])
        doubles = Array(floats[split...])
        let used = Set(integers + floats)
        late = RegisterSet.all.registers.filter { !used.contains($0) }
        isCareless = random.oneIn(40)
    }

    mutating func make() -> Program {
        makeParameters()
        for register in integers { set(register, .ul) }
        for register in singles { set(register, .f) }
        for register in doubles { set(register, .d) }
        let procedures = random.oneIn(3) ? 0 : Int.random(in: 1...5, using: &random)
        callees = 0..<procedures
        makeSection(
            from: random.oneIn(6) ? 0 : code.instructions.count,
            length: length())
        finishBody()
        for procedure in 0..<procedures {
            code.procedures.append(Procedure(name: "p\(procedure)", start: UInt32(code.instructions.count)))
            callees = procedure + 1..<procedures
            makeSection(from: code.instructions.count, length: Int.random(in: 0...12, using: &random))
            if random.oneIn(12) {
                appendMacro("accept")
            } else {
                append(Instruction(Opcode(.return)))
            }
        }
        code.sourceRanges = code.instructions.indices.map {
            SourceRange(line: UInt32($0 + 1), column: 1, length: 1)
        }
        return Program(
            acceptorName: acceptor.name, hostFunctions: acceptor.hostFunctions.map(\.declaration),
            regions: regions, fragments: [code])
    }

    /// Some programs are so long that their jumps are far and their budget is not enough for them.
    private mutating func length() -> Int {
        random.oneIn(400)
            ? Int.random(in: 1000...4000, using: &random) : Int.random(in: 1...60, using: &random)
    }

    private mutating func makeParameters() {
        if random.oneIn(2), let register = integers.first {
            let region = UInt32(regions.indices.randomElement(using: &random) ?? 0)
            code.parameters.append(
                Parameter(
                    name: "p", register: register, type: .ul,
                    defaultValue: regions.isEmpty ? .constant(integer()) : .region(region)))
        }
        if random.oneIn(3), let register = (random.oneIn(2) ? singles : doubles).first {
            let type = type(of: register)
            code.parameters.append(
                Parameter(name: "q", register: register, type: type, defaultValue: .constant(constant(type))))
        }
    }

    private mutating func set(_ register: Register, _ type: ValueType) {
        if code.parameters.contains(where: { $0.register == register }) { return }
        append(Instruction(Opcode(.set, type, .immediate), rd: register, immediate: constant(type)))
    }

    /// Instructions between labels of their own. A section is left to whoever continues it.
    private mutating func makeSection(from first: Int, length: Int) {
        let start = code.instructions.count
        let firstLabel = code.labels.count
        for label in 0..<Int.random(in: 1...6, using: &random) {
            let place = Int.random(in: (label == 0 ? first : start)...start + length, using: &random)
            code.labels.append(Label(name: "l\(firstLabel + label)", position: UInt32(place)))
        }
        labels = firstLabel..<code.labels.count
        let firstTable = code.tables.count
        for table in 0..<Int.random(in: 0...2, using: &random) {
            let targets = (0..<Int.random(in: 1...5, using: &random)).map { _ in label() }
            code.tables.append(JumpTable(name: "t\(firstTable + table)", labels: targets))
        }
        tables = firstTable..<code.tables.count
        while code.instructions.count < start + length { appendRandom() }
    }

    /// Makes the registers matter: folds them into one, which leaves as the exit's value.
    private mutating func finishBody() {
        let sum = integers[0]
        for other in integers.dropFirst() where random.oneIn(2) {
            append(Instruction(Opcode(.xor, .ul), rd: sum, rs1: sum, rs2: other))
            append(Instruction(Opcode(.mul, .ul, .immediate), rd: sum, rs1: sum, immediate: 0x1_0000_01b3))
        }
        for pool in [singles, doubles] {
            for other in pool.dropFirst() where random.oneIn(2) {
                append(Instruction(Opcode(.add, type(of: pool[0])), rd: pool[0], rs1: pool[0], rs2: other))
            }
        }
        appendMacro(
            ["refuse", "accept_f", "accept_d", "accept", "accept", "accept", "accept", "accept"]
                .randomElement(using: &random) ?? "accept")
    }

    // MARK: Operands

    mutating func append(_ instruction: Instruction) { code.instructions.append(instruction) }

    /// More often than not a label further on: most loops of random code end only with the budget.
    mutating func label() -> UInt32 {
        let any = Int.random(in: labels, using: &random)
        if random.oneIn(3) { return UInt32(any) }
        let place = code.instructions.count
        return UInt32(
            labels.filter { Int(code.labels[$0].position) > place }.randomElement(using: &random) ?? any)
    }

    func type(of register: Register) -> ValueType {
        register.bank == .integer ? .ul : singles.contains(register) ? .f : .d
    }

    /// A register that holds values of the type.
    mutating func register(_ type: ValueType = .ul) -> Register {
        var pool = type == .f ? singles : type == .d ? doubles : integers
        if type.isFloat, isCareless, random.oneIn(20) { pool = singles + doubles }
        return pool.randomElement(using: &random) ?? Register(0)
    }

    mutating func region() -> UInt32 { UInt32(Int.random(in: 0..<max(regions.count, 1), using: &random)) }

    /// An offset near the edges of a region.
    mutating func offset() -> Int64 {
        let size = Int64(regions.first?.size ?? 64)
        return [0, 1, 7, 8, size - 9, size - 8, size - 4, size - 2, size - 1, size, -1, -8, 4090, 4095]
            .randomElement(using: &random) ?? 0
    }

    // MARK: Constants

    static let boundaries: [Int64] = [
        0, 1, 2, 3, 7, 8, 31, 32, 33, 63, 64, 127, 128, 129, 255, 256, 4095, 4096, 32767, 32768, 65535, 65536,
        0x7fff_fffe, 0x7fff_ffff, 0x8000_0000, 0x8000_0001, 0xffff_fffe, 0xffff_ffff, 0x1_0000_0000,
        .max, .max - 1, .min, .min + 1, -1, -2, -7, -8, -128, -129, -32768, -0x8000_0000, -0x8000_0001,
    ]
    /// Numbers at the edges of the integers and of the format; zeros, infinities, subnormals.
    static let numbers: [Double] = [
        0, -0.0, 0.5, -0.5, 1, -1, 1.5, -1.5, 3, 127, 255.5, -129, 65535.9, .infinity, -.infinity,
        0x1p31, 0x1p31 - 1, 0x1p31 - 0.5, -0x1p31, -0x1p31 - 1, -0x1p31 - 0.5, 0x1p32, 0x1p32 - 1,
        0x1p32 - 0.5,
        0x1p53, 0x1p53 + 2, 0x1p62, 0x1p63, 0x1.fffffffffffffp62, 0x1.fffffep62, -0x1p63,
        -0x1.0000000000001p63,
        0x1p64, 0x1.fffffffffffffp63, 0x1.fffffep63, 0x1.8p63, 0x1.000002p63, 0x1p100, -0x1p100, -0.999, 0.1,
        1e-40,
        .leastNonzeroMagnitude, .leastNormalMagnitude, .greatestFiniteMagnitude,
        Double(Float.leastNonzeroMagnitude), Double(Float.leastNormalMagnitude),
        Double(Float.greatestFiniteMagnitude), -Double(Float.greatestFiniteMagnitude),
        0x1.ffffffp127, 0x1p-150, 0x1.000001p0, 0x1.000003p0, 0x1.0000010000001p0,
    ]
    /// NaNs: quiet and signalling, of both signs, with payloads.
    static let doubleNaNs: [UInt64] = [
        0x7ff8_0000_0000_0000, 0xfff8_0000_0000_0000, 0x7ff0_0000_0000_0001, 0xfff0_0000_2000_0000,
        0x7ff4_1234_5678_9abc, 0xffff_ffff_ffff_ffff, 0x7ff8_0000_1fff_ffff, 0x7ff0_0000_1000_0000,
    ]
    static let singleNaNs: [UInt64] = [
        0x7fc0_0000, 0xffc0_0000, 0x7f80_0001, 0xff80_0002, 0x7fa1_2345, 0xffff_ffff, 0x7fc0_1234,
    ]

    mutating func integer() -> Int64 {
        switch Int.random(in: 0..<8, using: &random) {
        case 0: Int64.random(in: .min ... .max, using: &random)
        case 1: Int64.random(in: -300...300, using: &random)
        default: Self.boundaries.randomElement(using: &random) ?? 0
        }
    }

    /// A constant as an instruction of the type holds it.
    mutating func constant(_ type: ValueType) -> Int64 {
        guard type.isFloat else { return type.immediate(integer()) }
        let bits: UInt64
        switch Int.random(in: 0..<8, using: &random) {
        case 0: bits = random.next()
        case 1, 2: bits = (type == .f ? Self.singleNaNs : Self.doubleNaNs).randomElement(using: &random) ?? 0
        case 3:
            let number = Double(integer())
            bits = type == .f ? UInt64(Float(number).bitPattern) : number.bitPattern
        default:
            let number = Self.numbers.randomElement(using: &random) ?? 0
            bits = type == .f ? UInt64(Float(number).bitPattern) : number.bitPattern
        }
        return type.immediate(Int64(bitPattern: bits))
    }
}
