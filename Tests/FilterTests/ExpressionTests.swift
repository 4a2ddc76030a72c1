import Foundation
import SCode
import SCodeFilter
import SCodeTestSupport
import Testing

/// Expressions of `expressions.txt`, over captures: the same packets as tcpdump's.
@Suite struct ExpressionTests {
    static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()

    static func expressions() throws -> [String] {
        try String(contentsOf: folder.appending(path: "expressions.txt"), encoding: .utf8)
            .split(separator: "\n").map(String.init)
    }

    /// Captures that nobody here wrote, and captures of each format that are made here.
    private static func captures(_ scratch: ScratchFolder) throws -> [URL] {
        let shared = folder.appending(path: "../../../shared/data/captures").standardizedFileURL
        var captures = ["dns_icmp.pcap", "truncated_dns.pcap"].map { shared.appending(path: $0) }
            .filter { FileManager.default.fileExists(atPath: $0.path) }
        if captures.isEmpty { print("skipped: no captures in \(shared.path)") }
        var made = TestCapture.generated(600, seed: 11)
        captures.append(try scratch.write(made.bytes, "ethernet.pcap"))
        made = TestCapture.generated(300, seed: 12)
        made.isBigEndian = true
        made.hasNanoseconds = true
        made.snapLength = 54
        captures.append(try scratch.write(made.bytes, "cut.pcap"))
        return captures
    }

    @Test func samePacketsAsTcpdump() throws {
        let expressions = try Self.expressions()
        #expect(expressions.count >= 200)
        guard Tcpdump.path != nil else { return }
        let scratch = try ScratchFolder()
        let captures = try Self.captures(scratch).map { url in
            (url, try CaptureFile(Array(Data(contentsOf: url))))
        }
        var matchedSomething = 0
        for expression in expressions {
            let program = try FilterExpression.compile(expression)
            var set = FilterSet()
            try set.insert(program, number: 1)
            let programs = [try program.translated(), try set.program()]
            let filters = try EngineKind.allCases.flatMap { engine in
                try programs.map { try PacketFilter($0, engine: engine) }
            }
            #expect(set.stageCount == 1)
            let explanation = try #require(FilterExplanation(program), "\(expression)")
            var matches = 0
            for (url, capture) in captures {
                let judged = try #require(try Tcpdump.packets(url, expression), "\(expression)")
                #expect(judged.isWhole)
                matches += judged.packets.count
                for filter in filters {
                    let taken = capture.packets.filter { packet in
                        capture.withBytes(of: packet) { filter.decide($0, wireLength: packet.wireLength) }
                            != .refuse
                    }
                    #expect(
                        taken.map(capture.testPacket) == judged.packets,
                        "\(expression), \(url.lastPathComponent)")
                }
                // What is not taken has a reason, and nothing else has.
                let unexplained = capture.packets.filter { packet in
                    let reasons = capture.withBytes(of: packet) {
                        explanation.reasons($0, wireLength: packet.wireLength, linkType: capture.linkType)
                    }
                    #expect(reasons?.isEmpty != true)
                    return reasons == nil
                }
                #expect(unexplained.map(capture.testPacket) == judged.packets, "\(expression)")
            }
            matchedSomething += matches > 0 ? 1 : 0
        }
        // Filters that never match would agree whatever they do.
        #expect(matchedSomething >= 200, "\(matchedSomething)")
    }

    /// All the expressions as one set: the first that takes a packet has it.
    @Test func oneSetOfAll() throws {
        guard Tcpdump.path != nil else { return }
        var set = FilterSet()
        var alone: [PacketFilter] = []
        var generator = SeededGenerator(seed: 4)
        for expression in try Self.expressions().shuffled(using: &generator) {
            let program = try FilterExpression.compile(expression)
            try set.insert(program, number: UInt64(set.filters.count))
            alone.append(try PacketFilter(program.translated()))
        }
        while set.filters.count > 1 {
            let filters = try EngineKind.allCases.map { try PacketFilter(set.program(), engine: $0) }
            for packet in TestCapture.generated(200, seed: UInt64(set.filters.count)).packets {
                let first = set.filters.first {
                    alone[Int($0.number)].decide(packet.bytes, wireLength: packet.wireLength) != .refuse
                }
                let expected = first.map { PacketFilter.Verdict.accept($0.number) } ?? .refuse
                for filter in filters {
                    #expect(filter.decide(packet.bytes, wireLength: packet.wireLength) == expected)
                }
            }
            for filter in set.filters.prefix((set.filters.count + 1) / 2) {
                set.remove(number: filter.number)
            }
        }
    }

    @Test(
        arguments: [
            ("tcp prt 80", "can't parse filter expression: syntax error"),
            ("host no.such.host.invalid.", nil), ("tcp and udp", "expression rejects all packets"),
            ("-i eth0", nil),
            ("ip protochain 6", nil), ("tcp\u{0}", "a filter has no character NUL in it"),
        ] as [(String, String?)]) func expressionsThatAreWrong(_ expression: String, _ message: String?)
    {
        guard Tcpdump.path != nil else { return }
        do {
            _ = try FilterExpression.compile(expression)
            Issue.record("'\(expression)' is compiled")
        } catch {
            if let message { #expect(error.description == message) }
            #expect(!error.description.isEmpty)
        }
    }
}
