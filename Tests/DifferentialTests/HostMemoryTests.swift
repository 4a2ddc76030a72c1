import CSCodeRuntime
import Foundation
import Testing

@testable import SCode

/// Regions of the host policy: what the processor's own MMU lets pass, and what becomes of what it does not.
@Suite struct HostMemoryTests {
    private static let heap = Region(name: "heap", policy: .host, isWritable: true, size: 4096)
    private static let at = 0x1_0000

    /// A memory with the page of `heap`, a read-only one behind it, and nothing else.
    private static func memory() throws -> HostMemory {
        let memory = try #require(HostMemory())
        try #require(memory.map(at: at, size: 4096, writable: true))
        try #require(
            memory.map(at: at + 4096, size: 4096, writable: false, contents: [1, 2, 3, 4, 5, 6, 7, 8]))
        return memory
    }

    private static func acceptor(_ base: Acceptor = BothEngines.acceptor) -> Acceptor {
        var acceptor = base
        acceptor.policies = Set(MemoryPolicy.allCases)
        return acceptor
    }

    private static func verified(_ code: FragmentCode, _ acceptor: Acceptor? = nil) throws -> VerifiedFragment
    {
        let program = Program(regions: [heap], fragments: [code])
        let (verified, diagnostics) = Verifier.verify(program, acceptor: acceptor ?? self.acceptor())
        return try #require(verified?.fragments.first, "\(diagnostics.map(\.message))")
    }

    private static func bindings(_ memory: HostMemory) -> [RegionBinding] {
        [.host(memory, at: at, size: 4096)]
    }

    /// The reason and address of an abort, and the registers beside.
    private static func fault(_ invocation: Invocation) -> (reason: AbortReason, address: UInt64)? {
        guard case .abort(let abort) = invocation.exit else { return nil }
        return (abort.reason, abort.address)
    }

    // MARK: Accesses

    static let sizes: [(ValueType, UInt64)] = [(.uc, 1), (.us, 2), (.u, 4), (.ul, 8), (.f, 4), (.d, 8)]

    /// At every distance from every edge: the first byte that is amiss is reported, by both engines alike, and a store
    /// that reaches it has written nothing.
    @Test(arguments: sizes) func edgesOfPages(_ type: ValueType, _ size: UInt64) throws {
        let register = type.isFloat ? f(0) : r(1)
        let code = { (operation: SCode.Operation) in
            FragmentCode(
                [.ul],
                [
                    type.isFloat
                        ? .instruction(
                            Instruction(
                                Opcode(.set, type, .immediate), rd: register, immediate: type.immediate(-1)))
                        : .set(register, -1),
                    .immediate(operation, type, rd: register, r(0), 0), .accept(1),
                ])
        }
        let memory = try Self.memory()
        for (operation, isStore) in [(SCode.Operation.load, false), (.store, true)] {
            let fragment = try Self.verified(code(operation))
            let native = try Fragment(fragment, regions: Self.bindings(memory))
            let interpreted = try Fragment(fragment, regions: Self.bindings(memory), engine: .interpreter)
            let edges: [UInt64] = [0, 0x1_0000, 0x1_1000, 0x1_2000, 0xffff_f000, 1 << 32, 1 << 63]
            for edge in edges {
                for distance in UInt64(0)...16 {
                    let address = edge &+ distance &- 8
                    memory.base.advanced(by: Self.at).initializeMemory(
                        as: UInt8.self, repeating: 0, count: 4096)
                    let expected = interpreted.invoke(arguments: [address])
                    let before = [UInt8](UnsafeRawBufferPointer(start: memory.base + Self.at, count: 4096))
                    memory.base.advanced(by: Self.at).initializeMemory(
                        as: UInt8.self, repeating: 0, count: 4096)
                    let actual = native.invoke(arguments: [address])
                    let after = [UInt8](UnsafeRawBufferPointer(start: memory.base + Self.at, count: 4096))
                    #expect(expected.exit == actual.exit, "\(type) at \(String(address, radix: 16))")
                    #expect(before == after)
                    let amiss = Self.firstAmiss(address & 0xffff_ffff, size, isStore)
                    #expect(Self.fault(actual)?.address == amiss?.address)
                    #expect(Self.fault(actual)?.reason == amiss?.reason)
                    #expect(after.contains { $0 != 0 } == (isStore && amiss == nil))
                }
            }
        }
    }

    /// What the pages say, byte by byte.
    private static func firstAmiss(
        _ offset: UInt64, _ size: UInt64, _ isStore: Bool
    ) -> (reason: AbortReason, address: UInt64)? {
        for byte in offset..<offset + size {
            switch byte >> 12 {
            case 0x10: continue
            case 0x11 where !isStore: continue
            case 0x11: return (.readOnlyRegion, byte)
            default: return (.outOfBounds, byte)
            }
        }
        return nil
    }

    /// Atomic operations look at the alignment of the low half first, then at the page, then write.
    @Test(arguments: [
        SCode.Operation.atomicAdd, .atomicXor, .fetchAdd, .fetchOr, .exchange, .compareExchange,
    ]) func atomicOperations(_ operation: SCode.Operation) throws {
        let fragment = try Self.verified(
            FragmentCode(
                [.ul],
                [
                    .set(r(1), 3), .set(r(2), 9),
                    .instruction(
                        Instruction(
                            Opcode(operation, .ul, .immediate), rd: r(1), rs1: r(0),
                            rs2: operation == .compareExchange ? r(2) : r(0), immediate: 8)),
                    .accept(r(1)),
                ]))
        let upper: UInt64 = 0xfeed_0000_0000_0000
        for place in [0x1_0000, 0x1_0001, 0x1_0ff0, 0x1_0ff8, 0x1_1000, 0x1_1ff8, 0, .max] as [UInt64] {
            let runs = try EngineKind.allCases.map { engine in
                let memory = try Self.memory()
                let invocation = try Fragment(fragment, regions: Self.bindings(memory), engine: engine)
                    .invoke(arguments: [place &+ upper])
                return (
                    invocation, [UInt8](UnsafeRawBufferPointer(start: memory.base + Self.at, count: 8192))
                )
            }
            let invocation = runs[0].0
            #expect(invocation.exit == runs[1].0.exit)
            #expect(runs[0].1 == runs[1].1)
            let offset = (place &+ 8) & 0xffff_ffff
            let expected: AbortReason? =
                offset % 8 != 0
                ? .misaligned
                : offset >> 12 == 0x10 ? nil : offset >> 12 == 0x11 ? .readOnlyRegion : .outOfBounds
            #expect(Self.fault(invocation)?.reason == expected)
            if expected != nil { #expect(Self.fault(invocation)?.address == offset) }
        }
    }

    // MARK: Where a fault can happen

    /// Inside procedures, with more values than registers, called by another fragment: all registers are seen, the frame is
    /// left, and who called goes on with its own.
    @Test func faultsInsideChains() throws {
        let memory = try Self.memory()
        var lines: [Line] = (1..<20).map { .set(r($0), Int64($0) * 0x1111_1111_1111) }
        lines.append(.instruction(Instruction(Opcode(.call), index: 0)))
        lines += (2..<20).map { Line.op(.xor, .ul, rd: r(1), r(1), r($0)) }
        lines.append(.accept(r(1)))
        lines.append(.immediate(.load, .ul, rd: r(1), r(0), 4))
        lines.append(.instruction(Instruction(Opcode(.return))))
        let start = lines.count - 2
        let child = try Self.verified(FragmentCode([.ul], procedures: [start], lines))
        let parent = try Self.verified(FragmentCode([], [.macro("sub", [.immediate(0)]), .accept(7)]))
        for observation in [RegisterObservation.live, .all] {
            let invocations = try EngineKind.allCases.map { engine in
                let bindings = Self.bindings(memory)
                let top = try Fragment(
                    parent, regions: bindings, slotCount: 1, engine: engine, observing: observation)
                let below = try Fragment(child, regions: bindings, engine: engine, observing: observation)
                below.owner = 5
                top.setSlot(0, below)
                for (address, isThere) in [
                    (0x1_0000, true), (0x5000, false), (0x1_1ff4, true), (0x1_1ff5, false),
                ] {
                    let invocation = below.invoke(arguments: [UInt64(address)])
                    #expect((Self.fault(invocation) == nil) == isThere)
                }
                below.setArgument(ofParameter: 0, 0x5000)
                return (0..<3).map { _ in top.invoke(budget: 10) }.last
            }
            #expect(invocations[0]?.exit == invocations[1]?.exit)
            #expect(invocations[0]?.remainingBudget == invocations[1]?.remainingBudget)
            #expect(invocations[0]?.leftIn.owner == 5)
            guard case .abort(let abort)? = invocations[0]?.exit else {
                Issue.record("\(String(describing: invocations[0]?.exit))")
                continue
            }
            #expect(abort.reason == .outOfBounds && abort.address == 0x5004)
            #expect(abort.registers.values[19] == 19 * 0x1111_1111_1111)
        }
    }

    /// Four threads fault and do not, each in a memory of its own or in the same, with and without alternate stacks.
    @Test func severalThreads() throws {
        let memory = try Self.memory()
        let fragment = try Self.verified(
            FragmentCode([.ul], [.immediate(.load, .uc, rd: r(1), r(0), 0), .accept(r(1))]))
        let installed = try Fragment(fragment, regions: Self.bindings(memory))
        let failures = Failures()
        DispatchQueue.concurrentPerform(iterations: 4) { thread in
            for round in 0..<2000 {
                let address = UInt64(round % 3) * 0x1000 + 0x1_0000 + UInt64(thread)
                let exit = installed.invoke(arguments: [address]).exit
                let isRight =
                    switch exit {
                    case .accept(let value):
                        round % 3 == 0 ? value == 0 : round % 3 == 1 && value == UInt64(thread + 1)
                    case .abort(let abort):
                        round % 3 == 2 && abort.address == address && abort.reason == .outOfBounds
                    case .refuse: false
                    }
                if !isRight { failures.add("\(thread), \(round): \(exit)") }
            }
        }
        #expect(failures.all == [])
    }

    private final class Failures: @unchecked Sendable {
        private let lock = NSLock()
        private(set) var all: [String] = []
        func add(_ failure: String) { lock.withLock { all.append(failure) } }
    }

    /// On a stack that is small and its own.
    @Test func insideAnActivation() throws {
        var acceptor = Self.acceptor()
        acceptor.isInterruptible = true
        acceptor.suppliedArguments = 0
        let memory = try Self.memory()
        // Loads further and further behind the end, interrupted on the way.
        let code = try Self.verified(
            FragmentCode(
                [], labels: [1],
                [
                    .base(r(0)),
                    .immediate(.add, .ul, rd: r(0), r(0), 512), .immediate(.load, .ul, rd: r(1), r(0), 0),
                    .instruction(Instruction(Opcode(.jump), index: 0)),
                ]), acceptor)
        for engine in EngineKind.allCases {
            let stack = try #require(NativeStack(for: engine))
            let fragment = try Fragment(code, regions: Self.bindings(memory), engine: engine)
            let activation = try #require(Activation(fragment, on: stack))
            var rounds = 0
            while !activation.isOver, rounds < 100 {
                rounds += 1
                guard case .left(let invocation) = activation.resume(budget: 2) else { continue }
                #expect(Self.fault(invocation)?.address == 0x1_2000)
            }
            #expect(rounds == 8)
        }
    }

    // MARK: Installing

    @Test func bindings() throws {
        let memory = try Self.memory()
        let other = try Self.memory()
        let code = try Self.verified(FragmentCode([], [.accept(1)]))
        func install(_ binding: RegionBinding, space: AddressSpace? = nil) throws {
            _ = try Fragment(code, regions: [binding], space: space)
        }
        try install(.host(memory, at: Self.at, size: 4096))
        #expect(throws: InstallFailure.regionTooSmall("heap")) {
            try install(.host(memory, at: 0, size: 4096))
        }
        #expect(throws: InstallFailure.regionTooSmall("heap")) {
            try install(.host(memory, at: Self.at, size: 4095))
        }
        #expect(throws: InstallFailure.regionReadOnly("heap")) {
            try install(.host(memory, at: Self.at + 4096, size: 4096))
        }
        #expect(throws: InstallFailure.regionMisplaced("heap")) {
            try install(.host(memory, at: Self.at + 8, size: 4096))
        }
        for far in [1 << 32 - 4096, 1 << 32, .max, -4096] {
            #expect(throws: InstallFailure.self) { try install(.host(memory, at: far, size: 4096)) }
        }
        #expect(throws: InstallFailure.regionKind("heap")) { try install(.virtual(base: 0, size: 4096)) }
        #expect(throws: InstallFailure.regionKind("heap")) {
            try install(.physical(base: 0x1_0000, host: memory.base + Self.at, size: 4096, writable: true))
        }
        let physical = try BothEngines.verified(
            FragmentCode([], [.accept(1)]),
            regions: [Region(name: "heap", policy: .physical, isWritable: true, size: 4096)])
        #expect(throws: InstallFailure.regionKind("heap")) {
            _ = try Fragment(physical, regions: Self.bindings(memory))
        }
        let two = Program(
            regions: [Self.heap, Region(name: "more", policy: .host, isWritable: true, size: 4096)],
            fragments: [FragmentCode([], [.accept(1)])])
        let both = try #require(Verifier.verify(two, acceptor: Self.acceptor()).program?.fragments.first)
        #expect(throws: InstallFailure.regionMisplaced("more")) {
            _ = try Fragment(both, regions: Self.bindings(memory) + Self.bindings(other))
        }
        #expect(throws: InstallFailure.regionMisplaced("more")) {
            _ = try Fragment(both, regions: Self.bindings(memory) + Self.bindings(memory))
        }
    }

    @Test func pagesAreMappedOnce() throws {
        let memory = try #require(HostMemory())
        #expect(!memory.map(at: 100, size: 4096, writable: true))
        #expect(!memory.map(at: 0, size: 100, writable: true))
        #expect(!memory.map(at: 0, size: 0, writable: true))
        #expect(!memory.map(at: -4096, size: 4096, writable: true))
        #expect(!memory.map(at: .max - 4095, size: 4096, writable: true))
        #expect(!memory.map(at: 0, size: 4096, writable: true, contents: Array(repeating: 1, count: 4097)))
        // The last page would have the window's last bytes in it.
        #expect(!memory.map(at: 1 << 32 - 4096, size: 4096, writable: true))
        #expect(memory.map(at: 1 << 32 - 8192, size: 4096, writable: true))
        #expect(memory.map(at: 8192, size: 8192, writable: true, contents: [7]))
        #expect(memory.base.load(fromByteOffset: 8192, as: UInt8.self) == 7)
        for at in [4096, 8192, 12288] { #expect(!memory.map(at: at, size: 8192, writable: true)) }
        #expect(memory.map(at: 16384, size: 4096, writable: true))
    }
}
