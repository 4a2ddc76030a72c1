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
    var hasIndex: Bool { self == .hostIndexed || self == .simulated || self == .anchored }
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

/// One instruction of the intermediate representation. Its registers are those of SCODE: the allocator maps
/// each to a machine register or a spill slot. One more value, `address`, is implicit: it connects a guard
/// with the access that follows it, and never outlives it.
struct VInstruction: BitwiseCopyable {
    var operation: VOperation
    /// Whether the operation works on 64 bits; on 32 otherwise, with a zero-extended result.
    var isWide = true
    /// Whether the last source is `immediate` rather than `b` (of accept, callSub, hostArgument: `a`).
    var hasImmediate = false
    /// Of `load` and of conversions to and from integers: signed. Of a guard: the access is a store. Of
    /// `callHost`: there is a result.
    var flag = false
    /// Bytes, of extensions, memory operations and integers that are converted.
    var size: UInt8 = 8
    var condition: VCondition = .equal
    /// Of a load, store or atomic operation.
    var place: AccessPlace = .address
    /// The address register of such an operation, if its place has one, and how far it is shifted: 0 to 3.
    var index = Register(0)
    var scale: UInt8 = 0
    /// Of a load: the next instruction takes the value from memory, and no register gets it.
    var isFolded = false
    /// Which anchor: of `anchor`, and of an access at such a place.
    var anchor: UInt8 = 0
    /// Which page cache: of `guardCachedPage`, and of an access at such a place.
    var cache: UInt8 = 0
    var dst = Register(0)
    var a = Register(0)
    var b = Register(0)
    /// Label, table, region, procedure, host function or argument number.
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
    /// Whether some jump or branch leads back.
    var hasLoops = false
    /// Whether some access names what its address was computed from, which nothing else may need.
    var namesSums = false
    /// How many values are kept for a loop.
    var anchorCount = 0
    /// Per page cache: whether it is for stores.
    var pageCaches: [Bool] = []
    /// Labels 0 ..< fragment.code.labels.count are the fragment's; one for each procedure's entry follows; the
    /// rest lowering has made.
    var labelCount: Int

    init(_ fragment: VerifiedFragment) {
        self.fragment = fragment
        labelCount = fragment.code.labels.count + fragment.code.procedures.count
    }

    /// The label at a procedure's entry.
    func label(ofProcedure procedure: UInt32) -> Int { fragment.code.labels.count + Int(procedure) }
}

extension VOperation {
    /// Whether it touches memory of the fragment.
    var isAccess: Bool {
        switch self {
        case .load, .store, .atomicAdd, .atomicAnd, .atomicOr, .atomicXor, .fetchAdd, .fetchAnd, .fetchOr,
            .fetchXor,
            .exchange, .compareExchange:
            true
        default: false
        }
    }

    /// Whether it may write `dst`.
    var hasResult: Bool {
        switch self {
        case .add, .sub, .mul, .and, .or, .xor, .shiftLeft, .shiftRight, .shiftRightArithmetic, .divideSigned,
            .divideUnsigned, .moduloSigned, .moduloUnsigned, .not, .negate, .isZero, .move, .byteSwap,
            .countLeadingZeros, .countTrailingZeros, .populationCount, .floatAdd, .floatSub, .floatMul,
            .floatDiv,
            .floatNegate, .floatToFloat, .integerToFloat, .floatToInteger, .signExtend, .zeroExtend,
            .constant,
            .regionBase, .load, .fetchAdd, .fetchAnd, .fetchOr, .fetchXor, .exchange, .compareExchange,
            .callHost:
            true
        case .address, .anchor, .guardAligned, .guardRegion, .guardPage, .guardCachedPage, .store, .atomicAdd,
            .atomicAnd,
            .atomicOr,
            .atomicXor, .guardNonZero, .guardTableIndex, .guardBudget, .guardEntry, .branch, .jump,
            .jumpTable, .call,
            .return, .trap, .label, .accept, .refuse, .abort, .callSub, .hostArgument:
            false
        }
    }
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
