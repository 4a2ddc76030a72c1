import SCodeIR
import SCodeVerifier

/// Turns a verified fragment into VCode: one operation becomes one or a few, and every guard that the verifier
/// has not made superfluous is written out.
///
/// *Requires* a verified fragment. *Produces* VCode for its reachable blocks, in source order.
struct Lowering: ~Copyable {
    let fragment: VerifiedFragment
    let code: FragmentCode
    private let observation: RegisterObservation
    /// The physical region that an address of unknown origin is held against first; nil: it is more likely a virtual one.
    let likelyRegion: UInt8?
    /// Whether a proof that rests on branches is not enough.
    let masksSpeculation: Bool
    /// The first region of the host policy: what its addresses are offsets in, those of unknown origin are, too.
    let windowRegion: UInt32?
    let bases: FixedBases
    let facts = Opcode.allFacts
    var forms = AddressForms()
    private var output: VCode
    private var labels: LabelsByPlace

    static func lower(_ fragment: VerifiedFragment, observing observation: RegisterObservation) -> VCode {
        var lowering = Lowering(fragment, observation)
        lowering.run()
        return lowering.output
    }

    private init(_ fragment: VerifiedFragment, _ observation: RegisterObservation) {
        self.fragment = fragment
        self.observation = observation
        code = fragment.code
        masksSpeculation = fragment.acceptor.guards.masksSpeculation
        windowRegion = fragment.regions.firstIndex { $0.policy == .host }.map { UInt32($0) }
        let bases = FixedBases(fragment)
        self.bases = bases
        likelyRegion = Self.likelyRegion(fragment.regions, bases)
        output = VCode(fragment)
        output.instructions.reserveCapacity(code.instructions.count * 2)
        labels = LabelsByPlace(code)
    }

    /// Whose base the fragment names itself it is likely to reach by proved addresses, as eBPF does its stack: so rather one
    /// that it is only handed.
    private static func likelyRegion(_ regions: [Region], _ bases: FixedBases) -> UInt8? {
        var likely: Int?
        for index in regions.indices {
            switch regions[index].policy {
            case .static: break
            case .virtual, .host: return nil
            case .physical:
                if let known = likely, !bases.named.contains(known) || bases.named.contains(index) {
                    continue
                }
                likely = index
            }
        }
        return likely.map { UInt8($0) }
    }

    private mutating func run() {
        if fragment.entryCharge > 0 {
            let charge = Int64(bitPattern: fragment.entryCharge)
            emit(.guardEntry, 0) { $0.immediate = charge }
        }
        var procedure = 0
        for block in fragment.flow.blocks.prefix(fragment.flow.codeBlockCount) {
            let start = Int(block.start)
            let isEntry = procedure < code.procedures.count && Int(code.procedures[procedure].start) == start
            if isEntry { procedure += 1 }
            guard block.isReachable else { continue }
            if isEntry || labels.isPlaced(start) { forms.forget() }
            if isEntry {
                let label = output.label(ofProcedure: UInt32(procedure - 1))
                emit(.label, start) { $0.target = UInt32(label) }
            }
            placeLabels(start)
            for index in start..<Int(block.end) where isNeeded(index) {
                lower(index, inProcedure: procedure - 1)
                follow(code.instructions[index])
            }
        }
    }

    private mutating func placeLabels(_ place: Int) {
        while let label = labels.next(at: place) {
            emit(.label, place) { $0.target = label }
        }
    }

    /// Whether the instruction has an effect or a result that somebody can see.
    private mutating func isNeeded(_ index: Int) -> Bool {
        guard observation == .live, index + 1 < code.instructions.count else { return true }
        let instruction = code.instructions[index]
        return !instruction.opcode.effects(facts).isEmpty
            || fragment.facts[index + 1].liveBefore.contains(instruction.rd)
    }

    // What only looks is mutating too: a call that borrows copies the whole of this.

    mutating func emit(
        _ operation: VOperation, _ source: Int, _ fill: (inout VInstruction) -> Void = { _ in }
    ) {
        var instruction = VInstruction(operation, source: source)
        fill(&instruction)
        append(instruction)
    }

    /// To be told where jumps and branches lead.
    mutating func noteTarget(_ instruction: Instruction, _ index: Int) {
        let target = code.labels[Int(instruction.index)].position
        if target <= index {
            output.backwardJumps.append(
                VCode.BackwardJump(from: UInt32(truncatingIfNeeded: index), to: target))
        }
    }

