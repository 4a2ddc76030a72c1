import SCodeTestSupport

/// A packet of a capture, perhaps cut short.
struct TestPacket: Hashable {
    var bytes: [UInt8]
    var wireLength: UInt32
}

/// Ethernet frames of every kind that filters ask about, with few addresses and ports, so that filters match.
struct PacketGenerator {
    var generator: SeededGenerator

    static let hosts: [UInt32] = [
        0x0a00_0001, 0x0a00_0002, 0xc0a8_0001, 0xc0a8_0164, 0x7f00_0001, 0xe000_00fb,
    ]
    static let ports: [UInt16] = [20, 22, 25, 53, 67, 80, 123, 443, 1234, 5353, 8080, 50_000]

    init(seed: UInt64) { generator = SeededGenerator(seed: seed) }

    private mutating func pick<T>(_ choices: [T]) -> T {
        choices[Int.random(in: 0..<choices.count, using: &generator)]
    }
    private mutating func noise(_ count: Int) -> [UInt8] {
        (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }
    }
    private func big(_ value: UInt16) -> [UInt8] { [UInt8(value >> 8), UInt8(value & 255)] }
    private func big(_ value: UInt32) -> [UInt8] { big(UInt16(value >> 16)) + big(UInt16(value & 0xffff)) }

    mutating func make() -> TestPacket {
        var bytes: [UInt8] = pick([
            [0xff, 0xff, 0xff, 0xff, 0xff, 0xff], [1, 0, 0x5e, 0, 0, 0xfb], [2, 0, 0, 0, 0, 1],
            [2, 0, 0, 0, 0, 2],
        ])
        bytes += [2, 0, 0, 0, 0, pick([1, 2, 3])]
        if generator.oneIn(5) {
            bytes += big(pick([0x8100, 0x8100, 0x88a8]) as UInt16) + big(pick([1, 100, 0x6064]) as UInt16)
            if generator.oneIn(3) { bytes += big(0x8100 as UInt16) + big(7 as UInt16) }
        }
        bytes += payload()
        let wire = UInt32(bytes.count)
        if generator.oneIn(4) { bytes.removeLast(Int.random(in: 0...bytes.count, using: &generator)) }
        return TestPacket(bytes: bytes, wireLength: wire)
    }

    private mutating func payload() -> [UInt8] {
        switch Int.random(in: 0..<10, using: &generator) {
        case 0: return big(0x0806 as UInt16) + arp()
        case 1: return big(pick([0x8863, 0x8864, 0x8847, 0x0842, 0x00ff, 0x0026]) as UInt16) + noise(50)
        case 2...4: return big(0x86dd as UInt16) + version6()
        default: return big(0x0800 as UInt16) + version4()
        }
    }

    private mutating func arp() -> [UInt8] {
        var bytes: [UInt8] = [0, 1, 8, 0, 6, 4, 0, pick([1, 2])] + noise(6)
        bytes += big(pick(Self.hosts))
        bytes += noise(6)
        return bytes + big(pick(Self.hosts))
    }

    private mutating func version4() -> [UInt8] {
        let options = generator.oneIn(4) ? Int.random(in: 1...10, using: &generator) : 0
        let kind: UInt8 = pick([6, 6, 6, 17, 17, 1, 2, 47, 50, 132])
        let body = transport(kind)
        let fragment: UInt16 = generator.oneIn(6) ? pick([0x2000, 0x00b9, 0x20b9, 0x4000]) : 0
        var bytes: [UInt8] = [0x45 + UInt8(options), pick([0, 0x10, 0xb8])]
        bytes += big(UInt16(20 + options * 4 + body.count))
        bytes += noise(2)
        bytes += big(fragment)
        bytes += [pick([1, 64, 255]), kind]
        bytes += noise(2)
        bytes += big(pick(Self.hosts))
        bytes += big(pick(Self.hosts))
        bytes += noise(options * 4)
        return bytes + body
    }

    private mutating func version6() -> [UInt8] {
        let kind: UInt8 = pick([6, 6, 17, 17, 58, 0, 44])
        var body = transport(kind)
        if kind == 44 { body = [pick([6, 17]), 0, 0, 0, 0, 0, 0, 1] + body }
        var bytes: [UInt8] = [0x60, 0, 0, 0]
        bytes += big(UInt16(body.count))
        bytes += [kind, 64]
        for _ in 0..<2 {
            bytes += [0x20, 0x01, 0x0d, 0xb8] + [UInt8](repeating: 0, count: 11) + [pick([1, 2, 3])]
        }
        return bytes + body
    }

    private mutating func transport(_ kind: UInt8) -> [UInt8] {
        let ports = big(pick(Self.ports)) + big(pick(Self.ports))
        switch kind {
        case 6:
            let text: [UInt8] = generator.oneIn(2) ? Array("GET / HTTP/1.1\r\n".utf8) : noise(12)
            let offset: UInt8 = pick([5, 5, 8])
            let flags: UInt8 = pick([0x02, 0x12, 0x10, 0x18, 0x11, 0x04])
            let options = noise(Int(offset - 5) * 4)
            return ports + noise(8) + [offset << 4, flags] + noise(6) + options + text
        case 17: return ports + big(UInt16(20)) + noise(14)
        case 1: return [pick([0, 3, 8, 11]), pick([0, 1, 3])] + noise(30)
        case 58: return [pick([1, 128, 129, 135]), 0] + noise(30)
        default: return generator.oneIn(2) ? ports + noise(20) : noise(24)
        }
    }
}
