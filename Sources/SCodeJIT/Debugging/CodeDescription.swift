import CSCodeRuntime
import SCodeIR
import SCodeVerifier
import X86Assembler

/// What the emitter notes for debuggers, and for nobody else: see `Emitter.notes`.
struct DebugNotes {
    /// From this offset on rsp lies `depth` bytes below the return address.
    struct StackRow: BitwiseCopyable {
        var offset: UInt32
        var depth: Int32
    }
    /// Sorted by offset.
    var stack: [StackRow] = []
    /// The cold code, which follows the body: sorted by offset.
    var cold: [CodeRange] = []
    /// Where what the cold code calls begins: the slow access and the stubs.
    var helpersOffset = 0
    /// Where all stubs that leave go; nil when there are none.
    var abortOffset: Int?
    /// What the outer entry pushes, first to last.
    var saved: [GPR] = []
}

/// Machine code as profilers and debuggers are told of it: what it is called, where it lies, which lines it comes from,
/// how to find the caller's frame. All values; it outlives the code.
struct CodeDescription {
    /// From an offset on, the code comes from this line. Line 0: from none.
    struct LineRow: Equatable, BitwiseCopyable {
        var offset: Int
        /// An index into `files`.
        var file: Int
        var line: Int
    }

    /// A function, as debuggers see it: a piece of the code with frames of its own.
    struct Part {
        var name: String
        var range: Range<Int>
        /// Registers that it changes, and that its caller finds changed.
        var clobbered: [GPR] = []
        /// Registers that it pushes first, in that order, and whose values the caller finds again.
        var saved: [GPR] = []
    }

    /// The fragment's name, without control characters.
    let name: String
    let address: UInt64
    let bytes: [UInt8]
    /// Paths, without control characters; those that were relative to the working directory are absolute.
    let files: [String]
    /// Sorted by offset; none when nothing is known.
    let lines: [LineRow]
    let parts: [Part]
    let stack: [DebugNotes.StackRow]

    /// - Parameter directory: what relative paths are relative to.
    init(
        _ fragment: VerifiedFragment, _ machine: MachineCode, _ notes: DebugNotes, at address: UInt64,
        directory: String
    ) {
        name = Self.printable(fragment.code.name)
        self.address = address
        bytes = machine.bytes
        files = fragment.sourceFiles.map { Self.absolute(Self.printable($0), directory) }
        lines = Self.lines(fragment, machine, notes)
        stack = notes.stack
        let end = machine.lastEntry ?? bytes.count
        let all = [
            Part(name: name, range: 0..<notes.helpersOffset, clobbered: notes.saved),
            Part(name: name + ".stubs", range: notes.helpersOffset..<(notes.abortOffset ?? end)),
            Part(name: name + ".abort", range: (notes.abortOffset ?? end)..<end),
            Part(name: name + ".entry", range: end..<bytes.count, saved: notes.saved),
        ]
        parts = all.filter { !$0.range.isEmpty }
    }

    private static func lines(
        _ fragment: VerifiedFragment, _ machine: MachineCode, _ notes: DebugNotes
    ) -> [LineRow] {
        guard fragment.sourceFiles.contains(where: { !$0.isEmpty }) else { return [] }
        var rows: [LineRow] = []
        func add(_ offset: Int, _ range: SourceRange) {
            let file = Int(range.file)
            let isKnown =
                range.line > 0 && file < fragment.sourceFiles.count && !fragment.sourceFiles[file].isEmpty
            let row = LineRow(offset: offset, file: isKnown ? file : 0, line: isKnown ? Int(range.line) : 0)
            if let last = rows.last {
                if last.file == row.file, last.line == row.line { return }
                // Nothing was emitted for what came before.
                if last.offset == offset { rows.removeLast() }
            }
            rows.append(row)
        }
        let heading = fragment.code.range
        add(0, heading)
        for range in machine.ranges + notes.cold {
            add(Int(range.offset), fragment.code.sourceRange(at: Int(range.instruction)))
        }
        add(notes.helpersOffset, .none)
        if let entry = machine.lastEntry { add(entry, heading) }
        return rows.allSatisfy { $0.line == 0 } ? [] : rows
    }

    /// Names end up in lines of text and on terminals: what is no plain character is a question mark there. They are
    /// as long as names of the system can be, so that a record for each instruction stays bounded.
    static func printable(_ name: String) -> String {
        var result = ""
        for scalar in name.unicodeScalars.prefix(1024) {
            switch scalar.properties.generalCategory {
            case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate: result += "?"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    private static func absolute(_ path: String, _ directory: String) -> String {
        // `<stdin>` and the like are no files.
        path.isEmpty || path.hasPrefix("/") || path.hasPrefix("<") ? path : directory + "/" + path
    }
}
