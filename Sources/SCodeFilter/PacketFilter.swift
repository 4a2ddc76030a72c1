import SCode
import SCodeAcceptors

/// A filter, or a set of them, that is installed: verified, compiled, and with a buffer that packets are put into. Not to
/// be used from two threads at once.
public final class PacketFilter {
    private let fragment: Fragment
    private let buffer: UnsafeMutableRawPointer
    private let budget: UInt64
    /// Instructions of SCODE.
    public let instructionCount: Int

    /// What became of a packet.
    public enum Verdict: Hashable, Sendable {
        /// Taken: by the filter of this number, or, of a single filter, so many bytes are wanted.
        case accept(UInt64)
        case refuse
        /// A guard stopped the code; of code that comes from this module, a mistake.
        case abort(AbortReason)
    }

    /// Verifies the program and compiles its first fragment.
    /// - Parameter program: for the acceptor `filter`, with one region, the packet's buffer.
    public init(_ program: Program, engine: EngineKind = .native) throws {
        let module = try Module(program: program, acceptor: .filter)
        guard let code = module.fragment() else { throw DiagnosticsError([]) }
        buffer = .allocate(byteCount: PacketLimits.bytes, alignment: 8)
        buffer.initializeMemory(as: UInt8.self, repeating: 0, count: PacketLimits.bytes)
        budget = code.acceptor.budget
        instructionCount = code.code.instructions.count
        let address: UInt64 = 1 << 32
        do {
            fragment = try Fragment(
                code,
                regions: [
                    .physical(base: address, host: buffer, size: PacketLimits.bytes, writable: false)
                ], engine: engine)
        } catch {
            buffer.deallocate()
            throw error
        }
        fragment.setArgument(ofParameter: 0, address)
    }

    deinit { buffer.deallocate() }

    /// Asks about one packet.
    /// - Parameters:
    ///   - packet: the bytes that were captured; of more than `PacketLimits.bytes`, the first.
    ///   - wireLength: bytes that the packet had on the wire.
    public func decide(_ packet: UnsafeRawBufferPointer, wireLength: UInt32) -> Verdict {
        let count = min(packet.count, PacketLimits.bytes)
        if let source = packet.baseAddress { buffer.copyMemory(from: source, byteCount: count) }
        return decide(length: count, wireLength: wireLength)
    }

    /// Asks about the packet that lies in the buffer already.
    private func decide(length: Int, wireLength: UInt32) -> Verdict {
        fragment.setArgument(ofParameter: 1, UInt64(length))
        fragment.setArgument(ofParameter: 2, UInt64(wireLength))
        let departure = fragment.enter(budget: budget)
        switch departure.way {
        case .accepted: return .accept(departure.value)
        case .refused: return .refuse
        case .aborted:
            if case .abort(let abort)? = fragment.takeAbort()?.exit { return .abort(abort.reason) }
            return .abort(.policy)
        }
    }

    public func decide(_ packet: [UInt8], wireLength: UInt32? = nil) -> Verdict {
        packet.withUnsafeBytes {
            decide($0, wireLength: wireLength ?? UInt32(truncatingIfNeeded: packet.count))
        }
    }
}
