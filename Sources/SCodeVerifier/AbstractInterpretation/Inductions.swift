import SCodeIR

/// Registers that a loop changes by the same amount each time round, and in no other way, in loops that a comparison
/// ends after so many rounds: at the loop's head such a register holds what the loop was entered with plus a multiple of
/// the step. So its values there are known when the loop is entered, and going round adds nothing.
///
/// This bounds a counter without looking at its loop twice, and registers that no comparison bounds, such as an address
/// that advances beside the counter.
struct Inductions {
    /// A register that advances.
    private struct Variable: BitwiseCopyable {
        /// What changes it: an addition or subtraction of what the loop does not change. And the node that it is in.
        var step: Instruction
        var node: Int32
        /// The next one of the same loop; -1 for none.
        var next: Int32
        /// Everything that the loop was entered with until now.
        var entry = AbstractValue.top
        /// Whether it is left to widening how far it goes; a comparison may still count the loop by it.
        var isLeft = false

        var isNarrow: Bool { step.opcode.type.size == 4 }
    }

    /// A comparison of a variable that every way round passes, and that ends the loop when it fails.
    private struct Test: BitwiseCopyable {
        var comparison: Instruction
        var variable: Int32
        /// Whether the variable is the second operand.
        var isSecond: Bool
        /// Whether it has been changed already in this round.
        var isAfterStep: Bool
        /// How the variable compares while the loop goes on.
        var relation: Relation
        /// The next one of the same loop; -1 for none.
        var next: Int32
    }

    private struct Loop: BitwiseCopyable {
        /// The block, and its number in the forest of loops.
        var head: Int32
        var number: Int32
        var firstVariable: Int32 = -1
        var firstTest: Int32 = -1
    }

    /// Of the forest of loops: the numbers of blocks, and which lie below which.
    private let number: Table<Int32>
    private let lastBelow: Table<Int32>
    /// Per block that is the head of a loop with variables and a test: its place in `loops`; else -1.
    private let loopOfBlock: Table<Int32>
    private let loops: Table<Loop>
    private var loopCount = 0
    private let variables: Table<Variable>
    private var variableCount = 0
    private let tests: Table<Test>
    private var testCount = 0
    /// Per register: what a variable held, while it is changed for the way to its loop's head.
    private let saved: Table<AbstractValue>

    init(_ view: FragmentView, _ flow: FlowGraph, _ structure: LoopStructure, _ demand: Demand) {
        number = structure.forest.number
        lastBelow = structure.forest.lastBelow
        let arena = view.arena
        let steps = structure.steps
        loopOfBlock = arena.table(flow.blocks.count, -1)
        variables = arena.uninitialised(steps.count)
        loops = arena.uninitialised(steps.count)
        saved = arena.uninitialised(Register.bankSize)
        // A block ends with one comparison, of two registers at most.
        tests = arena.uninitialised(steps.count == 0 ? 0 : 2 * flow.codeBlockCount)
        for step in steps.elements { addVariable(step, view, structure, demand) }
        guard variableCount > 0 else { return }
        for node in 1..<structure.forest.count { addTests(node, view, flow, structure) }
        for loop in 0..<loopCount where loops[loop].firstTest < 0 { loopOfBlock[Int(loops[loop].head)] = -1 }
    }

    private mutating func addVariable(
        _ step: LoopStructure.Step, _ view: FragmentView, _ structure: LoopStructure, _ demand: Demand
    ) {
        let instruction = view.instruction(Int(step.instruction))
        let head = Int(structure.forest.block[Int(step.head)])
        guard instruction.opcode.operation != .rsh,
            instruction.opcode.form == .immediate || structure.isInvariant(instruction.rs2, Int(step.head)),
            demand.atStart[head] >> UInt32(instruction.rd.number) & 1 != 0
        else { return }
        if loopOfBlock[head] < 0 {
            loops[loopCount] = Loop(head: Int32(head), number: step.head)
            loopOfBlock[head] = Int32(loopCount)
            loopCount += 1
        }
        let loop = Int(loopOfBlock[head])
        variables[variableCount] = Variable(
            step: instruction, node: step.node, next: loops[loop].firstVariable)
        loops[loop].firstVariable = Int32(variableCount)
        variableCount += 1
    }

    /// What a node's comparison, if it ends with one, says of variables of its loop.
    private mutating func addTests(
        _ node: Int, _ view: FragmentView, _ flow: FlowGraph, _ structure: LoopStructure
    ) {
        let forest = structure.forest
        let head = forest.loop(of: node)
        guard head != 0, loopOfBlock[Int(forest.block[head])] >= 0 else { return }
        let block = Int(forest.block[node])
        let last = view.uses[Int(flow.blocks[block].end) - 1]
        guard last.shape == .branch, flow.blocks[block].successorCount == 2,
            forest.isOnEveryRound(node, head)
        else { return }
        // What comes next stands first.
        let staysWhenTaken = forest.isInside(Int(forest.number[flow.successor(block, 1)]), head)
        guard staysWhenTaken != forest.isInside(Int(forest.number[flow.successor(block, 0)]), head) else {
            return
        }
        let comparison = last.instruction
        let relation = Relation(comparison.opcode.operation)
        let goesOn = staysWhenTaken ? relation : relation.inverted
        addTest(comparison, goesOn, isSecond: false, node, head, structure)
        if comparison.opcode.form == .register {
            addTest(comparison, goesOn.swapped, isSecond: true, node, head, structure)
        }
    }

