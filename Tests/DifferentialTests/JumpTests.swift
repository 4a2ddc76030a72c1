import SCode
import SCodeJIT
import Testing

/// Jumps ahead take two bytes where the code between is certain to be short, and lead to the same place either way.
@Suite struct JumpTests {
    /// The bytes of machine code that an instruction became.
    private func size(of instruction: Int, _ fragment: VerifiedFragment) throws -> Int {
        let pieces = try NativeCode.translate(fragment).pieces
        let index = try #require(pieces.firstIndex { $0.instruction == instruction })
        return pieces[index + 1].offset - pieces[index].offset
    }

    @Test(arguments: 0...50)
    func overAdditions(count: Int) throws {
        let additions = Array(repeating: Line.immediate(.add, rd: r(1), r(1), 1), count: count)
        let fragment = try BothEngines.verified(
            FragmentCode(
                [.ul, .ul], labels: [count + 1],
                [.immediate(.blt, .ul, r(0), 10, to: 0)] + additions + [.accept(r(1))]))
        #expect(try BothEngines.run(fragment, [5, 7]).exit == .accept(7))
        #expect(try BothEngines.run(fragment, [20, 7]).exit == .accept(7 + UInt64(count)))
        let size = try size(of: 0, fragment)
        if count <= 20 { #expect(size == 4 + 2) }
        if count >= 32 { #expect(size == 4 + 6) }
    }

    /// Where a NaN counts there are two jumps, and the first is further away. That all of this takes as many bytes as it may
    /// brings it to the limit.
    @Test(arguments: 0...50)
    func overMultiplicationsTwice(count: Int) throws {
        let factor: UInt64 = 0x1_2345_6789_abcd
        let multiplications = Array(repeating: Line.op(.mul, rd: r(0), r(0), r(1)), count: count)
        let fragment = try BothEngines.verified(
            FragmentCode(
                [.ul, .d, .d], labels: [count + 2],
                [.op(.bne, .d, f(0), f(1), to: 0), .set(r(1), Int64(factor))] + multiplications
                    + [.accept(r(0))]))
        let (one, nan) = ((1.0).bitPattern, Double.nan.bitPattern)
        let product = multiplications.reduce(7 as UInt64) { product, _ in product &* factor }
        #expect(try BothEngines.run(fragment, [7, one, one]).exit == .accept(product))
        #expect(try BothEngines.run(fragment, [7, one, 0]).exit == .accept(7))
        #expect(try BothEngines.run(fragment, [7, one, nan]).exit == .accept(7))
        let size = try size(of: 0, fragment)
        if count <= 20 { #expect(size == 4 + 2 + 2) }
        if count >= 30 { #expect(size == 4 + 6 + 6) }
    }

    /// A branch around a jump is one branch.
    @Test(arguments: 0...50)
    func aroundAJump(count: Int) throws {
        let additions = Array(repeating: Line.immediate(.add, rd: r(1), r(1), 1), count: count)
        let fragment = try BothEngines.verified(
            FragmentCode(
                [.ul, .ul], labels: [2, count + 2],
                [.immediate(.blt, .ul, r(0), 10, to: 0), .op(.jump, to: 1)] + additions + [.accept(r(1))]))
        #expect(try BothEngines.run(fragment, [5, 7]).exit == .accept(7 + UInt64(count)))
        #expect(try BothEngines.run(fragment, [20, 7]).exit == .accept(7))
        let size = try size(of: 0, fragment)
        if count <= 20 { #expect(size == 4 + 2) }
        if count >= 32 { #expect(size == 4 + 6) }
    }

    /// Where the loop lies in two lines it is moved to the next one, which the jump over it has to reach too.
    @Test(arguments: 0...70)
    func overALoop(count: Int) throws {
        let before = Array(repeating: Line.immediate(.add, rd: r(1), r(1), 1), count: count % 10)
        let padding = Array(repeating: Line.immediate(.xor, rd: r(1), r(1), 3), count: count / 10)
        let start = before.count + 1 + padding.count
        let fragment = try BothEngines.verified(
            FragmentCode(
                [.ul, .ul], labels: [start + 3, start],
                before + [.immediate(.beq, .ul, r(0), 0, to: 0)] + padding + [
                    .op(.add, rd: r(1), r(1), r(0)), .immediate(.sub, rd: r(0), r(0), 1),
                    .immediate(.bne, .ul, r(0), 0, to: 1), .accept(r(1)),
                ]))
        try BothEngines.run(fragment, [0, 7])
        try BothEngines.run(fragment, [9, 7])
    }

    // MARK: Copies

    /// `d := a; d := d op b` is one instruction, which reads what d was a copy of wherever it would have read d.
    @Test(arguments: [Operation.add, .sub, .mul, .xor], [1, 7, -128, 128, 0x7fff_ffff] as [Int64])
    func operationsOnCopies(operation: Operation, constant: Int64) throws {
        let copy = Line.op(.mov, rd: r(2), r(0))
        for last: [Line] in [
            [copy, .op(operation, rd: r(2), r(2), r(1))], [copy, .op(operation, rd: r(2), r(2), r(2))],
            [copy, .op(operation, rd: r(2), r(2), r(0))],
            [copy, .immediate(operation, rd: r(2), r(2), constant)],
            [copy, .op(operation, .u, rd: r(2), r(2), r(1))],
            [.op(.mov, .u, rd: r(2), r(0)), .immediate(operation, rd: r(2), r(2), constant)],
        ] {
            // What else there is stays as it was.
            let fragment = try BothEngines.verified(
                FragmentCode(
                    [.ul, .ul],
                    last + [
                        .op(.xor, rd: r(3), r(0), r(1)), .immediate(.mul, rd: r(3), r(3), 3),
                        .op(.add, rd: r(2), r(2), r(3)), .accept(r(2)),
                    ]))
            for argument: UInt64 in [0, 1, 5, 0xffff_ffff, 1 << 32 | 9, .max] {
                try BothEngines.run(fragment, [argument, 0x1234_5678_9abc_def0])
            }
        }
    }
}
