import SCode
import SCodeTestSupport
import Testing

/// What compiled code remembers of a page is forgotten whenever somebody else may have changed the page table: whatever a
/// fragment waits for, it sees the page that is there afterwards, as in the interpreter.
@Suite struct PageCacheTests {
    private static let acceptor = {
        var acceptor = TestMachine.acceptor
        acceptor.isInterruptible = true
        acceptor.suppliedArguments = 0
        acceptor.macros.append(
            MacroInstruction("sys_ask", [.result(.i), .value(.ul)], .systemCall(7), meaning: "asks"))
        return acceptor
    }()

    /// Page 5, of which each look at it sees another frame: 2 and 3 in turn, which begin with 1 and 100.
    private final class Machine {
        let memory = PhysicalMemory(size: 8 * 4096)
        let space: AddressSpace
        private(set) var swaps = 0

        init() {
            memory.base.storeBytes(of: 0x1007, as: UInt32.self)
            memory.base.storeBytes(of: 1, toByteOffset: 0x2000, as: UInt64.self)
            memory.base.storeBytes(of: 100, toByteOffset: 0x3000, as: UInt64.self)
            space = AddressSpace(memory: memory, directory: 0)
            map(page: 5, to: 2)
        }

        func map(page: Int, to frame: UInt32) {
            memory.base.storeBytes(of: frame << 12 | 7, toByteOffset: 0x1000 + page * 4, as: UInt32.self)
            space.flush()
        }

        func swap() {
            swaps += 1
            map(page: 5, to: swaps % 2 == 0 ? 2 : 3)
        }
    }

    /// Runs to the end; after each stop the page is another one.
    private func run(_ body: String, _ engine: EngineKind, budget: UInt64, machine: Machine) throws -> Exit {
        let module = try Module(text: "fragment main() {\n\(body)\n}", acceptor: Self.acceptor)
        let verified = try #require(module.fragment())
        let fragment = try Fragment(verified, space: machine.space, engine: engine)
        let stack = try #require(NativeStack(for: engine))
        let activation = try #require(Activation(fragment, on: stack))
        var event = activation.resume(budget: budget)
        while machine.swaps < 100 {
            if case .left(let invocation) = event { return invocation.exit }
            if case .pageFault(let address, _, _) = event { machine.map(page: Int(address >> 12), to: 4) }
            machine.swap()
            event = activation.resume(budget: budget, answer: 1)
        }
        throw CompileFailure.internalError("it does not end: \(event)")
    }

    private static let loads = """
            setp  base, 0x5000
            setul i, 0
            setul sum, 0
        """

    @Test(arguments: EngineKind.allCases) func aSystemCallMayChangeThePage(_ engine: EngineKind) throws {
        let machine = Machine()
        let exit = try run(
            """
            \(Self.loads)
            again:
                lduli x, base, 0
                addul sum, sum, x
                lduli x, base, 0
                addul sum, sum, x
                sys_ask answer, i
                addul i, i, 1
                bltul i, 5, again
                accept sum
            """, engine, budget: 9, machine: machine)
        #expect(exit == .accept(2 * (1 + 100 + 1 + 100 + 1)))
        #expect(machine.swaps == 5)
    }

    /// No register is left for what the cache knows, so a call does not destroy it.
    @Test(arguments: EngineKind.allCases) func aCallMayChangeThePageOfTheFrame(_ engine: EngineKind) throws {
        let machine = Machine()
        let names = (0..<12).map { "k\($0)" }
        let exit = try run(
            """
            \(Self.loads)
            \(names.map { "setul \($0), 1" }.joined(separator: "\n"))
            again:
                lduli x, base, 0
                lduli x, base, 0    // the second finds the page in the TLB, and fills the cache
                addul sum, sum, x
            \(names.map { "addul \($0), \($0), i\naddul \($0), \($0), x" }.joined(separator: "\n"))
                sys_ask answer, i
                addul i, i, 1
                bltul i, 4, again
            \(names.map { "andul \($0), \($0), 0\naddul sum, sum, \($0)" }.joined(separator: "\n"))
                accept sum
            """, engine, budget: 9, machine: machine)
        #expect(exit == .accept(1 + 100 + 1 + 100))
    }

    /// The budget ends with each round.
    @Test(arguments: EngineKind.allCases) func anInterruptionMayChangeThePage(_ engine: EngineKind) throws {
        let machine = Machine()
        for frame in [0x2000, 0x3000] {
            machine.memory.base.storeBytes(of: 5, toByteOffset: frame + 8, as: UInt64.self)
        }
        let exit = try run(
            """
            \(Self.loads)
            again:
                lduli x, base, 0
                addul sum, sum, x
                lduli rounds, base, 8
                addul i, i, 1
                bltul i, rounds, again
                accept sum
            """, engine, budget: 1, machine: machine)
        // The first budget pays for a jump, and the second for the one after it.
        #expect(machine.swaps == 3)
        #expect(exit == .accept(1 + 1 + 100 + 1 + 100))
    }

    /// While a store waits for its page, the page that loads remember changes.
    @Test(arguments: EngineKind.allCases) func aPageFaultMayChangeThePage(_ engine: EngineKind) throws {
        let machine = Machine()
        let exit = try run(
            """
            \(Self.loads)
            again:
                lduli x, base, 0
                addul sum, sum, x
                lshul place, i, 12
                addul place, place, 0x8000
                stul  x, place, i
                lduli x, base, 0
                addul sum, sum, x
                addul i, i, 1
                bltul i, 3, again
                accept sum
            """, engine, budget: 9, machine: machine)
        #expect(machine.swaps == 3)
        #expect(exit == .accept(1 + 100 + 100 + 1 + 1 + 100))
    }
}
