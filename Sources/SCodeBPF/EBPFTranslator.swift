import SCodeIR

/// Makes SCODE of the functions of a plan: one fragment.
///
/// r0 to r10 are SCODE's r0 to r10, and r11 is for what one instruction of eBPF needs in between. The fragment's own
/// function is the body, the others are local procedures. Each has a frame of its own in the region of the stack, at
/// an offset that is fixed: without recursion the place of a function in a chain of calls is bounded, and the
/// verifier knows every address of the stack.
struct EBPFTranslator {
    /// Where the regions of the program lie in its list.
    struct Layout {
        var regions: [Region] = []
        /// Of `EBPFCode.regions[0]`.
        var firstData = 0
        var stack = 0
        var depth = 0
        /// Bytes of the stack: a frame each, and for callees room for what they keep for their callers.
        var stackSize: Int { EBPFLimits.frame + depth * Layout.calleeFrame }
        static let keptRegisters = 4
        static let calleeFrame = EBPFLimits.frame + keptRegisters * 8
    }

    private let plan: FragmentPlan
    private let code: EBPFCode
    private let interface: EBPFInterface
    private let layout: Layout
    private var builder: FragmentBuilder
    /// The function at hand, and the labels of its instructions that something jumps to.
    private var function: PlannedFunction
    private var labels: [Int: FragmentBuilder.Place] = [:]

    private static let r0 = Register(0)
    private static let frame = Register(10)
    private static let scratch = Register(11)

    init(_ plan: FragmentPlan, _ code: EBPFCode, _ interface: EBPFInterface, _ layout: Layout) {
        self.plan = plan
        self.code = code
        self.interface = interface
        self.layout = layout
        builder = FragmentBuilder(name: plan.entry.name)
        function = plan.functions[0]
    }

    mutating func run() throws(EBPFFailure) -> FragmentCode {
        let parameters = parameters()
        builder.setParameters(parameters)
        builder.setHeading(code.positions[plan.entry.start] ?? .none)
        for place in plan.functions.indices {
            function = plan.functions[place]
            builder.position = code.positions[function.start] ?? .none
            if place > 0 { builder.beginProcedure(plan.name(of: place)) }
            enter(parameters)
            try translateBody()
        }
        return builder.finished(hasPositions: !code.positions.isEmpty, namesLabels: true)
    }

    // MARK: Entering and leaving

    /// r1, r2, … as far as the acceptor passes something, or the code asks for it.
    private func parameters() -> [Parameter] {
        let arguments = function.needed & 0b11_1110
        let needed = max(0, UInt16.bitWidth - arguments.leadingZeroBitCount - 1)
        let count = max(interface.memory == nil ? 0 : 2, min(needed, interface.suppliedArguments))
        guard count > 0 else { return [] }
        return (1...count).map { number in
            let register = Register(number)
            guard let memory = interface.memory, number <= 2 else {
                return Parameter(
                    name: register.name, register: register, type: .ul, defaultValue: .constant(0))
            }
            return number == 1
                ? Parameter(name: "base", register: register, type: .p, defaultValue: .region(0))
                : Parameter(
                    name: "length", register: register, type: .ul,
                    defaultValue: .constant(Int64(bitPattern: memory.size)))
        }
    }

    private mutating func enter(_ parameters: [Parameter]) {
        if function.level == 0 {
            // What nothing has written reads as zero.
            for number in 0..<10 where function.needed & 1 << number != 0 {
                let register = Register(number)
                if parameters.contains(where: { $0.register == register }) { continue }
                builder.set(register, to: 0)
            }
        }
        forEachKept { $0.access(.store, .ul, $1, at: Self.scratch, offset: $2) }
        setFrame()
    }

    /// r6 to r9 as far as the function writes them, each with its place in the room below the frame.
    private mutating func forEachKept(_ body: (inout FragmentBuilder, Register, Int64) -> Void) {
        guard function.saved != 0 else { return }
        builder.set(
            Self.scratch, toRegion: layout.stack,
            offset: Int64(frameTop - Layout.calleeFrame))
        for number in 6...9 where function.saved & 1 << number != 0 {
            body(&builder, Register(number), Int64(number - 6) * 8)
        }
    }

