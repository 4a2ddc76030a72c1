/// Which functions and which lines there are, in DWARF 4 (dwarfstd.org): one compilation unit for one fragment.
struct DebugInformation {
    let code: CodeDescription
    let directory: String

    /// The declarations that `.debug_info` refers to (section 7.5.3): tag, children, attributes with their forms.
    var abbreviations: [UInt8] {
        var out = ByteWriter()
        func declare(_ number: UInt64, _ tag: UInt64, hasChildren: UInt8, _ attributes: [(UInt64, UInt64)]) {
            out.put(uleb: number)
            out.put(uleb: tag)
            out.put(hasChildren)
            for (attribute, form) in attributes + [(0, 0)] {
                out.put(uleb: attribute)
                out.put(uleb: form)
            }
        }
        let (string, address, data2, data8, offset, number):
            (UInt64, UInt64, UInt64, UInt64, UInt64, UInt64) =
                (0x08, 0x01, 0x05, 0x07, 0x17, 0x0f)
        declare(
            1, 0x11 /* compile_unit */, hasChildren: 1,
            [
                (0x25 /* producer */, string), (0x13 /* language */, data2), (0x03 /* name */, string),
                (0x1b /* comp_dir */, string), (0x10 /* stmt_list */, offset), (0x11 /* low_pc */, address),
                (0x12 /* high_pc */, data8),
            ])
        declare(
            2, 0x2e /* subprogram */, hasChildren: 0,
            [
                (0x03 /* name */, string), (0x3a /* decl_file */, number), (0x3b /* decl_line */, number),
                (0x11 /* low_pc */, address), (0x12 /* high_pc */, data8),
            ])
        out.put(uleb: 0)
        return out.bytes
    }

    /// `.debug_info`: the unit, and a function for each part.
    var information: [UInt8] {
        let heading = code.lines.first
        var out = ByteWriter()
        out.put { out in
            out.put(UInt16(4))
            out.put(UInt32(0))  // where its abbreviations begin
            out.put(UInt8(8))  // the size of an address
            out.put(uleb: 1)
            out.put(zeroTerminated: "scode")
            out.put(UInt16(0x8001))  // an assembly language
            out.put(zeroTerminated: heading.map { code.files[$0.file] } ?? code.name)
            out.put(zeroTerminated: directory)
            out.put(UInt32(0))  // where its lines begin
            out.put(code.address)
            out.put(UInt64(code.bytes.count))
            for part in code.parts {
                out.put(uleb: 2)
                out.put(zeroTerminated: part.name)
                out.put(uleb: UInt64(heading?.file ?? 0) + 1)
                out.put(uleb: UInt64(heading?.line ?? 0))
                out.put(code.address + UInt64(part.range.lowerBound))
                out.put(UInt64(part.range.count))
            }
            out.put(uleb: 0)
        }
        return out.bytes
    }

    /// `.debug_line` (section 6.2): the files, and a program whose every `copy` is a row of the table.
    var lines: [UInt8] {
        var header = ByteWriter()
        // Instructions are multiples of one byte, have one operation, and begin statements.
        header.put([1, 1, 1])
        // Base and range of lines in special opcodes, which are not used, and the first of those.
        header.put([0, 1, 13])
        header.put([0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1])  // operands of the standard opcodes
        header.put(UInt8(0))  // no directories: paths are absolute
        for file in code.files {
            header.put(zeroTerminated: file.isEmpty ? "?" : file)
            for _ in 0..<3 { header.put(uleb: 0) }  // directory, time, size: not known
        }
        header.put(UInt8(0))

        var out = ByteWriter()
        out.put { out in
            out.put(UInt16(4))
            out.put(UInt32(header.count))
            out.put(header.bytes)
            putProgram(&out)
        }
        return out.bytes
    }

    /// A sequence for each stretch of code that has lines: GDB takes a row of line 0 for one of the line before it.
    private func putProgram(_ out: inout ByteWriter) {
        let ends = code.lines.dropFirst().map(\.offset) + [code.bytes.count]
        let pieces = zip(code.lines, ends).split { $0.0.line == 0 }
        for piece in pieces {
            guard let last = piece.last else { continue }
            putSequence(piece.map(\.0), end: last.1, &out)
        }
    }

    private func putSequence(_ rows: [CodeDescription.LineRow], end: Int, _ out: inout ByteWriter) {
        let (copy, advancePC, advanceLine, setFile): (UInt8, UInt8, UInt8, UInt8) = (1, 2, 3, 4)
        out.put([0, 9, 2])  // set_address
        out.put(code.address)
        var (offset, file, line) = (0, 0, 1)
        for row in rows {
            if row.file != file {
                out.put(setFile)
                out.put(uleb: UInt64(row.file) + 1)
            }
            if row.line != line {
                out.put(advanceLine)
                out.put(sleb: Int64(row.line - line))
            }
            out.put(advancePC)
            out.put(uleb: UInt64(row.offset - offset))
            out.put(copy)
            (offset, file, line) = (row.offset, row.file, row.line)
        }
        out.put(advancePC)
        out.put(uleb: UInt64(end - offset))
        out.put([0, 1, 1])  // end_sequence
    }
}
