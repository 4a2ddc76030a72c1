/// Takes bytes, numbers and names off the front of a module. Never reads past its end.
///
/// *Invariant*: 0 <= `offset` <= `end`, and `end` bytes lie at `base`.
struct ModuleCursor {
    private let base: UnsafeRawPointer
    private let end: Int
    private(set) var offset = 0

    /// *Requires* that the bytes stay where they are while the cursor is used.
    init(base: UnsafeRawPointer, count: Int) {
        self.base = base
        end = count
    }

    var isAtEnd: Bool { offset == end }

    var remaining: Int {
        @inline(__always) get { end &- offset }
    }

    /// The byte `ahead` of the cursor. *Requires* `ahead < remaining`.
    @inline(__always) private func peek(_ ahead: Int) -> UInt8 {
        base.load(fromByteOffset: offset &+ ahead, as: UInt8.self)
    }

    @inline(__always) mutating func byte() throws(DecodingFailure) -> UInt8 {
        guard remaining > 0 else { throw .truncated(at: offset) }
        let byte = peek(0)
        offset &+= 1
        return byte
    }

    /// So many bytes as they are.
    mutating func bytes(_ count: Int) throws(DecodingFailure) -> [UInt8] {
        guard count <= remaining else { throw .truncated(at: end) }
        defer { offset &+= count }
        return [UInt8](UnsafeRawBufferPointer(start: base + offset, count: count))
    }

    /// A number without sign: seven bits a byte, lowest first, the top bit set on all bytes but the last.
    @inline(__always) mutating func number() throws(DecodingFailure) -> UInt64 {
        if remaining > 0 {
            let byte = peek(0)
            if byte < 0x80 {
                offset &+= 1
                return UInt64(byte)
            }
            if remaining > 1 {
                let next = peek(1)
                if next &- 1 < 0x7f {
                    offset &+= 2
                    return UInt64(byte & 0x7f) | UInt64(next) &<< 7
                }
            }
        }
        return try longNumber()
    }

    @inline(never) private mutating func longNumber() throws(DecodingFailure) -> UInt64 {
        let start = offset
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while true {
            let byte = try byte()
            // The tenth byte holds bit 63 and nothing else.
            if shift == 63, byte > 1 { throw .tooLarge(at: start) }
            value |= UInt64(byte & 0x7f) &<< shift
            if byte < 0x80 {
                if byte == 0, shift > 0 { throw .notMinimal(at: start) }
                return value
            }
            shift &+= 7
        }
    }

    /// A number of at most `limit`, the greatest that means something as `field`.
    @inline(__always) mutating func number(
        _ field: DecodingFailure.DecodedField, atMost limit: UInt64
    ) throws(DecodingFailure) -> UInt64 {
        let at = offset
        let value = try number()
        guard value <= limit else { throw .badValue(field, value, at: at) }
        return value
    }

    @inline(__always) mutating func number32(
        _ field: DecodingFailure.DecodedField
    ) throws(DecodingFailure) -> UInt32 {
        UInt32(truncatingIfNeeded: try number(field, atMost: UInt64(UInt32.max)))
    }

    /// A number of 64 bits with sign.
    @inline(__always) mutating func signed() throws(DecodingFailure) -> Int64 {
        ModuleFormat.unzigzag(try number())
    }

    /// The length of a list whose elements take at least `leastBytes` each. A list that passes here may be
    /// allocated: the bytes that are left justify it.
    mutating func count(
        _ list: DecodingFailure.DecodedList, atMost limit: Int, leastBytes: Int
    ) throws(DecodingFailure) -> Int {
        let at = offset
        let count = try number()
        guard count <= UInt64(limit), Int(count) <= remaining / leastBytes else {
            throw .tooMany(list, count, at: at)
        }
        return Int(count)
    }

    /// The same, of a list that is left out when it has no element.
    mutating func countOfSome(
        _ list: DecodingFailure.DecodedList, atMost limit: Int, leastBytes: Int
    ) throws(DecodingFailure) -> Int {
        let at = offset
        let count = try count(list, atMost: limit, leastBytes: leastBytes)
        guard count > 0 else { throw .empty(list, at: at) }
        return count
    }

