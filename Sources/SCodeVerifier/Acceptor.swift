import SCodeIR

/// What a macro-instruction takes at one place of its operand list.
public enum MacroOperandKind: Hashable, Sendable {
    /// A value: a register that is read, or a constant.
    case value(ValueType)
    /// A register that is written.
    case result(ValueType)
}

/// A C type, in the signature of a host function.
public enum ForeignType: Sendable, Hashable {
    case int8, uint8, int16, uint16, int32, uint32, int64, uint64, pointer, float, double
}

/// A C function of the host that a macro-instruction calls.
public struct HostFunction: Sendable, Hashable {
    public let parameters: [ForeignType]
    public let result: ForeignType?
    /// The address of the function, as a bit pattern, so that acceptors stay `Sendable`.
    public let address: UInt
    /// Passed before the operands, when there is one: the embedder's own data.
    public let userData: UInt?

    public init(
        parameters: [ForeignType], result: ForeignType?, address: UnsafeRawPointer,
        userData: UnsafeMutableRawPointer? = nil
    ) {
        self.parameters = parameters
        self.result = result
        self.address = UInt(bitPattern: address)
        self.userData = userData.map { UInt(bitPattern: $0) }
    }
}

/// A function that programs may declare (`host NAME(…)`) and call with `callh`.
public struct OfferedFunction: Sendable, Hashable {
    /// The signature that programs declare.
    public let declaration: HostDeclaration
    public let function: HostFunction
    /// What it does, in a sentence.
    public let meaning: String
    public init(_ declaration: HostDeclaration, _ function: HostFunction, meaning: String) {
        self.declaration = declaration
        self.function = function
        self.meaning = meaning
    }

    /// A call of it, in the terms of macro-instructions: the result first, then the arguments.
    var asMacro: MacroInstruction {
        let results = declaration.result.map { [MacroOperandKind.result($0)] } ?? []
        return MacroInstruction(
            declaration.name, results + declaration.parameters.map { .value($0) }, .hostCall(function),
            meaning: meaning)
    }
}

/// What a macro-instruction becomes.
public enum MacroExpansion: Sendable, Hashable {
    /// Leaves the fragment, and every fragment that called it, with its operand as the value.
    case accept
    /// Leaves the fragment; whoever called it goes on after the call.
    case refuse
    /// Calls the fragment in the slot that its operand names; goes on with the next instruction when that
    /// refuses, or when the slot is empty.
    case subSchedule
    /// Calls a function of the host. A `.result` operand, if there is one, comes first.
    case hostCall(HostFunction)

    /// Whether the instruction after it can be reached.
    public var fallsThrough: Bool {
        switch self {
        case .accept, .refuse: false
        case .subSchedule, .hostCall: true
        }
    }
}

/// An instruction that an acceptor adds to the language.
public struct MacroInstruction: Sendable, Hashable {
    public let name: String
    public let operands: [MacroOperandKind]
    public let expansion: MacroExpansion
    /// What it does, in a sentence.
    public let meaning: String
    public init(_ name: String, _ operands: [MacroOperandKind], _ expansion: MacroExpansion, meaning: String)
    {
        self.name = name
        self.operands = operands
        self.expansion = expansion
        self.meaning = meaning
    }
}

/// A register that holds a value of the acceptor's when the fragment is entered.
public struct EntryRegister: Sendable, Hashable {
    public let register: Register
    public let name: String
    public let type: ValueType
    public let meaning: String
    public init(_ register: Register, name: String, type: ValueType, meaning: String) {
        self.register = register
        self.name = name
        self.type = type
        self.meaning = meaning
    }
}

