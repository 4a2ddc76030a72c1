/// Why a fragment was aborted.
public enum AbortReason: UInt8, CaseIterable, Error, Sendable {
    /// A backward jump, or a call of a sub-fragment, with no budget left.
    case budgetExhausted = 1
    case divisionByZero
    /// `jt` with an index not below the table's size.
    case jumpTableIndex
    /// The address lies in no region, and no address space is there to translate it.
    case outOfBounds
    /// A store to a region that may only be read.
    case readOnlyRegion
    /// A page-table entry on the way is not present.
    case pageNotPresent
    /// A page-table entry on the way forbids user access or, for a store, writing.
    case pageProtection
    /// A page-table entry names a frame outside physical memory, or sets a reserved bit.
    case pageTableCorrupt
    /// Sub-fragments nested deeper than allowed.
    case depthExceeded
    /// `s_sub_sched` of a slot that the scheduler does not have.
    case noSuchSlot
    /// An atomic operation at an address that is not a multiple of its size.
    case misaligned
    /// A guard or macro-instruction of the acceptor's own refused to go on.
    case policy

    /// The name that reports and file tests use.
    public var name: String {
        switch self {
        case .budgetExhausted: "budget-exhausted"
        case .divisionByZero: "division-by-zero"
        case .jumpTableIndex: "jump-table-index"
        case .outOfBounds: "out-of-bounds"
        case .readOnlyRegion: "read-only-region"
        case .pageNotPresent: "page-not-present"
        case .pageProtection: "page-protection"
        case .pageTableCorrupt: "page-table-corrupt"
        case .depthExceeded: "depth-exceeded"
        case .noSuchSlot: "no-such-slot"
        case .misaligned: "misaligned"
        case .policy: "policy"
        }
    }

    /// Whether `Abort.address` says anything.
    public var hasAddress: Bool {
        switch self {
        case .outOfBounds, .readOnlyRegion, .pageNotPresent, .pageProtection, .pageTableCorrupt, .misaligned:
            true
        case .budgetExhausted, .divisionByZero, .jumpTableIndex, .depthExceeded, .noSuchSlot, .policy: false
        }
    }
}

/// The registers that can be observed at an exit, and their values.
public struct RegisterFile: Hashable, Sendable {
    /// Which registers `values` is meaningful for; the others are zero.
    public var valid: RegisterSet
    /// 64 values of 64 bits, by register number; of an `f`, the upper half is zero.
    public var values: [UInt64]
    /// All registers zero and none valid, or the given ones.
    public init(valid: RegisterSet = [], values: [UInt64] = RegisterFile.zeros) {
        self.valid = valid
        self.values = values
    }

    /// Shared, so that an exit with nothing to observe allocates nothing.
    public static let zeros = [UInt64](repeating: 0, count: Register.count)
}

/// How a fragment ended.
public enum Exit: Hashable, Sendable {
    /// It took what it was offered; the value says for whom.
    case accept(UInt64)
    /// It declined.
    case refuse
    /// A guard stopped it.
    case abort(Abort)
}

/// What is known about an abort.
public struct Abort: Hashable, Sendable {
    public var reason: AbortReason
    /// Source line, from 1; 0 when the program carries no positions.
    public var line: UInt32
    /// The instruction, as an index into the fragment.
    public var instruction: UInt32
    /// The first byte that could not be accessed, when `reason.hasAddress`; else 0.
    public var address: UInt64
    public var registers: RegisterFile
    public init(
        reason: AbortReason, line: UInt32, instruction: UInt32, address: UInt64, registers: RegisterFile
    ) {
        self.reason = reason
        self.line = line
        self.instruction = instruction
        self.address = address
        self.registers = registers
    }
}
