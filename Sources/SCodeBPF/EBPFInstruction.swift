/// One instruction as eight bytes hold it (RFC 9669, section 3.1), in this order, least byte first.
public struct EBPFInstruction: Hashable, Sendable, BitwiseCopyable {
    /// Bytes of one; `lddw` takes two places.
    public static let size = 8

    public var code: UInt8
    /// Registers, 0 to 15 as the four bits have them; the machine has 0 to 10.
    public var destination: UInt8
    public var source: UInt8
    public var offset: Int16
    public var immediate: Int32

    public init(
        code: UInt8, destination: UInt8 = 0, source: UInt8 = 0, offset: Int16 = 0, immediate: Int32 = 0
    ) {
        self.code = code
        self.destination = destination
        self.source = source
        self.offset = offset
        self.immediate = immediate
    }

    /// From the 64 bits that its bytes are as a little-endian number.
    public init(bits: UInt64) {
        code = UInt8(truncatingIfNeeded: bits)
        destination = UInt8(truncatingIfNeeded: bits >> 8) & 15
        source = UInt8(truncatingIfNeeded: bits >> 12) & 15
        offset = Int16(truncatingIfNeeded: bits >> 16)
        immediate = Int32(truncatingIfNeeded: bits >> 32)
    }

    /// The inverse of `init(bits:)`.
    public var bits: UInt64 {
        UInt64(code) | UInt64(destination & 15) << 8 | UInt64(source & 15) << 12
            | UInt64(UInt16(bitPattern: offset)) << 16 | UInt64(UInt32(bitPattern: immediate)) << 32
    }

    /// Instructions one after another. *Requires* a multiple of 8 bytes; what is left over is not looked at.
    static func all(in bytes: ArraySlice<UInt8>) -> [EBPFInstruction] {
        var instructions: [EBPFInstruction] = []
        instructions.reserveCapacity(bytes.count / size)
        var bits: UInt64 = 0
        for (index, byte) in bytes.enumerated() {
            bits = bits >> 8 | UInt64(byte) << 56
            if index % size == size - 1 { instructions.append(EBPFInstruction(bits: bits)) }
        }
        return instructions
    }
}

/// The fields of an instruction besides its code.
public struct EBPFFields: OptionSet, Hashable, Sendable, BitwiseCopyable {
    public let rawValue: UInt8
    public init(rawValue: UInt8) { self.rawValue = rawValue }
    public static let destination = EBPFFields(rawValue: 1)
    public static let source = EBPFFields(rawValue: 2)
    public static let offset = EBPFFields(rawValue: 4)
    public static let immediate = EBPFFields(rawValue: 8)
}
