import SCode
import Testing

/// Floating-point numbers where engines are tempted to differ. What is expected is written down here, from IEEE 754
/// and the processor's manual, and not computed by either engine.
@Suite struct FloatEdgeTests {
    private static let operations: [Operation] = [.add, .sub, .mul, .div]
    /// Where the result and the operands lie: apart, result in the first, in the second, all the same.
    private static let shapes = [(2, 0, 1), (0, 0, 1), (1, 0, 1)]

    private func expect(
        _ type: ValueType, _ operation: Operation, _ a: UInt64, _ b: UInt64, _ expected: UInt64
    ) throws {
        for (dst, first, second) in Self.shapes {
            let code = FragmentCode(
                [type, type],
                [.op(operation, type, rd: f(dst), f(first), f(second)), .accept(f(dst), type)])
            let exit = try BothEngines.run(BothEngines.verified(code), [a, b]).exit
            #expect(exit == .accept(expected), "\(operation)\(type) \(a) \(b) into f\(dst)")
        }
    }

    @Test(arguments: [Operation.add, .sub, .mul, .div])
    func firstNaNIsKeptAndMadeQuiet(operation: Operation) throws {
        let quiet: UInt64 = 0x7ff8_0000_0000_1234
        let signalling: UInt64 = 0xfff0_0000_0000_5678
        let madeQuiet: UInt64 = 0xfff8_0000_0000_5678
        let one = (1.0).bitPattern
        try expect(.d, operation, quiet, one, quiet)
        try expect(.d, operation, one, signalling, madeQuiet)
        try expect(.d, operation, quiet, signalling, quiet)
        try expect(.d, operation, signalling, quiet, madeQuiet)
        try expect(.f, operation, 0x7fc0_0012, 0xff80_0034, 0x7fc0_0012)
        try expect(.f, operation, 0xff80_0034, 0x7fc0_0012, 0xffc0_0034)
        try expect(.f, operation, 0x3f80_0000, 0x7f80_0001, 0x7fc0_0001)
    }

    @Test func invalidOperationsGiveTheDefaultNaN() throws {
        let infinity = Double.infinity.bitPattern
        let invalid: UInt64 = 0xfff8_0000_0000_0000
        try expect(.d, .sub, infinity, infinity, invalid)
        try expect(.d, .add, infinity, (-Double.infinity).bitPattern, invalid)
        try expect(.d, .mul, infinity, 0, invalid)
        try expect(.d, .div, 0, 0, invalid)
        try expect(.f, .div, 0, 0x8000_0000, 0xffc0_0000)
        try expect(.d, .div, (1.0).bitPattern, (-0.0).bitPattern, (-Double.infinity).bitPattern)
        try expect(.d, .div, Double.leastNonzeroMagnitude.bitPattern, (2.0).bitPattern, 0)
        try expect(.f, .mul, 1, 0x3f80_0000, 1)  // subnormals are not flushed
    }

    @Test func negationIsOfTheSignAlone() throws {
        for (type, value, expected) in [
            (ValueType.d, UInt64(0x7ff0_0000_0000_0001), UInt64(0xfff0_0000_0000_0001)), (.d, 0, 1 << 63),
            (.f, 0xff80_0001, 0x7f80_0001), (.f, 0, 0x8000_0000),
        ] {
            for dst in [0, 1] {
                let code = FragmentCode([type], [.op(.neg, type, rd: f(dst), f(0)), .accept(f(dst), type)])
                #expect(try BothEngines.run(BothEngines.verified(code), [value]).exit == .accept(expected))
            }
        }
    }

    /// Every comparison, branching forward and backward, of every pair.
    @Test(arguments: [ValueType.f, .d], [Operation.blt, .ble, .bgt, .bge, .beq, .bne])
    func comparisons(type: ValueType, operation: Operation) throws {
        let numbers: [Double] = [
            0, -0.0, 1, -1, 1.5, .infinity, -.infinity, .nan, -.nan, .signalingNaN, .greatestFiniteMagnitude,
            .leastNonzeroMagnitude,
        ]
        // Taken: 1, else 0. The branch that costs is compiled with its condition inverted.
        let code = FragmentCode(
            [type, type], labels: [3],
            [
                .set(r(0), 1), .op(operation, type, f(0), f(1)), .set(r(0), 0),
                .accept(r(0)),
            ])
        let plain = try BothEngines.verified(code)
        let costly = plain.with(costsBudget: [false, true, false, false])
        for fragment in [plain, costly] {
            for a in numbers {
                for b in numbers {
                    let x = type == .f ? UInt64(Float(a).bitPattern) : a.bitPattern
                    let y = type == .f ? UInt64(Float(b).bitPattern) : b.bitPattern
                    let (left, right) = type == .f ? (Double(Float(a)), Double(Float(b))) : (a, b)
                    let holds =
                        switch operation {
                        case .blt: left < right
                        case .ble: left <= right
                        case .bgt: left > right
                        case .bge: left >= right
                        case .beq: left == right
                        default: !(left == right)
                        }
                    let exit = try BothEngines.run(fragment, [x, y]).exit
                    #expect(exit == .accept(holds ? 1 : 0), "\(a) \(operation) \(b)")
                }
            }
        }
    }

