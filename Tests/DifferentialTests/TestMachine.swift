import SCode

/// A small machine in which the same program is run by both engines, from the same state.
final class TestMachine {
    static let regions = [
        Region(name: "data", policy: .physical, isWritable: true, size: 64),
        Region(name: "fixed", policy: .physical, isWritable: false, size: 40),
        Region(name: "pinned", policy: .static, isWritable: true, size: 64),
        Region(name: "paged", policy: .virtual, isWritable: true, size: 0x3000),
    ]
    /// The same, where the processor's own MMU guards what is not proved.
    static let hostRegions = [
        Region(name: "data", policy: .host, isWritable: true, size: 0x2000),
        Region(name: "fixed", policy: .host, isWritable: false, size: 0x1000),
        Region(name: "pinned", policy: .static, isWritable: true, size: 64),
        Region(name: "paged", policy: .host, isWritable: true, size: 0x3000),
    ]
    /// What programs of a seed declare: one in four the second.
    static func regions(_ seed: UInt64) -> [Region] { seed / 4 % 4 == 0 ? hostRegions : regions }

    static let mix: @convention(c) (UInt8, Int16, UInt32, Int64) -> Int32 = { a, b, c, d in
        Int32(truncatingIfNeeded: Int64(a) &* 31 &+ Int64(b) &* 17 ^ Int64(c) &+ d)
    }
    static let void: @convention(c) (UInt64) -> Void = { _ in }
    static let many: @convention(c) (UInt64, UInt64, UInt64, UInt64, UInt64, UInt64) -> UInt64 = {
        ($0 &* 3) ^ ($1 &* 5) ^ ($2 &* 7) ^ ($3 &* 11) ^ ($4 &* 13) ^ ($5 &* 17)
    }

    static let blend: @convention(c) (Double, Float, Int32, Double) -> Double = { a, b, c, d in
        (a - Double(b)) * Double(c) / d
    }
    static let half: @convention(c) (Float) -> Float = { $0 / 2 }
    static let rank: @convention(c) (UInt64, Double, UInt8, Float) -> Int64 = { a, b, c, d in
        Int64(bitPattern: a &* 3 ^ b.bitPattern &+ UInt64(c) ^ UInt64(d.bitPattern) << 7)
    }
    static let swallow: @convention(c) (Float, Double) -> Void = { _, _ in }

    private static func offer(
        _ name: String, _ parameters: [ValueType], _ result: ValueType?, _ foreign: [ForeignType],
        _ foreignResult: ForeignType?, _ address: UnsafeRawPointer
    ) -> OfferedFunction {
        OfferedFunction(
            HostDeclaration(name: name, parameters: parameters, result: result),
            HostFunction(parameters: foreign, result: foreignResult, address: address), meaning: "")
    }

    static let hostFunctions = [
        offer(
            "blend", [.d, .f, .i, .d], .d, [.double, .float, .int32, .double], .double,
            unsafeBitCast(blend, to: UnsafeRawPointer.self)),
        offer("half", [.f], .f, [.float], .float, unsafeBitCast(half, to: UnsafeRawPointer.self)),
        offer(
            "rank", [.ul, .d, .uc, .f], .l, [.uint64, .double, .uint8, .float], .int64,
            unsafeBitCast(rank, to: UnsafeRawPointer.self)),
        offer(
            "swallow", [.f, .d], nil, [.float, .double], nil,
            unsafeBitCast(swallow, to: UnsafeRawPointer.self)),
    ]

    /// One program in four is compiled with masks against speculation.
    static func acceptor(of seed: UInt64) -> Acceptor {
        var acceptor = acceptor
        acceptor.guards.masksSpeculation = seed >> 8 & 3 == 3
        return acceptor
    }