/// Who takes a fragment, and says what it may touch (thesis section 3.4).
public struct Acceptor: Sendable, Hashable {
    public var name: String
    /// Counts up when something is added; programs may ask for the least that they need (V14).
    public var version: UInt32 = 1
    /// The registers that exist.
    public var registers: RegisterSet
    /// Of these, the ones that a fragment may not write.
    public var readOnlyRegisters: RegisterSet
    /// Registers that hold something on entry, besides the fragment's parameters: at most
    /// `entryRegisterLimit` (V7).
    public var entryRegisters: [EntryRegister]
    public static let entryRegisterLimit = 8
    /// How many arguments every caller passes; parameters beyond that need a default.
    public var suppliedArguments: Int
    /// The ways in which regions may be guarded.
    public var policies: Set<MemoryPolicy>
    public var macros: [MacroInstruction]
    /// Functions of the host that programs may declare and call.
    public var hostFunctions: [OfferedFunction]
    /// Backward jumps and sub-fragment calls that an invocation may make, when its caller does not say.
    public var budget: UInt64
    /// How much of the budget a fragment may be charged when it is entered, for loops and calls whose number is proved;
    /// what goes beyond that is charged as it happens.
    public var prepayable: UInt64
    /// Levels of sub-fragments below the first.
    public var depth: UInt64
    /// Instructions of one fragment.
    public var instructionLimit: Int

    public init(
        name: String, registers: RegisterSet = .all, readOnlyRegisters: RegisterSet = [],
        entryRegisters: [EntryRegister] = [], suppliedArguments: Int = 0,
        policies: Set<MemoryPolicy> = Set(MemoryPolicy.allCases), macros: [MacroInstruction],
        hostFunctions: [OfferedFunction] = [], budget: UInt64 = 100_000, prepayable: UInt64? = nil, depth: UInt64 = 16,
        instructionLimit: Int = ProgramLimits.instructionsPerFragment
    ) {
        self.name = name
        self.registers = registers
        self.readOnlyRegisters = readOnlyRegisters
        self.entryRegisters = entryRegisters
        self.suppliedArguments = suppliedArguments
        self.policies = policies
        self.macros = macros
        self.hostFunctions = hostFunctions
        self.budget = budget
        // An eighth, so that what a fragment does not use leaves enough for those that it calls.
        self.prepayable = prepayable ?? budget / 8
        self.depth = depth
        self.instructionLimit = instructionLimit
    }

    public func macro(named name: String) -> MacroInstruction? { macros.first { $0.name == name } }
}

extension Acceptor {
    /// For code with no particular acceptor: returns a value or refuses. `scodec run` takes it by default.
    public static let plain = Acceptor(
        name: "plain", suppliedArguments: ProgramLimits.parameters,
        macros: [
            MacroInstruction("accept", [.value(.ul)], .accept, meaning: "leaves the fragment with a value"),
            MacroInstruction("refuse", [], .refuse, meaning: "leaves the fragment without a value"),
        ])

    /// For packet filters: parameters are the packet's address and length; accept says who gets it.
    /// Sixteen registers, as a filter needs no more.
    public static let filter = Acceptor(
        name: "filter", registers: RegisterSet(rawValue: 0xffff), suppliedArguments: 2,
        policies: [.static, .physical],
        macros: [
            MacroInstruction("f_accept", [.value(.ul)], .accept, meaning: "takes the packet for a queue"),
            MacroInstruction("f_refuse", [], .refuse, meaning: "leaves the packet to others"),
        ])

    /// For scheduling fragments (thesis section 3.4).
    public static let scheduler = Acceptor(
        name: "scheduler", readOnlyRegisters: RegisterSet(rawValue: 0b111 << 29),
        entryRegisters: [
            EntryRegister(Register(29), name: "tick", type: .ul, meaning: "ticks since the machine started"),
            EntryRegister(
                Register(30), name: "slots", type: .ul, meaning: "slots in the scheduler's jump table"),
            EntryRegister(Register(31), name: "self", type: .ul, meaning: "the scheduler's own environment"),
        ],
        macros: [
            MacroInstruction(
                "s_sub_sched", [.value(.ul)], .subSchedule,
                meaning: "offers the processor to the sub-scheduler in a slot; goes on if that refuses"),
            MacroInstruction(
                "s_app_sched", [.value(.ul)], .accept, meaning: "gives the processor to an environment"),
            MacroInstruction("s_refuse", [], .refuse, meaning: "declines the processor"),
        ], budget: 10_000)

    /// The acceptors that come with the system, by name.
    public static let standard: [Acceptor] = [.plain, .filter, .scheduler]
}
