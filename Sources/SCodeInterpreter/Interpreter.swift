import CSCodeRuntime
import SCodeIR
import SCodeVerifier

/// The reference meaning of SCODE: one instruction after the other, as the opcode table reads.
///
/// Native code is held against this. It shares the instances' layout with native code and nothing else: the
/// page-table walk and the region checks are its own.
public struct Interpreter {
    /// What is left of the budget that the whole chain of fragments shares.
    private var budget: UInt64
    private var depth: UInt64
    private let observation: RegisterObservation
    private let context: UnsafeMutablePointer<scode_context>
    /// Whether what the verifier claims is held against what happens.
    private let checksFacts: Bool
    private var violation: String?
    private let interruption: UnsafeMutablePointer<Interruption>?

    /// Where an invocation was last interrupted, and what its registers hold there.
    public struct Interruption {
        public var instruction = 0
        public var registers = RegisterFile()
        public init() {}
    }

    /// How an invocation ended.
    public struct Outcome {
        public var exit: Exit
        public var remainingBudget: UInt64
        /// The instance whose fragment accepted or was aborted; of a refusal, the one invoked.
        public var leftIn: UnsafeMutablePointer<scode_instance>
        /// Of an accept or refusal: what `RegisterObservation.all` shows.
        public var registers: RegisterFile
        /// The first claim of the verifier that did not hold, when claims were checked.
        public var violation: String?
    }

    /// Runs an instance's fragment.
    /// - Parameters:
    ///   - instance: its `program` is a `VerifiedFragment`, unretained; so are those of the instances below.
    ///   - arguments: as many words as the fragment's `argumentCount`.
    ///   - context: its budget and depth count down; handed on to host functions.
    ///   - checksFacts: whether to hold every claim of the verifier against what happens. Only fragments that were
    ///     verified with `keepsStates` have claims to check.
    ///   - interruption: where to note, in an activation, where it was interrupted.
    public static func run(
        _ instance: UnsafeMutablePointer<scode_instance>, arguments: UnsafePointer<UInt64>,
        context: UnsafeMutablePointer<scode_context>, observing observation: RegisterObservation,
        checksFacts: Bool = false, interruption: UnsafeMutablePointer<Interruption>? = nil
    ) -> Outcome {
        var interpreter = Interpreter(
            budget: context.pointee.budget, depth: context.pointee.depth, observation: observation,
            context: context, checksFacts: checksFacts, interruption: interruption)
        let leave = interpreter.run(instance, arguments)
        context.pointee.budget = interpreter.budget
        return Outcome(
            exit: leave.exit, remainingBudget: interpreter.budget, leftIn: leave.instance,
            registers: leave.registers, violation: interpreter.violation)
    }

    /// How one fragment was left.
    private struct Leave {
        var exit: Exit
        var instance: UnsafeMutablePointer<scode_instance>
        var registers: RegisterFile
    }

    /// A guard's refusal to go on.
    private struct Fault: Error {
        var reason: AbortReason
        var address: UInt64 = 0
    }

    private mutating func run(
        _ instance: UnsafeMutablePointer<scode_instance>, _ arguments: UnsafePointer<UInt64>
    ) -> Leave {
        guard let program = instance.pointee.program else {
            return Leave(exit: .refuse, instance: instance, registers: RegisterFile())
        }
        let fragment = Unmanaged<VerifiedFragment>.fromOpaque(program).takeUnretainedValue()
        var frame = Frame(fragment: fragment, memory: SimulatedMemory(instance: instance))
        for (index, register) in fragment.argumentRegisters.enumerated() {
            frame[register] = arguments[index]
        }

        if checksFacts { frame.checker = FactChecker(fragment, frame.memory) }
        defer { violation = violation ?? frame.checker?.violation }
        var isEntry = fragment.entryCharge > 0
        while true {
            let index = frame.next
            do {
                if isEntry {
                    isEntry = false
                    try charge(fragment.entryCharge)
                }
                frame.checker?.check(index, registers: frame.registers)
                if let leave = try step(&frame, instance) { return leave }
            } catch {
                let abort = Abort(
                    reason: error.reason, line: fragment.code.sourceRange(at: index).line,
                    instruction: UInt32(truncatingIfNeeded: index), address: error.address,
                    registers: frame.observed(observation, at: index))
                return Leave(exit: .abort(abort), instance: instance, registers: RegisterFile())
            }
        }
    }

