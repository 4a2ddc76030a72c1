/// Bytes of a file format: little-endian numbers, LEB128 (DWARF 4, section 7.6), strings that end with a zero.
struct ByteWriter {
    private(set) var bytes: [UInt8] = []

    var count: Int { bytes.count }

    mutating func put<Word: FixedWidthInteger>(_ value: Word) {
        withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }

    mutating func put(_ more: [UInt8]) { bytes += more }

    /// *Requires* that the text has no zero in it.
    mutating func put(zeroTerminated text: String) {
        bytes += text.utf8
        bytes.append(0)
    }

    mutating func put(uleb value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(truncatingIfNeeded: rest))
    }

    mutating func put(sleb value: Int64) {
        var rest = value
        while !(-64..<64).contains(rest) {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(truncatingIfNeeded: rest) & 0x7f)
    }

    mutating func align(to alignment: Int, with byte: UInt8 = 0) {
        while bytes.count % alignment != 0 { bytes.append(byte) }
    }

    /// A length of 32 bits, which does not count itself, and then what it is the length of.
    mutating func put(withLength body: (inout ByteWriter) -> Void) {
        var inner = ByteWriter()
        body(&inner)
        put(UInt32(inner.count))
        put(inner.bytes)
    }
}
