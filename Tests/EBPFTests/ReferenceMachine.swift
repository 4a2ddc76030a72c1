import SCodeBPF

/// eBPF as RFC 9669 words it, one instruction after another and as plainly as can be: what translated programs are
/// held against. It reads codes by their bits, and knows nothing of the table that the translation uses.
struct ReferenceMachine {
    enum End: Hashable {
        case value(UInt64)
        /// An access of bytes that are not there.
        case outside, misaligned
        /// More steps than anybody wants to wait for.
        case tooLong
    }

    /// Addresses of the memory at r1 and of the stack, and what they hold.
    private(set) var memory: [UInt8]
    private var stack: [UInt8]
    private let memoryBase: UInt64
    private let stackBase: UInt64
    private var r = [UInt64](repeating: 0, count: 11)
    /// Where to go back to, with r6 to r10.
    private var calls: [(index: Int, kept: [UInt64])] = []

    init(memory: [UInt8], memoryBase: UInt64, stackSize: Int, stackBase: UInt64) {
        self.memory = memory
        self.memoryBase = memoryBase
        stack = [UInt8](repeating: 0, count: stackSize)
        self.stackBase = stackBase
        r[1] = memoryBase
        r[2] = UInt64(memory.count)
        r[10] = stackBase + UInt64(stackSize)
    }

    mutating func run(_ program: [EBPFInstruction], steps: Int) -> End {
        var index = 0
        for _ in 0..<steps {
            let instruction = program[index]
            index += 1
            let code = instruction.code
            let isWide = code & 7 == 5 || code & 7 == 7
            let source =
                code & 8 != 0
                ? r[Int(instruction.source)] : UInt64(bitPattern: Int64(instruction.immediate))
            switch code & 7 {
            case 4, 7:
                r[Int(instruction.destination)] = compute(instruction, source, isWide: isWide)
            case 5, 6:
                if code == 0x95 {
                    guard let call = calls.popLast() else { return .value(r[0]) }
                    index = call.index
                    r.replaceSubrange(6...10, with: call.kept)
                } else if code == 0x85 {
                    calls.append((index, Array(r[6...10])))
                    r[10] -= calls.count == 1 ? 512 : 544
                    index += Int(instruction.immediate)
                } else if code == 6 {
                    index += Int(instruction.immediate)
                } else if jumps(instruction, source, isWide: isWide) {
                    index += Int(instruction.offset)
                }
            case 0:
                let high = UInt64(UInt32(bitPattern: program[index].immediate)) << 32
                r[Int(instruction.destination)] = high | UInt64(UInt32(bitPattern: instruction.immediate))
                index += 1
            default:
                if let end = access(instruction) { return end }
            }
        }
        return .tooLong
    }

    // MARK: Arithmetic

    private func compute(_ instruction: EBPFInstruction, _ source: UInt64, isWide: Bool) -> UInt64 {
        let old = r[Int(instruction.destination)]
        if instruction.code & 0xf0 == 0xd0 { return swapped(instruction, old) }
        if isWide {
            return UInt64(
                bitPattern: compute(
                    instruction, Int64(bitPattern: old), Int64(bitPattern: source),
                    Int64(bitPattern: source)))
        }
        let narrow = compute(
            instruction, Int32(truncatingIfNeeded: old), Int32(truncatingIfNeeded: source),
            Int64(bitPattern: source))
        return UInt64(UInt32(bitPattern: narrow))
    }

    private func compute<Word: FixedWidthInteger & SignedInteger>(
        _ instruction: EBPFInstruction, _ a: Word, _ b: Word, _ whole: Int64
    ) -> Word where Word.Magnitude: UnsignedInteger {
        let (x, y) = (Word.Magnitude(truncatingIfNeeded: a), Word.Magnitude(truncatingIfNeeded: b))
        let count = b & Word(Word.bitWidth - 1)
        let isSigned = instruction.offset == 1
        switch instruction.code & 0xf0 {
        case 0x00: return a &+ b
        case 0x10: return a &- b
        case 0x20: return a &* b
        case 0x30:
            if b == 0 { return 0 }
            return isSigned ? (b == -1 ? 0 &- a : a / b) : Word(truncatingIfNeeded: x / y)
        case 0x40: return a | b
        case 0x50: return a & b
        case 0x60: return a << count
        case 0x70: return Word(truncatingIfNeeded: x >> Word.Magnitude(truncatingIfNeeded: count))
        case 0x80: return 0 &- a
        case 0x90:
            if b == 0 { return a }
            return isSigned ? (b == -1 ? 0 : a % b) : Word(truncatingIfNeeded: x % y)
        case 0xa0: return a ^ b
        case 0xb0:
            switch instruction.offset {
            case 8: return Word(Int8(truncatingIfNeeded: whole))
            case 16: return Word(Int16(truncatingIfNeeded: whole))
            case 32: return Word(truncatingIfNeeded: Int64(Int32(truncatingIfNeeded: whole)))
            default: return b
            }
        default: return a >> count
        }
    }