    static let acceptor = Acceptor(
        name: "test", suppliedArguments: 1, policies: Set(MemoryPolicy.allCases),
        macros: [
            MacroInstruction("accept", [.value(.ul)], .accept, meaning: ""),
            MacroInstruction("accept_f", [.value(.f)], .accept, meaning: ""),
            MacroInstruction("accept_d", [.value(.d)], .accept, meaning: ""),
            MacroInstruction("refuse", [], .refuse, meaning: ""),
            MacroInstruction("s_sub", [.value(.ul)], .subSchedule, meaning: ""),
            MacroInstruction(
                "h_mix", [.result(.i), .value(.uc), .value(.s), .value(.u), .value(.l)],
                .hostCall(
                    HostFunction(
                        parameters: [.uint8, .int16, .uint32, .int64], result: .int32,
                        address: unsafeBitCast(mix, to: UnsafeRawPointer.self))), meaning: ""),
            MacroInstruction(
                "h_void", [.value(.c)],
                .hostCall(
                    HostFunction(
                        parameters: [.uint64], result: nil,
                        address: unsafeBitCast(void, to: UnsafeRawPointer.self))), meaning: ""),
            MacroInstruction(
                "h_many", [.result(.ul)] + Array(repeating: .value(.ul), count: 5),
                .hostCall(
                    HostFunction(
                        parameters: Array(repeating: .uint64, count: 5), result: .uint64,
                        address: unsafeBitCast(many, to: UnsafeRawPointer.self),
                        userData: UnsafeMutableRawPointer(bitPattern: 0x1234_5678))), meaning: ""),
            MacroInstruction(
                "h_half", [.result(.f), .value(.f)],
                .hostCall(
                    HostFunction(
                        parameters: [.float], result: .float,
                        address: unsafeBitCast(half, to: UnsafeRawPointer.self))), meaning: ""),
        ], hostFunctions: hostFunctions, budget: 50, depth: 3)

    private let memory = PhysicalMemory(size: 16 * 4096)
    private let host = UnsafeMutableRawPointer.allocate(byteCount: 512, alignment: 16)

    /// Pages at offsets where programs look often: behind 0x10000 and 0xffff, before 0xfffff000, the writable ones before
    /// those that are read-only.
    private let hostMemory: HostMemory
    private static let hostPages: [(offset: Int, size: Int)] = [
        (0x1_0000, 0x2000), (0x2_0000, 0x3000), (0xffff_e000, 0x1000),
    ]

    init() throws {
        guard let memory = HostMemory(),
            Self.hostPages.allSatisfy({ memory.map(at: $0, size: $1, writable: true) }),
            memory.map(
                at: 0x1_2000, size: 0x1000, writable: false,
                contents: (0..<0x1000).map { UInt8($0 * 7 & 0xff) })
        else { throw CompileFailure.outOfMemory }
        hostMemory = memory
    }

    deinit { host.deallocate() }

    /// What memory holds at first, page tables apart.
    private static let pattern: [UInt8] = (0..<16 * 4096).map {
        $0 < 3 * 4096 ? 0 : UInt8(truncatingIfNeeded: $0 &* 11)
    }

    /// Pages 0 directory, 1 and 2 tables; then frames. Some pages are missing, read-only or the kernel's.
    func reset(_ seed: UInt64) {
        for offset in 0..<512 {
            host.storeBytes(
                of: UInt8(truncatingIfNeeded: offset &* 37 &+ Int(seed & 0xff)), toByteOffset: offset,
                as: UInt8.self)
        }
        Self.pattern.withUnsafeBytes { bytes in
            if let start = bytes.baseAddress { memory.base.copyMemory(from: start, byteCount: memory.size) }
        }
        for (offset, size) in Self.hostPages {
            Self.pattern.withUnsafeBytes { bytes in
                if let start = bytes.baseAddress {
                    (hostMemory.base + offset).copyMemory(
                        from: start + 0x3000 + Int(seed & 0xff), byteCount: size)
                }
            }
        }
        func set(_ table: Int, _ index: Int, _ value: UInt32) {
            memory.base.storeBytes(of: value, toByteOffset: table * 4096 + index * 4, as: UInt32.self)
        }
        set(0, 0, 0x1000 | 7)
        set(0, 1, 0x2000 | 7)
        set(0, 1023, 0x2000 | 7)
        set(1, 0, 5 << 12 | 7)
        set(1, 1, 4 << 12 | 7)
        set(1, 2, 9 << 12 | 7)
        set(1, 3, 6 << 12 | (seed & 1 == 0 ? 5 : 7))  // read-only, or not
        set(1, 4, 7 << 12 | (seed & 2 == 0 ? 3 : 7))  // the kernel's, or not
        set(1, 1023, 8 << 12 | 7)
        set(2, 0, 10 << 12 | 7)
        set(2, 1023, UInt32(seed & 4 == 0 ? 0xff << 12 : 11 << 12) | 7)  // a frame that is not there, or is
    }

