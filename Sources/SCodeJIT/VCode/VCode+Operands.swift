import SCodeIR

/// What an operation does with its operands.
struct OperandUse: OptionSet, BitwiseCopyable {
    let rawValue: UInt8

    static let readsA = OperandUse(rawValue: 1)
    static let readsB = OperandUse(rawValue: 2)
    /// The immediate, when there is one, takes the place of `a`, or of `b`.
    static let mayReplaceA = OperandUse(rawValue: 4)
    static let mayReplaceB = OperandUse(rawValue: 8)
    /// It may write `dst`.
    static let writes = OperandUse(rawValue: 16)
    /// It touches memory of the fragment, at `place`.
    static let accesses = OperandUse(rawValue: 32)
    /// Off the hot path it reads `a`, if the access that it guards is a store.
    static let guardsStore = OperandUse(rawValue: 64)
    /// It may abort, or stop: somebody may see registers other than those that it reads.
    static let isObserved = OperandUse(rawValue: 128)
}

extension VOperation {
    /// One row for each way to use operands.
    // By itself this is a look-up in a table. Inlined, it becomes jumps that cannot be predicted: what follows is drawn into
    // the cases.
    @inline(never) var use: OperandUse {
        switch self {
        case .add, .sub, .mul, .and, .or, .xor, .shiftLeft, .shiftRight, .shiftRightArithmetic, .divideSigned,
            .divideUnsigned, .moduloSigned, .moduloUnsigned:
            [.readsA, .readsB, .mayReplaceB, .writes]
        case .floatAdd, .floatSub, .floatMul, .floatDiv: [.readsA, .readsB, .writes]
        case .not, .negate, .isZero, .move, .byteSwap, .countLeadingZeros, .countTrailingZeros,
            .populationCount, .floatNegate, .floatToFloat, .integerToFloat, .floatToInteger, .signExtend,
            .zeroExtend:
            [.readsA, .writes]
        case .constant, .regionBase: .writes
        case .address, .branch, .extent, .checkRange: [.readsA, .readsB, .mayReplaceB]
        case .anchor, .jumpTable: .readsA
        case .guardAligned, .guardBudget, .guardEntry, .abort: .isObserved
        case .guardRegion, .guardPage, .guardCachedPage: [.guardsStore, .isObserved]
        case .guardNonZero, .callSub: [.readsA, .mayReplaceA, .isObserved]
        case .guardTableIndex: [.readsA, .isObserved]
        case .load: [.writes, .accesses]
        case .store, .atomicAdd, .atomicAnd, .atomicOr, .atomicXor: [.readsA, .accesses]
        case .fetchAdd, .fetchAnd, .fetchOr, .fetchXor, .exchange: [.readsA, .writes, .accesses]
        case .compareExchange: [.readsA, .readsB, .writes, .accesses]
        case .accept, .hostArgument: [.readsA, .mayReplaceA]
        case .callHost: [.writes, .isObserved]
        case .jump, .call, .return, .trap, .label, .refuse, .checkBudget: []
        }
    }

    /// Whether it touches memory of the fragment.
    var isAccess: Bool { use.contains(.accesses) }

    /// Whether it may write `dst`.
    var hasResult: Bool { use.contains(.writes) }

    /// Whether the next instruction may come next.
    var fallsThrough: Bool {
        switch self {
        case .jump, .jumpTable, .return, .trap, .accept, .refuse, .abort: false
        default: true
        }
    }
}

extension VInstruction {
    /// Whether it goes to label `target`, always or sometimes.
    var isDirectJump: Bool { operation == .branch || operation == .jump }

    /// The registers of an instruction by what it does with them.
    struct Registers: BitwiseCopyable {
        /// Those whose values it needs on its hot path; off it only; and those that it writes.
        var read: RegisterSet
        var readCold: RegisterSet
        var written: RegisterSet
    }

    var registers: Registers { registers(operation.use) }

    /// The same, for those who have looked up what its operation does.
    @inline(__always) func registers(_ use: OperandUse) -> Registers {
        let hasImmediate = hasImmediate
        let isAccess = use.contains(.accesses)
        let isA = use.contains(.readsA) && !(use.contains(.mayReplaceA) && hasImmediate)
        let isB = use.contains(.readsB) && !(use.contains(.mayReplaceB) && hasImmediate)
        // When there is no register for the anchor.
        let isColdB = isAccess && place == .anchored
        return Registers(
            read: a.set(if: isA).union(b.set(if: isB)).union(index.set(if: isAccess && place.hasIndex)),
            readCold: a.set(if: use.contains(.guardsStore) && flag).union(b.set(if: isColdB)),
            written: dst.set(if: use.contains(.writes) && (operation != .callHost || flag)))
    }

    /// Registers whose values it needs on its hot path.
    var reads: RegisterSet { registers.read }
    /// Registers whose values it needs off the hot path only.
    var coldReads: RegisterSet { registers.readCold }
    var writes: RegisterSet { registers.written }

    /// Whether somebody may see registers here other than those that it reads: where it can abort, or stop.
    var isObserved: Bool { isObserved(operation.use) }
    @inline(__always) func isObserved(_ use: OperandUse) -> Bool {
        use.contains(.isObserved) || (use.contains(.accesses) && place == .window)
    }

    /// Whether all that it does is write `dst`.
    var isPure: Bool {
        let use = operation.use
        return use.contains(.writes) && !use.contains(.accesses) && operation != .callHost
    }
}

extension Register {
    /// The set of this one, or of none.
    @inline(__always)
    fileprivate func set(if condition: Bool) -> RegisterSet {
        RegisterSet(rawValue: (condition ? 1 : 0) << UInt64(number & 63))
    }
}