    @Test(arguments: [ValueType.f, .d])
    func conversionsToIntegersSaturate(type: ValueType) throws {
        let cases: [(Double, i: UInt64, u: UInt64, l: UInt64, ul: UInt64)] = [
            (.nan, 0, 0, 0, 0), (-.nan, 0, 0, 0, 0), (0, 0, 0, 0, 0), (-0.0, 0, 0, 0, 0),
            (1.99, 1, 1, 1, 1), (-0.99, 0, 0, 0, 0), (-1.99, 0xffff_ffff, 0, .max, 0),
            (.infinity, 0x7fff_ffff, 0xffff_ffff, 0x7fff_ffff_ffff_ffff, .max),
            (-.infinity, 0x8000_0000, 0, 1 << 63, 0),
            (0x1p31, 0x7fff_ffff, 0x8000_0000, 1 << 31, 1 << 31),
            (-0x1p31, 0x8000_0000, 0, 0xffff_ffff_8000_0000, 0),
            (-0x1.000002p31, 0x8000_0000, 0, 0xffff_ffff_7fff_ff00, 0),
            (0x1.fffffep31, 0x7fff_ffff, 0xffff_ff00, 0xffff_ff00, 0xffff_ff00),
            (0x1p32, 0x7fff_ffff, 0xffff_ffff, 1 << 32, 1 << 32),
            (0x1p63, 0x7fff_ffff, 0xffff_ffff, 0x7fff_ffff_ffff_ffff, 1 << 63),
            (-0x1p63, 0x8000_0000, 0, 1 << 63, 0), (-0x1p64, 0x8000_0000, 0, 1 << 63, 0),
            (0x1.8p63, 0x7fff_ffff, 0xffff_ffff, 0x7fff_ffff_ffff_ffff, 0xc000_0000_0000_0000),
            (0x1p64, 0x7fff_ffff, 0xffff_ffff, 0x7fff_ffff_ffff_ffff, .max),
        ]
        for (number, i, u, l, ul) in cases {
            let bits = type == .f ? UInt64(Float(number).bitPattern) : number.bitPattern
            for (target, expected) in [(ValueType.i, i), (.u, u), (.l, l), (.ul, ul)] {
                let code = FragmentCode(
                    [type], [.op(.convert, target, from: type, rd: r(3), f(0)), .accept(r(3))])
                let exit = try BothEngines.run(BothEngines.verified(code), [bits]).exit
                #expect(exit == .accept(expected), "\(number) to \(target)")
            }
        }
    }

    @Test func conversionsFromIntegersRoundOnce() throws {
        let cases: [(ValueType, UInt64, ValueType, Double)] = [
            (.ul, .max, .d, 0x1p64), (.ul, 1 << 63, .d, 0x1p63), (.ul, (1 << 63) + 1, .d, 0x1p63),
            (.ul, (1 << 63) + 1025, .d, 0x1.0000000000001p63), (.ul, (1 << 63) + 1024, .d, 0x1p63),
            (.ul, .max, .f, 0x1p64), (.ul, (1 << 63) + (1 << 39) + 1, .f, 0x1.000002p63),
            (.ul, (1 << 63) + (1 << 39), .f, 0x1p63), (.ul, 0x0100_0001, .f, 0x1p24),
            (.l, .max, .d, -1), (.l, 1 << 63, .f, -0x1p63), (.u, 0xffff_ffff_8000_0001, .d, 2_147_483_649),
            (.u, 0xffff_ffff, .f, 0x1p32), (.i, 0x1234_5678_ffff_ffff, .f, -1),
            (.i, 0x8000_0000, .d, -0x1p31),
        ]
        for (source, value, target, expected) in cases {
            let bits = target == .f ? UInt64(Float(expected).bitPattern) : expected.bitPattern
            let code = FragmentCode(
                [.ul], [.op(.convert, target, from: source, rd: f(3), r(0)), .accept(f(3), target)])
            let exit = try BothEngines.run(BothEngines.verified(code), [value]).exit
            #expect(exit == .accept(bits), "\(value) from \(source)")
        }
    }

