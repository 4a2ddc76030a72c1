import SCodeIR

/// Which bank each register of a VCode instruction must be of; nil: it has no such register, or either will do.
private struct OperandBanks {
    var dst: RegisterBank?
    var a: RegisterBank?
    var b: RegisterBank?
}

extension VCode {
    /// What holds between any two stages of the compiler. The first rule that is broken, in words; nil when none
    /// is. Debug builds ask after every stage.
    ///
    /// - Labels are placed once, and those that are used are placed.
    /// - Registers are of the bank that the operation works on.
    /// - Indices name something.
    /// - A load, store or atomic operation whose place is made from `address` stands right behind what made that: a
    ///   guard, the sum that the verifier has proved to lie inside, or one of 32 bits that the processor looks at.
    func firstProblem() -> String? {
        var places = [Int](repeating: 0, count: labelCount)
        for instruction in instructions where instruction.operation == .label {
            guard Int(instruction.target) < labelCount else { return "no label L\(instruction.target)" }
            places[Int(instruction.target)] += 1
        }
        if let label = places.firstIndex(where: { $0 > 1 }) { return "label L\(label) is placed twice" }
        var previous: VOperation?
        for instruction in instructions {
            if instruction.operation.isAccess, !instruction.place.mayFollow(previous) {
                return "'\(instruction)': nothing guards the access"
            }
            previous = instruction.operation
            if let problem = problem(instruction, places) { return "'\(instruction)': \(problem)" }
        }
        return nil
    }

    private func problem(_ instruction: VInstruction, _ places: [Int]) -> String? {
        let banks = instruction.banks
        if let bank = banks.dst, instruction.dst.bank != bank {
            return "\(instruction.dst.name) is of the wrong bank"
        }
        if let bank = banks.a, instruction.a.bank != bank {
            return "\(instruction.a.name) is of the wrong bank"
        }
        if let bank = banks.b, instruction.b.bank != bank {
            return "\(instruction.b.name) is of the wrong bank"
        }
        let target = Int(instruction.target)
        switch instruction.operation {
        case .checkRange where !ranges.indices.contains(Int(instruction.immediate)):
            return "there is no such range"
        case .branch, .jump, .checkRange, .checkBudget:
            return isPlaced(target, places) ? nil : "L\(target) is not placed"
        case .extent where instruction.scale > 0:
            return isPlaced(target, places) ? nil : "L\(target) is not placed"
        case .jumpTable:
            guard fragment.code.tables.indices.contains(target) else { return "there is no such table" }
            let missing = fragment.code.tables[target].labels.first { !isPlaced(Int($0), places) }
            return missing.map { "L\($0) is not placed" }
        case .call:
            guard fragment.code.procedures.indices.contains(target) else {
                return "there is no such procedure"
            }
            return isPlaced(label(ofProcedure: instruction.target), places) ? nil : "its entry is not placed"
        case .return:
            return fragment.code.procedures.indices.contains(target) ? nil : "there is no such procedure"
        case .regionBase, .guardRegion, .anchor: return regionProblem(target)
        case .guardCachedPage: return cacheProblem(instruction, isStore: instruction.flag)
        case _ where instruction.operation.isAccess && instruction.place == .cachedPage:
            return cacheProblem(instruction, isStore: instruction.operation != .load)
        case _ where instruction.operation.isAccess && instruction.place != .address:
            return regionProblem(target)
        default: return nil
        }
    }

    private func regionProblem(_ region: Int) -> String? {
        fragment.regions.indices.contains(region) ? nil : "there is no such region"
    }

    private func cacheProblem(_ instruction: VInstruction, isStore: Bool) -> String? {
        guard pageCaches.indices.contains(Int(instruction.cache)) else {
            return "there is no such page cache"
        }
        return pageCaches[Int(instruction.cache)] == isStore ? nil : "the page cache is for other accesses"
    }

    private func isPlaced(_ label: Int, _ places: [Int]) -> Bool {
        places.indices.contains(label) && places[label] == 1
    }
}

extension AccessPlace {
    /// Whether an access here may stand behind an instruction.
    fileprivate func mayFollow(_ previous: VOperation?) -> Bool {
        switch self {
        case .address: previous == .guardPage
        case .offset: previous == .guardRegion
        case .cachedPage: previous == .guardCachedPage
        case .simulatedAddress, .window: previous == .address || previous == .guardAligned
        case .host, .hostIndexed, .simulated, .anchored: true
        }
    }
}

extension VInstruction {
    fileprivate var banks: OperandBanks {
        switch operation {
        case .add, .sub, .mul, .and, .or, .xor, .shiftLeft, .shiftRight, .shiftRightArithmetic, .divideSigned,
            .divideUnsigned, .moduloSigned, .moduloUnsigned:
            OperandBanks(dst: .integer, a: .integer, b: hasImmediate ? nil : .integer)
        case .not, .negate, .isZero, .signExtend, .zeroExtend, .byteSwap, .countLeadingZeros,
            .countTrailingZeros,
            .populationCount, .fetchAdd, .fetchAnd, .fetchOr, .fetchXor, .exchange:
            OperandBanks(dst: .integer, a: .integer)
        case .compareExchange: OperandBanks(dst: .integer, a: .integer, b: .integer)
        case .floatAdd, .floatSub, .floatMul, .floatDiv: OperandBanks(dst: .float, a: .float, b: .float)
        case .floatNegate, .floatToFloat: OperandBanks(dst: .float, a: .float)
        case .integerToFloat: OperandBanks(dst: .float, a: .integer)
        case .floatToInteger: OperandBanks(dst: .integer, a: .float)
        case .move: OperandBanks(dst: a.bank)
        case .regionBase: OperandBanks(dst: .integer)
        case .address, .extent, .checkRange: OperandBanks(a: .integer, b: hasImmediate ? nil : .integer)
        case .atomicAdd, .atomicAnd, .atomicOr, .atomicXor, .anchor, .jumpTable, .guardTableIndex:
            OperandBanks(a: .integer)
        case .guardNonZero: OperandBanks(a: hasImmediate ? nil : .integer)
        case .branch:
            condition.isFloat
                ? OperandBanks(a: .float, b: .float)
                : OperandBanks(a: .integer, b: hasImmediate ? nil : .integer)
        case .constant, .guardAligned, .guardRegion, .guardPage, .guardCachedPage, .load,
            .store,
            .guardBudget, .guardEntry, .checkBudget, .jump, .call, .return, .trap, .label, .accept, .refuse,
            .abort,
            .callSub,
            .hostArgument, .callHost:
            OperandBanks()
        }
    }
}
