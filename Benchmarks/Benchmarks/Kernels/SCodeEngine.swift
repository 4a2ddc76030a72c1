import Foundation
import SCode

/// The kernels as SCODE text, with all guards.
struct SCodeEngine: CompilingEngine {
    let name: String
    /// Of the regions: this takes the place of what the text says.
    let policy: MemoryPolicy
    let places: Places
    var optimisations = Optimisations.all
    var isMemorySafe: Bool { true }
    var isBounded: Bool { true }
    var note: String {
        "regions \(policy.name), the budget of acceptor plain, everything checked that is not proved; "
            + "FragmentCaller, from Swift"
    }

    /// The policies under which programs reach memory by addresses that they compute. `static` refuses what is not
    /// proved, and so has no column.
    static func all(_ places: Places) -> [SCodeEngine] {
        MemoryPolicy.allCases.filter { $0 != .static }.map {
            SCodeEngine(
                name: $0 == .physical ? "scode" : "scode-\($0.name)", policy: $0, places: places)
        }
    }

    /// One without any optimisation, and for each one without that.
    func withFewerPasses() -> [SCodeEngine] {
        func engine(_ name: String, _ optimisations: Optimisations) -> SCodeEngine {
            SCodeEngine(name: name, policy: policy, places: places, optimisations: optimisations)
        }
        return [engine("none", [])]
            + Optimisations.passes.map {
                engine("without \($0.name)", Optimisations.all.subtracting($0.pass))
            }
    }

    func compiler(of kernel: Kernel) throws -> Compiler {
        let memory = try FragmentMemory(kernel, policy: policy)
        let (bytes, acceptor) = try module(kernel)
        let cache = optimisations == .all ? nil : CodeCache(optimising: optimisations)
        return {
            let program = try Program(decoding: bytes)
            guard let code = try Module(program: program, acceptor: acceptor).fragment() else {
                throw EngineFailure("\(kernel.name) has no fragment")
            }
            return try InstalledKernel(
                kernel, code, memory, passing: kernel.kind == .compiled ? .none : .length, sharing: cache)
        }
    }

    /// The kernel's module, as it would arrive, and who takes it.
    private func module(_ kernel: Kernel) throws -> (bytes: [UInt8], acceptor: Acceptor) {
        if kernel.kind == .compiled {
            // What is compiled must be the same program everywhere, so it is eBPF's; its memory is the region, and no
            // caller can say otherwise.
            var acceptor = Acceptor.plain
            acceptor.suppliedArguments = 0
            let program = try Program(
                ebpf: places.object(kernel, "bpf.o"), for: [acceptor], memorySize: UInt64(kernel.size))
            return (program.encoded(), acceptor)
        }
        guard let text = String(data: try places.source(kernel, "scode"), encoding: .utf8) else {
            throw EngineFailure("\(kernel.name).scode is no text")
        }
        var program = try Module(text: text, acceptor: .plain).program.program
        for index in program.regions.indices {
            program.regions[index].policy = policy
            // Regions of the host policy are whole pages.
            if policy == .host {
                program.regions[index].size = FragmentMemory.wholePages(program.regions[index].size)
            }
        }
        return (program.encoded(), .plain)
    }
}

/// The kernels from C, through eBPF. Callers pass any address, so that every access is guarded.
struct ImportedEngine: Engine {
    let name = "scode-ebpf"
    let places: Places
    let isMemorySafe = true
    let isBounded = true
    let note = "from C through eBPF; as scode, but the caller passes the address, so no access is proved"

    func load(_ kernel: Kernel) throws -> any LoadedKernel {
        let program = try Program(
            ebpf: places.object(kernel, "bpf.o"), for: [.plain], memorySize: UInt64(kernel.size))
        guard let code = try Module(program: program, acceptor: .plain).fragment() else {
            throw EngineFailure("\(kernel.name).bpf.o has no fragment")
        }
        let memory = try FragmentMemory(kernel, policy: .physical)
        return try InstalledKernel(kernel, code, memory, passing: .addressAndLength, sharing: nil)
    }
}

/// A kernel's memory, and how a fragment is given it.
struct FragmentMemory {
    /// Where fragments see it, unless a page table says so.
    static let address: UInt64 = 1 << 32
    let host: UnsafeMutableRawPointer
    let space: AddressSpace?
    private let binding: RegionBinding
    private let pages: PhysicalMemory
    /// For what comes from eBPF, which may have one.
    private let stack = PhysicalMemory(size: PhysicalMemory.pageSize)

    static func wholePages(_ bytes: UInt64) -> UInt64 {
        let page = MemoryPolicy.hostPage
        return (bytes + page - 1) / page * page
    }

