/// What Linux's perf is told of generated code, in its two formats.
enum ProfilerRecords {
    /// A line of a perf map: address and size in hexadecimal, and the name (tools/perf/Documentation/jit-interface.txt).
    static func perfMapLine(_ code: CodeDescription) -> [UInt8] {
        let (address, size) = (String(code.address, radix: 16), String(code.bytes.count, radix: 16))
        return Array("\(address) \(size) \(code.name)\n".utf8)
    }

    /// Records of a jitdump (tools/perf/Documentation/jitdump-specification.txt): the lines, if they are known, and
    /// then the code.
    /// - Parameters:
    ///   - number: which no other code of the process has.
    ///   - time: of CLOCK_MONOTONIC, in nanoseconds: from then on the code is there.
    static func jitDump(
        _ code: CodeDescription, number: UInt64, process: UInt32, thread: UInt32, time: UInt64
    ) -> [UInt8] {
        var out = ByteWriter()
        let rows = code.lines.filter { $0.line > 0 }
        if !rows.isEmpty {
            put(record: 2, time, &out) { out in
                out.put(code.address)
                out.put(UInt64(rows.count))
                for row in rows {
                    out.put(code.address + UInt64(row.offset))
                    out.put(UInt32(truncatingIfNeeded: row.line))
                    out.put(UInt32(0))  // discriminator
                    out.put(zeroTerminated: code.files[row.file])
                }
            }
        }
        put(record: 0, time, &out) { out in
            out.put(process)
            out.put(thread)
            out.put(code.address)  // where it lies, and where it runs
            out.put(code.address)
            out.put(UInt64(code.bytes.count))
            out.put(number)
            out.put(zeroTerminated: code.name)
            out.put(code.bytes)
        }
        return out.bytes
    }

    private static func put(
        record kind: UInt32, _ time: UInt64, _ out: inout ByteWriter, _ body: (inout ByteWriter) -> Void
    ) {
        var inner = ByteWriter()
        body(&inner)
        out.put(kind)
        out.put(UInt32(inner.count + 16))  // with these three words
        out.put(time)
        out.put(inner.bytes)
    }
}