    /// The offset in the stack at which the function's frame ends; frames grow downwards, as on the real machine.
    private var frameTop: Int {
        layout.stackSize
            - (function.level == 0 ? 0 : EBPFLimits.frame + (function.level - 1) * Layout.calleeFrame)
    }

    private mutating func setFrame() {
        if function.usesFrame {
            builder.set(Self.frame, toRegion: layout.stack, offset: Int64(frameTop))
        }
    }

    private mutating func leave() {
        guard function.level == 0 else {
            forEachKept { $0.access(.load, .ul, $1, at: Self.scratch, offset: $2) }
            return builder.emit(Instruction(Opcode(.return)))
        }
        if let refuse = interface.refuse {
            let accepts = builder.label()
            builder.branch(.bne, .ul, Self.r0, constant: 0, to: accepts)
            builder.call(.macro, refuse, [])
            builder.place(accepts)
        }
        builder.call(.macro, interface.accept, [.register(Self.r0)])
    }

    // MARK: Instructions

    private mutating func translateBody() throws(EBPFFailure) {
        labels = [:]
        for index in function.body {
            if let target = code.jumpTarget(of: index), labels[target] == nil {
                labels[target] = builder.label()
            }
        }
        // A function may jump back to before its start, and then does not begin with its first instruction.
        if function.body.first != function.start {
            let start = labels[function.start] ?? builder.label()
            labels[function.start] = start
            builder.jump(to: start)
        }
        for index in function.body {
            if let label = labels[index] { builder.place(label) }
            if let position = code.positions[index] { builder.position = position }
            try translate(index)
            guard !builder.isTooLong else {
                throw code.failure(.tooManyInstructions(ProgramLimits.instructionsPerFragment), at: index)
            }
        }
    }

    private mutating func translate(_ index: Int) throws(EBPFFailure) {
        guard let opcode = code.opcodes[index] else { return }
        let instruction = code.instructions[index]
        let destination = Register(instruction.destination)
        let source: Register? = opcode.isRegisterForm ? Register(instruction.source) : nil
        let constant = Int64(instruction.immediate)
        let offset = Int64(instruction.offset)
        switch opcode.operation {
        case .binary(let operation, let type):
            compute(operation, type, destination, destination, source, constant)
        case .divide(let operation, let type): divide(operation, type, destination, source, constant)
        case .set(let type): builder.set(destination, type, to: constant)
        case .convert(let opcodes): convert(opcodes, destination, source ?? destination)
        case .setWide: setWide(index, destination)
        case .load(let type, let opcodes):
            builder.access(.load, type, destination, at: source ?? destination, offset: offset)
            convert(opcodes, destination, destination)
        case .store(let type):
            if source == nil { builder.set(Self.scratch, .l, to: constant) }
            builder.access(.store, type, source ?? Self.scratch, at: destination, offset: offset)
        case .atomic(.compareExchange, let type):
            builder.emit(
                Instruction(
                    Opcode(.compareExchange, type, .immediate), rd: Self.r0, rs1: destination,
                    rs2: source ?? destination, immediate: offset))
        case .atomic(let operation, let type):
            builder.access(operation, type, source ?? destination, at: destination, offset: offset)
        case .branch(let operation, let type): branch(operation, type, destination, source, constant, index)
        case .branchIfSet(let type):
            compute(.and, type, Self.scratch, destination, source, constant)
            branch(.bne, type, Self.scratch, nil, 0, index)
        case .jump, .jumpFar: if let label = target(of: index) { builder.jump(to: label) }
        case .callHelper, .callLocal:
            if let callee = code.callee(of: index) {
                callFunction(callee)
            } else if let number = code.helper(of: index) {
                callHelper(try plan.helper(number, at: index))
            }
        case .callRegister: callRegister(destination)
        case .exit: leave()
        }
    }