    init(_ kernel: Kernel, policy: MemoryPolicy) throws {
        let page = PhysicalMemory.pageSize
        if policy == .host {
            let size = Int(Self.wholePages(UInt64(kernel.size)))
            guard let memory = HostMemory(), memory.map(at: page, size: size, writable: true) else {
                throw EngineFailure("the system gives no address space for \(kernel.name)")
            }
            pages = stack
            host = memory.base + page
            space = nil
            binding = .host(memory, at: page, size: size)
            return
        }
        guard policy == .virtual else {
            pages = PhysicalMemory(size: kernel.size)
            host = pages.base
            space = nil
            binding = .physical(base: FragmentMemory.address, host: host, size: kernel.size, writable: true)
            return
        }
        // Page 0 is the directory, page 1 the table of the first 4 MiB, of which pages 2 and on are mapped where they lie.
        let count = (kernel.size + page - 1) / page
        pages = PhysicalMemory(size: (2 + count) * page)
        let presentWritableUser: UInt32 = 7
        pages.base.storeBytes(of: UInt32(page) | presentWritableUser, as: UInt32.self)
        for index in 2..<2 + count {
            pages.base.storeBytes(
                of: UInt32(index * page) | presentWritableUser, toByteOffset: page + index * 4,
                as: UInt32.self)
        }
        host = pages.base + 2 * page
        space = AddressSpace(memory: pages, directory: 0)
        binding = .virtual(base: UInt64(2 * page), size: kernel.size)
    }

    /// What a region of the kernel's is bound to.
    func binding(_ region: Region) -> RegionBinding {
        region.name == "stack"
            ? .physical(base: 2 << 32, host: stack.base, size: stack.size, writable: true) : binding
    }
}

/// A fragment, called by the fastest call that is public.
final class InstalledKernel: LoadedKernel {
    /// What each call passes.
    enum Arguments {
        /// Nothing: all parameters have defaults.
        case none
        case length
        case addressAndLength
    }

    var memory: UnsafeMutableRawPointer { place.host }
    var codeSize: Int? { caller.fragment.native?.bytes.count }
    private var caller: FragmentCaller
    private let place: FragmentMemory
    private let kernel: Kernel
    private let arguments: Arguments

    init(
        _ kernel: Kernel, _ code: VerifiedFragment, _ place: FragmentMemory, passing arguments: Arguments,
        sharing cache: CodeCache?
    ) throws {
        caller = FragmentCaller(
            try Fragment(
                code, regions: code.regions.map(place.binding), space: place.space, sharing: cache))
        self.place = place
        self.kernel = kernel
        self.arguments = arguments
    }

    func call(_ count: UInt64) throws -> UInt64 {
        let length = kernel.length
        switch arguments {
        case .none: return try repeated(count) { $0() }
        case .length: return try repeated(count) { $0(length) }
        case .addressAndLength:
            let address = FragmentMemory.address
            return try repeated(count) { $0(address, length) }
        }
    }

    @inline(__always) private func repeated(
        _ count: UInt64, _ call: (inout FragmentCaller) -> FragmentCaller.Outcome
    ) throws -> UInt64 {
        var value: UInt64 = 0
        for _ in 0..<count {
            let outcome = call(&caller)
            guard outcome.way == .accepted else {
                throw EngineFailure("\(kernel.name) \(InstalledKernel.say(outcome.way, caller.takeAbort()))")
            }
            value = outcome.value
        }
        return value
    }

    /// How it left when it should have accepted.
    private static func say(_ way: Departure.Way, _ invocation: Invocation?) -> String {
        guard case .abort(let abort)? = invocation?.exit else { return "was \(way)" }
        return "is aborted in line \(abort.line): \(abort.reason)"
    }
}

extension Optimisations {
    private static let names: [(name: String, pass: Optimisations)] = [
        ("strength reduction", .strengthReduction), ("anchor hoisting", .anchorHoisting),
        ("dead code", .deadCode), ("operand folding", .operandFolding),
        ("page caching", .pageCaching),
        ("division by constants", .divisionByConstants), ("loop rotation", .loopRotation),
        ("loop versioning", .loopVersioning), ("check merging", .checkMerging),
    ]

    /// Each pass by itself; one that has no name yet by the number of its bit.
    static var passes: [(name: String, pass: Optimisations)] {
        (0..<RawValue.bitWidth).map { Optimisations(rawValue: 1 << RawValue($0)) }.filter(all.contains).map {
            pass in
            (names.first { $0.pass == pass }?.name ?? "pass \(pass.rawValue.trailingZeroBitCount)", pass)
        }
    }
}
