import SCode
import Testing

/// Local procedures: where they return to, what they cost, and what stays whole across them.
@Suite struct ProcedureTests {
    /// Procedure n adds 1 and calls n + 1, twice in all: 2^n calls at level n.
    private static func chain(depth: Int) -> FragmentCode {
        var lines: [Line] = [.set(r(0), 0), .op(.call, to: 0), .accept(r(0))]
        var starts: [Int] = []
        for level in 0..<depth {
            starts.append(lines.count)
            lines.append(.immediate(.add, rd: r(0), r(0), 1))
            if level + 1 < depth { lines += [.op(.call, to: level + 1), .op(.call, to: level + 1)] }
            lines.append(.op(.return))
        }
        return FragmentCode([], procedures: starts, lines)
    }

    @Test(arguments: [1, 2, 8, 9])
    func callsNest(depth: Int) throws {
        let result = try BothEngines.run(BothEngines.verified(Self.chain(depth: depth)))
        #expect(result.exit == .accept(UInt64(1) << UInt64(depth) - 1))
        #expect(result.remainingBudget == 1000 - (UInt64(1) << UInt64(depth) - 1))
    }

    @Test func sixteenLevelsAreAllowed() throws {
        let fragment = try BothEngines.verified(Self.chain(depth: 16))
        let result = try BothEngines.run(fragment, budget: 1 << 20)
        #expect(result.exit == .accept(0xffff))
        // The budget ends it in the midst of things, at whatever depth that is.
        for budget in [0, 1, 15, 16, 17, 1000, 65534] as [UInt64] {
            let stopped = try BothEngines.run(fragment, budget: budget)
            guard case .abort(let abort) = stopped.exit else { return #expect(Bool(false), "it ran on") }
            #expect(abort.reason == .budgetExhausted)
        }
    }

    @Test func callsInLoops() throws {
        // r0 counts down from 500; each round calls, and the procedure adds r0 to r1.
        let code = FragmentCode(
            [], labels: [2], procedures: [6],
            [
                .set(r(0), 500), .set(r(1), 0), .op(.call, to: 0),
                .immediate(.sub, rd: r(0), r(0), 1), .immediate(.bne, .ul, r(0), 0, to: 0), .accept(r(1)),
                .op(.add, rd: r(1), r(1), r(0)), .op(.return),
            ])
        let result = try BothEngines.run(BothEngines.verified(code))
        #expect(result.exit == .accept(125_250))
        #expect(result.remainingBudget == 1)
    }

    /// Two callers: what the second keeps is not even written when the first one calls. The procedure that wants
    /// all the registers is called by way of others.
    @Test(arguments: RegisterObservation.allKinds, [1, 2, 3])
    func callersKeepDifferentRegisters(observation: RegisterObservation, depth: Int) throws {
        // Enough registers in the procedure to want every machine register, and a call that ruins them all.
        var lines: [Line] = [
            .set(r(0), 5), .op(.call, to: 0),  // nothing but r0
            .set(r(1), 7), .set(f(1), number: (2.5)),
            .op(.call, to: 0),  // r1 and f1 are needed
            .op(.convert, .ul, from: .d, rd: r(2), f(1)), .op(.add, rd: r(0), r(0), r(1)),
            .op(.add, rd: r(0), r(0), r(2)), .accept(r(0)),
        ]
        var starts: [Int] = []
        for level in 1..<depth {
            starts.append(lines.count)
            lines += [.op(.call, to: level), .op(.return)]
        }
        starts.append(lines.count)
        for number in 10..<30 { lines.append(.set(r(number), Int64(number))) }
        for number in 10..<30 {
            lines.append(.set(f(number), number: Double(number)))
        }
        lines.append(.macro("spoil", [.register(f(10))]))
        for number in 11..<30 {
            lines.append(.op(.add, rd: r(10), r(10), r(number)))
            lines.append(.op(.add, .d, rd: f(10), f(10), f(number)))
        }
        lines += [.op(.convert, .ul, from: .d, rd: r(11), f(10)), .op(.sub, rd: r(10), r(10), r(11))]
        lines += [.op(.add, rd: r(0), r(0), r(10)), .op(.return)]
        let fragment = try BothEngines.verified(FragmentCode([], procedures: starts, lines))
        #expect(try BothEngines.run(fragment, observing: observation).exit == .accept(14))
    }

    @Test func proceduresNeedNotReturn() throws {
        // What stands behind the call is reached by nobody.
        let code = FragmentCode(
            [.ul], procedures: [2],
            [.op(.call, to: 0), .accept(1), .op(.add, rd: r(0), r(0), r(0)), .accept(r(0))])
        let fragment = try BothEngines.verified(code)
        #expect(try BothEngines.run(fragment, [21]).exit == .accept(42))
        #expect(CompilerDump.vcode(fragment).contains("trap"))
    }

    @Test func exitsFromInsideShowTheRegisters() throws {
        let code = FragmentCode(
            [.ul, .d], procedures: [2],
            [
                .op(.call, to: 0), .accept(r(0)), .op(.div, rd: r(0), r(0), r(0)),
                .op(.convert, .ul, from: .d, rd: r(1), f(0)),
                .op(.return),
            ])
        let exit = try BothEngines.run(BothEngines.verified(code), [0, (1.5).bitPattern]).exit
        guard case .abort(let abort) = exit else { return #expect(Bool(false), "it divided") }
        #expect(abort.reason == .divisionByZero)
        #expect(abort.instruction == 2)
        #expect(abort.registers.values[0] == 0)
    }
}

extension RegisterObservation {
    static let allKinds: [RegisterObservation] = [.live, .all]
}
