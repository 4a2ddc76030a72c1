import SCodeIR

/// A register that holds a value of the acceptor's when the fragment is entered.
public struct EntryRegister: Sendable, Hashable {
    public let register: Register
    public let name: String
    public let type: ValueType
    /// What it can hold, when the acceptor promises more than its type says; the verifier builds on it, and
    /// `Fragment.setEntryRegister` takes nothing else. At first it holds the least.
    public let range: ClosedRange<UInt64>?
    public let meaning: String
    public init(
        _ register: Register, name: String, type: ValueType, range: ClosedRange<UInt64>? = nil,
        meaning: String
    ) {
        self.register = register
        self.name = name
        self.type = type
        self.range = range
        self.meaning = meaning
    }
}

/// Code of the acceptor's own around what might do harm, besides what the policies of regions and the budget do.
public struct GuardPolicy: Sendable, Hashable {
    /// Before each jump that may go backward, and each call of a procedure. Takes no operands.
    public var jump: CodeTemplate?
    /// Before each load, and before each store or atomic operation. Their operands are the address, which they may
    /// change (type `p`), and, if they want it, the size in bytes (type `ul`). The access is made at what the address
    /// is afterwards, and guarded as the region's policy says unless it is proved to lie inside.
    public var load: CodeTemplate?
    public var store: CodeTemplate?
    /// Whether backward jumps and calls are charged to the budget. An acceptor that says no ends loops by `jump`.
    public var chargesBudget: Bool
    /// Whether native code also keeps the processor from making, ahead of a comparison that will turn out otherwise, an
    /// access outside what the fragment was given. Accesses are then held against their region even where the verifier
    /// has proved them, since its proof follows branches and the processor guesses them; offsets, table indices and
    /// slots are made zero where the comparison fails, without a branch.
    public var masksSpeculation: Bool

    public init(
        jump: CodeTemplate? = nil, load: CodeTemplate? = nil, store: CodeTemplate? = nil,
        chargesBudget: Bool = true, masksSpeculation: Bool = false
    ) {
        self.jump = jump
        self.load = load
        self.store = store
        self.chargesBudget = chargesBudget
        self.masksSpeculation = masksSpeculation
    }

    /// The budget, and the regions' policies; nothing besides.
    public static let standard = GuardPolicy()
    var hasTemplates: Bool {
        // Comparing with nil copies the templates.
        if case .none = jump, case .none = load, case .none = store { false } else { true }
    }
}

/// Who takes a fragment, and says what it may touch (thesis section 3.4).
public struct Acceptor: Sendable, Hashable {
    public var name: String
    /// Counts up when something is added; programs may ask for the least that they need (V14).
    public var version: UInt32
    /// The registers that exist.
    public var registers: RegisterSet
    /// Of these, the ones that a fragment may not write.
    public var readOnlyRegisters: RegisterSet
    /// Registers that no fragment can name, for the temporaries of the acceptor's own code.
    public var scratch: RegisterSet
    /// Registers that hold something on entry, besides the fragment's parameters: at most
    /// `entryRegisterLimit` (V7).
    public var entryRegisters: [EntryRegister]
    public static let entryRegisterLimit = 8
    /// How many arguments every caller passes; parameters beyond that need a default.
    public var suppliedArguments: Int
    /// The ways in which regions may be guarded; by default all but `host`, which wants a `HostMemory` of whoever
    /// installs a fragment.
    public var policies: Set<MemoryPolicy>
    /// Regions of the acceptor's own, which its templates name and programs cannot. They are static, so that no address
    /// that a program makes up leads there. Whoever installs a fragment binds memory to them, after the program's.
    public var regions: [Region]
    public var guards: GuardPolicy
    public var macros: [MacroInstruction]
    /// Functions of the host that programs may declare and call.
    public var hostFunctions: [OfferedFunction]
    /// Backward jumps and sub-fragment calls that an invocation may make, when its caller does not say.
    public var budget: UInt64
    /// How much of the budget a fragment may be charged when it is entered, for loops and calls whose number is proved;
    /// what goes beyond that is charged as it happens.
    public var prepayable: UInt64
    /// Whether a backward jump or call without budget stops the fragment where it is, so that its `Activation` can go
    /// on later with more, instead of aborting it. Nothing is charged at the entry then, whatever `prepayable` says.
    public var isInterruptible = false
    /// Levels of sub-fragments below the first.
    public var depth: UInt64
    /// Instructions of one fragment.
    public var instructionLimit: Int
    /// What code that was compiled for eBPF finds here; nil: the acceptor takes none.
    public var ebpf: EBPFConventions?

    public init(
        name: String, version: UInt32 = 1, registers: RegisterSet = .all, readOnlyRegisters: RegisterSet = [],
        scratch: RegisterSet = [], entryRegisters: [EntryRegister] = [], suppliedArguments: Int = 0,
        policies: Set<MemoryPolicy> = [.static, .physical, .virtual], regions: [Region] = [],
        guards: GuardPolicy = .standard, macros: [MacroInstruction], hostFunctions: [OfferedFunction] = [],
        budget: UInt64 = 100_000, prepayable: UInt64? = nil, depth: UInt64 = 16,
        instructionLimit: Int = ProgramLimits.instructionsPerFragment, ebpf: EBPFConventions? = nil
    ) {
        self.name = name
        self.version = version
        self.registers = registers
        self.readOnlyRegisters = readOnlyRegisters
        self.scratch = scratch
        self.regions = regions
        self.guards = guards
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
        self.ebpf = ebpf
    }

    public func macro(named name: String) -> MacroInstruction? { macros.first { $0.name == name } }
}

/// An acceptor that a program's fragments and the passes over them hold together: a copy would count references to
/// everything in it.
final class SharedAcceptor: Sendable {
    let acceptor: Acceptor
    init(_ acceptor: Acceptor) { self.acceptor = acceptor }
}

extension Acceptor {
    /// For code with no particular acceptor: returns a value or refuses. `scodec run` takes it by default.
    public static let plain = Acceptor(
        name: "plain", suppliedArguments: ProgramLimits.parameters,
        policies: Set(MemoryPolicy.allCases),
        macros: [
            MacroInstruction("accept", [.value(.ul)], .accept, meaning: "leaves the fragment with a value"),
            MacroInstruction("refuse", [], .refuse, meaning: "leaves the fragment without a value"),
        ],
        ebpf: EBPFConventions(
            accept: "accept",
            memory: Region(name: "memory", policy: .physical, isWritable: true, size: 1 << 16),
            helpers: [1: "accept", 2: "refuse"]))
}