    mutating func noteSum() { output.namesSums = true }

    mutating func noteComputedAddress() { output.computesAddresses = true }

    @inline(__always) mutating func append(_ instruction: VInstruction) {
        output.operations.insert(instruction.operation)
        output.instructions.append(instruction)
    }

    mutating func newLabel() -> UInt32 {
        output.labelCount += 1
        return UInt32(output.labelCount - 1)
    }

    private mutating func lower(_ index: Int, inProcedure procedure: Int) {
        let instruction = code.instructions[index]
        let opcode = instruction.opcode
        let isSigned = opcode.type.isSigned
        let isFloat = opcode.type.isFloat
        switch opcode.operation {
        case .add: binary(isFloat ? .floatAdd : .add, instruction, index)
        case .sub: binary(isFloat ? .floatSub : .sub, instruction, index)
        case .mul: binary(isFloat ? .floatMul : .mul, instruction, index)
        case .div where isFloat: binary(.floatDiv, instruction, index)
        case .and: binary(.and, instruction, index)
        case .or: binary(.or, instruction, index)
        case .xor: binary(.xor, instruction, index)
        case .lsh: binary(.shiftLeft, instruction, index)
        case .rsh: binary(isSigned ? .shiftRightArithmetic : .shiftRight, instruction, index)
        case .div: divide(isSigned ? .divideSigned : .divideUnsigned, instruction, index)
        case .mod: divide(isSigned ? .moduloSigned : .moduloUnsigned, instruction, index)
        case .com: unary(.not, instruction, index)
        case .not: unary(.isZero, instruction, index)
        case .mov: unary(.move, instruction, index)
        case .neg: unary(isFloat ? .floatNegate : .negate, instruction, index)
        case .byteSwap: unary(.byteSwap, instruction, index)
        case .countLeadingZeros: unary(.countLeadingZeros, instruction, index)
        case .countTrailingZeros: unary(.countTrailingZeros, instruction, index)
        case .populationCount: unary(.populationCount, instruction, index)
        case .set: set(instruction, index)
        case .convert: convert(instruction, index)
        case .load: access(.load, instruction, index)
        case .store: access(.store, instruction, index)
        case .atomicAdd: access(.atomicAdd, instruction, index)
        case .atomicAnd: access(.atomicAnd, instruction, index)
        case .atomicOr: access(.atomicOr, instruction, index)
        case .atomicXor: access(.atomicXor, instruction, index)
        case .fetchAdd: access(.fetchAdd, instruction, index)
        case .fetchAnd: access(.fetchAnd, instruction, index)
        case .fetchOr: access(.fetchOr, instruction, index)
        case .fetchXor: access(.fetchXor, instruction, index)
        case .exchange: access(.exchange, instruction, index)
        case .compareExchange: access(.compareExchange, instruction, index)
        case .blt, .ble, .bgt, .bge, .beq, .bne: branch(instruction, index)
        case .jump: jump(instruction, index)
        case .jumpTable: jumpTable(instruction, index)
        case .call: call(instruction, index)
        case .return: emit(.return, index) { $0.target = UInt32(truncatingIfNeeded: procedure) }
        case .macro, .hostCall: expand(instruction, index)
        }
    }

    // MARK: Arithmetic

    private mutating func binary(_ operation: VOperation, _ instruction: Instruction, _ index: Int) {
        emit(operation, index) {
            $0.isWide = instruction.opcode.type.size == 8
            $0.dst = instruction.rd
            $0.a = instruction.rs1
            $0.b = instruction.rs2
            $0.hasImmediate = instruction.opcode.form == .immediate
            $0.immediate = instruction.immediate
        }
    }

    private mutating func divide(_ operation: VOperation, _ instruction: Instruction, _ index: Int) {
        let isByZero = instruction.opcode.form == .immediate && instruction.immediate == 0
        if isByZero || (instruction.opcode.form == .register && !fragment.facts[index].isSafe) {
            emit(.guardNonZero, index) {
                $0.isWide = instruction.opcode.type.size == 8
                $0.a = instruction.rs2
                $0.hasImmediate = instruction.opcode.form == .immediate
            }
        }
        // By the constant zero: the guard has aborted, there is nothing to divide.
        if isByZero { return }
        binary(operation, instruction, index)
    }

