import SCodeTestSupport

/// An instruction as `struct bpf_insn` has it.
struct RawInstruction: Hashable {
    var code: Int
    var then = 0
    var otherwise = 0
    var k: UInt32 = 0

    static func text(_ program: [RawInstruction]) -> [UInt8] {
        let lines = program.map { "\($0.code) \($0.then) \($0.otherwise) \($0.k)\n" }
        return Array(("\(program.count)\n" + lines.joined()).utf8)
    }
}

/// Classic BPF as its paper and libpcap's manual have it, as plainly as can be: the second opinion on translations. It
/// shares nothing with them, not even how codes are read.
enum ClassicMachine {
    /// - Returns: what the program returns; 0 refuses.
    static func run(_ program: [RawInstruction], _ packet: [UInt8], wireLength: UInt32) -> UInt32 {
        var a: UInt32 = 0
        var x: UInt32 = 0
        var cells = [UInt32](repeating: 0, count: 16)
        var at = 0
        func number(_ start: UInt64, _ size: Int) -> UInt32? {
            guard start + UInt64(size) <= UInt64(packet.count) else { return nil }
            return packet[Int(start)..<Int(start) + size].reduce(0) { $0 << 8 | UInt32($1) }
        }
        while true {
            let instruction = program[at]
            at += 1
            let k = instruction.k
            let size = [4, 2, 1, 0][instruction.code >> 3 & 3]
            switch instruction.code & 7 {
            case 0, 1:
                var value: UInt32
                switch instruction.code >> 5 {
                case 0: value = k
                case 1:
                    guard let loaded = number(UInt64(k), size) else { return 0 }
                    value = loaded
                case 2:
                    guard let loaded = number(UInt64(k) + UInt64(x), size) else { return 0 }
                    value = loaded
                case 3: value = cells[Int(k)]
                case 4: value = wireLength
                default:
                    guard let loaded = number(UInt64(k), 1) else { return 0 }
                    value = (loaded & 15) * 4
                }
                if instruction.code & 7 == 0 { a = value } else { x = value }
            case 2: cells[Int(k)] = a
            case 3: cells[Int(k)] = x
            case 4:
                let operand = instruction.code & 8 == 0 ? k : x
                switch instruction.code >> 4 {
                case 0: a = a &+ operand
                case 1: a = a &- operand
                case 2: a = a &* operand
                case 3:
                    if operand == 0 { return 0 }
                    a = a / operand
                case 4: a |= operand
                case 5: a &= operand
                case 6: a = operand > 31 ? 0 : a << operand
                case 7: a = operand > 31 ? 0 : a >> operand
                case 8: a = 0 &- a
                case 9:
                    if operand == 0 { return 0 }
                    a = a % operand
                default: a ^= operand
                }
            case 5:
                let operand = instruction.code & 8 == 0 ? k : x
                var holds = false
                switch instruction.code >> 4 {
                case 0:
                    at += Int(k)
                    continue
                case 1: holds = a == operand
                case 2: holds = a > operand
                case 3: holds = a >= operand
                default: holds = a & operand != 0
                }
                at += holds ? instruction.then : instruction.otherwise
            case 6: return instruction.code == 6 ? k : a
            default: if instruction.code == 0x07 { x = a } else { a = x }
            }
        }
    }
}

/// Random programs that keep the rules.
struct RandomClassicProgram {
    var generator: SeededGenerator

    private mutating func pick<T>(_ choices: [T]) -> T {
        choices[Int.random(in: 0..<choices.count, using: &generator)]
    }

    /// Offsets that packets have, and some that they do not.
    private mutating func offset() -> UInt32 {
        if generator.oneIn(12) { return pick([1000, 262_140, 262_143, 262_144, 1 << 31, 0xffdf_ffff]) }
        return UInt32.random(in: 0...70, using: &generator)
    }

    private mutating func constant() -> UInt32 {
        if generator.oneIn(3) { return UInt32(truncatingIfNeeded: generator.interestingValue()) }
        return pick([0, 1, 2, 4, 6, 15, 17, 31, 80, 0x800, 0x1fff, 0x86dd, 0xff, 0xf0])
    }

    mutating func make(length: Int) -> [RawInstruction] {
        var program: [RawInstruction] = []
        for index in 0..<length - 1 { program.append(instruction(following: length - 1 - index)) }
        program.append(
            generator.oneIn(2) ? RawInstruction(code: 0x16) : RawInstruction(code: 6, k: constant()))
        return program
    }

    private mutating func instruction(following: Int) -> RawInstruction {
        switch Int.random(in: 0..<20, using: &generator) {
        case 0...3: return RawInstruction(code: pick([0x20, 0x28, 0x30]), k: offset())
        case 4, 5: return RawInstruction(code: pick([0x40, 0x48, 0x50]), k: offset())
        case 6: return RawInstruction(code: pick([0x80, 0x81, 0x87, 0x07, 0x84]))
        case 7: return RawInstruction(code: 0xb1, k: offset())
        case 8: return RawInstruction(code: pick([0, 1]), k: constant())
        case 9, 10:
            let cell = UInt32(generator.oneIn(2) ? Int.random(in: 0..<16, using: &generator) : 3)
            return RawInstruction(code: pick([0x60, 0x61, 2, 3]), k: cell)
        case 11...13:
            let operation = pick([0x04, 0x14, 0x24, 0x34, 0x44, 0x54, 0x64, 0x74, 0x94, 0xa4])
            if generator.oneIn(2) { return RawInstruction(code: operation | 8) }
            var k = constant()
            if operation == 0x64 || operation == 0x74 { k %= 32 }
            if operation == 0x34 || operation == 0x94 { k = max(k, 1) }
            return RawInstruction(code: operation, k: k)
        case 14:
            if generator.oneIn(8) { return RawInstruction(code: 6, k: constant()) }
            if generator.oneIn(4) {
                return RawInstruction(
                    code: 5, k: UInt32(Int.random(in: 0..<min(following, 4), using: &generator)))
            }
            return RawInstruction(code: 0x07)
        default:
            let reach = min(following - 1, 200)
            func distance(_ generator: inout SeededGenerator) -> Int {
                generator.oneIn(3)
                    ? Int.random(in: 0...reach, using: &generator)
                    : Int.random(in: 0...min(reach, 3), using: &generator)
            }
            return RawInstruction(
                code: pick([0x15, 0x25, 0x35, 0x45]) | (generator.oneIn(4) ? 8 : 0),
                then: distance(&generator), otherwise: distance(&generator), k: constant())
        }
    }
}
