import SCode
import Testing

/// Modules that would make verifier or compiler work without end, and acceptors that contradict themselves.
@Suite struct HostileModuleTests {
    private static let refuse = MacroCall(name: "refuse", operands: [])

    /// A hundred thousand jumps through one table of sixty-five thousand entries: billions of edges.
    @Test func jumpTablesTogetherAreLimited() {
        let jumps = 100_000
        var code = FragmentCode(name: "f", macroCalls: [Self.refuse])
        code.parameters = [Parameter(name: "n", register: Register(0), type: .ul, defaultValue: .constant(0))]
        code.instructions = Array(repeating: Instruction(Opcode(.jumpTable)), count: jumps)
        code.instructions.append(Instruction(Opcode(.macro)))
        code.labels = (0..<ProgramLimits.tableEntries).map { Label(name: "l\($0)", position: UInt32($0)) }
        code.tables = [JumpTable(name: "t", labels: (0..<UInt32(ProgramLimits.tableEntries)).map { $0 })]
        let (verified, diagnostics) = Verifier.verify(Program(fragments: [code]), acceptor: .plain)
        #expect(verified == nil)
        #expect(diagnostics.map(\.rule) == [.limits])
    }

    /// Every instruction is an unknown macro: suggestions are not sought for all of them.
    @Test func reportsAreLimited() {
        let name = String(repeating: "s_app_shed", count: 4)
        var code = FragmentCode(name: "f", macroCalls: [MacroCall(name: name, operands: [])])
        code.instructions = Array(repeating: Instruction(Opcode(.macro)), count: 120_000)
        #expect(Verifier.verify(Program(fragments: [code]), acceptor: .plain).diagnostics.count <= 101)
    }

    /// The same table used twice stands in the machine code once, and both jumps find it.
    @Test func tablesAreShared() throws {
        let text = """
            fragment main(n: ul) {
                table t = { one, two }
                bneul   n, 0, other
                jt      n, t
            other:
                jt      n, t
            one:
                accept  1
            two:
                accept  2
            }
            """
        let module = try Module(text: text, acceptor: .plain)
        for engine in EngineKind.allCases {
            let fragment = try Fragment(try #require(module.fragment()), engine: engine)
            #expect(fragment.invoke(arguments: [0]).exit == .accept(1))
            #expect(fragment.invoke(arguments: [1]).exit == .accept(2))
        }
    }

    @Test func hostFunctionsMatchTheirMacro() throws {
        let function: @convention(c) (UInt64) -> UInt64 = { $0 }
        let address = unsafeBitCast(function, to: UnsafeRawPointer.self)
        let host = HostFunction(parameters: [.uint64], result: .uint64, address: address)
        func install(_ kinds: [MacroOperandKind], _ operands: String) throws {
            let acceptor = Acceptor(
                name: "odd",
                macros: [
                    MacroInstruction("h", kinds, .hostCall(host), meaning: ""),
                    MacroInstruction("refuse", [], .refuse, meaning: ""),
                ])
            let module = try Module(
                text: "fragment f() {\n    h \(operands)\n    refuse\n}\n", acceptor: acceptor)
            _ = try Fragment(try #require(module.fragment()))
        }
        try install([.result(.ul), .value(.ul)], "r1, 2")
        try install([.value(.ul)], "2")
        #expect(throws: InstallFailure.hostFunction("h")) { try install([.value(.ul), .value(.ul)], "1, 2") }
        #expect(throws: InstallFailure.hostFunction("h")) { try install([], "") }
        #expect(throws: InstallFailure.hostFunction("h")) {
            try install([.result(.ul), .result(.ul), .value(.ul)], "r1, r2, 3")
        }
    }

    @Test func acceptorsHaveFewEntryRegisters() {
        let registers = (0..<9).map { EntryRegister(Register($0), name: "e\($0)", type: .ul, meaning: "") }
        let acceptor = Acceptor(
            name: "greedy", entryRegisters: registers,
            macros: [MacroInstruction("refuse", [], .refuse, meaning: "")])
        let code = FragmentCode(
            name: "f", instructions: [Instruction(Opcode(.macro))], macroCalls: [Self.refuse])
        let diagnostics = Verifier.verify(Program(fragments: [code]), acceptor: acceptor).diagnostics
        #expect(diagnostics.map(\.rule) == [.limits])
    }
}