    private struct Frame {
        let fragment: VerifiedFragment
        let memory: SimulatedMemory
        var registers = [UInt64](repeating: 0, count: Register.count)
        var next = 0
        /// Where the procedures that are active return to.
        var returns: [Int] = []
        var checker: FactChecker?

        init(fragment: VerifiedFragment, memory: SimulatedMemory) {
            self.fragment = fragment
            self.memory = memory
        }

        subscript(register: Register) -> UInt64 {
            get { registers[Int(register.number & 63)] }
            set { registers[Int(register.number & 63)] = newValue }
        }

        func observed(_ observation: RegisterObservation, at index: Int) -> RegisterFile {
            let observable = ObservableRegisters(fragment, observation)
            var file = RegisterFile(valid: observable.registers(at: index))
            let doubles = observable.doubles(at: index)
            for register in file.valid.registers {
                // Of a floating-point register that may hold an f, the low half.
                let isHalf = register.bank == .float && !doubles.contains(register)
                file.values[Int(register.number)] = isHalf ? self[register] & 0xffff_ffff : self[register]
            }
            return file
        }

        /// The last source operand: a register or the constant in the instruction.
        func second(_ instruction: Instruction) -> UInt64 {
            instruction.opcode.form == .immediate
                ? UInt64(bitPattern: instruction.immediate) : self[instruction.rs2]
        }

        func labelPosition(_ label: UInt32) -> Int { Int(fragment.code.labels[Int(label)].position) }
    }

    private mutating func charge(_ amount: UInt64 = 1) throws(Fault) {
        if budget < amount {
            budget = 0
            throw Fault(reason: .budgetExhausted)
        }
        budget -= amount
    }

    /// A backward jump that is taken, or the call of a procedure.
    private mutating func charge(_ index: Int, _ frame: Frame) throws(Fault) {
        if frame.fragment.facts[index].costsBudget {
            if budget == 0, frame.fragment.acceptor.isInterruptible, context.pointee.activation != nil {
                interruption?.pointee.registers = frame.observed(observation, at: index)
                interruption?.pointee.instruction = index
                try suspending { scode_interrupt($0) }
            } else {
                try charge()
            }
        }
        frame.checker?.checkCost(index)
    }

    // MARK: Activations

    /// Does what may stop the invocation. Whoever it stops for sees what is left of the budget, and says with how much
    /// it goes on; or that it does not.
    private mutating func suspending<Value>(
        _ stop: (UnsafeMutablePointer<scode_context>) -> Value
    ) throws(Fault) -> Value {
        context.pointee.budget = budget
        let value = stop(context)
        budget = context.pointee.budget
        if let activation = context.pointee.activation, activation.pointee.is_cancelled != 0 {
            throw Fault(reason: .policy)
        }
        return value
    }

    /// An access, made again as long as somebody sees to the pages that it lacks.
    private mutating func access<Value>(
        isStore: Bool, _ attempt: () -> Result<Value, SimulatedMemory.Fault>
    ) throws(Fault) -> Value {
        while true {
            switch attempt() {
            case .success(let value): return value
            case .failure(let fault):
                let isSeenTo = try suspending {
                    scode_page_fault($0, UInt64(fault.reason.rawValue), fault.address, isStore)
                }
                guard isSeenTo else { throw Fault(reason: fault.reason, address: fault.address) }
            }
        }
    }

