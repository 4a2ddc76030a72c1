/// A classic BPF program that keeps the rules: known instructions, jumps forward and inside, scratch cells 0 to 15, no
/// constant divisor of zero, no constant shift of 32 or more, a return at the end. So it always ends, within as many
/// steps as it has instructions.
public struct ClassicProgram: Hashable, Sendable {
    /// Instructions of a program: BPF_MAXINSNS.
    public static let instructionLimit = 4096
    /// Scratch cells: BPF_MEMWORDS.
    public static let scratchCells = 16
    /// From here on, as offsets, the Linux kernel answers with what it knows of the packet besides its bytes.
    static let ancillaryOffsets: UInt32 = 0xffe0_0000

    public let instructions: [ClassicInstruction]

    /// - Throws: the first rule that is broken, with the instruction as its line, counted from 1.
    public init(_ instructions: [ClassicInstruction]) throws(ClassicFailure) {
        guard !instructions.isEmpty else { throw ClassicFailure(.empty, line: 0) }
        guard instructions.count <= Self.instructionLimit else {
            throw ClassicFailure(.tooMany(UInt64(instructions.count)), line: 0)
        }
        for (index, instruction) in instructions.enumerated() {
            if let reason = Self.mistake(instruction, following: instructions.count - 1 - index) {
                throw ClassicFailure(reason, line: index + 1)
            }
        }
        self.instructions = instructions
    }

    /// - Parameter following: instructions that come after it.
    private static func mistake(
        _ instruction: ClassicInstruction, following: Int
    ) -> ClassicFailure.Reason? {
        switch instruction {
        case .load(_, let offset), .loadIndexed(_, let offset), .loadHeaderLength(let offset):
            if offset >= ancillaryOffsets { return .ancillary(offset) }
        case .loadScratch(let cell), .loadScratchIndex(let cell), .store(let cell), .storeIndex(let cell):
            if !(0..<scratchCells).contains(cell) { return .scratchCell(cell) }
        case .arithmetic(.div, .constant(0)), .arithmetic(.mod, .constant(0)): return .zeroDivisor
        case .arithmetic(.lsh, .constant(let count)), .arithmetic(.rsh, .constant(let count)):
            if count > 31 { return .shiftCount(count) }
        case .jump(let distance):
            if Int32(bitPattern: distance) < 0 { return .backwardJump }
            if Int(distance) >= following { return .jumpOutside }
        case .branch(_, _, let then, let otherwise):
            if max(Int(then), Int(otherwise)) >= following { return .jumpOutside }
        default: break
        }
        if following == 0 {
            switch instruction {
            case .return, .returnAccumulator: break
            default: return .noReturn
            }
        }
        return nil
    }
}

/// Why something is no classic BPF program.
public struct ClassicFailure: Error, Hashable, Sendable, CustomStringConvertible {
    public enum Reason: Hashable, Sendable {
        case empty, tooMany(UInt64), count(wanted: UInt64, found: Int)
        /// A line that is not `code jt jf k`, or the first, that is not a number.
        case notFourNumbers, notACount
        /// A number beyond its field.
        case tooLarge(UInt64)
        case unknownCode(UInt16)
        case scratchCell(Int), zeroDivisor, shiftCount(UInt32)
        case jumpOutside, backwardJump, noReturn
        /// A load that asks the Linux kernel, and not the packet.
        case ancillary(UInt32)
        case trailingText
    }
    public let reason: Reason
    /// Of text: the line, from 1. Of a list: the instruction, from 1. 0: none in particular.
    public let line: Int

    init(_ reason: Reason, line: Int) {
        self.reason = reason
        self.line = line
    }

    public var description: String { line > 0 ? "line \(line): \(message)" : message }

    private var message: String {
        switch reason {
        case .empty: "no instructions"
        case .tooMany(let count):
            "\(count) instructions; a filter has at most \(ClassicProgram.instructionLimit)"
        case .count(let wanted, let found):
            "the first line promises \(wanted) instructions, here are \(found)"
        case .notFourNumbers: "an instruction is four decimal numbers: code, jt, jf, k"
        case .notACount: "the first line is the number of instructions (is this what 'tcpdump -ddd' prints?)"
        case .tooLarge(let value): "\(value) does not fit into its field"
        case .unknownCode(let code): "there is no instruction of code \(code)"
        case .scratchCell(let cell): "scratch cell \(cell); there are 0 to 15"
        case .zeroDivisor: "division by the constant 0"
        case .shiftCount(let count): "shift by \(count) bits; a register has 32"
        case .jumpOutside: "a jump behind the last instruction"
        case .backwardJump: "a jump backward (as 'protochain' makes it); filters have no loops"
        case .noReturn: "the last instruction is no return"
        case .ancillary(let offset):
            "a load at 0x\(String(offset, radix: 16)) asks the Linux kernel, not the packet; compile the filter for a "
                + "capture file, not for an interface"
        case .trailingText: "text after the last instruction"
        }
    }
}

