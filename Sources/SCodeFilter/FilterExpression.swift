import Foundation
import SCode

#if libpcap
    import CPcap
#endif

/// Why an expression was not compiled.
public enum ExpressionFailure: Error, Hashable, Sendable, CustomStringConvertible {
    /// The expression is wrong, in the compiler's words.
    case rejected(String)
    /// There is no compiler: neither libpcap was built in, nor is tcpdump in the path.
    case noCompiler
    /// tcpdump could not be started, or did not print a filter.
    case tcpdump(String)
    /// What came out is no filter that can be run here.
    case filter(ClassicFailure)

    public var description: String {
        switch self {
        case .rejected(let message): message
        case .noCompiler:
            "compiling expressions takes tcpdump, which is not in PATH; install it, or give a compiled filter with -F"
        case .tcpdump(let message): "tcpdump: \(message)"
        case .filter(let failure): "the compiled filter cannot be used: \(failure)"
        }
    }
}

/// Filter expressions as `pcap-filter(7)` has them: `tcp port 80 and not host 10.0.0.1`.
public enum FilterExpression {
    /// The link type of Ethernet.
    public static let ethernet: UInt32 = 1

    /// Compiles an expression: with libpcap when the package is built with the trait `libpcap`, else with the program
    /// tcpdump.
    /// - Parameter linkType: what comes first in the packets, as captures name it.
    public static func compile(
        _ expression: String, linkType: UInt32 = ethernet
    ) throws(ExpressionFailure) -> ClassicProgram {
        guard !expression.utf8.contains(0) else { throw .rejected("a filter has no character NUL in it") }
        #if libpcap
            return try compileWithLibrary(expression, linkType)
        #else
            return try compileWithProgram(expression, linkType)
        #endif
    }

    #if libpcap
        private static func compileWithLibrary(
            _ expression: String, _ linkType: UInt32
        ) throws(ExpressionFailure) -> ClassicProgram {
            // Captures and programs number two link types differently: raw IP is one of them.
            let kind: Int32 = linkType == 101 ? DLT_RAW : Int32(truncatingIfNeeded: linkType)
            guard let handle = pcap_open_dead(kind, Int32(PacketLimits.bytes)) else {
                throw .rejected("libpcap has no room")
            }
            defer { pcap_close(handle) }
            var program = bpf_program()
            guard pcap_compile(handle, &program, expression, 1, PCAP_NETMASK_UNKNOWN) == 0 else {
                throw .rejected(String(cString: pcap_geterr(handle)))
            }
            defer { pcap_freecode(&program) }
            // As text, so that there is one reader, with its checks.
            var lines = ["\(program.bf_len)"]
            for index in 0..<Int(program.bf_len) {
                let instruction = program.bf_insns[index]
                lines.append("\(instruction.code) \(instruction.jt) \(instruction.jf) \(instruction.k)")
            }
            do { return try ClassicProgram(dump: Array(lines.joined(separator: "\n").utf8)) } catch {
                throw .filter(error)
            }
        }
    #else
        /// `tcpdump -ddd`, which learns the link type from a capture without packets.
        private static func compileWithProgram(
            _ expression: String, _ linkType: UInt32
        ) throws(ExpressionFailure) -> ClassicProgram {
            guard let tcpdump = path(of: "tcpdump") else { throw .noCompiler }
            let process = Process()
            process.executableURL = URL(fileURLWithPath: tcpdump)
            // Behind the two dashes nothing is an option.
            process.arguments = ["-ddd", "-r", "-", "--", expression]
            let (input, output, errors) = (Pipe(), Pipe(), Pipe())
            process.standardInput = input
            process.standardOutput = output
            process.standardError = errors
            let text: Data
            let complaint: Data
            do {
                // Before there is anybody who could stop reading: 24 bytes find room in any pipe.
                try input.fileHandleForWriting.write(
                    contentsOf: Data(CaptureFile.header(linkType: linkType)))
                try input.fileHandleForWriting.close()
                try process.run()
                text = try output.fileHandleForReading.readToEnd() ?? Data()
                complaint = try errors.fileHandleForReading.readToEnd() ?? Data()
            } catch { throw .tcpdump("\(error.localizedDescription)") }
            process.waitUntilExit()
            guard process.terminationStatus == 0 else { throw .rejected(reason(complaint)) }
            do { return try ClassicProgram(dump: text) } catch { throw .filter(error) }
        }

        /// The last line that tcpdump wrote, without its name.
        private static func reason(_ complaint: Data) -> String {
            let lines = String(decoding: complaint, as: UTF8.self).split(separator: "\n")
            guard let last = lines.last else { return "tcpdump does not say why" }
            return String(last.hasPrefix("tcpdump: ") ? last.dropFirst("tcpdump: ".count) : last)
        }

        /// Where a program lies, in PATH or where system administrators' programs are.
        private static func path(of program: String) -> String? {
            let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").map(
                String.init)
            return (folders + ["/usr/sbin", "/sbin"]).map { "\($0)/\(program)" }
                .first { FileManager.default.isExecutableFile(atPath: $0) }
        }
    #endif
}