    /// Executes one instruction. Returns how the fragment was left, if it was.
    private mutating func step(
        _ frame: inout Frame, _ instance: UnsafeMutablePointer<scode_instance>
    ) throws(Fault) -> Leave? {
        let index = frame.next
        let instruction = frame.fragment.code.instructions[index]
        let type = instruction.opcode.type
        frame.next += 1
        switch instruction.opcode.operation {
        case .add, .sub, .mul, .div, .mod, .and, .or, .xor, .lsh, .rsh:
            let a = frame[instruction.rs1]
            let b = frame.second(instruction)
            guard let result = Arithmetic.binary(instruction.opcode.operation, type, a, b) else {
                throw Fault(reason: .divisionByZero)
            }
            frame[instruction.rd] = result
        case .com, .not, .mov, .neg, .byteSwap, .countLeadingZeros, .countTrailingZeros, .populationCount:
            frame[instruction.rd] = Arithmetic.unary(
                instruction.opcode.operation, type, frame[instruction.rs1])
        case .set:
            if instruction.opcode.form == .symbol {
                frame[instruction.rd] =
                    frame.memory.base(ofRegion: Int(instruction.index))
                    &+ UInt64(bitPattern: instruction.immediate)
            } else {
                frame[instruction.rd] = type.canonical(UInt64(bitPattern: instruction.immediate))
            }
        case .convert:
            frame[instruction.rd] = Arithmetic.convert(
                frame[instruction.rs1], from: instruction.opcode.sourceType, to: type)
        case .load:
            let address = frame[instruction.rs1] &+ frame.second(instruction)
            let fact = frame.fragment.facts[index].access
            let memory = frame.memory
            let word = try access(isStore: false) { memory.load(address, type.size, fact) }
            frame[instruction.rd] = type.canonical(word)
        case .store:
            let address = frame[instruction.rs1] &+ frame.second(instruction)
            let fact = frame.fragment.facts[index].access
            let memory = frame.memory
            let value = frame[instruction.value]
            try access(isStore: true) { memory.store(value, address, type.size, fact) }
        case .atomicAdd, .atomicAnd, .atomicOr, .atomicXor, .fetchAdd, .fetchAnd, .fetchOr, .fetchXor,
            .exchange,
            .compareExchange:
            try atomic(instruction, at: index, &frame)
        case .blt, .ble, .bgt, .bge, .beq, .bne:
            let a = frame[instruction.rs1]
            let b = frame.second(instruction)
            if Arithmetic.compare(instruction.opcode.operation, type, a, b) {
                try charge(index, frame)
                frame.next = frame.labelPosition(instruction.index)
            }
        case .jump:
            try charge(index, frame)
            frame.next = frame.labelPosition(instruction.index)
        case .jumpTable:
            let labels = frame.fragment.code.tables[Int(instruction.index)].labels
            let choice = frame[instruction.rs1]
            if choice >= UInt64(labels.count) { throw Fault(reason: .jumpTableIndex) }
            try charge(index, frame)
            frame.next = frame.labelPosition(labels[Int(choice)])
        case .call:
            try charge(index, frame)
            frame.returns.append(frame.next)
            frame.next = Int(frame.fragment.code.procedures[Int(instruction.index)].start)
        case .return:
            // V12: a procedure is entered by call only.
            frame.next = frame.returns.removeLast()
        case .hostCall, .macro:
            return try expand(instruction, at: index, &frame, instance)
        }
        return nil
    }

    /// Reads, computes and writes at once; `rd` is the operand and, of those that fetch, becomes the old value.
    private mutating func atomic(_ instruction: Instruction, at index: Int, _ frame: inout Frame)
        throws(Fault)
    {
        let opcode = instruction.opcode
        let address = frame[instruction.rs1] &+ frame.second(instruction)
        let memory = frame.memory
        let fact = frame.fragment.facts[index].access
        if address % UInt64(opcode.type.size) != 0 {
            throw Fault(reason: .misaligned, address: memory.reported(address, fact))
        }
        let place = try access(isStore: true) { memory.place(address, opcode.type.size, fact) }
        let operand = frame[instruction.rd]
        let replacement = frame[instruction.rs2]
        let old: UInt64
        if opcode.type.size == 4 {
            old = place.withMemoryRebound(to: UInt32.self, capacity: 1) {
                UInt64(
                    Self.update(
                        $0, opcode.operation, UInt32(truncatingIfNeeded: operand),
                        UInt32(truncatingIfNeeded: replacement)))
            }
        } else {
            old = place.withMemoryRebound(to: UInt64.self, capacity: 1) {
                Self.update($0, opcode.operation, operand, replacement)
            }
        }
        if opcode.shape != .store { frame[instruction.rd] = old }
    }

