import SCodeIR

/// Where instructions stand in the source, out of the sections `.BTF` and `.BTF.ext` that `clang -g` writes (the Linux
/// kernel's documentation of the BPF Type Format, section 3.3). Whoever reads it does without when it is damaged.
struct LineInformation {
    private let object: ELFObject
    private let strings: Range<Int>
    private let records: Range<Int>
    private let bytes: ByteReader

    private static let magic: UInt16 = 0xeb9f

    init?(_ object: ELFObject) {
        self.object = object
        bytes = object.reader
        guard let types = object.sections.first(where: { $0.name == ".BTF" })?.bytes,
            let lines = object.sections.first(where: { $0.name == ".BTF.ext" })?.bytes,
            let strings = Self.part(of: types, at: 16, bytes),
            let records = Self.part(of: lines, at: 16, bytes)
        else { return nil }
        self.strings = strings
        self.records = records
    }

    /// A part of a section whose offset, from the end of the header, and length stand in the header.
    private static func part(of section: Range<Int>, at place: Int, _ bytes: ByteReader) -> Range<Int>? {
        let start = section.lowerBound
        guard section.count >= place + 8, bytes.number16(start) == magic,
            let header = bytes.number32(start + 4), let offset = bytes.number32(start + place),
            let length = bytes.number32(start + place + 4)
        else { return nil }
        let first = UInt64(header) + UInt64(offset)
        guard first + UInt64(length) <= UInt64(section.count) else { return nil }
        return start + Int(first)..<start + Int(first + UInt64(length))
    }

    /// Puts positions at instructions; from each on they hold until the next.
    func read(into code: inout EBPFCode, _ firstInstruction: [Int: Int]) {
        guard let size = bytes.number32(records.lowerBound), size >= 16, size <= 1024 else { return }
        let sections = Dictionary(
            firstInstruction.sorted { $0.value < $1.value }.map { (object.sections[$0.key].name, $0) },
            uniquingKeysWith: { first, _ in first })
        var files: [UInt32: UInt16?] = [:]
        var at = records.lowerBound + 4
        while at + 8 <= records.upperBound {
            guard let nameOffset = bytes.number32(at), let count = bytes.number32(at + 4),
                Int(count) <= (records.upperBound - at - 8) / Int(size)
            else { return }
            at += 8
            let section = string(nameOffset).flatMap { sections[$0] }
            for _ in 0..<count {
                if let section { note(at, section.key, section.value, &files, &code) }
                at += Int(size)
            }
        }
    }

    private func note(
        _ at: Int, _ section: Int, _ first: Int, _ files: inout [UInt32: UInt16?], _ code: inout EBPFCode
    ) {
        guard let offset = bytes.number32(at), let fileName = bytes.number32(at + 4),
            let place = bytes.number32(at + 12), Int(offset) < object.sections[section].bytes.count,
            let file = file(fileName, &files, &code)
        else { return }
        // 22 bits of line, 10 of column.
        code.positions[first + Int(offset) / EBPFInstruction.size] = SourceRange(
            line: place >> 10, column: place & 0x3ff, length: 1, file: file)
    }

    /// The number of a file, by the place of its name; nil when there is no room, or no name.
    private func file(_ name: UInt32, _ files: inout [UInt32: UInt16?], _ code: inout EBPFCode) -> UInt16? {
        if let known = files[name] { return known }
        files[name] = .some(nil)
        guard code.sourceFiles.count < ProgramLimits.sourceFiles, let text = string(name), !text.isEmpty,
            text.utf8.count <= ProgramLimits.sourceFileNameLength
        else { return nil }
        // The first file is the program's own, which is the object file.
        if code.sourceFiles.isEmpty { code.sourceFiles.append("") }
        let number = UInt16(code.sourceFiles.count)
        code.sourceFiles.append(text)
        files[name] = number
        return number
    }

    private func string(_ offset: UInt32) -> String? {
        object.name(at: strings.lowerBound + Int(offset), before: strings.upperBound)
    }
}
