import SCodeIR

/// A sum of one or two registers and a constant: `a + (b << scale) + offset`, the registers as they are at a loop's head.
/// It grows by `stride` for each step of the loop's counter.
struct AddressSum: BitwiseCopyable {
    var a: Register?
    var b: Register?
    var scale: UInt8 = 0
    var stride: Int64 = 0
    var offset: Int64 = 0

    /// The sum of two; nil when that has no such form.
    func plus(_ other: AddressSum) -> AddressSum? {
        var sum = self
        sum.stride = stride &+ other.stride
        sum.offset = offset &+ other.offset
        switch (other.a, other.b) {
        case (nil, nil): break
        case (let register?, nil):
            if a == nil { sum.a = register } else if b == nil { sum.b = register } else { return nil }
        case (nil, let register?):
            guard b == nil else { return nil }
            (sum.b, sum.scale) = (register, other.scale)
        default:
            guard a == nil, b == nil else { return nil }
            (sum.a, sum.b, sum.scale) = (other.a, other.b, other.scale)
        }
        return sum.isBounded ? sum : nil
    }

    func shifted(by count: Int64) -> AddressSum? {
        guard (0...3).contains(count) else { return nil }
        var sum = self
        sum.stride = stride << count
        sum.offset = offset << count
        if let register = a, count > 0 {
            guard b == nil else { return nil }
            (sum.a, sum.b, sum.scale) = (nil, register, UInt8(count))
        } else if b != nil {
            sum.scale += UInt8(count)
            guard sum.scale <= 3 else { return nil }
        }
        return sum.isBounded ? sum : nil
    }

    var isBounded: Bool { ByteRange.offsets.contains(offset) && ByteRange.strides.contains(stride) }
}

/// What a loop without another one inside does to registers, from its label to its only jump back.
struct LoopBody {
    /// A register that every round changes once, by adding the same.
    struct Induction: BitwiseCopyable {
        /// Where; and how much, which is the register `by` if there is one.
        var index: Int
        var step: Int64
        var by: Register?
        var isWide: Bool
    }

    /// An induction that ends the loop when it comes to its limit.
    struct Counter: BitwiseCopyable {
        var register: Register
        var induction: Induction
        /// The comparison with which the loop goes on, the counter on the left, as a branch to nowhere.
        var comparison: VInstruction
        /// Where that stands: before the jump back, where the counter has been changed, or at the head.
        var place: Int

        var isTestedFirst: Bool { place < induction.index }
        /// The exponent of the step, if it is a power of two.
        var scale: UInt8 { isPowerOfTwo ? UInt8(induction.step.trailingZeroBitCount) : 0 }
        var isPowerOfTwo: Bool { induction.by == nil && induction.step.nonzeroBitCount == 1 }
        /// Whether the loop goes on when the counter is the limit.
        var isInclusive: Bool {
            comparison.condition == .lessOrEqualUnsigned || comparison.condition == .lessOrEqualSigned
        }
        var isSigned: Bool {
            comparison.condition == .lessSigned || comparison.condition == .lessOrEqualSigned
        }

        /// Whether the counter could step over a limit and wrap around.
        var mayWrap: Bool {
            comparison.condition != .notEqual && (induction.by != nil || induction.step > 1 || isInclusive)
        }
        /// The highest limit that it does not wrap around behind. A step that is a register is at most half of what there is.
        var highestLimit: Int64 {
            if induction.by != nil { return .max }
            let most: Int64 =
                switch (isSigned, comparison.isWide) {
                case (true, true): .max
                case (true, false): Int64(Int32.max)
                case (false, true): -1
                case (false, false): Int64(UInt32.max)
                }
            return most - induction.step + (isInclusive ? 0 : 1)
        }

