import SCode
import SCodeTestSupport

/// Makes fragments of the kind that the verifier proves things about: nested loops that count up and down, in 32 and 64
/// bits, signed and unsigned, tested at the top or the bottom; indices that are scaled, masked, shifted and compared;
/// addresses that advance beside a counter; procedures that change what their caller knows.
///
/// What they compute makes no sense, and what is claimed about them must be true all the same.
struct StructuredProgram {
    private var random: SeededGenerator
    private var code = FragmentCode(name: "f")
    private let regions: [Region]
    private var depth = 0
    private var inProcedure = false
    /// Registers of the innermost loops' counters, which nothing else may write if the loop is to end soon.
    private var counters: RegisterSet = []
    private let procedureCount: Int

    static let regions = [
        Region(name: "data", policy: .physical, isWritable: true, size: 256),
        Region(name: "words", policy: .physical, isWritable: true, size: 4096),
        Region(name: "fixed", policy: .static, isWritable: true, size: 64),
    ]

    static func make(seed: UInt64) -> Program {
        var maker = StructuredProgram(seed: seed)
        return maker.program()
    }

    private init(seed: UInt64) {
        random = SeededGenerator(seed: seed)
        regions = Self.regions
        procedureCount = random.oneIn(3) ? 2 : 0
    }

    private mutating func program() -> Program {
        code.parameters = [
            Parameter(
                name: "n", register: Register(0), type: random.oneIn(2) ? .ul : .u, defaultValue: .constant(0)
            ),
            Parameter(
                name: "p", register: Register(1), type: .p,
                defaultValue: .region(UInt32(random.oneIn(2) ? 1 : 0))),
        ]
        for register in 2..<12 {
            if random.oneIn(4) {
                append(
                    Instruction(
                        Opcode(.set, .p, .symbol), rd: Register(register), index: region(), immediate: 0))
            } else {
                append(
                    Instruction(Opcode(.set, .ul, .immediate), rd: Register(register), immediate: constant()))
            }
        }
        for _ in 0..<Int.random(in: 1...6, using: &random) { statement() }
        append(Instruction(Opcode(.macro), index: UInt32(code.macroCalls.count)))
        code.macroCalls.append(MacroCall(name: "accept", operands: [.register(any())]))
        for procedure in 0..<procedureCount {
            inProcedure = true
            code.procedures.append(
                Procedure(name: "proc\(procedure)", start: UInt32(code.instructions.count)))
            for _ in 0..<Int.random(in: 1...3, using: &random) { statement() }
            append(Instruction(Opcode(.return)))
        }
        code.labels.sort { $0.position < $1.position }
        code.sourceRanges = code.instructions.indices.map {
            SourceRange(line: UInt32($0 + 1), column: 1, length: 1)
        }
        return Program(acceptorName: "plain", regions: regions, fragments: [relabelled()])
    }

    /// Labels were made before their places were known: instructions name them by their number in `names`.
    private func relabelled() -> FragmentCode {
        var result = code
        var newIndex = [Int](repeating: 0, count: code.labels.count)
        for (position, label) in code.labels.enumerated() {
            newIndex[Int(label.name.dropFirst()) ?? 0] = position
        }
        for index in result.instructions.indices {
            switch result.instructions[index].opcode.shape {
            case .branch, .jump:
                result.instructions[index].index = UInt32(newIndex[Int(result.instructions[index].index)])
            default: break
            }
        }
        return result
    }

    // MARK: Parts

    private mutating func append(_ instruction: Instruction) { code.instructions.append(instruction) }
    private mutating func region() -> UInt32 { UInt32(Int.random(in: 0..<2, using: &random)) }
    /// A register that is read.
    private mutating func any() -> Register { Register(Int.random(in: 0..<12, using: &random)) }
    /// A register that is written: seldom a counter.
    private mutating func target() -> Register {
        for _ in 0..<8 {
            let register = any()
            if !counters.contains(register) || random.oneIn(40) { return register }
        }
        return Register(11)
    }
    private mutating func constant() -> Int64 {
        random.oneIn(3) ? random.interestingValue() : Int64.random(in: 0...70, using: &random)
    }
    private mutating func type() -> ValueType { ValueType.integers.randomElement(using: &random) ?? .ul }

    private mutating func label() -> UInt32 {
        let number = code.labels.count
        code.labels.append(Label(name: "l\(number)", position: 0))
        return UInt32(number)
    }
    private mutating func place(_ label: UInt32) {
        code.labels[Int(label)].position = UInt32(code.instructions.count)
    }

    private mutating func statement() {
        guard code.instructions.count < 150 else { return arithmetic() }
        switch Int.random(in: 0..<12, using: &random) {
        case 0..<3 where depth < 3: loop()
        case 3..<5 where depth < 5: condition()
        case 5..<8: access()
        case 8 where !inProcedure && procedureCount > 0:
            append(
                Instruction(Opcode(.call), index: UInt32(Int.random(in: 0..<procedureCount, using: &random))))
        default: arithmetic()
        }
    }

    private mutating func arithmetic() {
        let operations: [Operation] = [
            .add, .sub, .mul, .div, .mod, .and, .or, .xor, .lsh, .rsh, .com, .not, .mov, .neg, .convert, .set,
            .byteSwap,
            .countLeadingZeros, .countTrailingZeros, .populationCount, .add, .and, .mod, .rsh,
        ]
        let operation = operations.randomElement(using: &random) ?? .add
        let choices = Opcode.all.filter {
            $0.operation == operation && !$0.type.isFloat && !$0.sourceType.isFloat && $0.form != .symbol
        }
        guard let opcode = choices.randomElement(using: &random) else { return }
        var instruction = Instruction(opcode, rd: target(), rs1: any())
        if opcode.shape == .constant { instruction.rs1 = Register(0) }
        if opcode.shape == .binary, opcode.form == .register { instruction.rs2 = any() }
        if opcode.form == .immediate { instruction.immediate = opcode.type.immediate(constant()) }
        append(instruction)
    }

