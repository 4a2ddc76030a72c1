import SCode
import SCodeAcceptors
import SCodeTestSupport
import Testing

@testable import SCodeBPF

/// The table of instructions, and what is refused because it is in none of its rows.
@Suite struct OpcodeTests {
    private let exit = EBPFInstruction(code: 0x95)

    private func read(_ instructions: [EBPFInstruction]) throws -> Program {
        try Program(
            ebpf: EBPFAssembler.bytes(instructions), for: Acceptor.tested, named: "tested")
    }

    private func failure(_ instructions: [EBPFInstruction]) -> EBPFFailure? {
        do {
            _ = try read(instructions)
            return nil
        } catch { return error as? EBPFFailure }
    }

    /// An instruction of the row: of what it uses, values that mean something wherever it stands first of four.
    private func example(_ row: EBPFOpcode) -> EBPFInstruction {
        var instruction = EBPFInstruction(
            code: row.code, source: row.source, offset: row.offset, immediate: row.immediate)
        if row.uses.contains(.destination) { instruction.destination = 1 }
        if row.uses.contains(.source) { instruction.source = 2 }
        if row.uses.contains(.offset), case .branch = row.operation { instruction.offset = 1 }
        if row.uses.contains(.immediate) { instruction.immediate = 1 }
        return instruction
    }

    private func program(_ instruction: EBPFInstruction, _ row: EBPFOpcode) -> [EBPFInstruction] {
        let half = row.operation == .setWide ? [EBPFInstruction(code: 0)] : []
        return [instruction] + half + [EBPFInstruction(code: 0xb7), exit, exit]
    }

    @Test func everyRowIsRead() throws {
        // Arithmetic, conversions, jumps, accesses, atomic operations: a row that is lost is noticed here.
        #expect(EBPFOpcode.table.count == 52 + 20 + 50 + 16 + 20)
        #expect(Set(EBPFOpcode.table).count == EBPFOpcode.table.count)
        for row in EBPFOpcode.table {
            let program = try read(program(example(row), row))
            #expect(Verifier.verify(program, acceptor: Acceptor.tested[0]).0 != nil, "\(row)")
        }
    }

    @Test func unusedFieldsAreZero() {
        for row in EBPFOpcode.table {
            let fields: [(EBPFFields, (inout EBPFInstruction) -> Void)] = [
                (.destination, { $0.destination = 3 }), (.source, { $0.source = 4 }),
                (.offset, { $0.offset = 3 }), (.immediate, { $0.immediate = 0x7777 }),
            ]
            for (field, change) in fields where !row.uses.contains(field) {
                var instruction = example(row)
                change(&instruction)
                let reason = failure(program(instruction, row))?.reason
                // Two rows of one code may both be one field away.
                var isRefused = false
                switch reason {
                case .unusedField, .unknownWideConstant: isRefused = true
                default: break
                }
                #expect(isRefused, "\(row), \(field): \(String(describing: reason))")
            }
        }
    }

