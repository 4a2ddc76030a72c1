import SCode
import Testing

/// A caller does what `invoke` does.
@Suite struct FragmentCallerTests {
    private static let acceptor = Acceptor(
        name: "called", readOnlyRegisters: RegisterSet(rawValue: 1 << 31),
        entryRegisters: [EntryRegister(Register(31), name: "extra", type: .ul, meaning: "")],
        suppliedArguments: 2,
        macros: [
            MacroInstruction("accept", [.value(.ul)], .accept, meaning: ""),
            MacroInstruction("refuse", [], .refuse, meaning: ""),
            MacroInstruction("sub", [.value(.ul)], .subSchedule, meaning: ""),
        ], budget: 100)

    /// A caller whose results expectations can look at: they make copies of what they call.
    private final class Held {
        private var caller: FragmentCaller
        init(_ fragment: Fragment, budget: UInt64? = nil) {
            caller = FragmentCaller(fragment, budget: budget)
        }
        func callAsFunction() -> FragmentCaller.Outcome { caller() }
        func callAsFunction(_ first: UInt64) -> FragmentCaller.Outcome { caller(first) }
        func callAsFunction(_ first: UInt64, _ second: UInt64) -> FragmentCaller.Outcome {
            caller(first, second)
        }
        var remainingBudget: UInt64 { caller.remainingBudget }
        func takeAbort() -> Invocation? { caller.takeAbort() }
    }

    private func fragment(_ text: String, slots: Int = 0, _ engine: EngineKind) throws -> Fragment {
        let code = try #require(try Module(text: text, acceptor: Self.acceptor).fragment())
        return try Fragment(code, slotCount: slots, engine: engine)
    }

    @Test(arguments: EngineKind.allCases) func waysOut(_ engine: EngineKind) throws {
        let fragment = try fragment(
            """
            fragment f(x: ul, y: ul) {
                bequl   x, 0, no
                setul   z, 40
                divul   z, z, y
                accept  z
            no:
                refuse
            }
            """, engine)
        let caller = Held(fragment)
        var outcome = caller(1, 8)
        #expect(outcome.way == .accepted)
        #expect(outcome.value == 5)
        outcome = caller(0, 8)
        #expect(outcome.way == .refused)
        #expect(outcome.value == 0)
        #expect(caller.takeAbort() == nil)
        outcome = caller(3, 0)
        #expect(outcome.way == .aborted)
        #expect(outcome.value == 0)
        let abort = try #require(caller.takeAbort())
        #expect(abort.exit == fragment.invoke(arguments: [3, 0]).exit)
        #expect(abort.leftIn === fragment)
        #expect(caller.takeAbort() == nil)
        #expect(caller(1, 10).value == 4)
    }

    /// Words are cut to their types; defaults and entry registers count as they are at the call.
    @Test(arguments: EngineKind.allCases) func arguments(_ engine: EngineKind) throws {
        let text = """
            fragment f(a: TYPE = 7, b: TYPE = 9) {
                mulul   x, a, 1000
                addul   x, x, b
                mulul   x, x, 1000
                addul   x, x, r31
                accept  x
            }
            """
        for (type, big) in [("ul", UInt64(1) << 40 + 3), ("us", 3)] {
            let fragment = try fragment(text.replacing("TYPE", with: type), engine)
            fragment.setEntryRegister(0, 5)
            let caller = Held(fragment)
            #expect(caller().value == 7_009_005)
            #expect(caller(2).value == 2_009_005)
            #expect(caller(2, 4).value == 2_004_005)
            #expect(caller(1 << 40 + 3, 4).value == (big &* 1000 &+ 4) &* 1000 &+ 5)
            fragment.setEntryRegister(0, 6)
            fragment.setArgument(ofParameter: 1, 8)
            #expect(caller().value == 7_008_006)
            #expect(caller(2).value == 2_008_006)
            #expect(caller(2, 4).value == 2_004_006)
        }
        // One that takes none gets none.
        let caller = Held(try self.fragment("fragment f() {\n accept r31\n}\n", engine))
        #expect(caller(1, 2).value == 0)
    }

