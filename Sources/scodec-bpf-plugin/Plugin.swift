import Foundation
import SCode

/// Speaks the protocol of the public eBPF conformance runner (`bpf_conformance_runner --plugin_path …`): memory as
/// hex bytes in the first argument when there is any, then options; the program as hex bytes in a line of standard
/// input; r0 in hex on standard output.
@main
struct Plugin {
    private static let usage = """
        usage: scodec-bpf-plugin [MEMORY] [--interpret] [--elf]
        Reads an eBPF program, as hex bytes, from standard input, runs it, and prints r0 in hex.

          MEMORY       hex bytes that r1 points to; r2 is how many there are
          --interpret  run it in the interpreter; default: native code
          --elf        what is read is an object file; it is recognised without

        Exit codes: 0 r0 was printed; 1 the program was refused or stopped; 64 wrong usage.

        """

    static func main() {
        var arguments = Array(CommandLine.arguments.dropFirst())
        if arguments.contains("--help") {
            FileHandle.standardOutput.write(Data(usage.utf8))
            return
        }
        // The runner passes one argument, which may be empty, or none.
        let memoryText = arguments.first.map { $0.hasPrefix("--") } == false ? arguments.removeFirst() : ""
        if let unknown = arguments.first(where: { !["--interpret", "--elf"].contains($0) }) {
            fail("'\(printable(unknown))' is no option\n" + usage, code: 64)
        }
        guard let memory = bytes(hex: memoryText) else { fail("the memory is not hex bytes", code: 64) }
        let input = String(decoding: FileHandle.standardInput.readDataToEndOfFile(), as: UTF8.self)
        guard let program = bytes(hex: input) else { fail("the program is not hex bytes", code: 1) }
        let machine = ConformanceMachine(engine: arguments.contains("--interpret") ? .interpreter : .native)
        do {
            let result = try machine.run(program, memory: memory)
            FileHandle.standardOutput.write(Data((String(result, radix: 16) + "\n").utf8))
        } catch {
            fail("\(error)", code: 1)
        }
    }

    private static func fail(_ message: String, code: Int32) -> Never {
        FileHandle.standardError.write(Data((message + (message.hasSuffix("\n") ? "" : "\n")).utf8))
        exit(code)
    }

    private static func printable(_ text: String) -> String {
        String(text.unicodeScalars.map { $0.properties.generalCategory == .control ? "?" : Character($0) })
    }

    /// Pairs of hex digits, with or without white space between them; nil for anything else.
    static func bytes(hex text: String) -> [UInt8]? {
        var bytes: [UInt8] = []
        for word in text.utf8.split(whereSeparator: { $0 == 0x20 || (9...13).contains($0) }) {
            guard word.count % 2 == 0 || word.count == 1 else { return nil }
            var value: UInt8 = 0
            for (index, digit) in word.enumerated() {
                guard let digit = Character(UnicodeScalar(digit)).hexDigitValue else { return nil }
                value = value << 4 | UInt8(digit)
                if index % 2 == 1 || word.count == 1 { bytes.append(value) }
            }
        }
        return bytes
    }
}