    /// Everything that a run leaves behind.
    struct State: Equatable {
        var exit: Exit
        var budget: UInt64
        var registers: RegisterFile
        var leftIn: Int
        var memory: [UInt8]
    }

    func run(
        _ fragments: [VerifiedFragment], seed: UInt64, engine: EngineKind, observing: RegisterObservation,
        tlb: Bool, sharing cache: CodeCache? = nil
    ) throws -> State {
        let installed = try install(
            fragments, seed: seed, engine: engine, observing: observing, tlb: tlb, sharing: cache)
        // Fragments that call one another in a circle would keep one another for ever.
        defer {
            for fragment in installed { for slot in 0..<4 { fragment.setSlot(slot, nil) } }
        }
        let invocation = installed[0].invoke(arguments: arguments(seed), budget: budget(seed))
        return State(
            exit: invocation.exit, budget: invocation.remainingBudget, registers: invocation.registers,
            leftIn: invocation.leftIn.owner, memory: contents)
    }

    /// The same, executed by the emulator.
    func run(
        _ fragments: [VerifiedFragment], seed: UInt64, on emulator: Emulator, observing: RegisterObservation,
        tlb: Bool
    ) throws -> State {
        let installed = try install(fragments, seed: seed, engine: .native, observing: observing, tlb: tlb)
        defer {
            for fragment in installed { for slot in 0..<4 { fragment.setSlot(slot, nil) } }
        }
        let frames = mappedFrames.map { (memory.base + $0.frame * 4096, $0.isWritable) }
        let invocation = try installed[0].invoke(
            arguments: arguments(seed), budget: budget(seed), on: emulator,
            besides: Array(installed.dropFirst()),
            frames: frames)
        return State(
            exit: invocation.exit, budget: invocation.remainingBudget, registers: invocation.registers,
            leftIn: invocation.leftIn.owner, memory: contents)
    }

    /// The frames that the page table gives to whoever is not the kernel.
    private var mappedFrames: [(frame: Int, isWritable: Bool)] {
        func entry(_ table: UInt32, _ index: Int) -> UInt32 {
            memory.base.load(fromByteOffset: Int(table >> 12) * 4096 + index * 4, as: UInt32.self)
        }
        var frames: [(frame: Int, isWritable: Bool)] = []
        for directory in 0..<1024 where entry(0, directory) & 5 == 5 {
            let table = entry(0, directory)
            for index in 0..<1024 where entry(table, index) & 5 == 5 {
                let frame = Int(entry(table, index) >> 12)
                if frame * 4096 < memory.size { frames.append((frame, entry(table, index) & 2 != 0)) }
            }
        }
        return frames
    }

    private func arguments(_ seed: UInt64) -> [UInt64] {
        seed & 16 == 0 ? [] : [seed &* 0x9e37_79b9_7f4a_7c15]
    }
    private func budget(_ seed: UInt64) -> UInt64? { [nil, nil, 200, 1000, 7][Int(seed % 5)] }

