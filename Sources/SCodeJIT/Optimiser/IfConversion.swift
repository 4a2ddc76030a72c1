import SCodeIR

/// Of a few instructions in a loop that compute one register in two ways, or change it or not, does both and chooses: where
/// the processor guesses a branch wrong every other time, that is a third of the time.
///
///         if c goto M             t := one way          if c goto M              t := the other way
///         d := other way          d := the other way    d := other way    ==>    compare
///         goto E            ==>   compare            M: …                        d := t, unless c
///      M: d := one way            d := t, if c
///      E: …                    E: …
///
/// *Requires* VCode from lowering. *Produces* VCode of the same meaning.
struct IfConversion {
    /// Instructions of one way.
    private static let longest = 3

    /// What is converted: up to `next`, which is the label where the ways meet.
    private struct Choice {
        var branch: Int
        /// Where the branch does not lead, and where it does; empty: the register stays as it is.
        var straight: Range<Int>
        var aside: Range<Int>
        var next: Int
        var result: Register
    }

    static func run(_ code: inout VCode) {
        // A register more, and both ways: what takes less room is better in long code.
        guard code.hasLoops, !code.isLong else { return }
        let choices = choices(code)
        guard !choices.isEmpty, let temporary = code.unusedRegister() else { return }
        var output: [VInstruction] = []
        output.reserveCapacity(code.instructions.count + choices.count)
        var done = 0
        for choice in choices {
            output += code.instructions[done..<choice.branch]
            convert(choice, temporary, code, &output)
            done = choice.next
        }
        output += code.instructions[done...]
        code.instructions = output
    }

    // MARK: Which

    private static func choices(_ code: VCode) -> [Choice] {
        var choices: [Choice] = []
        var places: LabelPlaces?
        for (index, branch) in code.instructions.enumerated()
        where branch.operation == .branch && !branch.condition.isFloat {
            // A branch on what was loaded takes it from memory.
            if index > 0, code.instructions[index - 1].operation == .load { continue }
            let straight = way(code, from: index + 1)
            guard !straight.isEmpty, code.isInLoop(branch.source) else { continue }
            let known = places ?? LabelPlaces(code)
            places = known
            if let choice = choice(code, index, straight, known) { choices.append(choice) }
        }
        return choices
    }

    /// Instructions from a place on that only compute one and the same register.
    private static func way(_ code: VCode, from start: Int) -> Range<Int> {
        var end = start
        while end < code.instructions.count, end - start < longest, code.instructions[end].isCheap,
            code.instructions[end].dst == code.instructions[start].dst
        {
            end += 1
        }
        return start..<end
    }

    private static func choice(
        _ code: VCode, _ index: Int, _ straight: Range<Int>, _ places: LabelPlaces
    ) -> Choice? {
        let branch = code.instructions[index]
        let result = code.instructions[straight.lowerBound].dst
        let target = places.place(branch.target)
        let behind = straight.upperBound
        if target == behind {
            return Choice(
                branch: index, straight: straight, aside: behind..<behind, next: behind, result: result)
        }
        guard target == behind + 1, behind + 1 < code.instructions.count,
            code.instructions[behind].operation == .jump,
            places.isReached(branch.target, onlyFrom: index...index)
        else { return nil }
        let aside = way(code, from: target + 1)
        guard !aside.isEmpty, code.instructions[aside.lowerBound].dst == result,
            places.place(code.instructions[behind].target) == aside.upperBound,
            branch.a != result, branch.hasImmediate || branch.b != result
        else { return nil }
        return Choice(
            branch: index, straight: straight, aside: aside, next: aside.upperBound, result: result)
    }

    // MARK: How

    private static func convert(
        _ choice: Choice, _ temporary: Register, _ code: VCode, _ output: inout [VInstruction]
    ) {
        let branch = code.instructions[choice.branch]
        let isEither = !choice.aside.isEmpty
        let first = output.count
        append(isEither ? choice.aside : choice.straight, to: temporary, of: choice, code, &output)
        // The allocator goes by the order of the source: it keeps the register from here on.
        output[first].source = branch.source
        if isEither { output += code.instructions[choice.straight] }
        // As far as here.
        let last = code.instructions[choice.next - 1].source
        var compare = branch
        compare.operation = .compare
        compare.source = last
        output.append(compare)
        var select = VInstruction(.select, source: Int(last))
        select.condition = isEither ? branch.condition : branch.condition.inverted
        (select.dst, select.a, select.b) = (choice.result, choice.result, temporary)
        output.append(select)
    }

    /// One way, computed in another register.
    private static func append(
        _ way: Range<Int>, to temporary: Register, of choice: Choice, _ code: VCode,
        _ output: inout [VInstruction]
    ) {
        for index in way {
            var instruction = code.instructions[index]
            instruction.dst = temporary
            if index > way.lowerBound {
                if instruction.a == choice.result { instruction.a = temporary }
                if instruction.b == choice.result { instruction.b = temporary }
            }
            output.append(instruction)
        }
    }
}

extension VInstruction {
    /// Whether it takes the processor a moment, and can do no harm.
    fileprivate var isCheap: Bool {
        switch operation {
        case .add, .sub, .mul, .and, .or, .xor, .not, .negate: true
        case .shiftLeft, .shiftRight, .shiftRightArithmetic: hasImmediate
        case .constant, .move: dst.bank == .integer
        default: false
        }
    }
}

extension VCode {
    fileprivate func isInLoop(_ source: UInt32) -> Bool {
        backwardJumps.contains { $0.to <= source && source <= $0.from }
    }

    /// An integer register that neither the fragment nor anybody who calls it knows.
    fileprivate func unusedRegister() -> Register? {
        var used = RegisterSet()
        for register in fragment.argumentRegisters { used.insert(register) }
        for facts in fragment.facts { used.formUnion(facts.liveBefore) }
        for instruction in instructions {
            let registers = instruction.registers
            used.formUnion(registers.read.union(registers.readCold).union(registers.written))
        }
        let unused = RegisterSet.integers.subtracting(used).rawValue
        return unused == 0 ? nil : Register(unused.trailingZeroBitCount)
    }
}
