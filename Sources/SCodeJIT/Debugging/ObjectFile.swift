/// An ELF file for x86-64 (System V ABI, chapters 4 and 5) with symbols and debug information of code that lies in
/// memory already: its `.text` has an address and a size, and no bytes.
struct ObjectFile {
    private struct Section {
        var name: String
        var type: UInt32
        var flags: UInt64 = 0
        var address: UInt64 = 0
        var bytes: [UInt8] = []
        /// Of a section without bytes.
        var size: UInt64?
        var link: UInt32 = 0
        var info: UInt32 = 0
        var alignment: UInt64 = 1
        var entrySize: UInt64 = 0
    }

    private enum Kind {
        static let null: UInt32 = 0
        static let bytes: UInt32 = 1
        static let symbols: UInt32 = 2
        static let strings: UInt32 = 3
        static let noBytes: UInt32 = 8
    }

    private static let headerSize = 64
    private static let sectionHeaderSize = 64
    private static let symbolSize = 24

    private var sections: [Section]

    /// - Parameter directory: where the compiler was at work.
    init(_ code: CodeDescription, directory: String) {
        let (symbols, strings) = Self.symbols(code)
        sections = [
            Section(name: "", type: Kind.null, alignment: 0),
            Section(
                name: ".text", type: Kind.noBytes, flags: 6 /* allocated, executable */,
                address: code.address,
                size: UInt64(code.bytes.count), alignment: 16),
            Section(
                name: ".symtab", type: Kind.symbols, bytes: symbols, link: 3 /* .strtab */,
                info: 1 /* the first global one */, alignment: 8, entrySize: UInt64(Self.symbolSize)),
            Section(name: ".strtab", type: Kind.strings, bytes: strings),
            Section(
                name: ".debug_frame", type: Kind.bytes, bytes: UnwindInformation(code: code).bytes,
                alignment: 8),
        ]
        guard !code.lines.isEmpty else { return }
        let information = DebugInformation(code: code, directory: directory)
        sections += [
            Section(name: ".debug_abbrev", type: Kind.bytes, bytes: information.abbreviations),
            Section(name: ".debug_info", type: Kind.bytes, bytes: information.information),
            Section(name: ".debug_line", type: Kind.bytes, bytes: information.lines),
        ]
    }

    /// A global function for each part; values are offsets in `.text`, as in any relocatable file.
    private static func symbols(_ code: CodeDescription) -> (table: [UInt8], strings: [UInt8]) {
        var table = ByteWriter()
        var strings = ByteWriter()
        table.put([UInt8](repeating: 0, count: symbolSize))
        strings.put(UInt8(0))
        for part in code.parts {
            table.put(UInt32(strings.count))
            table.put([0x12, 0])  // global, function
            table.put(UInt16(1))  // .text
            table.put(UInt64(part.range.lowerBound))
            table.put(UInt64(part.range.count))
            strings.put(zeroTerminated: part.name)
        }
        return (table.bytes, strings.bytes)
    }

    /// The header, the sections, and their headers.
    var bytes: [UInt8] {
        var names = ByteWriter()
        var body = ByteWriter()
        var headers = ByteWriter()
        let all = sections + [Section(name: ".shstrtab", type: Kind.strings)]
        let nameOffsets = all.map { section in
            defer { names.put(zeroTerminated: section.name) }
            return UInt32(names.count)
        }
        for (index, section) in all.enumerated() {
            let bytes = index == all.count - 1 ? names.bytes : section.bytes
            body.align(to: 8)
            headers.put(nameOffsets[index])
            headers.put(section.type)
            headers.put(section.flags)
            headers.put(section.address)
            headers.put(section.type == Kind.null ? 0 : UInt64(Self.headerSize + body.count))
            headers.put(section.size ?? UInt64(bytes.count))
            headers.put(section.link)
            headers.put(section.info)
            headers.put(section.alignment)
            headers.put(section.entrySize)
            body.put(bytes)
        }
        body.align(to: 8)

        var out = ByteWriter()
        // 64 bits, little-endian.
        out.put([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1] + [UInt8](repeating: 0, count: 9))
        out.put(UInt16(1))  // relocatable
        out.put(UInt16(62))  // x86-64
        out.put(UInt32(1))
        out.put(UInt64(0))  // no entry
        out.put(UInt64(0))  // no program headers
        out.put(UInt64(Self.headerSize + body.count))
        out.put(UInt32(0))
        out.put(UInt16(Self.headerSize))
        out.put(UInt32(0))  // size and number of program headers
        out.put(UInt16(Self.sectionHeaderSize))
        out.put(UInt16(all.count))
        out.put(UInt16(all.count - 1))
        out.put(body.bytes)
        out.put(headers.bytes)
        return out.bytes
    }
}