        /// Of a limit that is a constant: whether the counter comes to it before it wraps around.
        fileprivate var endsAtConstant: Bool {
            let limit = comparison.immediate
            switch (isSigned, comparison.isWide) {
            case (true, true): return limit <= highestLimit
            case (true, false): return Int64(Int32(truncatingIfNeeded: limit)) <= highestLimit
            case (false, true): return UInt64(bitPattern: limit) <= UInt64(bitPattern: highestLimit)
            case (false, false): return Int64(UInt32(truncatingIfNeeded: limit)) <= highestLimit
            }
        }
    }

    let instructions: [VInstruction]
    /// The label, and the jump back.
    let start: Int
    let end: Int
    /// Per register: the instruction that writes it; -1: none does, -2: several do.
    private var writers = InlineArray<64, Int>(repeating: -1)
    /// Per instruction of the loop: whether each round that comes so far has executed it.
    private var isAlways: [Bool] = []
    private(set) var counter: Counter?

    /// nil when control enters elsewhere, something is called, or there are jumps back inside.
    init?(_ code: VCode, from start: Int, to end: Int, _ places: LabelPlaces) {
        instructions = code.instructions
        self.start = start
        self.end = end
        var reach = start
        isAlways.reserveCapacity(end - start + 1)
        for index in start...end {
            let instruction = instructions[index]
            isAlways.append(reach <= index)
            switch instruction.operation {
            case .label where index > start:
                if !places.isReached(instruction.target, onlyFrom: start...end) { return nil }
            case .branch, .jump:
                let target = places.place(instruction.target)
                if target >= start, target <= index, index < end { return nil }
                if target <= end { reach = max(reach, target) }
            case .call, .callSub, .callHost, .jumpTable, .return, .trap: return nil
            default: break
            }
            if instruction.operation.hasResult {
                let number = Int(instruction.dst.number)
                writers[number] = writers[number] == -1 ? index : -2
            }
        }
        counter = findCounter(places)
    }

    func isInvariant(_ register: Register) -> Bool { writers[Int(register.number)] == -1 }

    private func isAlways(at index: Int) -> Bool { isAlways[index - start] }

    func induction(_ register: Register) -> Induction? {
        let index = writers[Int(register.number)]
        guard index >= 0, isAlways(at: index) else { return nil }
        let sum = instructions[index]
        guard sum.operation == .add, sum.a == register else { return nil }
        if sum.hasImmediate {
            let step = sum.isWide ? sum.immediate : Int64(Int32(truncatingIfNeeded: sum.immediate))
            guard step > 0, ByteRange.strides.contains(step) else { return nil }
            return Induction(index: index, step: step, by: nil, isWide: sum.isWide)
        }
        guard sum.isWide, isInvariant(sum.b) else { return nil }
        return Induction(index: index, step: 0, by: sum.b, isWide: true)
    }

    // MARK: The counter

    /// The branch that ends the loop stands at its head; or before the jump back and its guard; or is the jump back.
    private func findCounter(_ places: LabelPlaces) -> Counter? {
        if let counter = counter(endingAt: start + 1, places), counter.isTestedFirst { return counter }
        var index = end
        if instructions[index].operation == .jump {
            index -= 1
            if instructions[index].operation == .guardBudget { index -= 1 }
        }
        guard let counter = counter(endingAt: index, places), !counter.isTestedFirst else { return nil }
        return counter
    }

    private func counter(endingAt index: Int, _ places: LabelPlaces) -> Counter? {
        var comparison = instructions[index]
        guard index > start, comparison.operation == .branch, !comparison.condition.isFloat,
            isAlways(at: index)
        else { return nil }
        if index < end {
            guard !(start...end).contains(places.place(comparison.target)) else { return nil }
            comparison.condition = comparison.condition.inverted
        }
        if let counter = counter(comparison, at: index) { return counter }
        guard !comparison.hasImmediate, let mirrored = comparison.condition.mirrored else { return nil }
        (comparison.a, comparison.b) = (comparison.b, comparison.a)
        comparison.condition = mirrored
        return counter(comparison, at: index)
    }

