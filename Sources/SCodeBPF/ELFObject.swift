import SCodeIR

/// A relocatable ELF file of 64 bits for eBPF, as far as reading programs needs it. Whatever the bytes are, every
/// offset is held against them before it is used, and no list is longer than they justify.
struct ELFObject {
    static let magic: [UInt8] = [0x7f, 0x45, 0x4c, 0x46]

    struct Section {
        var name: String
        var type: UInt32
        var flags: UInt64
        /// Where its bytes lie in the file; empty when it has none there.
        var bytes: Range<Int>
        /// In memory.
        var size: UInt64
        var link: Int
        var info: Int
        /// A power of two.
        var alignment: Int

        var isAllocated: Bool { flags & 2 != 0 }
        var isWritable: Bool { flags & 1 != 0 }
        var isExecutable: Bool { flags & 4 != 0 && type == Kind.bits }
        var isData: Bool { isAllocated && flags & 4 == 0 && (type == Kind.bits || type == Kind.noBits) }
    }

    enum Kind {
        static let bits: UInt32 = 1, symbols: UInt32 = 2, relocationsWithAddends: UInt32 = 4
        static let noBits: UInt32 = 8, relocations: UInt32 = 9
    }

    struct Symbol {
        enum Kind: UInt8 { case none, object, function, section, file }
        /// Where its name lies in the file.
        var name: Int
        var kind: Kind?
        var isLocal: Bool
        /// The section that it lies in; nil when it is defined elsewhere, or nowhere in particular.
        var section: Int?
        var value: UInt64
    }

    struct Relocation {
        /// From the start of the section that it is for.
        var offset: UInt64
        var type: UInt32
        var symbol: Int
    }

    private(set) var sections: [Section] = []
    private(set) var symbols: [Symbol] = []
    /// By section: the tables of relocations for it.
    private var relocationTables: [Int: [Int]] = [:]
    var reader: ByteReader { bytes }
    private let bytes: ByteReader

    init(_ file: [UInt8]) throws(EBPFFailure) {
        bytes = ByteReader(file)
        try readHeader()
        try readSymbols()
    }

    private static func failure(_ defect: EBPFFailure.ObjectDefect) -> EBPFFailure {
        EBPFFailure(.notAnObject(defect))
    }

    // MARK: Header and sections

    private mutating func readHeader() throws(EBPFFailure) {
        guard bytes.count >= 64 else { throw Self.failure(.truncated) }
        // 64 bits, little-endian, version 1.
        guard bytes.byte(4) == 2, bytes.byte(5) == 1, bytes.byte(6) == 1 else {
            throw Self.failure(.byteOrder)
        }
        guard bytes.number16(16) == 1 else { throw Self.failure(.kind) }
        guard bytes.number16(18) == 247 else { throw Self.failure(.machine) }
        let count = Int(bytes.number16(60) ?? 0)
        let nameTable = Int(bytes.number16(62) ?? 0)
        guard let start = bytes.number64(40), bytes.number16(58) == 64, count > 0, nameTable < count,
            let table = bytes.range(start, UInt64(count) * 64)
        else { throw Self.failure(.sectionTable) }
        for number in 0..<count {
            let at = table.lowerBound + number * 64
            guard let type = bytes.number32(at + 4), let flags = bytes.number64(at + 8),
                let offset = bytes.number64(at + 24), let size = bytes.number64(at + 32),
                let link = bytes.number32(at + 40), let info = bytes.number32(at + 44),
                let alignment = bytes.number64(at + 48)
            else { throw Self.failure(.sectionTable) }
            let isInFile = type != 0 && type != Kind.noBits
            guard let range = isInFile ? bytes.range(offset, size) : 0..<0 else {
                throw Self.failure(.truncated)
            }
            guard alignment <= 1 << 16, alignment & (alignment &- 1) == 0 else {
                throw Self.failure(.alignment)
            }
            sections.append(
                Section(
                    name: "", type: type, flags: flags, bytes: range, size: size, link: Int(link),
                    info: Int(info), alignment: max(1, Int(alignment))))
        }
        try indexRelocations()
        let names = sections[nameTable].bytes
        for number in 0..<count {
            guard let offset = bytes.number32(table.lowerBound + number * 64),
                let name = name(at: names.lowerBound + Int(offset), before: names.upperBound)
            else { throw Self.failure(.name) }
            sections[number].name = name
        }
    }

