import SCodeIR

/// What code that was compiled for eBPF finds at an acceptor (docs/ebpf.md).
public struct EBPFConventions: Sendable, Hashable {
    /// The macro-instruction with one operand by which such code leaves with r0.
    public var accept: String
    /// The one without operands by which it leaves instead when r0 is 0; nil: 0 is a value like any other.
    public var refuse: String?
    /// What r1 points to and r2 is the size of, when the caller passes nothing else.
    public var memory: Region?
    /// Regions that object files may name as external variables, besides data of their own.
    public var regions: [Region]
    /// Helper functions by number: names of macro-instructions, of host functions, or of entry registers, which are
    /// then functions that return what the register holds. Arguments are r1 to r5, the result is r0.
    public var helpers: [UInt32: String]

    public init(
        accept: String, refuse: String? = nil, memory: Region? = nil, regions: [Region] = [],
        helpers: [UInt32: String] = [:]
    ) {
        self.accept = accept
        self.refuse = refuse
        self.memory = memory
        self.regions = regions
        self.helpers = helpers
    }
}
