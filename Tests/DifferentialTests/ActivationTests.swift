import SCode
import SCodeTestSupport
import Testing

/// A fragment that stops in the middle and goes on is the same fragment.
@Suite struct ActivationTests {
    private static let acceptor = {
        var acceptor = TestMachine.acceptor
        acceptor.isInterruptible = true
        acceptor.suppliedArguments = 0
        // For the call of a sub-fragment the budget is needed at once.
        acceptor.macros.removeAll { $0.expansion == .subSchedule }
        return acceptor
    }()

    /// Both engines stop at the same places with the same registers and memory, and however the budget is cut into
    /// pieces the fragment does the same with the sum of them.
    @Test func anInterruptionIsNotNoticed() throws {
        let machine = try TestMachine()
        var interruptions = 0
        var programs = 0
        for seed in UInt64(1)...6000 {
            var generator = ProgramGenerator(
                seed: seed, acceptor: Self.acceptor, regions: TestMachine.regions(seed))
            let program = generator.make()
            guard let verified = Verifier.verify(program, acceptor: Self.acceptor).program,
                let fragment = verified.fragments.first
            else { continue }
            programs += 1
            var random = SeededGenerator(seed: ~seed)
            let pieces = (0..<6).map { _ in UInt64.random(in: 1...9, using: &random) }
            let observing: RegisterObservation = random.oneIn(2) ? .all : .live
            let stops = try EngineKind.allCases.map {
                try machine.run(fragment, seed: seed, engine: $0, budgets: pieces, observing: observing)
            }
            let whole = try machine.run(
                fragment, seed: seed, engine: .native, budgets: [pieces.reduce(0, +)], observing: observing)
            interruptions += stops[0].count { $0.exit == nil }
            // What is left of one piece is no part of the next.
            var (last, uncut) = (stops[0].last, whole.last)
            last?.budget = 0
            uncut?.budget = 0
            guard stops[0] == stops[1], last == uncut else {
                let shown = (stops + [whole]).map {
                    $0.map { "\($0.exit as Exit?) \($0.budget) @\($0.site)" }
                }
                Issue.record("seed \(seed), pieces \(pieces)\n\(shown)\n\(program.printed())")
                return
            }
        }
        #expect(
            programs > 3000 && interruptions > 3000, "\(programs) programs, \(interruptions) interruptions")
    }

    private static func module(_ text: String) throws -> Module {
        var acceptor = Self.acceptor
        acceptor.macros.append(
            MacroInstruction(
                "sys_ask", [.result(.i), .value(.ul), .value(.c)], .systemCall(7), meaning: "asks"))
        return try Module(text: text, acceptor: acceptor)
    }

    /// Operands arrive cut to their types, so does the answer; every other register is as it was.
    @Test(arguments: EngineKind.allCases) func aSystemCallIsAnswered(_ engine: EngineKind) throws {
        let module = try Self.module(
            """
            fragment main() {
                setul r1, 40
                setd  f1, 2.5
                seti  r3, 511
                sys_ask r2, r1, r3
                cvi2l r2, r2
                cvl2d f2, r2
                addd  f1, f1, f2
                cvd2l r4, f1
                addl  r1, r1, r4
                accept r1
            }
            """)
        let fragment = try Fragment(#require(module.fragment()), engine: engine)
        let stack = try #require(NativeStack(for: engine))
        let activation = try #require(Activation(fragment, on: stack))
        guard case .systemCall(7) = activation.resume(budget: 3) else {
            Issue.record("no system call")
            return
        }
        #expect(activation.operand(0) == 40)
        #expect(activation.operand(1) == UInt64(bitPattern: -1))
        #expect(activation.remainingBudget == 3)
        guard case .left(let invocation) = activation.resume(budget: 9, answer: 0x1_0000_0005) else {
            Issue.record("not over")
            return
        }
        #expect(invocation.exit == .accept(47))
        #expect(invocation.remainingBudget == 9)
        // Without anybody to answer, all ones.
        #expect(fragment.invoke().exit == .accept(41))
    }

    /// A handler runs above the interrupted activation, on its stack; what it needs is left alone.
    @Test(arguments: EngineKind.allCases) func activationsNest(_ engine: EngineKind) throws {
        let module = try Self.module(
            """
            fragment main() {
                setul r1, 0
                setul r2, 0
            again:
                addul r2, r2, r1
                addul r1, r1, 1
                sys_ask r3, r1, 0
                bltul r1, 10, again
                accept r2
            }
            fragment handler() {
                setul r1, 1
                setul r2, 100
            again:
                mulul r1, r1, 3
                subul r2, r2, 1
                sys_ask r3, r2, 1
                bneul r2, 0, again
                accept r1
            }
            """)
        let main = try Fragment(#require(module.fragment(named: "main")), engine: engine)
        let handler = try Fragment(#require(module.fragment(named: "handler")), engine: engine)
        let stack = try #require(NativeStack(for: engine))
        let outer = try #require(Activation(main, on: stack))
        var calls = 0
        var result: Exit?
        while result == nil {
            switch outer.resume(budget: 1) {
            case .left(let invocation): result = invocation.exit
            default:
                calls += 1
                let inner = try #require(Activation(handler, on: stack, above: outer))
                var stops = 0
                while stops < 150 {
                    stops += 1
                    if case .left(let invocation) = inner.resume(budget: 1) {
                        #expect(
                            invocation.exit == .accept((0..<100).reduce(1) { product, _ in product &* 3 }))
                        break
                    }
                    // One that is dropped in the middle leaves nothing behind.
                    if calls == 3, stops == 20 { break }
                }
            }
        }
        #expect(calls == 10)
        #expect(result == .accept(45))
    }

    /// Without anybody to continue it, a fragment without budget is aborted as any other.
    @Test(arguments: EngineKind.allCases) func outsideAnActivationTheBudgetEnds(_ engine: EngineKind) throws {
        let module = try Self.module("fragment main() { again: j again }")
        let invocation = try Fragment(#require(module.fragment()), engine: engine).invoke(budget: 10)
        guard case .abort(let abort) = invocation.exit else {
            Issue.record("\(invocation.exit)")
            return
        }
        #expect(abort.reason == .budgetExhausted)
    }

    @Test(arguments: EngineKind.allCases) func aStackHasAnEnd(_ engine: EngineKind) throws {
        let module = try Self.module("fragment main() {\nagain:\nsys_ask r3, 1, 1\nj again\n}")
        let fragment = try Fragment(#require(module.fragment()), engine: engine)
        let stack = try #require(NativeStack(for: engine))
        var activations: [Activation] = []
        while let next = Activation(fragment, on: stack, above: activations.last), activations.count < 10_000
        {
            activations.append(next)
            guard case .systemCall = next.resume(budget: 1) else {
                Issue.record("no system call")
                return
            }
        }
        #expect((4..<10_000).contains(activations.count))
        while !activations.isEmpty { activations.removeLast() }
    }

    /// The page is mapped while the access waits for it: in one page, and in two.
    @Test(arguments: EngineKind.allCases) func anAccessIsTriedAgain(_ engine: EngineKind) throws {
        let module = try Self.module(
            """
            fragment main() {
                setp  r1, 0x5000
                setul r2, 0x1122334455667788
                stuli r2, r1, 8
                stuli r2, r1, 0xffc
                lduli r3, r1, 0xffc
                lduli r4, r1, 8
                addul r3, r3, r4
                accept r3
            }
            """)
        let memory = PhysicalMemory(size: 8 * 4096)
        memory.base.storeBytes(of: 0x1007, as: UInt32.self)
        let space = AddressSpace(memory: memory, directory: 0)
        let fragment = try Fragment(#require(module.fragment()), space: space, engine: engine)
        let stack = try #require(NativeStack(for: engine))
        let activation = try #require(Activation(fragment, on: stack))
        var event = activation.resume(budget: 5)
        var faults: [UInt64] = []
        while case .pageFault(let address, true, .pageNotPresent) = event, faults.count < 5 {
            faults.append(address)
            let frame = UInt32(2 + faults.count)
            memory.base.storeBytes(
                of: frame << 12 | 7, toByteOffset: 0x1000 + Int(address >> 12) * 4, as: UInt32.self)
            space.flush()
            event = activation.resume(budget: 5, answer: 1)
        }
        #expect(faults == [0x5008, 0x6000])
        guard case .left(let invocation) = event else {
            Issue.record("\(event)")
            return
        }
        #expect(invocation.exit == .accept(0x2244_6688_aacc_ef10))
    }
}
