import Foundation
import Testing

/// `scodec filter`, on the example's capture and with filters that are compiled already: no other program is needed.
@Suite struct FilterCommandTests {
    private static let folder = FileTests.root.appendingPathComponent("scode-examples/filters")
    private static let web = ["-F", "web.ddd"]

    private func run(_ arguments: [String]) throws -> [String] {
        try FileTests.run(["filter"] + arguments, in: Self.folder)
    }

    @Test func counts() throws {
        #expect(
            try run(Self.web + ["office.pcap", "--engine", "both"]) == [
                "//> office.pcap: 6 of 15 packets match", "//! interpreter and native code agree", "//= 0",
            ])
        #expect(
            try run(Self.web + ["-F", "dns.ddd", "office.pcap"]) == [
                "//> office.pcap: 8 of 15 packets match", "//>   6  web.ddd", "//>   2  dns.ddd", "//= 0",
            ])
        #expect(
            try run(Self.web + ["-F", "dns.ddd", "office.pcap", "--count"]) == ["//> 6", "//> 2", "//= 0"])
    }

    @Test func explains() throws {
        let lines = try run(Self.web + ["office.pcap", "--explain"])
        #expect(lines.count == 17)
        #expect(
            lines.contains(
                "//> packet 1: no match: ethertype (bytes 12 to 13) is 0x0806 (ARP), wanted 0x0800 (IPv4) or 0x86dd (IPv6)"
            ))
        #expect(lines.contains("//> packet 3: no match: IP protocol (byte 23) is 17 (UDP), wanted 6 (TCP)"))
        #expect(
            lines.contains(
                "//> packet 10: no match: TCP source port (bytes 34 to 35) is 50001, wanted 80; TCP destination port (bytes 36 to 37) is 443, wanted 80"
            ))
        #expect(lines.contains("//> packet 5: match"))
    }

    @Test func writesWhatMatches() throws {
        let output = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
        defer { try? FileManager.default.removeItem(at: output) }
        _ = try run(Self.web + ["office.pcap", "--write", output.path])
        #expect(try run(Self.web + [output.path, "--count"]) == ["//> 6", "//= 0"])
        #expect(try run(["-F", "dns.ddd", output.path, "--count"]) == ["//> 0", "//= 0"])
        // Cut short: what is whole counts.
        let bytes = try Data(contentsOf: output)
        try bytes.dropLast(1).write(to: output)
        let lines = try run(Self.web + [output.path, "--count"])
        #expect(lines.first == "//> 5" && lines.last == "//= 1")
        #expect(lines.contains { $0.contains("the file is cut short in packet 6: 74 bytes, here are 73") })
    }

    @Test func printsJSON() throws {
        let lines = try run(Self.web + ["office.pcap", "--json", "--explain"])
        let text = try #require(lines.first?.dropFirst("//> ".count))
        let value = try JSONSerialization.jsonObject(with: Data(text.utf8))
        let object = try #require(value as? [String: Any])
        #expect(object["packets"] as? Int == 15 && object["matched"] as? Int == 6)
        #expect((object["verdicts"] as? [Any])?.count == 15)
        #expect((object["explanations"] as? [[String: Any]])?.count == 15)
    }

    @Test func printsTheCode() throws {
        let lines = try run(Self.web + ["--dump", "ir"])
        #expect(lines.first == "//> accept filter 2" && lines.last == "//= 0")
        #expect(try run(Self.web + ["--dump", "asm"]).last == "//= 0")
    }

    /// What pages show of commands is what they print.
    @Test(arguments: ["docs/filters.md", "scode-examples/filters/README.md"])
    func pagesShowWhatIsPrinted(_ page: String) throws {
        let text = try String(contentsOf: FileTests.root.appendingPathComponent(page), encoding: .utf8)
        var commands = 0
        for block in text.components(separatedBy: "```console\n").dropFirst() {
            let shown = try #require(block.components(separatedBy: "```").first)
            var printed = ""
            for line in shown.components(separatedBy: "\n") where line.hasPrefix("$ scodec filter ") {
                commands += 1
                let arguments = line.split(separator: " ").dropFirst(3).map(String.init)
                let lines = try run(arguments).filter { $0.hasPrefix("//> ") }
                printed += line + "\n" + lines.map { $0.dropFirst("//> ".count) + "\n" }.joined()
            }
            #expect(printed == shown, "\(page)")
        }
        #expect(commands > 0)
    }

    @Test(arguments: [
        ([], 64, "Missing an expression and a capture."), (["tcp"], 64, "Missing the capture."),
        (["-F", "web.ddd"], 64, "Missing the capture."), (["tcp", "port", "80", "office.pcap"], 64, "quote"),
        (["-F", "-", "-"], 64, "'-' can be read once."),
        (["-F", "no.ddd", "office.pcap"], 66, "no such file"),
        (["-F", "web.ddd", "no.pcap"], 66, "there is no such file"),
        (["-F", "office.pcap", "office.pcap"], 1, "the first line is the number of instructions"),
        (["-F", "web.ddd", "web.ddd"], 1, "not a capture file"),
        (["-F", "web.ddd", "office.pcap", "--write", "/no/folder/x"], 74, "cannot write"),
        (["-F", "web.ddd", "office.pcap", "--count", "--json"], 64, "--count"),
    ]) func saysWhatIsWrong(_ arguments: [String], _ code: Int, _ message: String) throws {
        let lines = try run(arguments)
        #expect(lines.last == "//= \(code)")
        #expect(lines.contains { $0.contains(message) }, "\(lines)")
    }
}