    /// A counter, a test at the top or at the bottom, a step; sometimes an address beside it; sometimes all wrong.
    private mutating func loop() {
        depth += 1
        defer { depth -= 1 }
        let counter = Register(Int.random(in: 2..<12, using: &random))
        let outer = counters
        let type = type()
        let isUp = !random.oneIn(3)
        let count = Int64.random(in: 1...(depth == 1 ? 20 : 6), using: &random)
        let step = random.oneIn(2) ? 1 : Int64.random(in: 1...5, using: &random)
        let start = random.oneIn(4) ? Int64.random(in: -10...10, using: &random) : 0
        let (first, last) = isUp ? (start, start + count * step) : (start + count * step, start)
        if !random.oneIn(6) {
            append(Instruction(Opcode(.set, type, .immediate), rd: counter, immediate: type.immediate(first)))
        }
        counters.insert(counter)
        let pointer: Register? = random.oneIn(2) ? Register(Int.random(in: 2..<12, using: &random)) : nil
        if let pointer, pointer != counter {
            append(Instruction(Opcode(.set, .p, .symbol), rd: pointer, index: region(), immediate: 0))
            counters.insert(pointer)
        }
        let top = label()
        let end = label()
        let isTopTested = random.oneIn(2)
        place(top)
        if isTopTested {
            branch(isUp ? .bge : .ble, type, counter, last, end)
        }
        for _ in 0..<Int.random(in: 1...3, using: &random) { statement() }
        if let pointer, pointer != counter {
            if random.oneIn(2) { accessThrough(pointer) }
            let advance = [1, 4, 8, 16].randomElement(using: &random) ?? 8
            append(
                Instruction(
                    Opcode(.add, .p, .immediate), rd: pointer, rs1: pointer, immediate: Int64(advance)))
        }
        if !random.oneIn(20) {
            append(
                Instruction(
                    Opcode(isUp ? .add : .sub, type, .immediate), rd: counter, rs1: counter, immediate: step))
        }
        if isTopTested {
            append(Instruction(Opcode(.jump), index: top))
        } else if random.oneIn(3) {
            branch(.bne, type, counter, last, top)
        } else {
            branch(isUp ? .blt : .bgt, type, counter, last, top)
        }
        place(end)
        counters = outer
        // A label needs an instruction behind it.
        arithmetic()
    }

    private mutating func branch(
        _ operation: Operation, _ type: ValueType, _ register: Register, _ bound: Int64, _ target: UInt32
    ) {
        if random.oneIn(4) {
            let other = Register(Int.random(in: 0..<12, using: &random))
            append(Instruction(Opcode(operation, type), rs1: register, rs2: other, index: target))
        } else {
            append(
                Instruction(
                    Opcode(operation, type, .immediate), rs1: register, index: target,
                    immediate: type.immediate(bound)))
        }
    }

    private mutating func condition() {
        depth += 1
        defer { depth -= 1 }
        let other = label()
        let end = label()
        let operations: [Operation] = [.blt, .ble, .bgt, .bge, .beq, .bne]
        branch(operations.randomElement(using: &random) ?? .blt, type(), any(), constant(), other)
        statement()
        append(Instruction(Opcode(.jump), index: end))
        place(other)
        statement()
        place(end)
        arithmetic()
    }

    /// An index that is brought into range, or not, scaled, and added to a region's address.
    private mutating func access() {
        let index = target()
        let address = target()
        let type = random.oneIn(2) ? ValueType.ul : .u
        switch Int.random(in: 0..<4, using: &random) {
        case 0:
            append(
                Instruction(
                    Opcode(.and, type, .immediate), rd: index, rs1: any(),
                    immediate: [31, 60, 63, 255].randomElement(using: &random) ?? 31))
        case 1:
            append(
                Instruction(
                    Opcode(.mod, type, .immediate), rd: index, rs1: any(),
                    immediate: Int64.random(in: 1...64, using: &random)))
        case 2:
            append(
                Instruction(
                    Opcode(.rsh, type, .immediate), rd: index, rs1: any(), immediate: type == .u ? 26 : 58))
        default:
            append(Instruction(Opcode(.mov, .ul), rd: index, rs1: any()))
        }
        if random.oneIn(2) {
            append(
                Instruction(
                    Opcode(.lsh, .ul, .immediate), rd: index, rs1: index,
                    immediate: Int64.random(in: 0...4, using: &random)))
        }
        append(
            Instruction(
                Opcode(.set, .p, .symbol), rd: address, index: region(),
                immediate: random.oneIn(4) ? constant() & 63 : 0))
        if address != index {
            append(Instruction(Opcode(.add, .p), rd: address, rs1: address, rs2: index))
        }
        accessThrough(address)
    }

    private mutating func accessThrough(_ address: Register) {
        let types: [ValueType] = [.c, .uc, .s, .us, .i, .u, .l, .ul]
        let type = types.randomElement(using: &random) ?? .u
        let isLoad = random.oneIn(2)
        append(
            Instruction(
                Opcode(isLoad ? .load : .store, type, .immediate), rd: isLoad ? target() : any(),
                rs1: address,
                immediate: Int64([0, 0, 4, 8, -4].randomElement(using: &random) ?? 0)))
    }
}
