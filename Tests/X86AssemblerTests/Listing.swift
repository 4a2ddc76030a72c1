import SCodeTestSupport
import Testing
import X86Assembler

/// Instructions, each with the text that a disassembler should make of it.
struct Listing: ~Copyable {
    var assembler = Assembler()
    private var lines: [Line] = []

    fileprivate struct Line {
        var offset: Int
        var text: String
        /// The number that the text ends with, and how many bits of it count.
        var number: Int64?
        var bits: Int
    }

    /// `emit` makes one instruction. With a `number`, `text` is what precedes the number.
    mutating func expect(
        _ text: String, _ number: Int64? = nil, bits: Int = 64, _ emit: (inout Assembler) -> Void
    ) {
        lines.append(Line(offset: assembler.position, text: text, number: number, bits: bits))
        emit(&assembler)
    }

    /// Disassembles everything and compares. The first few differences are reported.
    mutating func verify(sourceLocation: SourceLocation = #_sourceLocation) throws {
        try assembler.finish()
        let disassembler = try Disassembler()
        var differences = 0
        for (index, line) in lines.enumerated() {
            let end = index + 1 < lines.count ? lines[index + 1].offset : assembler.position
            let found = disassembler.decode(assembler.bytes, at: line.offset)
            if let found, found.size == end - line.offset, line.matches(found.text) { continue }
            differences += 1
            if differences <= 5 {
                let bytes = assembler.bytes[line.offset..<end].map { String($0, radix: 16) }
                let number = line.number.map { " \($0)" } ?? ""
                Issue.record(
                    "expected \(line.text)\(number), found \(found?.text ?? "nothing") in \(bytes)",
                    sourceLocation: sourceLocation)
            }
        }
        #expect(differences == 0, sourceLocation: sourceLocation)
        #expect(!lines.isEmpty, sourceLocation: sourceLocation)
    }
}

extension Listing.Line {
    fileprivate func matches(_ found: String) -> Bool {
        guard let number else { return found == text }
        guard let space = found.utf8.lastIndex(of: UInt8(ascii: " ")), found[..<space] == text else {
            return false
        }
        guard let value = parse(found[found.index(after: space)...]) else { return false }
        let mask = UInt64.max >> (64 - UInt64(bits))
        return value & mask == UInt64(bitPattern: number) & mask
    }

    /// A number as Capstone prints it: `5`, `0x1f`, `-1`, `-0x80`.
    private func parse(_ text: Substring) -> UInt64? {
        let negative = text.hasPrefix("-")
        let digits = negative ? text.dropFirst() : text
        let magnitude = digits.hasPrefix("0x") ? UInt64(digits.dropFirst(2), radix: 16) : UInt64(digits)
        return magnitude.map { negative ? 0 &- $0 : $0 }
    }
}
