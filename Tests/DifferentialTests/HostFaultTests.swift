import Foundation
import Testing

@testable import SCode

/// Faults that are none of a fragment's reach whoever had looked after them before. Each test is a process of its own:
/// the handler is installed once.
@Suite struct HostFaultTests {
    /// Exits in a way that a test sees.
    private static func installHandler(onStack: Bool = false) {
        var action = sigaction()
        action.__sigaction_handler.sa_handler = { _ in _exit(42) }
        action.sa_flags = onStack ? SA_ONSTACK : 0
        sigaction(SIGSEGV, &action, nil)
    }

    /// A fragment that faults, and is aborted: the handler is there, and does its work.
    private static func faultInAFragment() -> HostMemory? {
        var acceptor = BothEngines.acceptor
        acceptor.policies = Set(MemoryPolicy.allCases)
        let heap = Region(name: "heap", policy: .host, isWritable: true, size: 4096)
        let code = FragmentCode([.ul], [.immediate(.load, .ul, rd: r(1), r(0), 0), .accept(r(1))])
        let program = Program(regions: [heap], fragments: [code])
        guard let memory = HostMemory(), memory.map(at: 4096, size: 4096, writable: true),
            let verified = Verifier.verify(program, acceptor: acceptor).program?.fragments.first,
            let fragment = try? Fragment(verified, regions: [.host(memory, at: 4096, size: 4096)])
        else { return nil }
        for address in [0, 8192, 0xffff_ffff] as [UInt64] {
            guard case .abort(let abort) = fragment.invoke(arguments: [address]).exit,
                abort.reason == .outOfBounds, abort.address == address
            else { return nil }
        }
        return fragment.invoke(arguments: [4096]).exit == .accept(0) ? memory : nil
    }

    private static func read(_ address: Int) {
        guard let place = UnsafeRawPointer(bitPattern: address) else { return }
        if place.load(as: UInt8.self) == 1 { print("was 1") }
    }

    @Test func aFaultElsewhereReachesTheHandlerBefore() async {
        await #expect(processExitsWith: .exitCode(42)) {
            Self.installHandler()
            if Self.faultInAFragment() == nil { _exit(1) }
            Self.read(16)
        }
    }

    /// The host has no business there, and is told so.
    @Test func aFaultOfTheHostInTheWindowIsPassedOn() async {
        await #expect(processExitsWith: .exitCode(42)) {
            Self.installHandler()
            guard let memory = Self.faultInAFragment() else { _exit(1) }
            Self.read(Int(bitPattern: memory.base))
        }
    }

    /// With no handler before, the process ends as it would have.
    @Test func withoutAHandlerTheProcessEnds() async {
        await #expect(processExitsWith: .signal(SIGSEGV)) {
            signal(SIGSEGV, SIG_DFL)
            if Self.faultInAFragment() == nil { _exit(1) }
            Self.read(16)
        }
        await #expect(processExitsWith: .signal(SIGSEGV)) {
            signal(SIGSEGV, SIG_DFL)
            if Self.faultInAFragment() == nil { _exit(1) }
            raise(SIGSEGV)
        }
    }

    /// A signal that somebody sends is no fault; who has asked not to be told is not.
    @Test func aSignalThatIsSentIsPassedOn() async {
        await #expect(processExitsWith: .exitCode(42)) {
            Self.installHandler()
            if Self.faultInAFragment() == nil { _exit(1) }
            raise(SIGSEGV)
        }
        await #expect(processExitsWith: .exitCode(7)) {
            signal(SIGSEGV, SIG_IGN)
            if Self.faultInAFragment() == nil { _exit(1) }
            raise(SIGSEGV)
            _exit(Self.faultInAFragment() == nil ? 1 : 7)
        }
    }

    private static func recurse(_ depth: Int) -> Int {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 1024) { bytes in
            bytes[depth % 1024] = 1
            return recurse(depth + 1) + Int(bytes[(depth + 1) % 1024])
        }
    }

    /// When there is no stack left, the handler before runs on the alternate one that it has set up.
    @Test func aStackThatOverflowsReachesTheHandlerBefore() async {
        await #expect(processExitsWith: .exitCode(42)) {
            var alternate = stack_t()
            alternate.ss_size = 1 << 16
            alternate.ss_sp = .allocate(byteCount: alternate.ss_size, alignment: 16)
            sigaltstack(&alternate, nil)
            Self.installHandler(onStack: true)
            if Self.faultInAFragment() == nil { _exit(1) }
            _exit(Self.recurse(0) == 0 ? 1 : 2)
        }
    }
}
