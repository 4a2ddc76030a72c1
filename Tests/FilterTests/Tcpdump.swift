import Foundation
import SCodeFilter

/// The judge: tcpdump, run on captures. Where it is not installed, tests that want it say so and stop.
enum Tcpdump {
    static let path: String? = {
        let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").map(
            String.init)
        let found = (folders + ["/usr/sbin"]).map { "\($0)/tcpdump" }
            .first { FileManager.default.isExecutableFile(atPath: $0) }
        if found == nil { print("skipped: tcpdump is not installed (scripts/setup installs it)") }
        return found
    }()

    /// The packets of a capture that tcpdump takes, and whether it read the capture to its end. Nil: it refuses the file.
    static func packets(
        _ capture: URL, _ expression: String? = nil
    ) throws -> (packets: [TestPacket], isWhole: Bool)? {
        guard let path else { return nil }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: path)
        process.arguments = ["-r", capture.path, "-w", "-"] + (expression.map { ["--", $0] } ?? [])
        let output = Pipe()
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        try process.run()
        let bytes = try output.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        guard let file = try? CaptureFile(Array(bytes)) else { return nil }
        return (file.testPackets, process.terminationStatus == 0)
    }
}

extension CaptureFile {
    var testPackets: [TestPacket] { packets.map(testPacket) }

    func testPacket(_ packet: Packet) -> TestPacket {
        TestPacket(bytes: withBytes(of: packet) { Array($0) }, wireLength: packet.wireLength)
    }
}

/// Captures that are made here.
struct TestCapture {
    var packets: [TestPacket]
    var isBigEndian = false
    var hasNanoseconds = false
    var snapLength: UInt32 = 262_144
    var linkType: UInt32 = 1
    var minorVersion: UInt16 = 4

    var bytes: [UInt8] {
        var bytes = word(hasNanoseconds ? 0xa1b2_3c4d : 0xa1b2_c3d4)
        bytes += half(2) + half(minorVersion) + word(0) + word(0) + word(snapLength) + word(linkType)
        for (index, packet) in packets.enumerated() {
            bytes += word(1_700_000_000) + word(UInt32(index)) + word(UInt32(packet.bytes.count))
            bytes += word(packet.wireLength) + packet.bytes
        }
        return bytes
    }

    private func word(_ value: UInt32) -> [UInt8] {
        withUnsafeBytes(of: isBigEndian ? value.bigEndian : value.littleEndian) { Array($0) }
    }
    private func half(_ value: UInt16) -> [UInt8] {
        withUnsafeBytes(of: isBigEndian ? value.bigEndian : value.littleEndian) { Array($0) }
    }

    static func generated(_ count: Int, seed: UInt64) -> TestCapture {
        var generator = PacketGenerator(seed: seed)
        return TestCapture(packets: (0..<count).map { _ in generator.make() })
    }
}

/// A folder that goes when the test is done.
final class ScratchFolder {
    let url = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
    init() throws { try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true) }
    deinit { try? FileManager.default.removeItem(at: url) }

    func write(_ bytes: [UInt8], _ name: String) throws -> URL {
        let file = url.appendingPathComponent(name)
        try Data(bytes).write(to: file)
        return file
    }
}