    private func counter(_ comparison: VInstruction, at index: Int) -> Counter? {
        guard let induction = induction(comparison.a), induction.isWide == comparison.isWide,
            comparison.hasImmediate || isInvariant(comparison.b)
        else { return nil }
        let counter = Counter(
            register: comparison.a, induction: induction, comparison: comparison, place: index)
        if comparison.hasImmediate, counter.mayWrap, !counter.endsAtConstant { return nil }
        switch comparison.condition {
        case .lessUnsigned: return counter
        case .lessOrEqualUnsigned, .lessSigned, .lessOrEqualSigned: return induction.by == nil ? counter : nil
        // It must not step over its limit.
        case .notEqual: return counter.isPowerOfTwo ? counter : nil
        default: return nil
        }
    }

    // MARK: Sums

    /// What a register is, where an instruction reads it, in terms of the loop's head.
    func sum(_ register: Register, at index: Int, depth: Int = 0) -> AddressSum? {
        if isInvariant(register) { return AddressSum(a: register) }
        if let induction = induction(register) {
            guard induction.isWide, let stride = stride(of: induction) else { return nil }
            if induction.index > index { return AddressSum(a: register, stride: stride) }
            return induction.by == nil ? AddressSum(a: register, stride: stride, offset: induction.step) : nil
        }
        guard depth < 4, let writer = lastWriter(of: register, before: index) else { return nil }
        let instruction = instructions[writer]
        guard instruction.isWide else { return nil }
        switch instruction.operation {
        case .move: return sum(instruction.a, at: writer, depth: depth + 1)
        case .add:
            return sum(instruction.a, at: writer, depth: depth + 1)
                .flatMap { plusLast($0, of: instruction, at: writer, depth: depth + 1) }
        case .shiftLeft where instruction.hasImmediate:
            return sum(instruction.a, at: writer, depth: depth + 1)?.shifted(by: instruction.immediate & 63)
        default: return nil
        }
    }

    /// The sum that an instruction computes of two, of which the first is known.
    private func plusLast(
        _ first: AddressSum, of instruction: VInstruction, at index: Int, depth: Int
    ) -> AddressSum? {
        guard instruction.hasImmediate else {
            return sum(instruction.b, at: index, depth: depth).flatMap { first.plus($0) }
        }
        return ByteRange.offsets.contains(instruction.immediate)
            ? first.plus(AddressSum(offset: instruction.immediate)) : nil
    }

    /// What an address is that a guard looks at.
    func sum(ofAddress address: VInstruction, at index: Int) -> AddressSum? {
        sum(address.a, at: index).flatMap { plusLast($0, of: address, at: index, depth: 0) }
    }

    /// How much an induction grows while the counter grows by one.
    private func stride(of induction: Induction) -> Int64? {
        guard let counter else { return nil }
        if let register = induction.by { return counter.induction.by == register ? 1 : nil }
        guard counter.induction.by == nil, induction.step % counter.induction.step == 0 else { return nil }
        return induction.step / counter.induction.step
    }

    /// The instruction whose result a register holds at another one in the same round, whichever way that was reached.
    private func lastWriter(of register: Register, before index: Int) -> Int? {
        var writer = index - 1
        var isStraight = true
        while writer > start {
            let instruction = instructions[writer]
            if instruction.operation == .label { isStraight = false }
            if instruction.operation.hasResult, instruction.dst == register {
                return isStraight || isAlways(at: writer) ? writer : nil
            }
            writer -= 1
        }
        return nil
    }
}

extension VCondition {
    /// The same with the operands in the other order; nil: of floating-point numbers.
    fileprivate var mirrored: VCondition? {
        switch self {
        case .equal, .notEqual: self
        case .lessSigned: .greaterSigned
        case .lessOrEqualSigned: .greaterOrEqualSigned
        case .greaterSigned: .lessSigned
        case .greaterOrEqualSigned: .lessOrEqualSigned
        case .lessUnsigned: .greaterUnsigned
        case .lessOrEqualUnsigned: .greaterOrEqualUnsigned
        case .greaterUnsigned: .lessUnsigned
        case .greaterOrEqualUnsigned: .lessOrEqualUnsigned
        default: nil
        }
    }
}
