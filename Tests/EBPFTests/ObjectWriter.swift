import SCodeBPF

/// Makes ELF object files, as far as the reader wants to know them.
struct ObjectWriter {
    struct Section {
        var name: String
        var type: UInt32 = 1
        /// Allocated, and 1 writable, 4 executable.
        var flags: UInt64 = 2
        var bytes: [UInt8] = []
        var size: UInt64?
        var alignment: UInt64 = 8
        var relocations: [(offset: UInt64, type: UInt32, symbol: Int)] = []
    }
    struct Symbol {
        var name: String
        /// 1 object, 2 function, 3 section
        var kind: UInt8 = 2
        var isLocal = false
        /// Among `sections`; nil: undefined.
        var section: Int?
        var value: UInt64 = 0
    }

    var sections: [Section] = []
    /// Those that relocations count; the first of a file, which is none, comes before.
    var symbols: [Symbol] = []
    var machine: UInt16 = 247

    /// Code in a section, and its only function.
    static func function(_ name: String, in section: String, _ code: [UInt8]) -> ObjectWriter {
        ObjectWriter(
            sections: [Section(name: section, flags: 6, bytes: code)],
            symbols: [Symbol(name: name, section: 0)])
    }

    var file: [UInt8] {
        var strings: [UInt8] = [0]
        func name(_ text: String) -> UInt32 {
            defer { strings += Array(text.utf8) + [0] }
            return UInt32(strings.count)
        }
        var table = [UInt8](repeating: 0, count: 24)
        for symbol in symbols {
            table += Self.little(UInt64(name(symbol.name)), 4)
            table += [symbol.kind | (symbol.isLocal ? 0 : 1 << 4), 0]
            table += Self.little(UInt64(symbol.section.map { $0 + 1 } ?? 0), 2)
            table += Self.little(symbol.value, 8) + Self.little(0, 8)
        }
        let symbolTable = sections.count + 1
        var all = sections.map { ($0, link: 0, info: 0) }
        all.append(
            (Section(name: ".symtab", type: 2, flags: 0, bytes: table), link: symbolTable + 1, info: 0))
        all.append((Section(name: ".strtab", type: 3, flags: 0), link: 0, info: 0))
        for (index, section) in sections.enumerated() where !section.relocations.isEmpty {
            let bytes = section.relocations.flatMap {
                Self.little($0.offset, 8) + Self.little(UInt64($0.type), 4)
                    + Self.little(UInt64($0.symbol + 1), 4)
            }
            all.append(
                (
                    Section(name: ".rel" + section.name, type: 9, flags: 0, bytes: bytes), link: symbolTable,
                    info: index + 1
                ))
        }
        var headers = [UInt8](repeating: 0, count: 64)
        var body: [UInt8] = []
        let names = all.map { name($0.0.name) }
        all[symbolTable].0.bytes = strings
        for ((section, link, info), name) in zip(all, names) {
            while body.count % 8 != 0 { body.append(0) }
            headers += Self.little(UInt64(name), 4) + Self.little(UInt64(section.type), 4)
            headers += Self.little(section.flags, 8) + Self.little(0, 8)
            headers += Self.little(UInt64(64 + body.count), 8)
            headers += Self.little(section.size ?? UInt64(section.bytes.count), 8)
            headers += Self.little(UInt64(link), 4) + Self.little(UInt64(info), 4)
            headers += Self.little(section.alignment, 8) + Self.little(0, 8)
            body += section.bytes
        }
        while body.count % 8 != 0 { body.append(0) }
        var file: [UInt8] = [0x7f, 0x45, 0x4c, 0x46, 2, 1, 1] + [UInt8](repeating: 0, count: 9)
        file += Self.little(1, 2) + Self.little(UInt64(machine), 2) + Self.little(1, 4)
        file += Self.little(0, 8) + Self.little(0, 8) + Self.little(UInt64(64 + body.count), 8)
        file += Self.little(0, 4) + Self.little(64, 2) + Self.little(0, 4) + Self.little(64, 2)
        file += Self.little(UInt64(all.count + 1), 2) + Self.little(UInt64(symbolTable + 1), 2)
        return file + body + headers
    }

    private static func little(_ value: UInt64, _ size: Int) -> [UInt8] {
        (0..<size).map { UInt8(truncatingIfNeeded: value >> UInt64($0 * 8)) }
    }
}