    /// Everything that fragments can write.
    private var contents: [UInt8] {
        [UInt8](UnsafeRawBufferPointer(start: host, count: 512))
            + UnsafeRawBufferPointer(start: memory.base, count: memory.size)
            + Self.hostPages.flatMap {
                UnsafeRawBufferPointer(start: hostMemory.base + $0.offset, count: $0.size)
            }
    }

    /// What is seen when an activation stops.
    struct Stop: Equatable {
        /// nil: it was interrupted.
        var exit: Exit?
        var budget: UInt64
        var site: Int
        var registers: RegisterFile
        var memory: [UInt8]
    }

    /// Runs a fragment as an activation, with one budget after the other, and tells where each of them ended.
    /// - Parameter meanwhile: what happens on the same thread between two resumptions.
    func run(
        _ code: VerifiedFragment, seed: UInt64, engine: EngineKind, budgets: [UInt64],
        observing: RegisterObservation = .live, meanwhile: () throws -> Void = {}
    ) throws -> [Stop] {
        let fragment = try install([code], seed: seed, engine: engine, observing: observing, tlb: true)[0]
        defer { for slot in 0..<4 { fragment.setSlot(slot, nil) } }
        guard let stack = NativeStack(for: engine), let activation = Activation(fragment, on: stack) else {
            throw CompileFailure.outOfMemory
        }
        var stops: [Stop] = []
        for budget in budgets where !activation.isOver {
            try meanwhile()
            var event = activation.resume(budget: budget)
            while case .pageFault = event {
                event = activation.resume(budget: activation.remainingBudget, answer: 0)
            }
            var stop = Stop(
                exit: nil, budget: activation.remainingBudget, site: 0, registers: RegisterFile(),
                memory: contents)
            switch event {
            case .left(let invocation):
                stop.exit = invocation.exit
                stop.registers = invocation.registers
            case .interrupted:
                let site = activation.interruptionSite
                (stop.site, stop.registers) = (Int(site.instruction), site.registers)
            case .systemCall, .pageFault: throw CompileFailure.internalError("\(event)")
            }
            stops.append(stop)
        }
        return stops
    }

    private func install(
        _ fragments: [VerifiedFragment], seed: UInt64, engine: EngineKind, observing: RegisterObservation,
        tlb: Bool, sharing cache: CodeCache? = nil
    ) throws -> [Fragment] {
        reset(seed)
        let space = AddressSpace(memory: memory, directory: 0, usesTLB: tlb)
        let window: UInt64 = 1 << 32
        let pinned = RegionBinding.physical(base: window + 0x1000, host: host + 128, size: 64, writable: true)
        let bindings: [RegionBinding] = [
            .physical(base: window + 0x100, host: host, size: 64, writable: true),
            .physical(base: window + 0x140, host: host + 64, size: 40, writable: false),
            pinned,
            .virtual(base: 0x1000, size: 0x3000),
        ]
        let hostBindings: [RegionBinding] = [
            .host(hostMemory, at: 0x1_0000, size: 0x2000), .host(hostMemory, at: 0x1_2000, size: 0x1000),
            pinned, .host(hostMemory, at: 0x2_0000, size: 0x3000),
        ]
        var installed: [Fragment] = []
        for (index, code) in fragments.enumerated() {
            let fragment = try Fragment(
                code, regions: code.usesHostMemory ? hostBindings : bindings,
                space: code.usesHostMemory ? nil : space, slotCount: 4, engine: engine, observing: observing,
                sharing: cache, keepsCode: true)
            fragment.owner = index
            installed.append(fragment)
        }
        // Each calls those after it, and the last the first: depth and budget must end that.
        for (index, fragment) in installed.enumerated() {
            fragment.setSlot(1, installed[(index + 1) % installed.count])
            fragment.setSlot(2, installed[installed.count - 1])
            if seed & 8 == 0 { fragment.setSlot(3, fragment) }
        }
        return installed
    }
}

extension VerifiedFragment {
    var usesHostMemory: Bool { regions.contains { $0.policy == .host } }
}