    private func swapped(_ instruction: EBPFInstruction, _ value: UInt64) -> UInt64 {
        let bytes = Int(instruction.immediate) / 8
        let digits = (0..<bytes).map { value >> UInt64($0 * 8) & 0xff }
        let isLittle = instruction.code == 0xd4
        return (isLittle ? digits.reversed() : digits).reduce(0) { $0 << 8 | $1 }
    }

    private func jumps(_ instruction: EBPFInstruction, _ source: UInt64, isWide: Bool) -> Bool {
        let destination = r[Int(instruction.destination)]
        let (x, y) =
            isWide
            ? (destination, source)
            : (UInt64(UInt32(truncatingIfNeeded: destination)), UInt64(UInt32(truncatingIfNeeded: source)))
        let (a, b) =
            isWide
            ? (Int64(bitPattern: x), Int64(bitPattern: y))
            : (Int64(Int32(truncatingIfNeeded: x)), Int64(Int32(truncatingIfNeeded: y)))
        switch instruction.code & 0xf0 {
        case 0x00: return true
        case 0x10: return x == y
        case 0x20: return x > y
        case 0x30: return x >= y
        case 0x40: return x & y != 0
        case 0x50: return x != y
        case 0x60: return a > b
        case 0x70: return a >= b
        case 0xa0: return x < y
        case 0xb0: return x <= y
        case 0xc0: return a < b
        default: return a <= b
        }
    }

    // MARK: Memory

    private mutating func access(_ instruction: EBPFInstruction) -> End? {
        let code = instruction.code
        let size = [4, 2, 1, 8][Int(code >> 3 & 3)]
        let isLoad = code & 7 == 1
        let base = r[Int(isLoad ? instruction.source : instruction.destination)]
        let address = base &+ UInt64(bitPattern: Int64(instruction.offset))
        let isAtomic = code & 0xe0 == 0xc0
        if isAtomic, address % UInt64(size) != 0 { return .misaligned }
        guard let old = load(address, size) else { return .outside }
        let source = r[Int(instruction.source)]
        if isLoad {
            let isSigned = code & 0xe0 == 0x80
            let unused = UInt64(64 - size * 8)
            r[Int(instruction.destination)] =
                isSigned ? UInt64(bitPattern: Int64(bitPattern: old << unused) >> Int64(unused)) : old
        } else if isAtomic {
            atomic(instruction, address, size, old, source)
        } else {
            let value = code & 7 == 2 ? UInt64(bitPattern: Int64(instruction.immediate)) : source
            store(value, address, size)
        }
        return nil
    }

    private mutating func atomic(
        _ instruction: EBPFInstruction, _ address: UInt64, _ size: Int, _ old: UInt64, _ source: UInt64
    ) {
        switch instruction.immediate & 0xf0 {
        case 0x00: store(old &+ source, address, size)
        case 0x40: store(old | source, address, size)
        case 0x50: store(old & source, address, size)
        case 0xa0: store(old ^ source, address, size)
        case 0xe0: store(source, address, size)
        default:
            let wanted = size == 4 ? UInt64(UInt32(truncatingIfNeeded: r[0])) : r[0]
            if wanted == old { store(source, address, size) }
            r[0] = old
            return
        }
        if instruction.immediate & 1 != 0 { r[Int(instruction.source)] = old }
    }

    /// The bytes at an address: offset in the memory or the stack.
    private func place(_ address: UInt64, _ size: Int) -> (isStack: Bool, offset: Int)? {
        for (isStack, base, count) in [(false, memoryBase, memory.count), (true, stackBase, stack.count)] {
            let offset = address &- base
            if count >= size, offset <= UInt64(count - size) { return (isStack, Int(offset)) }
        }
        return nil
    }

    private func load(_ address: UInt64, _ size: Int) -> UInt64? {
        guard let (isStack, offset) = place(address, size) else { return nil }
        let bytes = isStack ? stack : memory
        return (0..<size).reversed().reduce(0) { $0 << 8 | UInt64(bytes[offset + $1]) }
    }

    private mutating func store(_ value: UInt64, _ address: UInt64, _ size: Int) {
        guard let (isStack, offset) = place(address, size) else { return }
        for byte in 0..<size {
            let part = UInt8(truncatingIfNeeded: value >> UInt64(byte * 8))
            if isStack { stack[offset + byte] = part } else { memory[offset + byte] = part }
        }
    }
}
