import SCodeBPF

/// The assembly language of the public conformance suite's `-- asm` parts, as far as the suite uses it.
struct EBPFAssembler {
    struct Mistake: Error { var line: String }

    private var output: [EBPFInstruction] = []
    private var labels: [String: Int] = [:]
    /// Places whose offset, or immediate, is to lead to a label.
    private var fixUps: [(place: Int, label: String, isFar: Bool, line: String)] = []

    /// The program as bytes.
    static func bytes(_ text: String) throws -> [UInt8] {
        var assembler = EBPFAssembler()
        for line in text.split(separator: "\n") { try assembler.assemble(String(line)) }
        return try assembler.finished()
    }

    static func bytes(_ instructions: [EBPFInstruction]) -> [UInt8] { bytes(of: instructions.map(\.bits)) }

    static func bytes(of words: [UInt64]) -> [UInt8] {
        words.flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> ($0 * 8)) } }
    }

    private func finished() throws -> [UInt8] {
        var output = output
        for fixUp in fixUps {
            guard let target = labels[fixUp.label] else { throw Mistake(line: fixUp.line) }
            let distance = target - fixUp.place - 1
            if fixUp.isFar {
                output[fixUp.place].immediate = Int32(distance)
            } else {
                output[fixUp.place].offset = Int16(distance)
            }
        }
        return Self.bytes(output)
    }

    private mutating func assemble(_ line: String) throws {
        let code = line.prefix { $0 != "#" }
        var words = code.split { " \t,\r".contains($0) }.map(String.init)
        guard let mnemonic = words.first else { return }
        words.removeFirst()
        if mnemonic.hasSuffix(":") {
            labels[String(mnemonic.dropLast())] = output.count
            return
        }
        // The first `exit` is a label by itself.
        if mnemonic == "exit", labels["exit"] == nil { labels["exit"] = output.count }
        guard let instructions = try encode(mnemonic, words, line) else { throw Mistake(line: line) }
        output += instructions
    }

    private mutating func encode(
        _ mnemonic: String, _ operands: [String], _ line: String
    ) throws -> [EBPFInstruction]? {
        func one(_ instruction: EBPFInstruction?) -> [EBPFInstruction]? { instruction.map { [$0] } }
        switch mnemonic {
        case "exit": return [EBPFInstruction(code: 0x95)]
        case "call": return try one(call(operands, line))
        case "lddw": return wideConstant(operands)
        case "lock": return one(atomic(operands))
        case "ja": return one(try jump(EBPFInstruction(code: 0x05), to: operands.last, isFar: false, line))
        case "ja32": return one(try jump(EBPFInstruction(code: 0x06), to: operands.last, isFar: true, line))
        default: break
        }
        if let code = Self.loads[mnemonic], operands.count == 2, let place = Self.place(operands[1]) {
            return one(
                Self.register(operands[0]).map {
                    EBPFInstruction(code: code, destination: $0, source: place.register, offset: place.offset)
                })
        }
        if let code = Self.stores[mnemonic], operands.count == 2, let place = Self.place(operands[0]) {
            var store = EBPFInstruction(code: code, destination: place.register, offset: place.offset)
            guard Self.setSecond(&store, operands[1], bit: 0) else { return nil }
            return [store]
        }
        if let (bits, code) = Self.byteOrder(mnemonic), let register = operands.first.flatMap(Self.register) {
            return [EBPFInstruction(code: code, destination: register, immediate: bits)]
        }
        let isNarrow = mnemonic.hasSuffix("32")
        let isMarked = isNarrow || mnemonic.hasSuffix("64")
        let name = isMarked ? String(mnemonic.dropLast(2)) : mnemonic
        if let code = Self.conditions[name], operands.count == 3 {
            var branch = EBPFInstruction(code: code | (isNarrow ? 6 : 5))
            guard let register = Self.register(operands[0]) else { return nil }
            branch.destination = register
            guard Self.setSecond(&branch, operands[1], bit: 8) else { return nil }
            return one(try jump(branch, to: operands[2], isFar: false, line))
        }
        return one(Self.arithmetic(name, isNarrow, operands))
    }

    // MARK: Kinds of instructions

    private static let loads: [String: UInt8] = [
        "ldxb": 0x71, "ldxh": 0x69, "ldxw": 0x61, "ldxdw": 0x79, "ldxsb": 0x91, "ldxsh": 0x89, "ldxsw": 0x81,
    ]
    private static let stores: [String: UInt8] = [
        "stb": 0x72, "sth": 0x6a, "stw": 0x62, "stdw": 0x7a,
        "stxb": 0x73, "stxh": 0x6b, "stxw": 0x63, "stxdw": 0x7b,
    ]
    private static let conditions: [String: UInt8] = [
        "jeq": 0x10, "jgt": 0x20, "jge": 0x30, "jset": 0x40, "jne": 0x50, "jsgt": 0x60, "jsge": 0x70,
        "jlt": 0xa0, "jle": 0xb0, "jslt": 0xc0, "jsle": 0xd0,
    ]
    private static let operations: [String: (code: UInt8, offset: Int16)] = [
        "add": (0x00, 0), "sub": (0x10, 0), "mul": (0x20, 0), "div": (0x30, 0), "sdiv": (0x30, 1),
        "or": (0x40, 0), "and": (0x50, 0), "lsh": (0x60, 0), "rsh": (0x70, 0), "neg": (0x80, 0),
        "mod": (0x90, 0), "smod": (0x90, 1), "xor": (0xa0, 0), "mov": (0xb0, 0), "arsh": (0xc0, 0),
        "movsx8": (0xb0, 8), "movsx16": (0xb0, 16), "movsx32": (0xb0, 32),
    ]

    private static func arithmetic(_ name: String, _ isNarrow: Bool, _ operands: [String]) -> EBPFInstruction?
    {
        guard let operation = operations[name], let register = operands.first.flatMap(register) else {
            return nil
        }
        var instruction = EBPFInstruction(
            code: operation.code | (isNarrow ? 4 : 7), destination: register, offset: operation.offset)
        if operands.count == 1 { return name == "neg" ? instruction : nil }
        return setSecond(&instruction, operands[1], bit: 8) ? instruction : nil
    }

    private static func byteOrder(_ mnemonic: String) -> (bits: Int32, code: UInt8)? {
        for (prefix, code) in [("be", UInt8(0xdc)), ("le", 0xd4), ("bswap", 0xd7), ("swap", 0xd7)]
        where mnemonic.hasPrefix(prefix) {
            if let bits = Int32(mnemonic.dropFirst(prefix.count)) { return (bits, code) }
        }
        return nil
    }

    private func wideConstant(_ operands: [String]) -> [EBPFInstruction]? {
        guard operands.count == 2, let register = Self.register(operands[0]),
            let value = Self.number(operands[1])
        else { return nil }
        return [
            EBPFInstruction(
                code: 0x18, destination: register, immediate: Int32(truncatingIfNeeded: value)),
            EBPFInstruction(code: 0, immediate: Int32(truncatingIfNeeded: value >> 32)),
        ]
    }

    /// `lock [fetch] OPERATION [%rD+OFFSET], %rS`
    private func atomic(_ operands: [String]) -> EBPFInstruction? {
        var operands = operands
        let fetches = operands.first == "fetch"
        if fetches { operands.removeFirst() }
        guard operands.count == 3, let place = Self.place(operands[1]),
            let source = Self.register(operands[2])
        else { return nil }
        let isNarrow = operands[0].hasSuffix("32")
        let name = isNarrow ? String(operands[0].dropLast(2)) : operands[0]
        let codes: [String: Int32] = [
            "add": 0x00, "or": 0x40, "and": 0x50, "xor": 0xa0, "xchg": 0xe1, "cmpxchg": 0xf1,
        ]
        guard let immediate = codes[name] else { return nil }
        return EBPFInstruction(
            code: isNarrow ? 0xc3 : 0xdb, destination: place.register, source: source, offset: place.offset,
            immediate: immediate | (fetches ? 1 : 0))
    }

    private mutating func call(_ operands: [String], _ line: String) throws -> EBPFInstruction? {
        if operands.first == "local" {
            return try jump(EBPFInstruction(code: 0x85, source: 1), to: operands.last, isFar: true, line)
        }
        let source: UInt8 = operands.first == "runtime" ? 2 : 0
        guard let target = operands.last else { return nil }
        if let register = Self.register(target) { return EBPFInstruction(code: 0x8d, destination: register) }
        return Self.number(target).map {
            EBPFInstruction(code: 0x85, source: source, immediate: Int32(truncatingIfNeeded: $0))
        }
    }

    private mutating func jump(
        _ instruction: EBPFInstruction, to target: String?, isFar: Bool, _ line: String
    ) throws -> EBPFInstruction? {
        guard let target else { return nil }
        guard target.hasPrefix("+") || target.hasPrefix("-") else {
            fixUps.append((output.count, target, isFar, line))
            return instruction
        }
        var instruction = instruction
        guard let distance = Self.number(target) else { return nil }
        if isFar {
            instruction.immediate = Int32(truncatingIfNeeded: distance)
        } else {
            instruction.offset = Int16(truncatingIfNeeded: distance)
        }
        return instruction
    }

    // MARK: Operands

    /// The second operand: a register, and `bit` of the code says so, or a constant.
    private static func setSecond(_ instruction: inout EBPFInstruction, _ text: String, bit: UInt8) -> Bool {
        if let register = register(text) {
            instruction.code |= bit
            instruction.source = register
            return true
        }
        guard let value = number(text) else { return false }
        instruction.immediate = Int32(truncatingIfNeeded: value)
        return true
    }

    private static func register(_ text: String) -> UInt8? {
        guard text.hasPrefix("%r") else { return nil }
        return UInt8(text.dropFirst(2))
    }

    /// `[%r1+2]`
    private static func place(_ text: String) -> (register: UInt8, offset: Int16)? {
        guard text.hasPrefix("["), text.hasSuffix("]") else { return nil }
        let inner = text.dropFirst().dropLast()
        let name = inner.prefix { $0 != "+" && $0 != "-" }
        guard let register = register(String(name)) else { return nil }
        let rest = inner.dropFirst(name.count)
        if rest.isEmpty { return (register, 0) }
        return number(String(rest)).map { (register, Int16(truncatingIfNeeded: $0)) }
    }

    /// Decimal or hexadecimal, with a sign or without.
    private static func number(_ text: String) -> UInt64? {
        var digits = Substring(text)
        let isNegative = digits.hasPrefix("-")
        if isNegative || digits.hasPrefix("+") { digits = digits.dropFirst() }
        let value = digits.hasPrefix("0x") ? UInt64(digits.dropFirst(2), radix: 16) : UInt64(digits)
        return value.map { isNegative ? 0 &- $0 : $0 }
    }
}