extension ClassicProgram {
    /// Reads what `tcpdump -ddd` prints: the number of instructions, then as many lines of `code jt jf k`, all decimal.
    /// - Throws: the first mistake and its line.
    public init(dump bytes: some Collection<UInt8>) throws(ClassicFailure) {
        var lines = DumpLines(bytes)
        guard let head = try lines.next(), head.numbers.count == 1, let wanted = head.numbers.first else {
            throw ClassicFailure(.notACount, line: 1)
        }
        guard wanted <= UInt64(Self.instructionLimit) else { throw ClassicFailure(.tooMany(wanted), line: 1) }
        var instructions: [ClassicInstruction] = []
        var places: [Int] = []
        while instructions.count < Int(wanted) {
            guard let line = try lines.next() else {
                throw ClassicFailure(.count(wanted: wanted, found: instructions.count), line: 1)
            }
            instructions.append(try Self.instruction(line))
            places.append(line.number)
        }
        if let rest = try lines.next() { throw ClassicFailure(.trailingText, line: rest.number) }
        do { try self.init(instructions) } catch {
            // Instructions are counted without the first line.
            throw ClassicFailure(error.reason, line: error.line > 0 ? places[error.line - 1] : 1)
        }
    }

    private static func instruction(_ line: DumpLine) throws(ClassicFailure) -> ClassicInstruction {
        guard line.numbers.count == 4 else { throw ClassicFailure(.notFourNumbers, line: line.number) }
        func field<Field: FixedWidthInteger>(_ index: Int, _: Field.Type) throws(ClassicFailure) -> Field {
            guard let value = Field(exactly: line.numbers[index]) else {
                throw ClassicFailure(.tooLarge(line.numbers[index]), line: line.number)
            }
            return value
        }
        let code = try field(0, UInt16.self)
        let (then, otherwise) = (try field(1, UInt8.self), try field(2, UInt8.self))
        let k = try field(3, UInt32.self)
        guard let instruction = ClassicInstruction(code: code, then: then, else: otherwise, k: k) else {
            throw ClassicFailure(.unknownCode(code), line: line.number)
        }
        return instruction
    }
}

/// Lines of decimal numbers; empty ones are passed over.
private struct DumpLines<Bytes: Collection<UInt8>> {
    private var rest: Bytes.SubSequence
    private var number = 0

    init(_ bytes: Bytes) { rest = bytes[...] }

    mutating func next() throws(ClassicFailure) -> DumpLine? {
        while !rest.isEmpty {
            number += 1
            let end = rest.firstIndex(of: UInt8(ascii: "\n")) ?? rest.endIndex
            let line = rest[..<end]
            rest = end == rest.endIndex ? rest[end...] : rest[rest.index(after: end)...]
            let numbers = try parse(line)
            if !numbers.isEmpty { return DumpLine(number: number, numbers: numbers) }
        }
        return nil
    }

    private func parse(_ line: Bytes.SubSequence) throws(ClassicFailure) -> [UInt64] {
        let mistake = ClassicFailure(number == 1 ? .notACount : .notFourNumbers, line: number)
        var numbers: [UInt64] = []
        var inNumber = false
        for byte in line {
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"):
                let digit = UInt64(byte - UInt8(ascii: "0"))
                if !inNumber { numbers.append(0) }
                // Four fields, so that a line of a million numbers makes no list of them.
                guard numbers.count <= 4 else { throw mistake }
                let (shifted, overflow) = numbers[numbers.count - 1].multipliedReportingOverflow(by: 10)
                let (sum, carry) = shifted.addingReportingOverflow(digit)
                guard !overflow, !carry else { throw ClassicFailure(.tooLarge(.max), line: number) }
                numbers[numbers.count - 1] = sum
                inNumber = true
            case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\r"): inNumber = false
            default: throw mistake
            }
        }
        return numbers
    }
}

private struct DumpLine {
    var number: Int
    var numbers: [UInt64]
}
