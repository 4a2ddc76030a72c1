import SCode
import SCodeJIT
import Testing

/// Guards that facts make superfluous, those that they do not, and atomic operations.
@Suite final class GuardTests {
    private let host = UnsafeMutableRawPointer.allocate(byteCount: 128, alignment: 16)
    deinit { host.deallocate() }

    private static let data = Region(name: "data", policy: .physical, isWritable: true, size: 64)

    private func binding(_ base: UInt64 = 0x1000, hostOffset: Int = 32) -> [RegionBinding] {
        host.initializeMemory(as: UInt8.self, repeating: 0, count: 128)
        return [.physical(base: base, host: host + hostOffset, size: 64, writable: true)]
    }

    // MARK: The budget at the entry

    @Test(arguments: [1, 100, 0x7fff_ffff, 0x8000_0000, 1 << 40, .max] as [UInt64])
    func entryChargeIsExact(charge: UInt64) throws {
        let code = FragmentCode(
            [.ul, .d],
            [.op(.convert, .ul, from: .d, rd: r(1), f(0)), .op(.add, rd: r(0), r(0), r(1)), .accept(r(0))])
        let fragment = try BothEngines.verified(code).with(entryCharge: charge)
        let arguments = [5, (3.0).bitPattern]
        let enough = try BothEngines.run(fragment, arguments, budget: charge)
        #expect(enough.exit == .accept(8))
        #expect(enough.remainingBudget == 0)
        let short = try BothEngines.run(fragment, arguments, budget: charge - 1)
        guard case .abort(let abort) = short.exit else { return #expect(Bool(false), "it ran on credit") }
        #expect(abort.reason == .budgetExhausted)
        #expect(abort.instruction == 0)
        #expect(abort.registers.values[0] == 5)
        #expect(abort.registers.values[32] == (3.0).bitPattern)
        #expect(short.remainingBudget == 0)
    }

    @Test func aRefusalGivesItsLevelBack() throws {
        let below = try BothEngines.verified(FragmentCode([], [.macro("refuse", [])]))
        // More calls than levels, one after the other.
        let calls = Int(BothEngines.acceptor.depth) + 4
        let code = FragmentCode(
            [], Array(repeating: .macro("sub", [.immediate(0)]), count: calls) + [.accept(1)])
        let above = try BothEngines.verified(code)
        for engine in EngineKind.allCases {
            let top = try Fragment(above, slotCount: 1, engine: engine)
            top.setSlot(0, try Fragment(below, engine: engine))
            #expect(top.invoke().exit == .accept(1))
        }
    }

    /// A fragment in its own slot would nest without end.
    @Test func fragmentsNestAsDeepAsTheAcceptorSays() throws {
        let code = FragmentCode([], [.macro("sub", [.immediate(0)]), .accept(1)])
        let verified = try BothEngines.verified(code)
        let depth = verified.acceptor.depth
        for engine in EngineKind.allCases {
            let fragment = try Fragment(verified, slotCount: 1, engine: engine)
            fragment.setSlot(0, fragment)
            let invocation = fragment.invoke(budget: 10_000)
            guard case .abort(let abort) = invocation.exit else { return #expect(Bool(false), "no end") }
            #expect(abort.reason == .depthExceeded)
            #expect(invocation.remainingBudget == 10_000 - depth - 1)
            fragment.setSlot(0, nil)
        }
    }

    @Test func subFragmentsAreChargedToo() throws {
        let below = try BothEngines.verified(FragmentCode([], [.macro("refuse", [])])).with(entryCharge: 10)
        let above = try BothEngines.verified(FragmentCode([], [.macro("sub", [.immediate(0)]), .accept(1)]))
        for engine in EngineKind.allCases {
            let child = try Fragment(below, engine: engine)
            let parent = try Fragment(above, slotCount: 1, engine: engine)
            parent.setSlot(0, child)
            #expect(parent.invoke(budget: 11).exit == .accept(1))
            #expect(parent.invoke(budget: 11).remainingBudget == 0)
            let short = parent.invoke(budget: 10)
            guard case .abort(let abort) = short.exit else { return #expect(Bool(false), "it ran on credit") }
            #expect(abort.reason == .budgetExhausted)
            #expect(short.leftIn === child)
        }
    }

    /// Jumping back to the first instruction does not enter the fragment again.
    @Test func loopsToTheFirstInstructionAreNotCharged() throws {
        let code = FragmentCode(
            [.ul], labels: [0],
            [.immediate(.sub, rd: r(0), r(0), 1), .immediate(.bne, .ul, r(0), 0), .accept(7)])
        let fragment = try BothEngines.verified(code).with(
            costsBudget: [false, false, false], entryCharge: 9)
        let result = try BothEngines.run(fragment, [100_000], budget: 10)
        #expect(result.exit == .accept(7))
        #expect(result.remainingBudget == 1)
    }

    // MARK: Facts

    @Test func whatIsSafeIsNotGuarded() throws {
        var code = FragmentCode(
            [.ul, .ul], labels: [3],
            [
                .op(.div, rd: r(0), r(0), r(1)), .op(.mod, .i, rd: r(0), r(0), r(1)),
                .op(.jumpTable, .ul, r(1)),
                .accept(r(0)),
            ])
        code.tables = [JumpTable(name: "t", labels: [0, 0, 0])]
        let plain = try BothEngines.verified(code)
        #expect(CompilerDump.vcode(plain).components("guard") == 3)
        let safe = plain.with(isSafe: [true, true, true, true])
        #expect(CompilerDump.vcode(safe).components("guard") == 0)
        for fragment in [plain, safe] {
            #expect(try BothEngines.run(fragment, [17, 2]).exit == .accept(0))
            #expect(try BothEngines.run(fragment, [15, 2]).exit == .accept(1))
        }
    }

    /// An address inside a region is translated by one addition, wherever the memory lies.
    @Test(arguments: [ValueType.uc, .u, .ul, .f, .d], [0x1000, 0x7fff_ffff_ffff_0000] as [UInt64])
    func insideIsTranslated(type: ValueType, base: UInt64) throws {
        let value: Register = type.isFloat ? f(1) : r(1)
        var lines: [Line] = [
            .base(r(2)), .op(.load, type, rd: value, r(2), r(0)), .immediate(.add, rd: r(0), r(0), 8),
        ]
        lines += [.op(.store, type, rd: value, r(2), r(0)), .accept(r(0))]
        let plain = try BothEngines.verified(FragmentCode([.ul], lines), regions: [Self.data])
        let accesses: [AccessFact] = [.unknown, .inside(region: 0), .unknown, .inside(region: 0), .unknown]
        let inside = plain.with(accesses: accesses)
        #expect(!CompilerDump.vcode(inside).contains("guard"))
        for fragment in [plain, inside] {
            for engine in EngineKind.allCases {
                let regions = binding(base)
                host.storeBytes(of: 0x1234_5678_9abc_def0, toByteOffset: 32 + 16, as: UInt64.self)
                let exit = try Fragment(fragment, regions: regions, engine: engine).invoke(arguments: [16])
                    .exit
                #expect(exit == .accept(24))
                let stored = host.load(fromByteOffset: 32 + 24, as: UInt64.self)
                #expect(stored == 0x1234_5678_9abc_def0 & (UInt64.max >> UInt64(64 - type.bits)))
            }
        }
    }

    /// In a region that may only be read, a proof that the access lies inside does not let a store through.
    @Test func insideDoesNotMakeWritable() throws {
        let fixed = Region(name: "fixed", policy: .physical, isWritable: false, size: 64)
        let code = FragmentCode([.ul], [.base(r(2)), .op(.store, rd: r(0), r(2), r(0)), .accept(1)])
        let fragment = try BothEngines.verified(code, regions: [fixed])
            .with(accesses: [.unknown, .inside(region: 0), .unknown])
        guard case .abort(let abort) = try BothEngines.run(fragment, [8], regions: binding()).exit else {
            return #expect(Bool(false), "it wrote")
        }
        #expect(abort.reason == .readOnlyRegion)
    }

    // MARK: Atomic operations

    private static let updates: [(Operation, @Sendable (UInt64, UInt64) -> UInt64)] = [
        (.atomicAdd, { $0 &+ $1 }), (.atomicAnd, { $0 & $1 }), (.atomicOr, { $0 | $1 }),
        (.atomicXor, { $0 ^ $1 }),
        (.fetchAdd, { $0 &+ $1 }), (.fetchAnd, { $0 & $1 }), (.fetchOr, { $0 | $1 }),
        (.fetchXor, { $0 ^ $1 }),
        (.exchange, { $1 }),
    ]

    @Test(arguments: [ValueType.u, .ul])
    func updates(type: ValueType) throws {
        let old: UInt64 = 0xfedc_ba98_8765_4321
        let operand: UInt64 = 0x0f0f_0f0f_f0f0_f0f1
        for (operation, update) in Self.updates {
            let fetches = Opcode(operation, type).shape == .fetch
            let code = FragmentCode(
                [.ul], [.base(r(2)), .immediate(operation, type, rd: r(0), r(2), 8), .accept(r(0))])
            let fragment = try BothEngines.verified(code, regions: [Self.data])
            for engine in EngineKind.allCases {
                let regions = binding()
                host.storeBytes(of: old, toByteOffset: 40, as: UInt64.self)
                let exit = try Fragment(fragment, regions: regions, engine: engine).invoke(arguments: [
                    operand
                ]).exit
                #expect(exit == .accept(fetches ? type.canonical(old) : operand), "\(operation)\(type)")
                let low = type.canonical(update(type.canonical(old), type.canonical(operand)))
                let expected = type == .u ? old & ~0xffff_ffff | low : low
                #expect(host.load(fromByteOffset: 40, as: UInt64.self) == expected, "\(operation)\(type)")
            }
        }
    }

    @Test(arguments: [ValueType.u, .ul], [true, false])
    func compareExchange(type: ValueType, isEqual: Bool) throws {
        let old: UInt64 = 0xfedc_ba98_8765_4321
        let code = FragmentCode(
            [.ul, .ul],
            [
                .base(r(2)),
                .instruction(
                    Instruction(
                        Opcode(.compareExchange, type, .immediate), rd: r(0), rs1: r(2), rs2: r(1),
                        immediate: 16)),
                .accept(r(0)),
            ])
        let fragment = try BothEngines.verified(code, regions: [Self.data])
        // Of an operation on 32 bits the upper halves do not count.
        let expected = (isEqual ? old : old ^ 1) ^ (type == .u ? 0xff << 40 : 0)
        for engine in EngineKind.allCases {
            let regions = binding()
            host.storeBytes(of: old, toByteOffset: 48, as: UInt64.self)
            let exit = try Fragment(fragment, regions: regions, engine: engine).invoke(arguments: [
                expected, 77,
            ]).exit
            #expect(exit == .accept(type.canonical(old)))
            let stored = type == .u ? old & ~0xffff_ffff | 77 : 77
            #expect(host.load(fromByteOffset: 48, as: UInt64.self) == (isEqual ? stored : old))
        }
    }

    /// Two threads count up the same word, each by an operation that must not be torn.
    @Test(arguments: [Operation.atomicAdd, .fetchAdd], [EngineKind.native, .interpreter])
    func updatesOfTwoThreadsAddUp(operation: Operation, other: EngineKind) async throws {
        let rounds: Int64 = other == .native ? 300_000 : 3000
        let code = FragmentCode(
            [], labels: [2],
            [
                .set(r(1), rounds), .base(r(2)), .set(r(0), 1), .immediate(operation, rd: r(0), r(2), 8),
                .immediate(.sub, rd: r(1), r(1), 1), .immediate(.bne, .ul, r(1), 0), .accept(1),
            ])
        let fragment = try BothEngines.verified(code, regions: [Self.data])
        let regions = binding()
        let engines = [EngineKind.native, other]
        let exits = try await withThrowingTaskGroup(of: Exit.self) { group in
            for engine in engines {
                nonisolated(unsafe) let regions = regions
                group.addTask {
                    try Fragment(fragment, regions: regions, engine: engine).invoke(budget: 1 << 20).exit
                }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(exits == [.accept(1), .accept(1)])
        #expect(host.load(fromByteOffset: 40, as: UInt64.self) == UInt64(2 * rounds))
    }

    /// Alignment is looked at before memory, and the address is the one that the fragment sees.
    @Test(arguments: [ValueType.u, .ul], [0, 1, 2, 3, 4, 5, 6, 7, 61, 64, 0x1_0000_0001] as [UInt64])
    func misalignedIsAnAbort(type: ValueType, offset: UInt64) throws {
        let code = FragmentCode(
            [.ul], [.base(r(2)), .op(.fetchAdd, type, rd: r(0), r(2), r(0)), .accept(1)])
        let fragment = try BothEngines.verified(code, regions: [Self.data])
        let exit = try BothEngines.run(fragment, [offset], regions: binding()).exit
        let isAligned = offset % UInt64(type.size) == 0
        if isAligned, offset < 64 { return #expect(exit == .accept(1)) }
        guard case .abort(let abort) = exit else { return #expect(Bool(false), "it ran on") }
        #expect(abort.reason == (isAligned ? .outOfBounds : .misaligned))
        #expect(abort.address == 0x1000 + offset)
    }

    @Test func memoryIsAsAlignedAsItsAddresses() throws {
        let atomic = try BothEngines.verified(
            FragmentCode([.ul], [.base(r(2)), .immediate(.atomicAdd, rd: r(0), r(2), 0), .accept(1)]),
            regions: [Self.data])
        let plain = try BothEngines.verified(FragmentCode([], [.accept(1)]), regions: [Self.data])
        for offset in 32..<40 {
            for base in 0x1000..<0x1008 as Range<UInt64> {
                let regions = binding(base, hostOffset: offset)
                _ = try Fragment(plain, regions: regions)
                if offset % 8 == 0, base % 8 == 0 {
                    _ = try Fragment(atomic, regions: regions)
                } else {
                    #expect(throws: InstallFailure.regionMisaligned("data")) {
                        _ = try Fragment(atomic, regions: regions)
                    }
                }
            }
        }
    }

    // MARK: The processor

    @Test func countingBitsNeedsTheInstructions() throws {
        let counts = try BothEngines.verified(
            FragmentCode([.ul], [.op(.populationCount, rd: r(0), r(0)), .accept(r(0))]))
        #expect(throws: CompileFailure.unsupportedProcessor) {
            _ = try NativeCode.compile(counts, for: Processor(countsBits: false))
        }
        let plain = try BothEngines.verified(
            FragmentCode([.ul], [.op(.byteSwap, rd: r(0), r(0)), .accept(r(0))]))
        _ = try NativeCode.compile(plain, for: Processor(countsBits: false))
    }

    @Test func bitsAreCounted() throws {
        let cases: [(Operation, ValueType, UInt64, UInt64)] = [
            (.countLeadingZeros, .ul, 0, 64), (.countLeadingZeros, .u, 0xffff_ffff_0000_0000, 32),
            (.countLeadingZeros, .u, 1, 31), (.countTrailingZeros, .ul, 0, 64),
            (.countTrailingZeros, .u, 1 << 32, 32), (.countTrailingZeros, .ul, 1 << 63, 63),
            (.populationCount, .u, .max, 32), (.populationCount, .ul, .max, 64),
            (.byteSwap, .us, 0xaabb_ccdd_1122_3344, 0x4433),
            (.byteSwap, .u, 0xaabb_ccdd_1122_3344, 0x4433_2211),
            (.byteSwap, .ul, 0xaabb_ccdd_1122_3344, 0x4433_2211_ddcc_bbaa),
        ]
        for (operation, type, value, expected) in cases {
            for dst in [0, 1] {
                let code = FragmentCode([.ul], [.op(operation, type, rd: r(dst), r(0)), .accept(r(dst))])
                #expect(try BothEngines.run(BothEngines.verified(code), [value]).exit == .accept(expected))
            }
        }
    }
}

extension String {
    /// How many lines contain the text.
    fileprivate func components(_ text: String) -> Int {
        split(separator: "\n").filter { $0.contains(text) }.count
    }
}
