import Foundation
import SCodeFilter
import SCodeTestSupport
import Testing

/// Reading captures: as libpcap reads them, and without harm whatever is in them.
@Suite struct CaptureTests {
    private static let formats: [(isBigEndian: Bool, hasNanoseconds: Bool)] = [
        (false, false), (false, true), (true, false), (true, true),
    ]

    @Test(arguments: 0..<4) func formatsReadAndWrite(_ index: Int) throws {
        var made = TestCapture.generated(40, seed: UInt64(index))
        (made.isBigEndian, made.hasNanoseconds) = Self.formats[index]
        let file = try CaptureFile(made.bytes)
        #expect(file.failure == nil && file.linkType == 1)
        #expect(file.testPackets == made.packets)
        #expect(file.file(of: file.packets) == made.bytes)
        let some = try CaptureFile(file.file(of: Array(file.packets[3..<7])))
        #expect(some.testPackets == Array(made.packets[3..<7]))
    }

    /// Of packets that are longer than the capture says, the rest is passed over; old versions swap the lengths.
    @Test func longPacketsAndOldVersions() throws {
        var made = TestCapture.generated(20, seed: 3)
        made.snapLength = 20
        let file = try CaptureFile(made.bytes)
        let cut = made.packets.map {
            TestPacket(bytes: Array($0.bytes.prefix(20)), wireLength: $0.wireLength)
        }
        #expect(file.testPackets == cut)
        #expect(try CaptureFile(file.file(of: file.packets)).testPackets == cut)
        let longest = TestCapture(packets: [
            TestPacket(bytes: Array(repeating: 7, count: PacketLimits.bytes), wireLength: 300_000)
        ])
        #expect(try CaptureFile(longest.bytes).testPackets == longest.packets)
        var old = TestCapture(packets: [TestPacket(bytes: Array(repeating: 1, count: 30), wireLength: 30)])
        old.minorVersion = 2
        #expect(try CaptureFile(old.bytes).testPackets == old.packets)
    }

    @Test func saysWhatIsWrong() throws {
        func failure(_ bytes: [UInt8]) -> CaptureFailure? {
            do throws(CaptureFailure) {
                _ = try CaptureFile(bytes)
                return nil
            } catch { return error }
        }
        let bytes = TestCapture.generated(2, seed: 1).bytes
        #expect(failure([]) == .notACapture)
        #expect(failure([0x0a, 0x0d, 0x0d, 0x0a, 28, 0, 0, 0]) == .nextGeneration)
        #expect(failure(Array(bytes.prefix(10))) == .shortFile(bytes: 10))
        var newer = TestCapture(packets: [])
        newer.minorVersion = 9
        #expect(failure(newer.bytes) == .version(major: 2, minor: 9))
        let long = Array(bytes.prefix(24)) + [0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 4, 0, 1, 0, 4, 0]
        #expect(try CaptureFile(long).failure == .tooLong(packet: 1, bytes: 262_145))
    }

    /// Cut off anywhere: the whole packets, and the place. As tcpdump has it, at every length of the last packet.
    @Test func cutAnywhere() throws {
        let made = TestCapture.generated(3, seed: 8)
        let bytes = made.bytes
        let scratch = try ScratchFolder()
        let last = bytes.count - made.packets[2].bytes.count - 16
        for length in bytes.indices {
            let cut = Array(bytes[..<length])
            guard length >= 24 else {
                #expect((try? CaptureFile(cut)) == nil)
                continue
            }
            let file = try CaptureFile(cut)
            #expect(made.packets.starts(with: file.testPackets))
            guard Tcpdump.path != nil, length >= last else { continue }
            let judged = try #require(try Tcpdump.packets(scratch.write(cut, "cut.pcap")))
            #expect(file.testPackets == judged.packets, "\(length) bytes")
            #expect((file.failure == nil) == judged.isWhole, "\(length) bytes")
        }
    }

    /// Each bit flipped, of a capture of two packets: the same packets as tcpdump's, or both refuse it.
    @Test func anyBitFlipped() throws {
        var made = TestCapture.generated(2, seed: 9)
        made.packets = made.packets.map {
            TestPacket(bytes: Array($0.bytes.prefix(8)), wireLength: $0.wireLength)
        }
        let bytes = made.bytes
        let scratch = try ScratchFolder()
        for index in bytes.indices {
            for bit in 0..<8 {
                var flipped = bytes
                flipped[index] ^= 1 << UInt8(bit)
                let file = try? CaptureFile(flipped)
                // Other link types are other judges' business, and so is what is not classic.
                guard Tcpdump.path != nil, !(20..<24).contains(index) else { continue }
                let judged = try Tcpdump.packets(scratch.write(flipped, "flipped.pcap"))
                #expect(file?.testPackets == judged?.packets, "byte \(index), bit \(bit)")
                if let file, let judged { #expect((file.failure == nil) == judged.isWhole) }
            }
        }
    }
}