    /// A length and as many bytes of UTF-8 without control characters.
    mutating func name(atMost limit: Int = ProgramLimits.nameLength) throws(DecodingFailure) -> String {
        let at = offset
        let length = try number()
        guard length <= UInt64(limit) else { throw .tooMany(.nameBytes, length, at: at) }
        if length == 0 { return "" }
        guard length <= UInt64(remaining) else { throw .truncated(at: end) }
        let utf8 = UnsafeRawBufferPointer(start: base + offset, count: Int(length)).assumingMemoryBound(
            to: UInt8.self)
        offset &+= utf8.count
        var isPlain = true
        // Beyond 0x7e lie delete and what is not ASCII.
        for byte in utf8 where byte &- 0x20 > 0x7e - 0x20 { isPlain = false }
        if isPlain { return String(decoding: utf8, as: UTF8.self) }
        guard let name = String(validating: utf8, as: UTF8.self),
            !name.unicodeScalars.contains(where: { $0.properties.generalCategory == .control })
        else { throw .badName(at: at) }
        return name
    }
}

extension ModuleCursor {
    /// An instruction: the number of its opcode, then the fields that its layout calls for.
    @inline(__always) mutating func instruction(
        _ layouts: [OperandLayout]
    ) throws(DecodingFailure) -> Instruction {
        let layout = try layout(layouts)
        // rd, rs1 and rs2, a byte each, with zero for those that the opcode does not have.
        var fields: UInt32 = 0
        let count = Int(layout.registerCount)
        guard count <= remaining else { throw .truncated(at: end) }
        if count > 0 {
            fields = UInt32(peek(0)) &<< layout.place(0)
            if count > 1 { fields |= UInt32(peek(1)) &<< layout.place(1) }
            if count > 2 { fields |= UInt32(peek(2)) &<< layout.place(2) }
        }
        // No register has a number of 64 or above: the two top bits of each byte are clear.
        guard fields & 0xc0_c0c0 == 0 else { throw badRegister(count) }
        offset &+= count
        var instruction = Instruction(
            layout.opcode, rd: Register(UInt8(truncatingIfNeeded: fields)),
            rs1: Register(UInt8(truncatingIfNeeded: fields &>> 8)),
            rs2: Register(UInt8(truncatingIfNeeded: fields &>> 16)))
        if layout.hasIndex { instruction.index = try number32(.index) }
        if layout.constantBits > 0 {
            let limit = UInt64.max &>> UInt64(64 &- layout.constantBits)
            let value = ModuleFormat.unzigzag(try number(.constant, atMost: limit))
            instruction.immediate = value & Int64(bitPattern: layout.constantMask)
        }
        return instruction
    }

    /// The layout of the opcode whose number comes next. It has one byte or two: there are fewer than 2^14.
    @inline(__always) private mutating func layout(
        _ layouts: [OperandLayout]
    ) throws(DecodingFailure) -> OperandLayout {
        if remaining > 1 {
            let low = Int(peek(0))
            let high = Int(peek(1))
            let isShort = low < 0x80
            let number = isShort ? low : low & 0x7f | high &<< 7
            if number < layouts.count, isShort || high != 0 {
                offset &+= isShort ? 1 : 2
                return layouts[number]
            }
        }
        let number = try number(.opcode, atMost: UInt64(layouts.count - 1))
        return layouts[Int(number)]
    }

    /// The failure that the first bad one of the next `count` registers is.
    private func badRegister(_ count: Int) -> DecodingFailure {
        for index in 0..<count where peek(index) >= Register.count {
            return .badValue(.register, UInt64(peek(index)), at: offset + index)
        }
        return .truncated(at: offset)
    }

    /// A source range, given by what differs from the one before.
    @inline(__always) mutating func range(
        after last: SourceRange, files: Int
    ) throws(DecodingFailure) -> SourceRange {
        let start = offset
        let head = try number()
        // The head without its flags has 62 bits: adding cannot overflow.
        let line = Int64(last.line) &+ ModuleFormat.unzigzag(head &>> 2)
        guard let line = UInt32(exactly: line) else { throw .badValue(.line, head, at: start) }
        var range = SourceRange(
            line: line, column: last.column, length: try number32(.length), file: last.file)
        if head & ModuleFormat.columnDiffers != 0 {
            let at = offset
            range.column = try number32(.column)
            guard range.column != last.column else { throw .badValue(.column, UInt64(range.column), at: at) }
        }
        if head & ModuleFormat.fileDiffers != 0 {
            let at = offset
            // The first file may go without a name.
            let file = try number(.file, atMost: UInt64(max(files, 1) &- 1))
            range.file = UInt16(truncatingIfNeeded: file)
            guard range.file != last.file else { throw .badValue(.file, file, at: at) }
        }
        return range
    }
}