    private mutating func addTest(
        _ comparison: Instruction, _ relation: Relation, isSecond: Bool, _ node: Int, _ head: Int,
        _ structure: LoopStructure
    ) {
        let register = isSecond ? comparison.rs2 : comparison.rs1
        let other = isSecond ? comparison.rs1 : comparison.rs2
        guard !comparison.opcode.type.isFloat,
            comparison.opcode.form == .immediate || structure.isInvariant(other, head)
        else { return }
        let loop = Int(loopOfBlock[Int(structure.forest.block[head])])
        var variable = loops[loop].firstVariable
        while variable >= 0, variables[Int(variable)].step.rd != register {
            variable = variables[Int(variable)].next
        }
        guard variable >= 0 else { return }
        // In one block the comparison comes last; and of two blocks that every round passes one dominates the other.
        tests[testCount] = Test(
            comparison: comparison, variable: variable, isSecond: isSecond,
            isAfterStep: structure.forest.dominates(Int(variables[Int(variable)].node), node),
            relation: relation,
            next: loops[loop].firstTest)
        loops[loop].firstTest = Int32(testCount)
        testCount += 1
    }

    // MARK: While values are followed

    /// The loop at whose head a block is, if anything is said of it here.
    @inline(__always)
    func loop(at block: Int) -> Int? {
        let loop = Int(loopOfBlock[block])
        return loop < 0 ? nil : loop
    }

    /// Makes of the values with which control passes from a block to the head of a loop those that its variables may have
    /// there in any round. `restore` brings back what they were.
    func enter(_ loop: Int, from source: Int, _ values: RegisterValues, _ states: borrowing BlockStates) {
        let block = Int(loops[loop].head)
        let isReached = states.isReached(block)
        let (node, head) = (number[source], loops[loop].number)
        let goesRound = isReached && node >= head && node <= lastBelow[Int(head)]
        forEachVariable(loop) { variable in
            let register = variables[variable].step.rd
            let value = values[register]
            saved[Int(register.number)] = value
            if goesRound {
                if !variables[variable].isLeft {
                    values[register] = states.value(Int(register.number), at: block)
                }
            } else {
                variables[variable].entry = isReached ? variables[variable].entry.joined(value) : value
            }
        }
        if !goesRound { advance(loop, isReached: isReached, values, states) }
    }

    func restore(_ loop: Int, _ values: RegisterValues) {
        forEachVariable(loop) { variable in
            let register = variables[variable].step.rd
            values[register] = saved[Int(register.number)]
        }
    }

    @inline(__always)
    private func forEachVariable(_ loop: Int, _ body: (_ variable: Int) -> Void) {
        var variable = Int(loops[loop].firstVariable)
        while variable >= 0 {
            body(variable)
            variable = Int(variables[variable].next)
        }
    }

    /// Gives the variables what they hold at the head from the first round to the last.
    private func advance(
        _ loop: Int, isReached: Bool, _ values: RegisterValues, _ states: borrowing BlockStates
    ) {
        let block = Int(loops[loop].head)
        /// What the loop does not change, whenever it was entered.
        func invariant(_ register: Register) -> AbstractValue {
            guard states.kept[block] >> UInt32(register.number) & 1 != 0 else { return .top }
            let value = values[register]
            return isReached ? states.value(Int(register.number), at: block).joined(value) : value
        }
        func operand(_ instruction: Instruction, _ register: Register) -> AbstractValue {
            instruction.opcode.form == .immediate
                ? AbstractValue(constant: UInt64(bitPattern: instruction.immediate)) : invariant(register)
        }
        func amount(_ variable: Variable) -> UInt64? {
            let step = operand(variable.step, variable.step.rs2)
            guard variable.isNarrow ? step.low.isConstant : step.number.isConstant else { return nil }
            let amount = variable.isNarrow ? UInt64(step.low.umin) : step.wide.umin
            return variable.step.opcode.operation == .sub ? 0 &- amount : amount
        }
        func course(_ test: Test) -> CountedCourse? {
            let variable = variables[Int(test.variable)]
            guard let amount = amount(variable) else { return nil }
            let other = operand(test.comparison, test.isSecond ? test.comparison.rs1 : test.comparison.rs2)
            return CountedCourse(
                variable.entry, step: amount, isNarrow: variable.isNarrow, test.relation, other,
                test.comparison.opcode.type, isAfterStep: test.isAfterStep)
        }
        var trips: UInt64?
        var test = Int(loops[loop].firstTest)
        while test >= 0 {
            if let course = course(tests[test]) { trips = min(trips ?? .max, course.trips) }
            test = Int(tests[test].next)
        }
        forEachVariable(loop) { variable in
            let variable = variables[variable]
            guard !variable.isLeft else { return }
            values[variable.step.rd] = variable.entry.advanced(
                by: amount(variable), times: trips, isNarrow: variable.isNarrow)
        }
        test = Int(loops[loop].firstTest)
        while test >= 0 {
            let variable = variables[Int(tests[test].variable)]
            if !variable.isLeft, let course = course(tests[test]) {
                course.confine(&values[variable.step.rd])
            }
            test = Int(tests[test].next)
        }
        if !isReached { leaveUnbounded(loop, values) }
    }

    /// Leaves it to widening how far those variables go of which nothing is known here.
    private func leaveUnbounded(_ loop: Int, _ values: RegisterValues) {
        var isAnyKnown = false
        forEachVariable(loop) { variable in
            let register = variables[variable].step.rd
            if values[register].isUnbounded(isNarrow: variables[variable].isNarrow) {
                variables[variable].isLeft = true
                values[register] = saved[Int(register.number)]
            } else {
                isAnyKnown = true
            }
        }
        if !isAnyKnown { loopOfBlock[Int(loops[loop].head)] = -1 }
    }
}
