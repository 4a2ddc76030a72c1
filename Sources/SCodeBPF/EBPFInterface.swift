import SCodeIR

/// What code that was compiled for eBPF finds at an acceptor: how it leaves, what it can call, what lies where.
///
/// Plain data, so that reading eBPF needs to know nothing about acceptors. `Acceptor.ebpfInterface` makes one.
public struct EBPFInterface: Sendable, Hashable {
    /// The acceptor's name, which sections of object files name too (`SEC("filter")`).
    public var acceptor: String
    /// The macro-instruction with one operand that `exit` becomes, with r0.
    public var accept: String
    /// The macro-instruction without operands that it becomes when r0 is 0, if the acceptor tells the two apart.
    public var refuse: String?
    /// Arguments that every caller passes, in r1, r2, …
    public var suppliedArguments: Int
    /// What r1 points to, when nobody passes something else, and r2 is the size of.
    public var memory: Region?
    /// The guard of the stack and of data.
    public var policy: MemoryPolicy
    /// Regions that object files name as external variables.
    public var regions: [Region]
    public var helpers: [UInt32: EBPFHelper]

    public init(
        acceptor: String, accept: String, refuse: String? = nil, suppliedArguments: Int = 0,
        memory: Region? = nil, policy: MemoryPolicy = .physical, regions: [Region] = [],
        helpers: [UInt32: EBPFHelper] = [:]
    ) {
        self.acceptor = acceptor
        self.accept = accept
        self.refuse = refuse
        self.suppliedArguments = suppliedArguments
        self.memory = memory
        self.policy = policy
        self.regions = regions
        self.helpers = helpers
    }
}

/// What a call of a helper, by its number, becomes.
public struct EBPFHelper: Sendable, Hashable {
    public enum Kind: Sendable, Hashable {
        case macro
        case hostFunction(HostDeclaration)
        /// r0 receives what a register holds that the acceptor fills on entry.
        case register(Register)
    }
    /// An operand of the macro-instruction or host function.
    public enum Operand: Sendable, Hashable {
        /// The next of r1 to r5.
        case argument
        /// r0.
        case result
    }

    /// Its name, by which object files may call it too.
    public var name: String
    public var kind: Kind
    public var operands: [Operand]
    /// Whether the instruction behind the call can be reached.
    public var returns: Bool

    /// - Returns: nil when it has more arguments or results than eBPF has registers for.
    public init?(_ name: String, _ kind: Kind, operands: [Operand], returns: Bool) {
        guard operands.count(where: { $0 == .argument }) <= 5, operands.count(where: { $0 == .result }) <= 1
        else { return nil }
        self.name = name
        self.kind = kind
        self.operands = operands
        self.returns = returns
    }
}

/// Bounds on what reading a program comes to.
public enum EBPFLimits {
    /// Bytes of a function's frame.
    public static let frame = 512
    /// Frames on top of one another, as in Linux.
    public static let frames = 8
    /// Instructions that are read, and those that they become, of all fragments together.
    public static let instructions = 1 << 20
    /// Functions of an object file.
    public static let functions = 1 << 16
    /// Instructions that are looked at, of all fragments together: a function is looked at for each that it is part of.
    static let work = 1 << 24
    /// Bytes of variables.
    public static let data: UInt64 = 1 << 30
}
