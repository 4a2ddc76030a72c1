import SCode
import SCodeAcceptors
import Testing

/// Helpers of every kind, as an embedder offers them.
@Suite struct HelperTests {
    private static let scale: @convention(c) (UInt64, UInt64) -> UInt64 = { $0 &* 10 &+ $1 }

    private static let acceptor: Acceptor = {
        let declaration = HostDeclaration(name: "scale", parameters: [.ul, .ul], result: .ul)
        let function = HostFunction(
            parameters: [.uint64, .uint64], result: .uint64,
            address: unsafeBitCast(scale, to: UnsafeRawPointer.self))
        return Acceptor(
            name: "offering",
            entryRegisters: [EntryRegister(Register(20), name: "now", type: .ul, meaning: "the time")],
            suppliedArguments: 2,
            macros: [
                MacroInstruction("take", [.value(.ul)], .accept, meaning: ""),
                MacroInstruction("leave", [], .refuse, meaning: ""),
            ],
            hostFunctions: [OfferedFunction(declaration, function, meaning: "")],
            ebpf: EBPFConventions(
                accept: "take", refuse: "leave", helpers: [1: "scale", 2: "now", 3: "leave", 4: "nothing"]))
    }()

    /// How the program leaves, on both engines; `now` is 7.
    private func exit(_ text: String, _ arguments: [UInt64] = []) throws -> Exit {
        let program = try Program(
            ebpf: EBPFAssembler.bytes(text), for: [Self.acceptor], named: "offering")
        #expect(parse(program.printed()).program.withoutPositions == program)
        let code = try #require(try Module(program: program, acceptor: Self.acceptor).fragment())
        let memory = TestMemory(code.regions)
        let exits = try EngineKind.allCases.map { engine in
            let fragment = try Fragment(code, regions: memory.bindings, engine: engine)
            fragment.setEntryRegister(0, 7)
            return fragment.invoke(arguments: arguments).exit
        }
        #expect(exits[0] == exits[1])
        return exits[0]
    }

    @Test func kindsOfHelpers() throws {
        #expect(try exit("call 1\nexit", [4, 2]) == .accept(42))
        #expect(try exit("call 2\nexit") == .accept(7))
        #expect(try exit("call 3") == .refuse)
        // Arguments stay as they were.
        #expect(try exit("call 1\nadd %r0, %r1\nadd %r0, %r2\nexit", [4, 2]) == .accept(48))
        // 0 refuses; a register that nothing has written is 0.
        #expect(try exit("mov %r0, %r9\nexit") == .refuse)
        #expect(throws: EBPFFailure.self) { try exit("call 4\nexit") }
    }

    @Test func helpersByRegister() throws {
        let text = "mov %r3, %r1\nmov %r1, 5\ncall %r3\nadd %r0, 1\nexit"
        #expect(try exit(text, [1, 6]) == .accept(57))
        #expect(try exit(text, [2, 6]) == .accept(8))
        #expect(try exit(text, [3, 6]) == .refuse)
        guard case .abort(let abort) = try exit(text, [9, 6]) else {
            Issue.record("a helper that is not there was called")
            return
        }
        #expect(abort.reason == .jumpTableIndex)
    }

    /// The tables that come with the system name what their acceptors have.
    @Test func everyHelperIsThere() throws {
        let acceptors = Acceptor.standard.filter { $0.ebpf != nil }
        #expect(acceptors.map(\.name) == ["plain", "filter", "scheduler"])
        for acceptor in acceptors {
            let interface = try #require(acceptor.ebpfInterface)
            #expect(Set(interface.helpers.keys) == Set(acceptor.ebpf?.helpers.keys.map { $0 } ?? []))
            #expect(acceptor.macro(named: interface.accept)?.operands == [.value(.ul)])
            if let refuse = interface.refuse { #expect(acceptor.macro(named: refuse)?.operands == []) }
        }
    }
}