    /// Tables may share their bytes: what they come to is bounded, not only what the file holds.
    private mutating func indexRelocations() throws(EBPFFailure) {
        var total = 0
        for (number, section) in sections.enumerated()
        where section.type == Kind.relocations || section.type == Kind.relocationsWithAddends {
            relocationTables[section.info, default: []].append(number)
            total += section.bytes.count / 16
            guard total <= EBPFLimits.instructions else { throw Self.failure(.relocations) }
        }
    }

    func contents(of section: Int) -> ArraySlice<UInt8> { bytes.slice(sections[section].bytes) }

    // MARK: Symbols

    private mutating func readSymbols() throws(EBPFFailure) {
        guard let table = sections.first(where: { $0.type == Kind.symbols }) else { return }
        guard sections.indices.contains(table.link), table.bytes.count % 24 == 0 else {
            throw Self.failure(.symbolTable)
        }
        let names = sections[table.link].bytes
        for at in stride(from: table.bytes.lowerBound, to: table.bytes.upperBound, by: 24) {
            guard let name = bytes.number32(at), let info = bytes.byte(at + 4),
                let section = bytes.number16(at + 6), let value = bytes.number64(at + 8),
                section < 0xff00 ? Int(section) < sections.count : true
            else { throw Self.failure(.symbolTable) }
            symbols.append(
                Symbol(
                    name: names.lowerBound + Int(name), kind: Symbol.Kind(rawValue: info & 15),
                    isLocal: info >> 4 == 0,
                    section: section == 0 || section >= 0xff00 ? nil : Int(section), value: value))
        }
    }

    /// What a symbol is called; a section's is called like the section.
    func name(of symbol: Symbol) -> String {
        if symbol.kind == .section, let section = symbol.section { return sections[section].name }
        return name(at: symbol.name, before: bytes.count) ?? "?"
    }

    /// The characters up to the next zero, control characters and what is not ASCII replaced.
    func name(at start: Int, before end: Int) -> String? {
        guard let name = bytes.string(start, before: end) else { return nil }
        return String(decoding: name.map { (0x20...0x7e).contains($0) ? $0 : 0x3f }, as: UTF8.self)
    }

    // MARK: Relocations

    /// What is to be put into a section, by ascending offset.
    func relocations(of section: Int) throws(EBPFFailure) -> [Relocation] {
        var relocations: [Relocation] = []
        for table in (relocationTables[section] ?? []).map({ sections[$0] }) {
            if table.type == Kind.relocationsWithAddends { throw Self.failure(.addends) }
            guard table.bytes.count % 16 == 0 else { throw Self.failure(.relocations) }
            for at in stride(from: table.bytes.lowerBound, to: table.bytes.upperBound, by: 16) {
                guard let offset = bytes.number64(at), let type = bytes.number32(at + 8),
                    let symbol = bytes.number32(at + 12), symbols.indices.contains(Int(symbol))
                else { throw Self.failure(.relocations) }
                relocations.append(Relocation(offset: offset, type: type, symbol: Int(symbol)))
            }
        }
        return relocations.sorted { $0.offset < $1.offset }
    }
}

/// Little-endian numbers out of bytes; nil where there are none.
struct ByteReader {
    private let bytes: [UInt8]
    /// Longer names are damage.
    private static let nameLength = 1024

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    var count: Int { bytes.count }

    /// The places of so many bytes from `start` on, if they are there.
    func range(_ start: UInt64, _ length: UInt64) -> Range<Int>? {
        let all = UInt64(bytes.count)
        guard start <= all, length <= all - start else { return nil }
        return Int(start)..<Int(start + length)
    }

    func slice(_ range: Range<Int>) -> ArraySlice<UInt8> { bytes[range] }

    private func number(_ at: Int, _ size: Int) -> UInt64? {
        guard at >= 0, at <= bytes.count - size else { return nil }
        return (0..<size).reversed().reduce(0) { $0 << 8 | UInt64(bytes[at + $1]) }
    }

    func byte(_ at: Int) -> UInt8? { number(at, 1).map { UInt8($0) } }
    func number16(_ at: Int) -> UInt16? { number(at, 2).map { UInt16($0) } }
    func number32(_ at: Int) -> UInt32? { number(at, 4).map { UInt32($0) } }
    func number64(_ at: Int) -> UInt64? { number(at, 8) }

    /// The bytes up to the next zero.
    func string(_ start: Int, before end: Int) -> ArraySlice<UInt8>? {
        guard start >= 0, start < end, end <= bytes.count else { return nil }
        let rest = bytes[start..<min(end, start + Self.nameLength)]
        return rest.firstIndex(of: 0).map { bytes[start..<$0] }
    }
}