    /// Tries until nobody has written in between. Returns what was there.
    private static func update<Word: AtomicWord>(
        _ place: UnsafeMutablePointer<Word>, _ operation: Operation, _ operand: Word, _ replacement: Word
    ) -> Word {
        while true {
            var old = Word.load(place)
            let new: Word
            switch operation {
            case .atomicAdd, .fetchAdd: new = old &+ operand
            case .atomicAnd, .fetchAnd: new = old & operand
            case .atomicOr, .fetchOr: new = old | operand
            case .atomicXor, .fetchXor: new = old ^ operand
            case .compareExchange: new = old == operand ? replacement : old
            default: new = operand
            }
            if Word.compareExchange(place, &old, new) { return old }
        }
    }

    // MARK: Macro-instructions

    private mutating func expand(
        _ instruction: Instruction, at index: Int, _ frame: inout Frame,
        _ instance: UnsafeMutablePointer<scode_instance>
    ) throws(Fault) -> Leave? {
        let macro = frame.fragment.macros[Int(instruction.index)]
        let operands = frame.fragment.code.macroCalls[Int(instruction.index)].operands
        var values: [UInt64] = []
        for (operand, kind) in zip(operands, macro.operands) {
            guard case .value(let type) = kind else { continue }
            switch operand {
            case .register(let register): values.append(type.canonical(frame[register]))
            case .immediate(let value): values.append(type.canonical(UInt64(bitPattern: value)))
            }
        }
        switch macro.expansion {
        case .accept:
            return Leave(
                exit: .accept(values.first ?? 0), instance: instance,
                registers: observedAtLeave(frame, index))
        case .refuse:
            return Leave(exit: .refuse, instance: instance, registers: observedAtLeave(frame, index))
        case .abort, .template:
            // Templates are gone before anything is executed.
            throw Fault(reason: .policy)
        case .subSchedule:
            let slot = values.first ?? 0
            if slot >= instance.pointee.slot_count { throw Fault(reason: .noSuchSlot) }
            try charge()
            if depth == 0 { throw Fault(reason: .depthExceeded) }
            guard let child = scode_slot_load(scode_slots(instance) + Int(slot)) else { return nil }
            depth -= 1
            let leave = run(child, scode_arguments(child))
            depth += 1
            if case .refuse = leave.exit { return nil }
            return leave
        case .hostCall, .systemCall:
            guard let functions = instance.pointee.host_functions else { return nil }
            let function = functions + Int(instruction.index)
            guard let invoke = function.pointee.invoke else { return nil }
            while values.count < Int(SCODE_ARGUMENT_LIMIT) { values.append(0) }
            let result = try suspending { invoke(function, $0, values) }
            for (operand, kind) in zip(operands, macro.operands) {
                if case .register(let register) = operand, case .result(let type) = kind {
                    frame[register] = type.canonical(result)
                }
            }
            return nil
        }
    }

    private func observedAtLeave(_ frame: Frame, _ index: Int) -> RegisterFile {
        observation == .all ? frame.observed(observation, at: index) : RegisterFile()
    }
}

/// 32 or 64 bits of memory that others may change at any time.
private protocol AtomicWord: FixedWidthInteger, UnsignedInteger {
    static func load(_ place: UnsafeMutablePointer<Self>) -> Self
    static func compareExchange(
        _ place: UnsafeMutablePointer<Self>, _ old: UnsafeMutablePointer<Self>, _ new: Self
    ) -> Bool
}

extension UInt32: AtomicWord {
    fileprivate static func load(_ place: UnsafeMutablePointer<UInt32>) -> UInt32 { scode_load_32(place) }
    fileprivate static func compareExchange(
        _ place: UnsafeMutablePointer<UInt32>, _ old: UnsafeMutablePointer<UInt32>, _ new: UInt32
    ) -> Bool {
        scode_compare_exchange_32(place, old, new)
    }
}

extension UInt64: AtomicWord {
    fileprivate static func load(_ place: UnsafeMutablePointer<UInt64>) -> UInt64 { scode_load_64(place) }
    fileprivate static func compareExchange(
        _ place: UnsafeMutablePointer<UInt64>, _ old: UnsafeMutablePointer<UInt64>, _ new: UInt64
    ) -> Bool {
        scode_compare_exchange_64(place, old, new)
    }
}
