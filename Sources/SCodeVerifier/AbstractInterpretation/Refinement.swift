import SCodeIR

/// The ends that comparisons give a register's value, whichever way they go. Widening stops there first, so that the
/// bound of a counted loop is found at once.
struct ComparedEnds: BitwiseCopyable {
    var umin = UInt64.max
    var umax = UInt64.min
    var smin = Int64.max
    var smax = Int64.min
    var lowMin = Int32.max
    var lowMax = Int32.min

    /// Takes in a comparison of the value with `other`. Whichever way it goes, it ends the value on one side at
    /// `other` and on the other side beside it; (in)equality, at which counting stops, beside it on both.
    @inline(__always)
    mutating func note(_ relation: Relation, _ other: AbstractValue, _ isNarrow: Bool) {
        let isEquality = relation == .equal || relation == .notEqual
        let isBelow = relation == .less || relation == .greaterOrEqual || isEquality
        let isAbove = relation == .greater || relation == .lessOrEqual || isEquality
        let low = other.low
        var (least, most) = (other.wide.umin, other.wide.umax)
        if isNarrow { (least, most) = (UInt64(low.umin), UInt64(low.umax)) }
        umax = max(umax, isBelow && most > 0 ? most - 1 : most)
        umin = min(umin, isAbove && least < .max ? least + 1 : least)
        smax = max(smax, isBelow && other.wide.smax > .min ? other.wide.smax - 1 : other.wide.smax)
        smin = min(smin, isAbove && other.wide.smin < .max ? other.wide.smin + 1 : other.wide.smin)
        lowMax = max(lowMax, isBelow && low.smax > .min ? low.smax - 1 : low.smax)
        lowMin = min(lowMin, isAbove && low.smin < .max ? low.smin + 1 : low.smin)
    }
}

extension Relation {
    init(_ operation: Operation) {
        switch operation {
        case .blt: self = .less
        case .ble: self = .lessOrEqual
        case .bgt: self = .greater
        case .bge: self = .greaterOrEqual
        case .beq: self = .equal
        default: self = .notEqual
        }
    }

    var swapped: Relation {
        switch self {
        case .less: .greater
        case .lessOrEqual: .greaterOrEqual
        case .greater: .less
        case .greaterOrEqual: .lessOrEqual
        case .equal, .notEqual: self
        }
    }
}

extension RegisterValues {
    /// Takes in that a branch was taken, or was not. False: it cannot be; the values are then of no use.
    func assume(_ instruction: Instruction, isTaken: Bool) -> Bool {
        let opcode = instruction.opcode
        guard !opcode.type.isFloat else { return true }
        let relation = isTaken ? Relation(opcode.operation) : Relation(opcode.operation).inverted
        let left = place(instruction.rs1)
        let right = second(instruction)
        if opcode.type.size == 4 {
            let (oldA, oldB) = (left.pointee.low, right.pointee.low)
            var (a, b) = (oldA, oldB)
            return Numeric.assume(&a, relation, &b, signed: opcode.type.isSigned)
                && (a == oldA || left.pointee.refineLow(a)) && (b == oldB || right.pointee.refineLow(b))
        }
        guard left.pointee.region == right.pointee.region,
            left.pointee.isNumber || areComparable(left.pointee, right.pointee, relation)
        else { return true }
        var (a, b) = (left.pointee.wide, right.pointee.wide)
        let isSigned = opcode.type.isSigned && left.pointee.isNumber
        guard Numeric.assume(&a, relation, &b, signed: isSigned) else { return false }
        if a != left.pointee.wide { left.pointee.refineWide(a) }
        if b != right.pointee.wide { right.pointee.refineWide(b) }
        return true
    }

    /// Remembers where a branch ends the values of its registers, whichever way it goes.
    func noteEnds(_ instruction: Instruction, _ ends: UnsafeMutablePointer<ComparedEnds>) {
        let opcode = instruction.opcode
        guard !opcode.type.isFloat else { return }
        let relation = Relation(opcode.operation)
        let isNarrow = opcode.type.size == 4
        ends[Int(instruction.rs1.number & 31)].note(relation, second(instruction).pointee, isNarrow)
        guard opcode.form == .register else { return }
        ends[Int(instruction.rs2.number & 31)].note(relation.swapped, self[instruction.rs1], isNarrow)
    }

    /// Whether two addresses in one region compare as their offsets do. Equality always does. For order, no address
    /// may wrap: installed regions end below 2^63, so an offset below 2^63 does not.
    private func areComparable(
        _ left: AbstractValue, _ right: AbstractValue, _ relation: Relation
    ) -> Bool {
        switch relation {
        case .equal, .notEqual: true
        case .less, .lessOrEqual, .greater, .greaterOrEqual: left.wide.smin >= 0 && right.wide.smin >= 0
        }
    }
}
