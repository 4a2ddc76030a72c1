import Foundation
import SCode
import SCodeFilter
import Testing

/// The code of docs/filters.md.
private func owner(of packet: [UInt8]) throws -> UInt64? {
    var filters = FilterSet()
    try filters.insert(FilterExpression.compile("tcp port 80"), number: 1)
    try filters.insert(FilterExpression.compile("udp"), number: 2)
    let filter = try PacketFilter(filters.program())
    switch filter.decide(packet) {
    case .accept(let number): return number  // whose packet it is
    case .refuse: return nil
    case .abort(let reason):
        print("a guard stopped the filters: \(reason.name)")
        return nil
    }
}

@Suite struct DocumentTests {
    private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()

    /// The block of Swift stands here as it stands there.
    @Test func codeOfThePage() throws {
        let page = try String(contentsOf: Self.root.appending(path: "docs/filters.md"), encoding: .utf8)
        let block = try #require(page.components(separatedBy: "```swift\n").dropFirst().first)
        let code = try #require(block.components(separatedBy: "```").first)
        let own = try String(contentsOf: URL(fileURLWithPath: #filePath), encoding: .utf8)
            .components(separatedBy: "\n").map { $0.trimmingCharacters(in: .whitespaces) }
        let lines = code.components(separatedBy: "\n").map { $0.trimmingCharacters(in: .whitespaces) }
        #expect(lines.count > 10)
        for line in lines where !line.isEmpty { #expect(own.contains(line), "\(line)") }
    }

    @Test func theCodeDoesWhatThePageSays() throws {
        guard Tcpdump.path != nil else { return }
        let file = Self.root.appending(path: "scode-examples/filters/office.pcap")
        let capture = try CaptureFile(Array(Data(contentsOf: file)))
        let owners = try capture.testPackets.map { try owner(of: $0.bytes) }
        #expect(
            owners == [nil, nil, 2, 2, 1, 1, 1, 1, 1, nil, nil, nil, 2, 1, nil])
    }
}
