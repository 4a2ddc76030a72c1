/// What a debugger finds in an ELF file with DWARF 4, read plainly from the standards, apart from whoever writes it.
struct ObjectFileReader {
    struct Symbol {
        var name: String
        var address: UInt64
        var size: UInt64
    }
    struct Row: Equatable {
        var address: UInt64
        var file: String
        var line: Int
        var endsSequence = false
    }

    private let bytes: [UInt8]
    private var sections: [String: (address: UInt64, offset: Int, size: Int)] = [:]

    init?(_ bytes: [UInt8]) {
        self.bytes = bytes
        guard bytes.starts(with: [0x7f, 0x45, 0x4c, 0x46, 2, 1]), word(18, 2) == 62 else { return nil }
        let table = Int(word(40, 8))
        let (count, names) = (Int(word(60, 2)), Int(word(62, 2)))
        let nameTable = Int(word(table + names * 64 + 24, 8))
        for index in 0..<count {
            let header = table + index * 64
            let name = text(at: nameTable + Int(word(header, 4)))
            let size = Int(word(header + 32, 8))
            let hasBytes = word(header + 4, 4) != 8
            let offset = Int(word(header + 24, 8))
            if hasBytes, offset + size > bytes.count { return nil }
            sections[name] = (word(header + 16, 8), offset, size)
        }
    }

    private func word(_ offset: Int, _ size: Int) -> UInt64 {
        (0..<size).reduce(0) { $0 | UInt64(bytes[offset + $1]) << UInt64($1 * 8) }
    }

    private func text(at offset: Int) -> String {
        String(decoding: bytes[offset...].prefix { $0 != 0 }, as: UTF8.self)
    }

    /// Where the code lies, and how large it is.
    var code: (address: UInt64, size: Int)? { sections[".text"].map { ($0.address, $0.size) } }

    var symbols: [Symbol] {
        guard let table = sections[".symtab"], let strings = sections[".strtab"], let code else { return [] }
        return (1..<table.size / 24).map { index in
            let symbol = table.offset + index * 24
            return Symbol(
                name: text(at: strings.offset + Int(word(symbol, 4))),
                address: code.address + word(symbol + 8, 8), size: word(symbol + 16, 8))
        }
    }

    /// The rows of the line table; none when there is none.
    var lines: [Row] {
        guard let section = sections[".debug_line"] else { return [] }
        var at = section.offset + 4 + 2
        let program = at + 4 + Int(word(at, 4))
        at += 4 + 5
        at += Int(bytes[at])  // opcode base, and operands of as many opcodes less one
        precondition(bytes[at] == 0, "there are directories")
        at += 1
        var files: [String] = []
        while bytes[at] != 0 {
            files.append(text(at: at))
            at += files[files.count - 1].utf8.count + 1 + 3
        }
        precondition(at + 1 == program, "the header is longer or shorter than it says")
        return rows(from: program, to: section.offset + section.size, files)
    }

    private func rows(from start: Int, to end: Int, _ files: [String]) -> [Row] {
        var at = start
        func number(isSigned: Bool) -> Int {
            var value = 0
            var shift = 0
            while true {
                let byte = bytes[at]
                at += 1
                value |= Int(byte & 0x7f) << shift
                shift += 7
                guard byte < 0x80 else { continue }
                return isSigned && byte & 0x40 != 0 ? value - 1 << shift : value
            }
        }
        var rows: [Row] = []
        var row = Row(address: 0, file: files.first ?? "", line: 1)
        while at < end {
            let opcode = bytes[at]
            at += 1
            switch opcode {
            case 0:
                let size = number(isSigned: false)
                switch bytes[at] {
                case 1:
                    row.endsSequence = true
                    rows.append(row)
                    row = Row(address: 0, file: files.first ?? "", line: 1)
                case 2: row.address = word(at + 1, 8)
                default: preconditionFailure("extended opcode \(bytes[at])")
                }
                at += size
            case 1: rows.append(row)
            case 2: row.address += UInt64(number(isSigned: false))
            case 3: row.line += number(isSigned: true)
            case 4: row.file = files[number(isSigned: false) - 1]
            default: preconditionFailure("opcode \(opcode)")
            }
        }
        return rows
    }
}
