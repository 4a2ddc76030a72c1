import SCodeIR
import SCodeVerifier

/// What one VCode instruction does. Guards are instructions of their own: what is not written is not checked.
enum VOperation: UInt8, BitwiseCopyable {
    // dst := a op b; b is a register or the immediate
    case add, sub, mul, and, or, xor, shiftLeft, shiftRight, shiftRightArithmetic
    case divideSigned, divideUnsigned, moduloSigned, moduloUnsigned
    // dst := op a
    case not, negate, isZero, move
    /// dst := the low `size` bytes of a in reverse order
    case byteSwap
    case countLeadingZeros, countTrailingZeros, populationCount
    // Floating-point numbers, of 64 bits or 32 as `isWide` says. dst := a op b
    case floatAdd, floatSub, floatMul, floatDiv
    /// dst := a with the other sign
    case floatNegate
    /// dst := a, of the other width
    case floatToFloat
    /// dst := the integer a of `size` bytes, signed as `flag` says
    case integerToFloat
    /// dst := a truncated, as an integer of `size` bytes, signed as `flag` says; saturates, and a NaN is zero
    case floatToInteger
    /// dst := low `size` bytes of a, sign- or zero-extended to the width.
    case signExtend, zeroExtend
    /// dst := immediate
    case constant
    /// dst := base of region `target` + immediate
    case regionBase
    /// address := a + b, of 64 bits or 32 as `isWide` says
    case address
    /// Anchor `anchor` := the host address of a, a simulated one in region `target`. Stands before a loop.
    case anchor
    /// Guard: the address is a multiple of `size`.
    case guardAligned
    /// Guard: `size` bytes at the address lie in region `target`, or wherever else the instance has them;
    /// address := their offset from the host address of the region. `a` is the register that a store is about to
    /// store.
    case guardRegion
    /// Guard: the page table lets the access be made; address := the host address.
    case guardPage
    /// The same, which asks first whether it is the page of cache `cache`; address := the offset from where the page that
    /// the cache has then lies.
    case guardCachedPage
    /// dst := `size` bytes at the place, extended
    case load
    /// `size` bytes at the place := a
    case store
    // `size` bytes at the place are read, changed and written at once.
    case atomicAdd, atomicAnd, atomicOr, atomicXor
    /// dst := what was there; the operand is a, which is dst too
    case fetchAdd, fetchAnd, fetchOr, fetchXor, exchange
    /// The same; what is written is b, when a was there
    case compareExchange
    /// Guard: a is not zero.
    case guardNonZero
    /// Guard: a is below the immediate, or the index is no entry of the table.
    case guardTableIndex
    /// Guard: the budget is not used up; takes one of it. Stands before each backward jump and call that costs.
    case guardBudget
    /// Guard: the budget is at least the immediate; takes that. Stands at the entry.
    case guardEntry
    // Checks that stand before code without guards, and choose the guarded version of it, at label `target`, where they fail.
    /// extent := how far counter `a` is from the limit, `b` or the immediate, of 64 bits or 32; one less, unless `flag`.
    /// Fails when the distance is no multiple of 2^`scale`.
    case extent
    /// Fails when the budget is less than the extent shifted right by `scale`, and the immediate; with `flag`, else takes
    /// that.
    case checkBudget
    /// Fails unless range `immediate` of `ranges` lies inside its region.
    case checkRange
    /// if a op b goto label `target`
    case branch
    /// goto label `target`
    case jump
    /// goto entry a of table `target`
    case jumpTable
    /// Runs procedure `target`, whose return address goes to its level; then goes on behind.
    case call
    /// Goes on behind the call of procedure `target`, in which it stands.
    case `return`
    /// Where no path leads: behind the call of a procedure that does not return.
    case trap
    /// The place of label `target`.
    case label
    /// Leaves with value a or the immediate.
    case accept
    case refuse
    /// Aborts: the acceptor's own code refused to go on.
    case abort
    /// Calls the fragment in slot a or the immediate; falls through when that refuses.
    case callSub
    /// Host argument word `target` := a or the immediate.
    case hostArgument
    /// dst := host function `target` of the words given
    case callHost
}

/// Where a load, store or atomic operation finds its bytes; `immediate` is added to all of them.
enum AccessPlace: UInt8, BitwiseCopyable {
    /// At the address, a host address: behind `guardPage`.
    case address
    /// At the host address of region `target`, and the address from there: behind `guardRegion`.
    case offset
    /// Where the page of cache `cache` lies, and the address from there: behind `guardCachedPage`.
    case cachedPage
    // The verifier has proved that these lie in region `target`.
    /// At its host address.
    case host
    /// At its host address, and `index`, shifted left by `scale`, from there.
    case hostIndexed
    /// At the simulated address `b` + `index`, where anchor `anchor` is the host address that belongs to `b`.
    case anchored
    /// At the simulated address in `index`.
    case simulated
    /// At the address, a simulated one.
    case simulatedAddress
    /// At the address, an offset of 32 bits in the window that region `target` lies in. Nothing is proved, and nothing
    /// guards it but the processor: what may not be touched there faults.
    case window

    /// Whether `index` is read.
    @inline(__always) var hasIndex: Bool { self == .hostIndexed || self == .simulated || self == .anchored }
}

