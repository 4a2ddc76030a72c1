/// Why a file is no capture, or where it ends too early.
public enum CaptureFailure: Error, Hashable, Sendable, CustomStringConvertible {
    /// The file begins with neither of the numbers that captures begin with.
    case notACapture
    /// The newer format, which is another one.
    case nextGeneration
    /// A version of the format, or bits of the link type, that nobody has given a meaning.
    case version(major: UInt16, minor: UInt16)
    case reservedBits(UInt32)
    /// The file ends in its header, in the header of a packet, or in a packet; packets are counted from 1.
    case shortFile(bytes: Int)
    case shortHeader(packet: Int, bytes: Int)
    case shortPacket(packet: Int, wanted: UInt32, bytes: Int)
    /// A packet says that it is longer than any can be.
    case tooLong(packet: Int, bytes: UInt32)

    public var description: String {
        switch self {
        case .notACapture: "not a capture file"
        case .nextGeneration:
            "a capture in the format pcapng, which is not read; 'tcpdump -r FILE -w OTHER' makes a classic one of it"
        case .version(let major, let minor): "version \(major).\(minor) of the format is not known"
        case .reservedBits(let bits): "reserved bits of the link type are set (0x\(String(bits, radix: 16)))"
        case .shortFile(let bytes): "the file is cut short: a header has 24 bytes, here are \(bytes)"
        case .shortHeader(let packet, let bytes):
            "the file is cut short in the header of packet \(packet): 16 bytes, here are \(bytes)"
        case .shortPacket(let packet, let wanted, let bytes):
            "the file is cut short in packet \(packet): \(wanted) bytes, here are \(bytes)"
        case .tooLong(let packet, let bytes):
            "packet \(packet) has \(bytes) bytes, more than \(PacketLimits.bytes), which is the most"
        }
    }
}

/// A classic capture file, as tcpdump writes it (`pcap-savefile(5)`): of either byte order, with microseconds or
/// nanoseconds.
///
/// It is read as libpcap reads it. A file that ends too early gives the packets up to there, and says so.
public struct CaptureFile: Sendable {
    /// One packet: where its record and its bytes lie.
    public struct Packet: Hashable, Sendable {
        /// Where the record of 16 bytes in front of it starts.
        let record: Int
        /// Bytes that are there. Of a packet longer than the capture says that packets are, the rest is passed over.
        public let length: Int
        /// Bytes that it had on the wire.
        public let wireLength: UInt32
    }

    /// What comes first in a packet: LINKTYPE_ETHERNET is 1.
    public let linkType: UInt32
    /// Bytes that were kept of each packet, at most; as the file says, or the most that can be.
    public let snapLength: UInt32
    public private(set) var packets: [Packet] = []
    /// Why no more packets were read, if the file does not end after one.
    public private(set) var failure: CaptureFailure?

    private let bytes: [UInt8]
    private let isBigEndian: Bool
    private static let headerSize = 24
    private static let recordSize = 16

    /// - Throws: when not even the header can be read.
    public init(_ bytes: [UInt8]) throws(CaptureFailure) {
        self.bytes = bytes
        switch Array(bytes.prefix(4)) {
        case [0xd4, 0xc3, 0xb2, 0xa1], [0x4d, 0x3c, 0xb2, 0xa1]: isBigEndian = false
        case [0xa1, 0xb2, 0xc3, 0xd4], [0xa1, 0xb2, 0x3c, 0x4d]: isBigEndian = true
        case [0x0a, 0x0d, 0x0d, 0x0a]: throw .nextGeneration
        default: throw .notACapture
        }
        guard bytes.count >= Self.headerSize else { throw .shortFile(bytes: bytes.count) }
        let number = Self.reader(bytes, isBigEndian)
        let (first, second) = (number(4) & 0xffff, number(4) >> 16)
        let (major, minor) = isBigEndian ? (second, first) : (first, second)
        guard (major == 2 && minor <= 4) || (major == 543 && minor == 0) else {
            throw .version(major: UInt16(major), minor: UInt16(minor))
        }
        let link = number(20)
        // The upper bits tell of frame check sequences.
        guard link & 0x03ff_0000 == 0 else { throw .reservedBits(link & 0x03ff_0000) }
        linkType = link & 0xffff
        let snap = number(16)
        snapLength = snap == 0 || snap > UInt32(Int32.max) ? UInt32(PacketLimits.bytes) : snap
        readPackets(isSwapped: major == 543 || minor < 3, mayBeSwapped: major == 2 && minor == 3)
    }

    private static func reader(_ bytes: [UInt8], _ isBigEndian: Bool) -> (Int) -> UInt32 {
        { offset in
            let number = bytes[offset..<offset + 4].reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
            return isBigEndian ? number : number.byteSwapped
        }
    }

    /// Old programs wrote the two lengths of a packet in the other order.
    private mutating func readPackets(isSwapped: Bool, mayBeSwapped: Bool) {
        let number = Self.reader(bytes, isBigEndian)
        var offset = Self.headerSize
        while offset < bytes.count {
            let left = bytes.count - offset
            guard left >= Self.recordSize else {
                failure = .shortHeader(packet: packets.count + 1, bytes: left)
                return
            }
            var (captured, wire) = (number(offset + 8), number(offset + 12))
            if isSwapped || (mayBeSwapped && captured > wire) { swap(&captured, &wire) }
            guard captured <= UInt32(PacketLimits.bytes) else {
                failure = .tooLong(packet: packets.count + 1, bytes: captured)
                return
            }
            guard left - Self.recordSize >= Int(captured) else {
                failure = .shortPacket(
                    packet: packets.count + 1, wanted: captured, bytes: left - Self.recordSize)
                return
            }
            packets.append(Packet(record: offset, length: Int(min(captured, snapLength)), wireLength: wire))
            offset += Self.recordSize + Int(captured)
        }
    }

    /// The bytes of a packet of this file.
    public func withBytes<Result>(of packet: Packet, _ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        bytes.withUnsafeBytes {
            let start = packet.record + Self.recordSize
            return body(UnsafeRawBufferPointer(rebasing: $0[start..<start + packet.length]))
        }
    }

    /// A capture of some packets of this file, in its format, byte order and times.
    public func file(of packets: [Packet]) -> [UInt8] {
        var file = Array(bytes.prefix(Self.headerSize))
        // Version 2.4: the lengths stand where they should.
        file.replaceSubrange(4..<8, with: word(isBigEndian ? 2 << 16 | 4 : 4 << 16 | 2))
        for packet in packets {
            file += bytes[packet.record..<packet.record + 8]
            file += word(UInt32(packet.length)) + word(packet.wireLength)
            let start = packet.record + Self.recordSize
            file += bytes[start..<start + packet.length]
        }
        return file
    }

    private func word(_ value: UInt32) -> [UInt8] {
        withUnsafeBytes(of: isBigEndian ? value.bigEndian : value.littleEndian) { Array($0) }
    }

    /// The header of a capture without packets: what tools want that compile filters for a link type.
    static func header(linkType: UInt32) -> [UInt8] {
        var bytes: [UInt8] = [0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0] + [UInt8](repeating: 0, count: 8)
        for value in [UInt32(PacketLimits.bytes), linkType] {
            bytes += withUnsafeBytes(of: value.littleEndian) { Array($0) }
        }
        return bytes
    }
}
