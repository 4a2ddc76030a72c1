import SCode

/// What of the machine's state an instruction reads or writes: bits 0 to 15 are the scratch cells.
struct ClassicState: OptionSet {
    let rawValue: UInt32
    static let accumulator = ClassicState(rawValue: 1 << 16)
    static let index = ClassicState(rawValue: 1 << 17)
    static let all = ClassicState(rawValue: 1 << 18 - 1)
    static func scratch(_ cell: Int) -> ClassicState { ClassicState(rawValue: 1 << UInt32(cell)) }
}

extension ClassicInstruction {
    var reads: ClassicState {
        switch self {
        case .load, .loadLength, .loadLengthIndex, .set, .setIndex, .loadHeaderLength, .jump, .return: []
        case .loadIndexed, .storeIndex, .toAccumulator: .index
        case .loadScratch(let cell), .loadScratchIndex(let cell): .scratch(cell)
        case .store, .negate, .toIndex, .returnAccumulator: .accumulator
        case .arithmetic(_, let operand), .branch(_, let operand, _, _):
            operand == .index ? [.accumulator, .index] : .accumulator
        }
    }

    var writes: ClassicState {
        switch self {
        case .load, .loadIndexed, .loadLength, .set, .loadScratch, .arithmetic, .negate, .toAccumulator:
            .accumulator
        case .loadLengthIndex, .setIndex, .loadScratchIndex, .loadHeaderLength, .toIndex: .index
        case .store(let cell), .storeIndex(let cell): .scratch(cell)
        case .jump, .branch, .return, .returnAccumulator: []
        }
    }

    /// How far behind the next instruction control can go on.
    var successors: [Int] {
        switch self {
        case .jump(let distance): [Int(distance)]
        case .branch(_, _, let then, let otherwise): [Int(then), Int(otherwise)]
        case .return, .returnAccumulator: []
        default: [0]
        }
    }
}

extension ClassicProgram {
    /// The program as SCODE, instruction by instruction: a fragment for the acceptor `filter` that accepts with what the
    /// program returns, if that is not 0, and else refuses.
    public func translated(name: String = "filter") throws(FilterFailure) -> Program {
        var builder = FilterBuilder()
        builder.setPacketBase()
        let refuse = builder.label("refuse")
        var translation = ClassicTranslation(self, refuse: refuse, verdict: nil)
        translation.emit(into: &builder)
        builder.place(refuse)
        builder.refuse()
        return try builder.program(called: name)
    }
}

/// Writes a classic program as SCODE, one instruction after the other. A, X and the scratch cells are registers.
struct ClassicTranslation {
    private let instructions: [ClassicInstruction]
    private let refuse: FilterBuilder.Place
    /// What is accepted with, in place of what the program returns.
    private let verdict: UInt64?
    /// Per instruction: the packet has at least so many bytes, on every way here; nil when no way leads here.
    private var known: [UInt64?]
    /// Per instruction: what was written on every way here.
    private var written: [ClassicState]
    private var labels: [FilterBuilder.Place?]

    private static let a = FilterBuilder.values[0]
    private static let x = FilterBuilder.values[1]
    private static let t = FilterBuilder.values[2]
    private static func m(_ cell: Int) -> Register { FilterBuilder.values[3 + cell] }

    init(_ program: ClassicProgram, refuse: FilterBuilder.Place, verdict: UInt64?) {
        instructions = program.instructions
        self.refuse = refuse
        self.verdict = verdict
        known = Array(repeating: nil, count: instructions.count)
        written = Array(repeating: .all, count: instructions.count)
        labels = Array(repeating: nil, count: instructions.count)
    }

    mutating func emit(into builder: inout FilterBuilder) {
        let missing = followWays()
        // What nobody has written holds 0.
        if missing.contains(.accumulator) { builder.set(Self.a, 0) }
        if missing.contains(.index) { builder.set(Self.x, 0) }
        for cell in 0..<ClassicProgram.scratchCells where missing.contains(.scratch(cell)) {
            builder.set(Self.m(cell), 0)
        }
        for (index, instruction) in instructions.enumerated() where known[index] != nil {
            if let label = labels[index] { builder.place(label) }
            emit(instruction, index, &builder)
        }
    }

    /// Follows every way from the start; all go forward, so one pass sees all.
    /// - Returns: what may be read before it was written.
    private mutating func followWays() -> ClassicState {
        known[0] = 0
        written[0] = []
        var missing: ClassicState = []
        for (index, instruction) in instructions.enumerated() {
            guard let before = known[index] else { continue }
            missing.formUnion(instruction.reads.subtracting(written[index]))
            // A load that no packet is long enough for refuses; nothing follows.
            let need = instruction.bytesNeeded ?? 0
            guard need <= UInt64(PacketLimits.bytes) else { continue }
            for distance in instruction.successors {
                let next = index + 1 + distance
                known[next] = min(known[next] ?? .max, max(before, need))
                written[next].formIntersection(written[index].union(instruction.writes))
            }
        }
        return missing
    }

    private mutating func label(_ index: Int, _ builder: inout FilterBuilder) -> FilterBuilder.Place {
        if let label = labels[index] { return label }
        let label = builder.label()
        labels[index] = label
        return label
    }