    @Test func otherCodesAreUnknown() {
        let known = Set(EBPFOpcode.table.map(\.code))
        for code in UInt8.min ... .max where !known.contains(code) {
            let reason = failure([EBPFInstruction(code: code), exit])?.reason
            #expect(reason == .unknownOpcode(code) || reason == .packetAccess, "\(code)")
            // Also where no path leads.
            #expect(failure([exit, EBPFInstruction(code: code), exit])?.instruction == 1)
        }
        #expect(failure([EBPFInstruction(code: 0x20), exit])?.reason == .packetAccess)
        #expect(
            failure([EBPFInstruction(code: 0x85, source: 2, immediate: 9), exit])?.reason
                == .kernelFunction(9))
    }

    @Test func registersExist() {
        for number in UInt8(11)...15 {
            #expect(
                failure([EBPFInstruction(code: 0xbf, destination: number), exit])?.reason
                    == .noSuchRegister(number))
            #expect(
                failure([EBPFInstruction(code: 0xbf, source: number), exit])?.reason
                    == .noSuchRegister(number))
        }
        #expect(
            failure([EBPFInstruction(code: 0xb7, destination: 10), exit])?.reason == .framePointerWritten)
        // fetch-and-add writes src.
        let fetch = EBPFInstruction(code: 0xdb, destination: 1, source: 10, immediate: 1)
        #expect(failure([fetch, exit])?.reason == .framePointerWritten)
    }

    // MARK: Control flow

    private func reason(_ text: String) throws -> EBPFFailure.Reason? {
        do {
            _ = try Program(ebpf: EBPFAssembler.bytes(text), for: Acceptor.tested, named: "tested")
            return nil
        } catch { return (error as? EBPFFailure)?.reason }
    }

    @Test func jumpsStayInside() throws {
        #expect(try reason("ja +1\nexit") == .targetOutside(2))
        #expect(try reason("ja -2\nexit") == .targetOutside(-1))
        #expect(try reason("ja32 +0x7fffffff\nexit") == .targetOutside(0x8000_0000))
        #expect(try reason("exit\njeq %r1, 0, +5\nexit") == .targetOutside(7))
        #expect(try reason("ja +1\nlddw %r0, 1\nexit") == .targetInsideWideConstant(2))
        #expect(try reason("lddw %r0, 1\nexit\nja -3\nexit") == .targetInsideWideConstant(1))
        #expect(try reason("mov %r0, 0") == .runsOffEnd)
        #expect(try reason("exit\nmov %r0, 0") == nil)
        #expect(try reason("call local +5\nexit") == .targetOutside(6))
        let half = EBPFInstruction(code: 0x18)
        #expect(failure([half])?.reason == .brokenWideConstant)
        #expect(failure([half, EBPFInstruction(code: 0, offset: 1), exit])?.reason == .brokenWideConstant)
        #expect(failure([half, exit, exit])?.reason == .brokenWideConstant)
        #expect(failure([])?.reason == .noInstructions)
    }

    @Test func callsHaveBounds() throws {
        #expect(try reason("f:\ncall local f\nexit") == .recursion("main"))
        #expect(try reason("call local f\nexit\nf:\ncall local g\nexit\ng:\ncall local f\nexit") != nil)
        func chain(_ count: Int) -> String {
            (0..<count).map { "f\($0):\ncall local f\($0 + 1)\nexit\n" }.joined() + "f\(count):\nexit"
        }
        #expect(try reason(chain(EBPFLimits.frames - 1)) == nil)
        #expect(try reason(chain(EBPFLimits.frames)) == .callsTooDeep(limit: EBPFLimits.frames))
        let many = (0...ProgramLimits.procedures).map { "call local f\($0)\n" }.joined() + "exit\n"
        let bodies = (0...ProgramLimits.procedures).map { "f\($0):\nexit\n" }.joined()
        #expect(try reason(many + bodies) == .tooManyFunctions(limit: ProgramLimits.procedures))
        #expect(try reason("call 77\nexit") == .noSuchHelper(77, acceptor: "tested"))
        #expect(try reason("call -1\nexit") == .noSuchHelper(-1, acceptor: "tested"))
    }

    @Test func bytesAndAcceptors() {
        func reason(_ bytes: [UInt8], _ acceptor: String?) -> EBPFFailure.Reason? {
            do {
                _ = try Program(ebpf: bytes, for: [.plain, .application, .bare], named: acceptor)
                return nil
            } catch { return error.reason }
        }
        #expect(reason([0x95], nil) == .partialInstruction(1))
        let exit = EBPFAssembler.bytes([self.exit])
        #expect(reason(exit, nil) == nil)
        #expect(reason(exit, "nobody") == .noSuchAcceptor("nobody"))
        #expect(reason(exit, "application") == .acceptorTakesNone("application"))
        #expect(
            reason(EBPFAssembler.bytes([EBPFInstruction(code: 0x8d), self.exit]), "bare")
                == .noHelpers(acceptor: "bare"))
    }
}

extension Acceptor {
    /// With a helper of each kind; 5 and 6 need more than eBPF has.
    static let tested: [Acceptor] = {
        var acceptor = Acceptor.plain
        acceptor.name = "tested"
        acceptor.entryRegisters = [EntryRegister(Register(20), name: "entry", type: .ul, meaning: "")]
        acceptor.macros.append(
            MacroInstruction(
                "wide", [ValueType](repeating: .ul, count: 6).map { .value($0) }, .abort, meaning: ""))
        acceptor.ebpf?.helpers = [1: "accept", 2: "refuse", 3: "entry", 5: "wide", 6: "nothing"]
        return [acceptor]
    }()

    /// Without any helper.
    static let bare: Acceptor = {
        var acceptor = Acceptor.plain
        acceptor.name = "bare"
        acceptor.ebpf?.helpers = [:]
        return acceptor
    }()
}