    @Test func precisionsConvertNaNs() throws {
        for (target, value, expected) in [
            (ValueType.d, UInt64(0x7f80_0001), UInt64(0x7ff8_0000_2000_0000)),
            (.d, 0xffc1_2345, 0xfff8_2468_a000_0000),
            (.f, 0x7ff0_0000_0000_0001, 0x7fc0_0000), (.f, 0xfff4_0000_2000_0000, 0xffe0_0001),
            (.f, (1e300).bitPattern, 0x7f80_0000), (.f, (1e-46).bitPattern, 0),
            (.f, (0x1.000001p0).bitPattern, 0x3f80_0000), (.d, 1, 0x36a0_0000_0000_0000),
        ] {
            let source: ValueType = target == .d ? .f : .d
            for dst in [0, 1] {
                let code = FragmentCode(
                    [source],
                    [.op(.convert, target, from: source, rd: f(dst), f(0)), .accept(f(dst), target)])
                #expect(try BothEngines.run(BothEngines.verified(code), [value]).exit == .accept(expected))
            }
        }
    }

    /// More numbers than registers, all of them needed after a call of the host.
    @Test(arguments: [1, 13, 14, 15, 32])
    func numbersOutliveHostCalls(count: Int) throws {
        var lines = (0..<count).map {
            Line.set(f($0), number: Double($0 + 1))
        }
        lines.append(.macro("spoil", [.register(f(0))]))
        for number in 1..<max(count, 1) { lines.append(.op(.add, .d, rd: f(0), f(0), f(number))) }
        lines.append(.accept(f(0), .d))
        let exit = try BothEngines.run(BothEngines.verified(FragmentCode([], lines))).exit
        #expect(exit == .accept(Double(count * (count + 1) / 2).bitPattern))
    }

    /// An access that its guard does not settle asks the runtime, which may change every one of their registers.
    @Test(arguments: [1, 13, 14, 15, 32])
    func numbersOutliveSlowAccesses(count: Int) throws {
        let host = UnsafeMutableRawPointer.allocate(byteCount: 64, alignment: 16)
        defer { host.deallocate() }
        var lines = (0..<count).map { Line.set(f($0), number: Double($0 + 1)) }
        lines.append(.immediate(.store, .d, rd: f(0), r(0), 8))
        lines.append(.immediate(.load, .ul, rd: r(1), r(0), 8))
        for number in 1..<max(count, 1) { lines.append(.op(.add, .d, rd: f(0), f(0), f(number))) }
        lines.append(.accept(f(0), .d))
        // The guard looks at the first region, and the address lies in the second one.
        let regions = ["one", "two"].map { Region(name: $0, policy: .physical, isWritable: true, size: 32) }
        let fragment = try BothEngines.verified(FragmentCode([.ul], lines), regions: regions)
        #expect(CompilerDump.vcode(fragment).contains("guard region 0"))
        let bindings: [RegionBinding] = [
            .physical(base: 0x1000, host: host, size: 32, writable: true),
            .physical(base: 0x2000, host: host + 32, size: 32, writable: true),
        ]
        let exit = try BothEngines.run(fragment, [0x2000], regions: bindings).exit
        #expect(exit == .accept(Double(count * (count + 1) / 2).bitPattern))
        #expect(host.load(fromByteOffset: 40, as: Double.self) == 1)
    }

    /// A register that held a `d` and holds an `f` now shows the `f`, and nothing of what lies above it.
    @Test(arguments: RegisterObservation.allKinds)
    func halvesAreObservedAlone(observation: RegisterObservation) throws {
        let code = FragmentCode(
            [.ul, .d],
            [
                .op(.convert, .f, from: .d, rd: f(0), f(0)), .op(.div, rd: r(0), r(0), r(0)),
                .accept(f(0), .f),
            ])
        let fragment = try BothEngines.verified(code)
        let exit = try BothEngines.run(fragment, [0, (1.1).bitPattern], observing: observation).exit
        guard case .abort(let abort) = exit else { return #expect(Bool(false), "it divided") }
        #expect(abort.registers.values[32] == UInt64(Float(1.1).bitPattern))
    }
}