    private mutating func unary(_ operation: VOperation, _ instruction: Instruction, _ index: Int) {
        emit(operation, index) {
            $0.isWide = instruction.opcode.type.size == 8
            $0.size = UInt8(instruction.opcode.type.size)
            $0.dst = instruction.rd
            $0.a = instruction.rs1
        }
    }

    private mutating func set(_ instruction: Instruction, _ index: Int) {
        if instruction.opcode.form == .symbol {
            emit(.regionBase, index) {
                $0.dst = instruction.rd
                $0.target = instruction.index
                $0.immediate = instruction.immediate
            }
        } else {
            emit(.constant, index) {
                $0.dst = instruction.rd
                $0.immediate = Int64(
                    bitPattern: instruction.opcode.type.canonical(UInt64(bitPattern: instruction.immediate)))
            }
        }
    }

    private mutating func convert(_ instruction: Instruction, _ index: Int) {
        let source = instruction.opcode.sourceType
        let target = instruction.opcode.type
        if source.isFloat || target.isFloat {
            convertFloat(instruction, index)
            return
        }
        if target.size <= source.size {
            canonicalise(instruction.rd, instruction.rs1, target, index)
            return
        }
        // Widening: extend as the source is, then cut to what a register of the target type holds.
        emit(source.isSigned ? .signExtend : .zeroExtend, index) {
            $0.dst = instruction.rd
            $0.a = instruction.rs1
            $0.size = UInt8(source.size)
            $0.isWide = target.size != 4
        }
        if source.isSigned, target == .us { canonicalise(instruction.rd, instruction.rd, target, index) }
    }

    private mutating func convertFloat(_ instruction: Instruction, _ index: Int) {
        let source = instruction.opcode.sourceType
        let target = instruction.opcode.type
        let operation: VOperation =
            switch (source.isFloat, target.isFloat) {
            case (true, true): .floatToFloat
            case (true, false): .floatToInteger
            default: .integerToFloat
            }
        let integer = source.isFloat ? target : source
        emit(operation, index) {
            $0.isWide = operation == .floatToInteger ? source == .d : target == .d
            $0.size = UInt8(integer.size)
            $0.flag = integer.isSigned
            $0.dst = instruction.rd
            $0.a = instruction.rs1
        }
    }

    /// dst := the low bits of `a` as a register holds them for the type.
    mutating func canonicalise(_ dst: Register, _ a: Register, _ type: ValueType, _ index: Int) {
        let operation: VOperation =
            switch type {
            case .c, .s: .signExtend
            case .uc, .us: .zeroExtend
            case .i, .u, .l, .ul, .p, .f, .d: .move
            }
        emit(operation, index) {
            $0.dst = dst
            $0.a = a
            $0.size = UInt8(type.size)
            $0.isWide = type.size != 4
        }
    }
}

/// The labels in the order of their places, which are asked for in that order.
private struct LabelsByPlace {
    private let labels: [Label]
    /// Where they are not in order as they stand: their indices in order.
    private var order: [UInt32] = []
    /// How many have been passed by; the label behind them, and its place.
    private var next = 0
    private var current: UInt32 = 0
    private var position = -1

    init(_ code: FragmentCode) {
        labels = code.labels
        var last: UInt32 = 0
        for label in labels {
            if label.position < last {
                sort()
                break
            }
            last = label.position
        }
    }

    private mutating func sort() {
        order = (0..<UInt32(labels.count)).sorted {
            (labels[Int($0)].position, $0) < (labels[Int($1)].position, $1)
        }
    }

    /// Moves on to the first label that stands here or later.
    private mutating func advance(to place: Int) {
        while next < labels.count {
            current = order.isEmpty ? UInt32(truncatingIfNeeded: next) : order[next]
            position = Int(labels[Int(current)].position)
            if position >= place { return }
            next += 1
        }
        position = .max
    }

    /// Whether a label stands here.
    mutating func isPlaced(_ place: Int) -> Bool {
        if position < place { advance(to: place) }
        return position == place
    }

    /// The next one that stands here.
    mutating func next(at place: Int) -> UInt32? {
        guard isPlaced(place) else { return nil }
        let label = current
        next += 1
        advance(to: place)
        return label
    }
}
