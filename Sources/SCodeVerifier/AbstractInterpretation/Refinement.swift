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
    /// Takes in that a branch was taken, or was not. False: it cannot be.
    func assume(_ instruction: Instruction, isTaken: Bool, regions: [Region]) -> Bool {
        let opcode = instruction.opcode
        guard !opcode.type.isFloat else { return true }
        let relation = isTaken ? Relation(opcode.operation) : Relation(opcode.operation).inverted
        var left = self[instruction.rs1]
        var right = second(instruction)
        let isRegister = opcode.form == .register
        let isPossible: Bool
        if opcode.type.size == 4 {
            var (a, b) = (left.low, right.low)
            isPossible =
                Numeric.assume(&a, relation, &b, signed: opcode.type.isSigned) && left.refineLow(a)
                && right.refineLow(b)
        } else if left.region != right.region
            || !left.isNumber && !areComparable(left, right, relation, regions)
        {
            return true
        } else {
            var (a, b) = (left.wide, right.wide)
            isPossible = Numeric.assume(&a, relation, &b, signed: opcode.type.isSigned && left.isNumber)
            left.refineWide(a)
            right.refineWide(b)
        }
        if isPossible {
            self[instruction.rs1] = left
            if isRegister, instruction.rs2 != instruction.rs1 { self[instruction.rs2] = right }
        }
        return isPossible
    }

    /// Remembers where a branch ends the values of its registers, whichever way it goes.
    func noteEnds(_ instruction: Instruction, _ ends: UnsafeMutablePointer<ComparedEnds>) {
        let opcode = instruction.opcode
        guard !opcode.type.isFloat else { return }
        let relation = Relation(opcode.operation)
        let right = second(instruction)
        note(instruction.rs1, relation, right, opcode, ends)
        note(instruction.rs1, relation.inverted, right, opcode, ends)
        guard opcode.form == .register else { return }
        let left = self[instruction.rs1]
        note(instruction.rs2, relation.swapped, left, opcode, ends)
        note(instruction.rs2, relation.swapped.inverted, left, opcode, ends)
    }

    /// Whether two addresses in one region compare as their offsets do. Equality always does. For order, no address
    /// may wrap: installed regions end below 2^63, so an offset below 2^63 does not.
    private func areComparable(
        _ left: AbstractValue, _ right: AbstractValue, _ relation: Relation, _ regions: [Region]
    ) -> Bool {
        switch relation {
        case .equal, .notEqual: true
        case .less, .lessOrEqual, .greater, .greaterOrEqual: left.wide.smin >= 0 && right.wide.smin >= 0
        }
    }

    /// Remembers where a comparison with `other` ends the register's value.
    private func note(
        _ register: Register, _ relation: Relation, _ other: AbstractValue, _ opcode: Opcode,
        _ ends: UnsafeMutablePointer<ComparedEnds>
    ) {
        let place = ends + Int(register.number & 31)
        let (bound, low) = (other.wide, other.low)
        let isNarrow = opcode.type.size == 4
        let umin = isNarrow ? UInt64(low.umin) : bound.umin
        let umax = isNarrow ? UInt64(low.umax) : bound.umax
        switch relation {
        case .less:
            place.pointee.umax = max(place.pointee.umax, umax &- (umax > 0 ? 1 : 0))
            place.pointee.smax = max(place.pointee.smax, bound.smax &- (bound.smax > .min ? 1 : 0))
            place.pointee.lowMax = max(place.pointee.lowMax, low.smax &- (low.smax > .min ? 1 : 0))
        case .lessOrEqual:
            place.pointee.umax = max(place.pointee.umax, umax)
            place.pointee.smax = max(place.pointee.smax, bound.smax)
            place.pointee.lowMax = max(place.pointee.lowMax, low.smax)
        case .greater:
            place.pointee.umin = min(place.pointee.umin, umin &+ (umin < .max ? 1 : 0))
            place.pointee.smin = min(place.pointee.smin, bound.smin &+ (bound.smin < .max ? 1 : 0))
            place.pointee.lowMin = min(place.pointee.lowMin, low.smin &+ (low.smin < .max ? 1 : 0))
        case .greaterOrEqual:
            place.pointee.umin = min(place.pointee.umin, umin)
            place.pointee.smin = min(place.pointee.smin, bound.smin)
            place.pointee.lowMin = min(place.pointee.lowMin, low.smin)
        case .notEqual:
            // Counting down, or up, to a constant stops beside it.
            note(register, .greater, other, opcode, ends)
            note(register, .less, other, opcode, ends)
        case .equal: break
        }
    }
}
