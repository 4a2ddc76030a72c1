import SCodeIR
import SCodeVerifier

/// What one VCode instruction does. Guards are instructions of their own: what is not written is not checked.
enum VOperation: UInt8, BitwiseCopyable {
    // dst := a op b; b is a register or the immediate
    case add, sub, mul, and, or, xor, shiftLeft, shiftRight, shiftRightArithmetic
    case divideSigned, divideUnsigned, moduloSigned, moduloUnsigned
    // dst := op a
    case not, negate, isZero, move
    /// dst := low `size` bytes of a, sign- or zero-extended to the width.
    case signExtend, zeroExtend
    /// dst := immediate
    case constant
    /// dst := base of region `target` + immediate
    case regionBase
    /// address := a + b
    case address
    /// address := host address of region `target`; the access that follows adds `immediate`. Proved inside.
    case provedAddress
    /// Guard: `size` bytes at the address lie in region `target`, or wherever else the instance has them;
    /// address := their host address. `a` is the register that a store is about to store.
    case guardRegion
    /// Guard: the page table lets the access be made; address := the host address.
    case guardPage
    /// dst := `size` bytes at address + immediate, extended
    case load
    /// `size` bytes at address + immediate := a
    case store
    /// Guard: a is not zero.
    case guardNonZero
    /// Guard: a is below the immediate, or the index is no entry of the table.
    case guardTableIndex
    /// Guard: the budget is not used up; takes one of it. Stands before each backward jump.
    case guardBudget
    /// if a op b goto label `target`
    case branch
    /// goto label `target`
    case jump
    /// goto entry a of table `target`
    case jumpTable
    /// The place of label `target`.
    case label
    /// Leaves with value a or the immediate.
    case accept
    case refuse
    /// Calls the fragment in slot a or the immediate; falls through when that refuses.
    case callSub
    /// Host argument word `target` := a or the immediate.
    case hostArgument
    /// dst := host function `target` of the words given
    case callHost
}

/// How a branch compares. `branch` alone uses it.
enum VCondition: UInt8, BitwiseCopyable {
    case equal, notEqual
    case lessSigned, lessOrEqualSigned, greaterSigned, greaterOrEqualSigned
    case lessUnsigned, lessOrEqualUnsigned, greaterUnsigned, greaterOrEqualUnsigned

    var inverted: VCondition {
        switch self {
        case .equal: .notEqual
        case .notEqual: .equal
        case .lessSigned: .greaterOrEqualSigned
        case .lessOrEqualSigned: .greaterSigned
        case .greaterSigned: .lessOrEqualSigned
        case .greaterOrEqualSigned: .lessSigned
        case .lessUnsigned: .greaterOrEqualUnsigned
        case .lessOrEqualUnsigned: .greaterUnsigned
        case .greaterUnsigned: .lessOrEqualUnsigned
        case .greaterOrEqualUnsigned: .lessUnsigned
        }
    }
}

/// One instruction of the intermediate representation. Its registers are those of SCODE: the allocator maps
/// each to a machine register or a spill slot. One more value, `address`, is implicit: it connects a guard
/// with the access that follows it, and never outlives it.
struct VInstruction: BitwiseCopyable {
    var operation: VOperation
    /// Whether the operation works on 64 bits; on 32 otherwise, with a zero-extended result.
    var isWide = true
    /// Whether the last source is `immediate` rather than `b` (of accept, callSub, hostArgument: `a`).
    var hasImmediate = false
    /// Of `load`: sign-extend. Of a guard: the access is a store.
    var flag = false
    /// Bytes, of extensions and memory operations.
    var size: UInt8 = 8
    var condition: VCondition = .equal
    var dst = Register(0)
    var a = Register(0)
    var b = Register(0)
    /// Label, table, region, host function or argument number.
    var target: UInt32 = 0
    /// The SCODE instruction that this one serves: what an abort reports.
    var source: UInt32
    var immediate: Int64 = 0

    init(_ operation: VOperation, source: Int) {
        self.operation = operation
        self.source = UInt32(truncatingIfNeeded: source)
    }
}

/// A fragment between lowering and emission.
struct VCode {
    let fragment: VerifiedFragment
    var instructions: [VInstruction] = []
    /// Labels 0 ..< fragment.code.labels.count are the fragment's; the rest lowering has made.
    var labelCount: Int

    init(_ fragment: VerifiedFragment) {
        self.fragment = fragment
        labelCount = fragment.code.labels.count
    }
}
