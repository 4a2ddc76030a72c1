import SCodeIR

/// What the verifier found out about a load or store.
public enum AccessFact: Hashable, Sendable, BitwiseCopyable {
    /// Nothing: the address may be anything.
    case unknown
    /// The address was computed from the base of this region; whether it is still inside is open.
    case based(region: UInt8)
    /// The access lies inside this region whenever it is executed; where in it depends on the run.
    case inside(region: UInt8)
    /// The access lies inside this region, at this offset from its base, whenever it is executed.
    case proved(region: UInt8, offset: Int64)

    /// Whether the access needs no guard.
    public var isProved: Bool {
        switch self {
        case .inside, .proved: true
        case .unknown, .based: false
        }
    }
}

/// What the verifier found out about an instruction: about what holds before it is executed, whenever it is.
public struct InstructionFacts: Hashable, Sendable, BitwiseCopyable {
    /// Registers whose value it or something after it may read.
    public var liveBefore: RegisterSet
    /// What is known of the address; `.unknown` for what is no load or store.
    public var access: AccessFact
    /// Whether what can abort it, its address apart, is proved not to happen: a divisor is not zero, an index lies in its
    /// table, the address of an atomic operation is aligned.
    public var isSafe: Bool
    /// Whether it costs one of the budget when its backward jump is taken, or when it calls a procedure. Jumps that are
    /// proved to be few cost nothing when taken; `entryCharge` has paid for them.
    public var costsBudget: Bool
    /// The block that it is in.
    public var block: UInt32
}

/// A fragment that obeys every rule, with what was learned on the way. Only the verifier makes one.
public final class VerifiedFragment: Sendable {
    /// What is executed: the provider's code, and what the acceptor has put in.
    @inlinable public var code: FragmentCode { _read { yield fragments[number] } }
    /// Somebody else's, usually: the fragments of a program, of which this is one.
    @usableFromInline let fragments: [FragmentCode]
    @usableFromInline let number: Int
    /// The program's regions, then the acceptor's.
    public let regions: [Region]
    private let shared: SharedAcceptor
    public var acceptor: Acceptor { _read { yield shared.acceptor } }
    public let flow: ControlFlow
    /// Per macro call of the fragment: what the acceptor makes of it.
    public let macros: [MacroInstruction]
    /// Per local procedure: the longest chain of calls that leads to it, from 1. Two that are active at once have
    /// different levels.
    public let procedureLevels: [Int]
    /// Per instruction.
    public let facts: [InstructionFacts]
    /// Per instruction: what is written before it. Kept when there are procedures or floating-point registers; of other
    /// fragments this looks at all instructions anew.
    public func written() -> [WrittenBefore] { knownWritten ?? Initialisation.beforeInstructions(self) }
    private let knownWritten: [WrittenBefore]?
    /// Whether every register that is live anywhere holds an integer that is written on every path to there.
    public var isWrittenWhenLive: Bool { knownWritten == nil }
    /// What is taken from the budget when the fragment is entered: how often the jumps and calls that cost nothing
    /// by themselves are made at most, taken together.
    public let entryCharge: UInt64
    /// The loops, heads before what is in them, and what is known of how often they go round.
    public let loops: [LoopFact]
    /// The instructions that cost budget unless the entry charge pays for them, in order.
    public let costs: [CostFact]
    /// The most that one invocation takes from the budget, sub-fragments apart, when that is known.
    public let worstCase: UInt64?
    /// What is known of every value, when the verifier was asked to keep it.
    public let knownValues: KnownValues?
    /// Per instruction of `code`: the provider's instruction that it serves; nil when `code` is the provider's own.
    public let origin: [UInt32]?
    /// The files that positions in `code` lie in: the program's.
    public let sourceFiles: [String]

    init(
        _ number: Int, of fragments: [FragmentCode], regions: [Region], acceptor: SharedAcceptor,
        flow: ControlFlow, macros: [MacroInstruction], procedureLevels: [Int], facts: [InstructionFacts],
        written: [WrittenBefore]?, budget: BudgetFacts, origin: [UInt32]?, sourceFiles: [String],
        states: KnownValues?
    ) {
        self.fragments = fragments
        self.number = number
        self.regions = regions
        shared = acceptor
        self.flow = flow
        self.macros = macros
        self.procedureLevels = procedureLevels
        self.facts = facts
        knownWritten = written
        entryCharge = budget.entryCharge
        loops = budget.loops
        costs = budget.costs
        worstCase = budget.worstCase
        knownValues = states
        self.origin = origin
        self.sourceFiles = sourceFiles
    }

    /// The same fragment with other facts. Tests of the engines force facts that they answer for themselves.
    init(_ other: VerifiedFragment, facts: [InstructionFacts], entryCharge: UInt64) {
        fragments = other.fragments
        number = other.number
        regions = other.regions
        shared = other.shared
        flow = other.flow
        macros = other.macros
        procedureLevels = other.procedureLevels
        self.facts = facts
        knownWritten = other.knownWritten
        self.entryCharge = entryCharge
        loops = other.loops
        costs = other.costs
        worstCase = other.worstCase
        knownValues = other.knownValues
        origin = other.origin
        sourceFiles = other.sourceFiles
    }

    /// Words that an invocation passes: one per parameter, then one per entry register.
    public var argumentCount: Int { code.parameters.count + acceptor.entryRegisters.count }

    /// The registers that argument words go to, in order.
    public var argumentRegisters: [Register] {
        code.parameters.map(\.register) + acceptor.entryRegisters.map(\.register)
    }
}

/// Which registers can be observed when a fragment leaves.
public enum RegisterObservation: Sendable, Hashable {
    /// At an abort, those that the rest of the fragment could still have read; none at accept and refuse.
    case live
    /// All that had been written on every path. Costs registers and time; for debugging and for tests.
    case all
}

/// The registers of a fragment that can be observed.
public struct ObservableRegisters: Sendable {
    @usableFromInline let facts: [InstructionFacts]
    /// What is written before each instruction, where it takes that to say what is observed. Without, all that are live
    /// are, and hold integers.
    @usableFromInline let written: [WrittenBefore]?
    @usableFromInline let observation: RegisterObservation

    public init(_ fragment: VerifiedFragment, _ observation: RegisterObservation) {
        facts = fragment.facts
        written = observation == .live && fragment.isWrittenWhenLive ? nil : fragment.written()
        self.observation = observation
    }

    /// Those at an abort of, or a leave by, an instruction.
    @inlinable public func registers(at index: Int) -> RegisterSet {
        guard let written else { return facts[index].liveBefore }
        return observation == .all
            ? written[index].all : facts[index].liveBefore.intersection(written[index].all)
    }

    /// Of the floating-point registers among them, those that hold a `d`; of the others the low half counts.
    public func doubles(at index: Int) -> RegisterSet { written?[index].doubles ?? [] }
}

/// A program all of whose fragments obey every rule. Only the verifier makes one.
public struct VerifiedProgram: Sendable {
    public let program: Program
    private let shared: SharedAcceptor
    public var acceptor: Acceptor { _read { yield shared.acceptor } }
    public let fragments: [VerifiedFragment]
    /// What is allowed, but probably not meant.
    public let warnings: [Diagnostic]

    init(program: Program, acceptor: SharedAcceptor, fragments: [VerifiedFragment], warnings: [Diagnostic]) {
        self.program = program
        shared = acceptor
        self.fragments = fragments
        self.warnings = warnings
    }
}