    @Test(arguments: EngineKind.allCases) func othersBelow(_ engine: EngineKind) throws {
        let top = try fragment("fragment f() {\n sub 0\n refuse\n}\n", slots: 1, engine)
        let loop = "fragment f(x: ul) {\nagain:\n setul x, 0\n j again\n}\n"
        let caller = Held(top, budget: 10)
        #expect(caller().way == .refused)
        #expect(caller.remainingBudget == 9)
        weak var below: Fragment?
        do {
            let fragment = try fragment(loop, engine)
            below = fragment
            top.setSlot(0, fragment)
        }
        #expect(caller().way == .aborted)
        #expect(caller.remainingBudget == 0)
        #expect(caller.takeAbort()?.leftIn === below)
        // What comes after an abort is not taken for what was aborted.
        top.setSlot(0, try fragment("fragment f() {\n accept 4\n}\n", engine))
        #expect(caller().value == 4)
        #expect(caller.remainingBudget == 9)
        top.setSlot(0, try fragment("fragment f() {\n setul x, 0\n divul x, x, x\n accept x\n}\n", engine))
        #expect(caller().way == .aborted)
        let abort = try #require(caller.takeAbort())
        #expect(abort.leftIn !== top)
        #expect(abort.leftIn !== below)
    }

    /// Levels are counted however a call is guarded, and wherever it stands.
    @Test(arguments: EngineKind.allCases, [false, true])
    func levelsEnd(_ engine: EngineKind, masksSpeculation: Bool) throws {
        var acceptor = Self.acceptor
        acceptor.guards.masksSpeculation = masksSpeculation
        for before in ["", " setul x, 1\n"] {
            let text = "fragment f() {\n\(before) sub 0\n accept 5\n}\n"
            let code = try #require(try Module(text: text, acceptor: acceptor).fragment())
            let fragment = try Fragment(code, slotCount: 1, engine: engine)
            fragment.setSlot(0, fragment)
            let invocation = fragment.invoke(budget: 90)
            guard case .abort(let abort) = invocation.exit else {
                Issue.record("\(invocation.exit)")
                continue
            }
            #expect(abort.reason == .depthExceeded)
            #expect(invocation.remainingBudget == 90 - acceptor.depth - 1)
            fragment.setSlot(0, nil)
        }
    }

    /// That there is no such slot comes before all else that is missing, and costs nothing; an empty slot costs one.
    @Test(arguments: EngineKind.allCases, 0..<6)
    func slotsAreCounted(_ engine: EngineKind, slotCount: Int) throws {
        for slot in 0..<6 {
            for (budget, depth) in [(0, 0), (0, 5), (1, 0), (7, 5)] as [(UInt64, UInt64)] {
                var acceptor = Self.acceptor
                acceptor.depth = depth
                let text = "fragment f() {\n sub \(slot)\n accept 5\n}\n"
                let code = try #require(try Module(text: text, acceptor: acceptor).fragment())
                let invocation = try Fragment(code, slotCount: slotCount, engine: engine).invoke(
                    budget: budget)
                var reason: AbortReason?
                if case .abort(let abort) = invocation.exit { reason = abort.reason }
                let isThere = slot < slotCount
                #expect(
                    reason
                        == (!isThere
                            ? .noSuchSlot
                            : budget == 0 ? .budgetExhausted : depth == 0 ? .depthExceeded : nil))
                #expect(invocation.remainingBudget == (isThere && budget > 0 ? budget - 1 : budget))
            }
        }
    }

    /// A caller keeps the code that it calls.
    @Test(arguments: EngineKind.allCases) func keepsWhatItCalls(_ engine: EngineKind) throws {
        weak var called: Fragment?
        do {
            let caller: Held
            do {
                let fragment = try fragment("fragment f() {\n accept 3\n}\n", engine)
                called = fragment
                caller = Held(fragment)
            }
            #expect(called != nil)
            #expect(caller().value == 3)
        }
        #expect(called == nil)
    }
}