    private mutating func compute(
        _ operation: Operation, _ type: ValueType, _ rd: Register, _ left: Register, _ right: Register?,
        _ constant: Int64
    ) {
        if let right {
            builder.emit(operation, type, rd, left, right)
        } else {
            builder.emit(operation, type, rd, left, constant: constant)
        }
    }

    /// Division by zero is zero, and the remainder is the dividend (RFC 9669, section 4.1).
    private mutating func divide(
        _ operation: Operation, _ type: ValueType, _ rd: Register, _ divisor: Register?, _ constant: Int64
    ) {
        let isDivision = operation == .div
        guard let divisor else {
            if constant != 0 {
                builder.emit(operation, type, rd, rd, constant: constant)
            } else if isDivision {
                builder.set(rd, to: 0)
            } else if type.size == 4 {
                builder.emit(Opcode(.mov, .u), rd, rd)
            }
            return
        }
        let done = builder.label()
        if isDivision {
            let divides = builder.label()
            builder.branch(.bne, type, divisor, constant: 0, to: divides)
            builder.set(rd, to: 0)
            builder.jump(to: done)
            builder.place(divides)
        } else {
            // Also a remainder that is left as it is has 32 bits.
            if type.size == 4 { builder.emit(Opcode(.mov, .u), rd, rd) }
            builder.branch(.beq, type, divisor, constant: 0, to: done)
        }
        builder.emit(operation, type, rd, rd, divisor)
        builder.place(done)
    }

    private mutating func convert(_ opcodes: [Opcode], _ rd: Register, _ rs: Register) {
        for (number, opcode) in opcodes.enumerated() { builder.emit(opcode, rd, number == 0 ? rs : rd) }
    }

    private mutating func setWide(_ index: Int, _ rd: Register) {
        if case .address(let region, let offset) = code.references[index] {
            return builder.set(rd, toRegion: layout.firstData + region, offset: offset)
        }
        let low = UInt64(UInt32(bitPattern: code.instructions[index].immediate))
        let high = UInt64(UInt32(bitPattern: code.instructions[index + 1].immediate))
        builder.set(rd, to: Int64(bitPattern: high << 32 | low))
    }

    private mutating func branch(
        _ operation: Operation, _ type: ValueType, _ left: Register, _ right: Register?, _ constant: Int64,
        _ index: Int
    ) {
        guard let label = target(of: index) else { return }
        if let right {
            builder.branch(operation, type, left, right, to: label)
        } else {
            builder.branch(operation, type, left, constant: constant, to: label)
        }
    }

    private func target(of index: Int) -> FragmentBuilder.Place? {
        code.jumpTarget(of: index).flatMap { labels[$0] }
    }

    // MARK: Calls

    private mutating func callFunction(_ start: Int) {
        guard let place = plan.places[start], place > 0 else { return }
        builder.emit(Instruction(Opcode(.call), index: UInt32(truncatingIfNeeded: place - 1)))
        // The callee, or one that it calls, may have set r10 to a frame of its own.
        setFrame()
    }

    private mutating func callHelper(_ helper: EBPFHelper) {
        if case .register(let register) = helper.kind {
            return builder.emit(Opcode(.mov, .ul), Self.r0, register)
        }
        var next = 1
        var hasResult = false
        let operands = helper.operands.map { operand -> MacroOperand in
            switch operand {
            case .result:
                hasResult = true
                return .register(Self.r0)
            case .argument:
                defer { next += 1 }
                return .register(Register(next))
            }
        }
        let isHostCall = if case .hostFunction = helper.kind { true } else { false }
        builder.call(isHostCall ? .hostCall : .macro, helper.name, operands)
        if helper.returns, !hasResult { builder.set(Self.r0, to: 0) }
    }

    /// Compares the number in the register with that of each helper.
    private mutating func callRegister(_ register: Register) {
        let done = builder.label()
        for (number, helper) in interface.helpers.sorted(by: { $0.key < $1.key }) {
            let other = builder.label()
            builder.branch(.bne, .ul, register, constant: Int64(number), to: other)
            callHelper(helper)
            if helper.returns { builder.jump(to: done) }
            builder.place(other)
        }
        builder.trap(Self.scratch)
        builder.place(done)
    }
}
