import SCodeIR

extension VInstruction {
    /// Registers whose values it needs on its hot path.
    var reads: RegisterSet {
        var registers = RegisterSet()
        switch operation {
        case .add, .sub, .mul, .and, .or, .xor, .shiftLeft, .shiftRight, .shiftRightArithmetic, .divideSigned,
            .divideUnsigned, .moduloSigned, .moduloUnsigned, .address, .branch:
            registers.insert(a)
            if !hasImmediate { registers.insert(b) }
        case .floatAdd, .floatSub, .floatMul, .floatDiv, .compareExchange:
            registers.insert(a)
            registers.insert(b)
        case .not, .negate, .isZero, .move, .byteSwap, .countLeadingZeros, .countTrailingZeros,
            .populationCount,
            .floatNegate, .floatToFloat, .integerToFloat, .floatToInteger, .signExtend, .zeroExtend, .anchor,
            .store,
            .atomicAdd, .atomicAnd, .atomicOr, .atomicXor, .fetchAdd, .fetchAnd, .fetchOr, .fetchXor,
            .exchange,
            .guardTableIndex, .jumpTable:
            registers.insert(a)
        case .guardNonZero, .accept, .callSub, .hostArgument: if !hasImmediate { registers.insert(a) }
        case .constant, .regionBase, .guardAligned, .guardRegion, .guardPage, .guardCachedPage, .load,
            .guardBudget,
            .guardEntry, .jump,
            .call, .return, .trap, .label, .refuse, .abort, .callHost:
            break
        }
        if operation.isAccess, place.hasIndex { registers.insert(index) }
        return registers
    }

    /// Registers whose values it needs off the hot path only.
    var coldReads: RegisterSet {
        var registers = RegisterSet()
        switch operation {
        case .guardRegion, .guardPage, .guardCachedPage: if flag { registers.insert(a) }
        // When there is no register for the anchor.
        case _ where operation.isAccess && place == .anchored: registers.insert(b)
        default: break
        }
        return registers
    }

    var writes: RegisterSet {
        var registers = RegisterSet()
        if operation.hasResult, operation != .callHost || flag { registers.insert(dst) }
        return registers
    }

    /// Whether somebody may see registers here other than those that it reads: where it can abort, or stop.
    var isObserved: Bool {
        switch operation {
        case .guardAligned, .guardRegion, .guardPage, .guardCachedPage, .guardNonZero, .guardTableIndex,
            .guardBudget,
            .guardEntry, .abort,
            .callSub, .callHost:
            true
        default: operation.isAccess && place == .window
        }
    }

    /// Whether all that it does is write `dst`.
    var isPure: Bool {
        guard operation.hasResult else { return false }
        return !operation.isAccess && operation != .callHost
    }
}
