import SCode
import Testing

/// Short ways to write programs that the text form is not needed for, and to run them twice.
enum BothEngines {
    /// An acceptor with an exit for every kind of value, and a function of the host that ruins every register
    /// that C may ruin.
    static let acceptor = Acceptor(
        name: "both", suppliedArguments: ProgramLimits.parameters,
        macros: [
            MacroInstruction("accept", [.value(.ul)], .accept, meaning: ""),
            MacroInstruction("accept_f", [.value(.f)], .accept, meaning: ""),
            MacroInstruction("accept_d", [.value(.d)], .accept, meaning: ""),
            MacroInstruction("refuse", [], .refuse, meaning: ""),
            MacroInstruction("sub", [.value(.ul)], .subSchedule, meaning: ""),
            MacroInstruction(
                "spoil", [.value(.d)],
                .hostCall(
                    HostFunction(
                        parameters: [.double], result: nil,
                        address: unsafeBitCast(spoil, to: UnsafeRawPointer.self))), meaning: ""),
        ], budget: 1000)

    private static let spoil: @convention(c) (Double) -> Void = { number in
        // Sixteen values at once want sixteen registers.
        var all = (0..<16).map { number + Double($0) }
        for _ in 0..<3 { for index in all.indices { all[index] = all[index] * all[15 - index] - 1 } }
        withExtendedLifetime(all) {}
    }

    static func verified(
        _ code: FragmentCode, regions: [Region] = [], sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> VerifiedFragment {
        let (program, diagnostics) = Verifier.verify(
            Program(regions: regions, fragments: [code]), acceptor: acceptor)
        return try #require(
            program?.fragments.first, "\(diagnostics.map(\.message))", sourceLocation: sourceLocation)
    }

    /// What both engines make of it; recorded as an issue when they differ.
    @discardableResult
    static func run(
        _ fragment: VerifiedFragment, _ arguments: [UInt64] = [], regions: [RegionBinding] = [],
        budget: UInt64? = nil, observing observation: RegisterObservation = .live,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> Invocation {
        let results = try EngineKind.allCases.map {
            try Fragment(fragment, regions: regions, engine: $0, observing: observation)
                .invoke(arguments: arguments, budget: budget)
        }
        #expect(results[0].exit == results[1].exit, sourceLocation: sourceLocation)
        #expect(results[0].remainingBudget == results[1].remainingBudget, sourceLocation: sourceLocation)
        #expect(results[0].registers == results[1].registers, sourceLocation: sourceLocation)
        return results[0]
    }
}

extension FragmentCode {
    /// Parameters of the given types in the first registers of their banks, then the instructions; operands of
    /// macro-instructions are written beside their names.
    init(_ parameters: [ValueType], labels: [Int] = [], procedures: [Int] = [], _ lines: [Line]) {
        self.init(name: "f")
        var next = [RegisterBank.integer: 0, .float: 32]
        for (index, type) in parameters.enumerated() {
            let bank: RegisterBank = type.isFloat ? .float : .integer
            self.parameters.append(
                Parameter(name: "p\(index)", register: Register(next[bank, default: 0]), type: type))
            next[bank, default: 0] += 1
        }
        self.labels = labels.enumerated().map { Label(name: "l\($0)", position: UInt32($1)) }
        self.procedures = procedures.enumerated().map { Procedure(name: "q\($0)", start: UInt32($1)) }
        for line in lines {
            switch line {
            case .instruction(let instruction): instructions.append(instruction)
            case .macro(let name, let operands):
                instructions.append(Instruction(Opcode(.macro), index: UInt32(macroCalls.count)))
                macroCalls.append(MacroCall(name: name, operands: operands))
            }
        }
    }
}

enum Line {
    case instruction(Instruction)
    case macro(String, [MacroOperand])

    static func op(
        _ operation: Operation, _ type: ValueType = .ul, from source: ValueType? = nil,
        rd: Register = Register(0),
        _ rs1: Register = Register(0), _ rs2: Register = Register(0), to index: Int = 0
    ) -> Line {
        .instruction(
            Instruction(
                Opcode(operation, type, from: source), rd: rd, rs1: rs1, rs2: rs2, index: UInt32(index)))
    }
    static func immediate(
        _ operation: Operation, _ type: ValueType = .ul, rd: Register = Register(0), _ rs1: Register,
        _ constant: Int64, to index: Int = 0
    ) -> Line {
        .instruction(
            Instruction(
                Opcode(operation, type, .immediate), rd: rd, rs1: rs1, index: UInt32(index),
                immediate: constant))
    }
    static func set(_ rd: Register, _ constant: Int64) -> Line {
        .instruction(Instruction(Opcode(.set, .ul, .immediate), rd: rd, immediate: constant))
    }
    static func set(_ rd: Register, number: Double) -> Line {
        .instruction(
            Instruction(Opcode(.set, .d, .immediate), rd: rd, immediate: Int64(bitPattern: number.bitPattern))
        )
    }
    static func base(_ rd: Register, _ offset: Int64 = 0) -> Line {
        .instruction(Instruction(Opcode(.set, .p, .symbol), rd: rd, immediate: offset))
    }
    static func accept(_ register: Register, _ type: ValueType = .ul) -> Line {
        .macro(type == .f ? "accept_f" : type == .d ? "accept_d" : "accept", [.register(register)])
    }
    static func accept(_ constant: Int64) -> Line { .macro("accept", [.immediate(constant)]) }
}

/// r0 … r31, f0 … f31.
func r(_ number: Int) -> Register { Register(number) }
func f(_ number: Int) -> Register { Register.float(number) }