    private mutating func emit(
        _ instruction: ClassicInstruction, _ index: Int, _ builder: inout FilterBuilder
    ) {
        let (a, x) = (Self.a, Self.x)
        if let need = instruction.bytesNeeded {
            guard need <= UInt64(PacketLimits.bytes) else { return builder.jump(refuse) }
            if need > known[index] ?? 0 { builder.branch(.blt, .ul, FilterBuilder.length, need, refuse) }
        }
        switch instruction {
        case .load(let size, let offset): builder.load(size, a, FilterBuilder.base, UInt64(offset))
        case .loadIndexed(let size, let offset): loadIndexed(size, UInt64(offset), &builder)
        case .loadLength: builder.unary(.mov, .u, a, FilterBuilder.wireLength)
        case .loadLengthIndex: builder.unary(.mov, .u, x, FilterBuilder.wireLength)
        case .set(let value): builder.set(a, UInt64(value))
        case .setIndex(let value): builder.set(x, UInt64(value))
        case .loadScratch(let cell): builder.unary(.mov, .u, a, Self.m(cell))
        case .loadScratchIndex(let cell): builder.unary(.mov, .u, x, Self.m(cell))
        case .store(let cell): builder.unary(.mov, .u, Self.m(cell), a)
        case .storeIndex(let cell): builder.unary(.mov, .u, Self.m(cell), x)
        case .loadHeaderLength(let offset):
            builder.load(.byte, x, FilterBuilder.base, UInt64(offset))
            builder.binary(.and, .u, x, x, 15)
            builder.binary(.lsh, .u, x, x, 2)
        case .arithmetic(let operation, let operand): arithmetic(operation, operand, &builder)
        case .negate: builder.unary(.neg, .u, a, a)
        case .toIndex: builder.unary(.mov, .u, x, a)
        case .toAccumulator: builder.unary(.mov, .u, a, x)
        case .jump(let distance):
            if distance > 0 { builder.jump(label(index + 1 + Int(distance), &builder)) }
        case .branch(let relation, let operand, let then, let otherwise):
            branch(relation, operand, index + 1 + Int(then), index + 1 + Int(otherwise), index + 1, &builder)
        case .return(let value):
            if value == 0 { builder.jump(refuse) } else { builder.accept(verdict ?? UInt64(value)) }
        case .returnAccumulator:
            builder.branch(.beq, .u, a, 0, refuse)
            if let verdict { builder.accept(verdict) } else { builder.accept(a) }
        }
    }

    /// *Requires* that offset and size together are no more than a packet can have.
    private func loadIndexed(_ size: ClassicSize, _ offset: UInt64, _ builder: inout FilterBuilder) {
        builder.binary(.add, .ul, Self.t, Self.x, offset + size.bytes)
        builder.branch(.bgt, .ul, Self.t, FilterBuilder.length, refuse)
        builder.binary(.add, .p, Self.t, FilterBuilder.base, Self.x)
        builder.load(size, Self.a, Self.t, offset)
    }

    private func arithmetic(
        _ operation: ClassicArithmetic, _ operand: ClassicOperand, _ builder: inout FilterBuilder
    ) {
        let (a, x) = (Self.a, Self.x)
        guard case .index = operand else {
            if case .constant(let value) = operand {
                builder.binary(operation.operation, .u, a, a, UInt64(value))
            }
            return
        }
        switch operation {
        case .div, .mod: builder.branch(.beq, .u, x, 0, refuse)
        case .lsh, .rsh:
            // SCODE takes the count modulo 32.
            let (short, done) = (builder.label(), builder.label())
            builder.branch(.blt, .u, x, 32, short)
            builder.set(a, 0)
            builder.jump(done)
            builder.place(short)
            builder.binary(operation.operation, .u, a, a, x)
            return builder.place(done)
        case .add, .sub, .mul, .or, .and, .xor: break
        }
        builder.binary(operation.operation, .u, a, a, x)
    }

    private mutating func branch(
        _ relation: ClassicRelation, _ operand: ClassicOperand, _ then: Int, _ otherwise: Int, _ next: Int,
        _ builder: inout FilterBuilder
    ) {
        guard then != otherwise else {
            if then != next { builder.jump(label(then, &builder)) }
            return
        }
        // One branch, to whichever does not follow; when neither does, a jump besides.
        let inverts = then == next
        let target = label(inverts ? otherwise : then, &builder)
        let (operation, inverse) = relation.operations
        let branch = inverts ? inverse : operation
        if relation == .anyBit {
            switch operand {
            case .constant(let value): builder.binary(.and, .u, Self.t, Self.a, UInt64(value))
            case .index: builder.binary(.and, .u, Self.t, Self.a, Self.x)
            }
            builder.branch(branch, .u, Self.t, 0, target)
        } else {
            switch operand {
            case .constant(let value): builder.branch(branch, .u, Self.a, UInt64(value), target)
            case .index: builder.branch(branch, .u, Self.a, Self.x, target)
            }
        }
        if !inverts, otherwise != next { builder.jump(label(otherwise, &builder)) }
    }
}

extension ClassicInstruction {
    /// Bytes that the packet must have, whatever X is, for the load not to refuse it; nil when it loads nothing.
    var bytesNeeded: UInt64? {
        switch self {
        case .load(let size, let offset), .loadIndexed(let size, let offset): UInt64(offset) + size.bytes
        case .loadHeaderLength(let offset): UInt64(offset) + 1
        default: nil
        }
    }
}

extension ClassicArithmetic {
    var operation: Operation {
        switch self {
        case .add: .add
        case .sub: .sub
        case .mul: .mul
        case .div: .div
        case .or: .or
        case .and: .and
        case .lsh: .lsh
        case .rsh: .rsh
        case .mod: .mod
        case .xor: .xor
        }
    }
}

extension ClassicRelation {
    /// The branch that asks this, and its opposite; of `anyBit`, about the bits in common.
    fileprivate var operations: (Operation, Operation) {
        switch self {
        case .equal: (.beq, .bne)
        case .greater: (.bgt, .ble)
        case .greaterOrEqual: (.bge, .blt)
        case .anyBit: (.bne, .beq)
        }
    }
}