/// What stays the same for as long as an instance runs: generated code finds it in the instance, and keeps what it needs
/// often in machine registers.
struct InstanceConstant: Hashable, BitwiseCopyable {
    let index: UInt8
    private init(_ index: Int) { self.index = UInt8(truncatingIfNeeded: index) }

    static let limit = 17  // two for each of `ProgramLimits.regions`, and the address space
    static var all: some Sequence<InstanceConstant> { (0..<limit).lazy.map { InstanceConstant($0) } }

    /// Where the bytes of a region lie.
    static func host(_ region: UInt32) -> InstanceConstant { InstanceConstant(Int(region)) }
    /// What takes a simulated address in a region to its host address.
    static func delta(_ region: UInt32) -> InstanceConstant {
        InstanceConstant(ProgramLimits.regions + Int(region))
    }
    /// The address space, in which the TLB is.
    static let space = InstanceConstant(2 * ProgramLimits.regions)

    /// The region that it is about; nil: of none.
    var region: (index: Int, isDelta: Bool)? {
        let index = Int(index)
        guard index < 2 * ProgramLimits.regions else { return nil }
        return (index % ProgramLimits.regions, index >= ProgramLimits.regions)
    }
}

/// How a branch compares. `branch` alone uses it.
///
/// Floating-point numbers may be unordered, when one is a NaN: "ordered" conditions are then false, "or
/// unordered" ones true. The inverse of the one kind is of the other.
enum VCondition: UInt8, BitwiseCopyable {
    case equal, notEqual
    case lessSigned, lessOrEqualSigned, greaterSigned, greaterOrEqualSigned
    case lessUnsigned, lessOrEqualUnsigned, greaterUnsigned, greaterOrEqualUnsigned
    case equalOrdered, lessOrdered, lessOrEqualOrdered, greaterOrdered, greaterOrEqualOrdered
    case notEqualOrUnordered, lessOrUnordered, lessOrEqualOrUnordered, greaterOrUnordered
    case greaterOrEqualOrUnordered

    var isFloat: Bool { rawValue >= VCondition.equalOrdered.rawValue }

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
        case .equalOrdered: .notEqualOrUnordered
        case .lessOrdered: .greaterOrEqualOrUnordered
        case .lessOrEqualOrdered: .greaterOrUnordered
        case .greaterOrdered: .lessOrEqualOrUnordered
        case .greaterOrEqualOrdered: .lessOrUnordered
        case .notEqualOrUnordered: .equalOrdered
        case .lessOrUnordered: .greaterOrEqualOrdered
        case .lessOrEqualOrUnordered: .greaterOrdered
        case .greaterOrUnordered: .lessOrEqualOrdered
        case .greaterOrEqualOrUnordered: .lessOrdered
        }
    }
}

/// So that a pass need not look at all instructions to see that there is nothing for it.
struct OperationSet: BitwiseCopyable {
    private var low: UInt64 = 0
    private var high: UInt64 = 0

    @inline(__always) mutating func insert(_ operation: VOperation) {
        let number = unsafeBitCast(operation, to: UInt8.self)
        let bit: UInt64 = 1 << UInt64(number & 63)
        if number < 64 { low |= bit } else { high |= bit }
    }

    @inline(__always) func contains(_ operation: VOperation) -> Bool {
        let number = unsafeBitCast(operation, to: UInt8.self)
        return (number < 64 ? low : high) >> UInt64(number & 63) & 1 != 0
    }
}

/// A fragment between lowering and emission.
struct VCode {
    let fragment: VerifiedFragment
    var instructions: [VInstruction] = []
    /// Jumps and branches that lead back, or to themselves: instructions of the fragment.
    struct BackwardJump: BitwiseCopyable {
        var from: UInt32
        var to: UInt32
    }
    var backwardJumps: [BackwardJump] = []
    /// What lowering has made.
    var operations = OperationSet()
    /// Whether some access has an address that is computed before it, and proved.
    var computesAddresses = false
    /// Whether some access names what its address was computed from, which nothing else may need.
    var namesSums = false
    /// How many values are kept for a loop.
    var anchorCount = 0
    /// Of `checkRange`.
    var ranges: [ByteRange] = []
    /// Per page cache: whether it is for stores.
    var pageCaches: [Bool] = []
    /// Labels 0 ..< fragment.code.labels.count are the fragment's; one for each procedure's entry follows; the
    /// rest lowering has made.
    var labelCount: Int

    init(_ fragment: VerifiedFragment) {
        self.fragment = fragment
        labelCount = fragment.code.labels.count + fragment.code.procedures.count
    }

    /// Whether it is so much code that what takes less room is better than what is faster in a small loop.
    var isLong: Bool { instructions.count > 1000 }

    var hasLoops: Bool { !backwardJumps.isEmpty }

    /// The label at a procedure's entry.
    func label(ofProcedure procedure: UInt32) -> Int { fragment.code.labels.count + Int(procedure) }
}

extension VInstruction {
    /// The constant of the instance that it uses, whether that is in a machine register or not.
    var constant: InstanceConstant? {
        if operation == .guardPage { return .space }
        if operation == .anchor { return .delta(target) }
        guard operation.isAccess else { return nil }
        switch place {
        case .address, .cachedPage: return nil
        case .offset, .host, .hostIndexed: return .host(target)
        // The anchor itself uses it, before the loop.
        case .anchored: return nil
        // What takes a simulated address to its host address is where the window begins.
        case .simulated, .simulatedAddress, .window: return .delta(target)
        }
    }
}
