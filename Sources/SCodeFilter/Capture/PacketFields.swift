/// What the bytes of one packet mean, as far as filters ask about them: Ethernet with VLAN tags, raw IP, Linux' cooked
/// captures; ARP, IPv4, IPv6; TCP, UDP, SCTP, ICMP.
struct PacketFields {
    /// How a field's numbers are written.
    enum Style {
        case decimal, hexadecimal, address, etherType, protocolNumber
    }

    struct Field {
        var offset: Int
        var size: Int
        var name: String
        var style: Style
    }

    private(set) var fields: [Field] = []
    private let packet: UnsafeRawBufferPointer

    init(_ packet: UnsafeRawBufferPointer, linkType: UInt32) {
        self.packet = packet
        switch linkType {
        case 1:
            add(0, 6, "destination MAC address", .hexadecimal)
            add(6, 6, "source MAC address", .hexadecimal)
            addNetwork(afterTypeAt: 12)
        case 113: addNetwork(afterTypeAt: 14)
        case 101, 228, 229:
            switch number(0, 1).map({ $0 >> 4 }) {
            case 4?: addVersion4(at: 0)
            case 6?: addVersion6(at: 0)
            default: break
            }
        default: break
        }
    }

    /// The field that holds these bytes, and whether it is all of it.
    func field(_ offset: Int, _ size: Int) -> (field: Field, isWhole: Bool)? {
        guard let field = fields.first(where: { $0.offset <= offset && offset + size <= $0.offset + $0.size })
        else { return nil }
        return (field, field.offset == offset && field.size == size)
    }

    private mutating func add(_ offset: Int, _ size: Int, _ name: String, _ style: Style) {
        fields.append(Field(offset: offset, size: size, name: name, style: style))
    }

    private func number(_ offset: Int, _ size: Int) -> Int? {
        guard offset + size <= packet.count else { return nil }
        return packet[offset..<offset + size].reduce(0) { $0 << 8 | Int($1) }
    }

    private mutating func addNetwork(afterTypeAt start: Int) {
        var at = start
        // Two tags are all that filters look behind.
        for _ in 0..<2 {
            guard let type = number(at, 2), [0x8100, 0x88a8, 0x9100].contains(type) else { break }
            add(at, 2, "ethertype", .etherType)
            add(at + 2, 2, "VLAN tag", .hexadecimal)
            at += 4
        }
        add(at, 2, "ethertype", .etherType)
        switch number(at, 2) {
        case 0x0800?: addVersion4(at: at + 2)
        case 0x86dd?: addVersion6(at: at + 2)
        case 0x0806?:
            add(at + 8, 2, "ARP operation", .decimal)
            add(at + 16, 4, "ARP sender address", .address)
            add(at + 26, 4, "ARP target address", .address)
        default: break
        }
    }

    private mutating func addVersion4(at start: Int) {
        add(start, 1, "IP version and header length", .hexadecimal)
        add(start + 1, 1, "IP type of service", .hexadecimal)
        add(start + 2, 2, "IP total length", .decimal)
        add(start + 4, 2, "IP identification", .decimal)
        add(start + 6, 2, "IP flags and fragment offset", .hexadecimal)
        add(start + 8, 1, "IP time to live", .decimal)
        add(start + 9, 1, "IP protocol", .protocolNumber)
        add(start + 12, 4, "IP source address", .address)
        add(start + 16, 4, "IP destination address", .address)
        guard let first = number(start, 1), let kind = number(start + 9, 1),
            let fragment = number(start + 6, 2), fragment & 0x1fff == 0
        else { return }
        addTransport(kind, at: start + (first & 15) * 4)
    }

    private mutating func addVersion6(at start: Int) {
        add(start + 4, 2, "IPv6 payload length", .decimal)
        add(start + 6, 1, "IPv6 next header", .protocolNumber)
        add(start + 7, 1, "IPv6 hop limit", .decimal)
        add(start + 8, 16, "IPv6 source address", .hexadecimal)
        add(start + 24, 16, "IPv6 destination address", .hexadecimal)
        if let kind = number(start + 6, 1) { addTransport(kind, at: start + 40) }
    }

    private mutating func addTransport(_ kind: Int, at start: Int) {
        switch kind {
        case 6, 17, 132:
            let name = kind == 6 ? "TCP" : kind == 17 ? "UDP" : "SCTP"
            add(start, 2, "\(name) source port", .decimal)
            add(start + 2, 2, "\(name) destination port", .decimal)
            if kind == 6 {
                add(start + 12, 1, "TCP data offset", .hexadecimal)
                add(start + 13, 1, "TCP flags", .hexadecimal)
            }
        case 1, 58:
            add(start, 1, "ICMP type", .decimal)
            add(start + 1, 1, "ICMP code", .decimal)
        default: break
        }
    }

    static func text(_ value: UInt64, _ style: Style) -> String {
        let hexadecimal = "0x" + String(value, radix: 16)
        switch style {
        case .decimal: return String(value)
        case .hexadecimal: return hexadecimal
        case .address:
            return [24, 16, 8, 0].map { String(value >> UInt64($0) & 255) }.joined(separator: ".")
        case .etherType:
            let name =
                [
                    0x0800: "IPv4", 0x0806: "ARP", 0x86dd: "IPv6", 0x8100: "VLAN", 0x88a8: "VLAN",
                    0x9100: "VLAN", 0x8847: "MPLS", 0x8863: "PPPoE", 0x8864: "PPPoE", 0x8035: "RARP",
                ][value]
            let digits = String(value, radix: 16)
            let padded = String(repeating: "0", count: max(0, 4 - digits.count)) + digits
            return "0x\(padded)" + (name.map { " (\($0))" } ?? "")
        case .protocolNumber:
            let name =
                [
                    0: "hop-by-hop options", 1: "ICMP", 2: "IGMP", 6: "TCP", 17: "UDP", 44: "fragment",
                    47: "GRE", 50: "ESP", 51: "AH", 58: "ICMPv6", 89: "OSPF", 103: "PIM", 112: "VRRP",
                    132: "SCTP",
                ][value]
            return "\(value)" + (name.map { " (\($0))" } ?? "")
        }
    }
}
