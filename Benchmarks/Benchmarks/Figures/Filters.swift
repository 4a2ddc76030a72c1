import Foundation
import SCodeFilter

/// Filters beside libpcap's own interpreter of the same, which is found at run time.
struct FilterFigures {
    /// `tcp dst port PORT and host 10.1.x.x`, as `tcpdump -ddd` has it.
    private static func portAndHost(_ number: Int) -> String {
        let (port, host) = (10_000 + number * 7, 0x0a01_0000 + number)
        return
            "16\n40 0 0 12\n21 13 0 34525\n21 0 12 2048\n48 0 0 23\n21 0 10 6\n40 0 0 20\n69 8 0 8191\n177 0 0 14\n"
            + "72 0 0 16\n21 0 5 \(port)\n32 0 0 26\n21 2 0 \(host)\n32 0 0 30\n21 0 1 \(host)\n6 0 0 262144\n6 0 0 0\n"
    }
    /// `ip host 10.1.x.x`.
    private static func host(_ number: Int) -> String {
        let host = 0x0a01_0000 + number
        return
            "8\n40 0 0 12\n21 0 5 2048\n32 0 0 26\n21 2 0 \(host)\n32 0 0 30\n21 0 1 \(host)\n6 0 0 262144\n6 0 0 0\n"
    }

    private static let packets = 4096
    private static let packetSize = 74

    /// TCP packets of 74 bytes, one behind the other, every other one for a filter of the set, in an order that is hard to foresee.
    private static func traffic(_ count: Int) -> [UInt8] {
        var state: UInt64 = 1
        return (0..<packets).flatMap { index in
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            let number = Int(state >> 33) % count
            let port = index % 2 == 0 ? 10_000 + number * 7 : 9_000
            let host = index % 2 == 0 ? number : 60_000
            var packet = [UInt8](repeating: 0, count: packetSize)
            packet.replaceSubrange(12..<15, with: [8, 0, 0x45])
            packet[23] = 6
            packet.replaceSubrange(26..<34, with: [10, 9, 9, 9, 10, 1, UInt8(host >> 8), UInt8(host & 255)])
            packet.replaceSubrange(36..<38, with: [UInt8(port >> 8), UInt8(port & 255)])
            return packet
        }
    }

    private typealias Interpreter =
        @convention(c) (
            UnsafeRawPointer?, UnsafeRawPointer?, UInt32, UInt32
        ) -> UInt32

    /// `bpf_filter` of libpcap, if it is installed.
    private static let interpreter: Interpreter? = {
        guard let library = dlopen("libpcap.so.0.8", RTLD_NOW) ?? dlopen("libpcap.so.1", RTLD_NOW),
            let function = dlsym(library, "bpf_filter")
        else { return nil }
        return unsafeBitCast(function, to: Interpreter.self)
    }()

    /// A program as `struct bpf_insn` has it, 8 bytes an instruction.
    private static func compiled(_ dump: String) -> [UInt64] {
        dump.split(separator: "\n").dropFirst().map { line in
            let fields = line.split(separator: " ").compactMap { UInt64($0) }
            return fields[0] | fields[1] << 16 | fields[2] << 24 | fields[3] << 32
        }
    }

    static func run() throws {
        let nothing = try PacketFilter(ClassicProgram(dump: Array("1\n6 0 0 0\n".utf8)).translated())
        let (calling, _) = measure(traffic(1)) { nothing.decide($0, wireLength: 74) == .refuse ? 0 : 1 }
        print("a filter that asks nothing: \(number(calling)) ns a packet, copying it included")
        for (name, make) in [("tcp dst port N and host H", portAndHost), ("ip host H", host)] {
            print("\(name): nanoseconds a packet; every other packet is some filter's")
            print(
                "  filters   native   libpcap, in turn   ratio   instructions   asked in turn   to join and compile, ms"
            )
            for count in [1, 10, 100, 1000] {
                let dumps = (0..<count).map(make)
                var set = FilterSet()
                for (number, dump) in dumps.enumerated() {
                    try set.insert(ClassicProgram(dump: Array(dump.utf8)), number: UInt64(number))
                }
                let packets = traffic(count)
                let installed = try PacketFilter(set.program())
                let making = try shortest(of: 3) {
                    try time { _ = try PacketFilter(set.program()) }
                }
                let (ours, taken) = measure(packets) { packet in
                    if case .accept = installed.decide(packet, wireLength: 74) { 1 } else { 0 }
                }
                let programs = dumps.map(compiled)
                var libpcap: Double?
                if let interpreter {
                    let (each, taken2) = measure(packets) { packet in
                        for program in programs {
                            if interpreter(program, packet.baseAddress, 74, 74) != 0 { return 1 }
                        }
                        return 0
                    }
                    if taken != taken2 { print("  they disagree: \(taken) packets, and \(taken2)") }
                    libpcap = each
                }
                let cells = [
                    "\(count)", number(ours), libpcap.map(number) ?? "-",
                    libpcap.map { String(format: "%.2f", $0 / ours) } ?? "-", "\(installed.instructionCount)",
                    "\(set.stageCount)", number(making / 1e6),
                ]
                let widths = [9, 9, 19, 8, 15, 16, 26]
                print(
                    zip(cells, widths).map { String(repeating: " ", count: max(0, $1 - $0.count)) + $0 }
                        .joined())
            }
        }
    }

    /// The shortest time of a packet, and how many packets are taken.
    @inline(__always) private static func measure(
        _ traffic: [UInt8], _ decide: (UnsafeRawBufferPointer) -> Int
    ) -> (Double, Int) {
        var taken = 0
        let each = traffic.withUnsafeBytes { traffic in
            shortest(of: 20) {
                taken = 0
                return time {
                    for index in 0..<packets {
                        let start = index * packetSize
                        taken += decide(
                            UnsafeRawBufferPointer(rebasing: traffic[start..<start + packetSize]))
                    }
                } / Double(packets)
            }
        }
        return (each, taken)
    }
}
