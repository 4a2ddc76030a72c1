import ArgumentParser
import CCapstone
import SCode

/// Machine code beside the source lines that it comes from, disassembled by Capstone.
struct Listing {
    private(set) var text = ""

    init(_ fragment: VerifiedFragment, _ files: [SourceFile]) throws {
        let machine: MachineCode
        do { machine = try NativeCode.translate(fragment) } catch {
            Terminal.message("error: \(error)")
            throw ExitCode.diagnostics
        }
        var handle: csh = 0
        guard cs_open(CS_ARCH_X86, CS_MODE_64, &handle) == CS_ERR_OK else {
            Terminal.message("error: Capstone cannot be opened")
            throw ExitCode.diagnostics
        }
        defer { cs_close(&handle) }
        let bytes = machine.bytes
        let pieces = machine.pieces
        text += "; \(bytes.count) bytes of x86-64 for \(fragment.code.instructions.count) instructions\n"
        if let first = pieces.first, first.offset > 0 {
            text += "; entry\n" + Self.disassemble(handle, bytes[..<first.offset], 0)
        }
        for (index, piece) in pieces.enumerated() {
            let end = index + 1 < pieces.count ? pieces[index + 1].offset : bytes.count
            text += Self.heading(piece.instruction, fragment, files)
            text += Self.disassemble(handle, bytes[piece.offset..<end], piece.offset)
        }
    }

    private static func heading(_ instruction: Int?, _ fragment: VerifiedFragment, _ files: [SourceFile])
        -> String
    {
        guard let instruction else { return "; guards' cold code, stubs, tables, outer entry\n" }
        let range = fragment.code.sourceRange(at: instruction)
        if range.line > 0, files.indices.contains(Int(range.file)),
            let text = files[Int(range.file)].text.line(Int(range.line))
        {
            let place = range.file == 0 ? "" : "\(files[Int(range.file)].name):"
            return "; \(place)\(range.line): \(text.drop { $0 == " " || $0 == "\t" })\n"
        }
        return "; instruction \(instruction): \(fragment.code.instructions[instruction].opcode.mnemonic)\n"
    }

    private static func disassemble(_ handle: csh, _ bytes: ArraySlice<UInt8>, _ offset: Int) -> String {
        var instructions: UnsafeMutablePointer<cs_insn>?
        let count = bytes.withUnsafeBufferPointer {
            cs_disasm(handle, $0.baseAddress, $0.count, UInt64(offset), 0, &instructions)
        }
        var text = ""
        guard let instructions else { return text }
        defer { cs_free(instructions, count) }
        for index in 0..<count {
            let address = String(instructions[index].address, radix: 16)
            let padding = String(repeating: " ", count: max(0, 6 - address.count))
            text +=
                "\(padding)\(address)  \(string(instructions[index].mnemonic)) \(string(instructions[index].op_str))\n"
        }
        return text
    }

    /// A fixed array of C characters.
    private static func string<Characters>(_ characters: Characters) -> String {
        withUnsafeBytes(of: characters) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }
}

struct Disasm: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Compiles a program and prints the machine code beside its source lines.")

    @OptionGroup var source: SourceOptions
    @Option(help: "The fragment; default: all.") var fragment: String?

    func run() throws {
        let input = try Source(source)
        let verified = try input.verify(source.acceptor)
        let chosen =
            try fragment.map { [try verified.fragment(named: $0, in: input.fileName)] } ?? verified.fragments
        for fragment in chosen {
            Terminal.write("fragment \(fragment.code.name)\n")
            Terminal.write(try Listing(fragment, input.files).text)
        }
    }
}
