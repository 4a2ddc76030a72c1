import SCodeIR

/// The values of the 32 integer registers at one place; a view of memory that someone else owns.
///
/// The operations take their operands where they lie and leave the result there: 64 bytes are a lot to copy.
struct RegisterValues {
    /// Values in memory: the registers, and room for one constant.
    static let count = Register.bankSize + 1
    typealias Place = UnsafeMutablePointer<AbstractValue>

    let base: Place

    @inline(__always)
    subscript(register: Register) -> AbstractValue {
        get { place(register).pointee }
        nonmutating set { place(register).pointee = newValue }
    }

    @inline(__always)
    func place(_ register: Register) -> Place { base + Int(register.number & 31) }

    /// The last source operand: a register or the constant in the instruction. Holds until it is asked for again.
    @inline(__always)
    func second(_ instruction: Instruction) -> Place {
        guard instruction.opcode.form == .immediate else { return place(instruction.rs2) }
        let constant = base + Register.bankSize
        constant.pointee = AbstractValue(constant: UInt64(bitPattern: instruction.immediate))
        return constant
    }

    /// The effective address of a load or store.
    @inline(__always)
    func address(of instruction: Instruction) -> AbstractValue {
        Self.sum(place(instruction.rs1), second(instruction))
    }

    /// The effect of a macro-instruction, or of a call of a host function, on the registers.
    func step(_ call: MacroCall, _ macro: MacroInstruction) {
        for (operand, kind) in zip(call.operands, macro.operands) {
            if case .register(let register) = operand, case .result(let type) = kind, !type.isFloat {
                self[register] = AbstractValue(unknownOf: type)
            }
        }
    }

    /// The effect of any other instruction. *Requires* V1 and V5.
    func step(_ instruction: Instruction) {
        let opcode = instruction.opcode
        switch opcode.operation {
        case .add, .sub, .mul, .div, .mod, .and, .or, .xor, .lsh, .rsh:
            if opcode.type.isFloat { return }
            Self.binary(opcode, place(instruction.rs1), second(instruction), into: place(instruction.rd))
        case .com, .not, .mov, .neg, .byteSwap, .countLeadingZeros, .countTrailingZeros, .populationCount:
            if opcode.type.isFloat { return }
            self[instruction.rd] = Self.unary(opcode, self[instruction.rs1])
        case .set:
            if opcode.form == .symbol {
                self[instruction.rd] = .pointer(
                    UInt8(truncatingIfNeeded: instruction.index), offset: instruction.immediate)
            } else if !opcode.type.isFloat {
                let value = opcode.type.canonical(UInt64(bitPattern: instruction.immediate))
                self[instruction.rd] = AbstractValue(constant: value)
            }
        case .convert:
            if opcode.type.isFloat { return }
            self[instruction.rd] =
                opcode.sourceType.isFloat
                ? AbstractValue(unknownOf: opcode.type)
                : Self.convert(self[instruction.rs1], from: opcode.sourceType, to: opcode.type)
        case .load, .fetchAdd, .fetchAnd, .fetchOr, .fetchXor, .exchange, .compareExchange:
            if opcode.type.isFloat { return }
            self[instruction.rd] = AbstractValue(unknownOf: opcode.type)
        case .store, .atomicAdd, .atomicAnd, .atomicOr, .atomicXor, .blt, .ble, .bgt, .bge, .beq, .bne, .jump,
            .jumpTable, .call, .return, .hostCall, .macro:
            break
        }
    }

    // MARK: Operations

    @inline(__always)
    private static func binary(_ opcode: Opcode, _ a: Place, _ b: Place, into result: Place) {
        if opcode.type.size == 4 {
            result.pointee = AbstractValue(zeroExtending: arithmetic(opcode, a.pointee.low, b.pointee.low))
            return
        }
        switch opcode.operation {
        case .add: result.pointee = sum(a, b)
        case .sub: result.pointee = difference(a, b)
        default:
            // Rounding an address down, and the like: where it came from is worth remembering.
            let rounds = opcode.operation == .and || opcode.operation == .or
            if rounds, a.pointee.isNumber != b.pointee.isNumber {
                let region = min(a.pointee.region, b.pointee.region)
                result.pointee = AbstractValue(.top, region: region)
            } else {
                result.pointee = AbstractValue(arithmetic(opcode, a.pointee.number, b.pointee.number))
            }
        }
    }

    /// Addresses plus numbers are addresses; two addresses make a number of which nothing is known.
    @inline(__always)
    static func sum(_ a: Place, _ b: Place) -> AbstractValue {
        guard a.pointee.isNumber || b.pointee.isNumber else { return .top }
        let region = min(a.pointee.region, b.pointee.region)
        // Loaded values are like that: nothing to work out.
        if a.pointee.wide.isTop || b.pointee.wide.isTop { return AbstractValue(.top, region: region) }
        return AbstractValue(a.pointee.wide.adding(b.pointee.wide), region: region)
    }

    /// The distance of two addresses in one region is that of their offsets.
    @inline(__always)
    private static func difference(_ a: Place, _ b: Place) -> AbstractValue {
        let isInside = a.pointee.region == b.pointee.region
        guard b.pointee.isNumber || isInside else { return .top }
        let region = b.pointee.isNumber ? a.pointee.region : AbstractValue.noRegion
        if a.pointee.wide.isTop || b.pointee.wide.isTop { return AbstractValue(.top, region: region) }
        return AbstractValue(a.pointee.wide.subtracting(b.pointee.wide), region: region)
    }

    @inline(__always)
    private static func arithmetic<Word>(
        _ opcode: Opcode, _ a: Numeric<Word>, _ b: Numeric<Word>
    ) -> Numeric<Word> {
        let isSigned = opcode.type.isSigned
        switch opcode.operation {
        case .add: return a.adding(b)
        case .sub: return a.subtracting(b)
        case .mul: return a.multiplied(by: b)
        case .div: return isSigned ? a.dividedSigned(by: b) : a.dividedUnsigned(by: b)
        case .mod: return isSigned ? a.moduloSigned(by: b) : a.moduloUnsigned(by: b)
        case .and: return a.and(b)
        case .or: return a.or(b)
        case .xor: return a.xor(b)
        case .lsh: return a.shiftedLeft(by: b)
        case .rsh: return isSigned ? a.shiftedRightArithmetic(by: b) : a.shiftedRight(by: b)
        default: return .top
        }
    }

    private static func unary(_ opcode: Opcode, _ a: AbstractValue) -> AbstractValue {
        let type = opcode.type
        if opcode.operation == .mov { return type.size == 8 ? a : AbstractValue(zeroExtending: a.low) }
        if type == .us {
            // The two bytes of the low half that count, at the top, swapped there.
            var swapped = a.low.and(Numeric(constant: 0xffff)).bytesSwapped()
            swapped = swapped.shiftedRight(by: Numeric(constant: 16))
            return AbstractValue(zeroExtending: swapped)
        }
        return type.size == 4
            ? AbstractValue(zeroExtending: bitwise(opcode.operation, a.low))
            : AbstractValue(bitwise(opcode.operation, a.number))
    }

    private static func bitwise<Word>(_ operation: Operation, _ a: Numeric<Word>) -> Numeric<Word> {
        switch operation {
        case .com: a.complement()
        case .not: a.isZero()
        case .neg: a.negated()
        case .byteSwap: a.bytesSwapped()
        case .countLeadingZeros: a.leadingZeros()
        case .countTrailingZeros: a.trailingZeros()
        case .populationCount: a.population()
        default: .top
        }
    }

    // MARK: Conversions

    /// As `ValueType.canonical` does, in the same two steps: cut to the source type and extend, then to the target.
    private static func convert(
        _ value: AbstractValue, from source: ValueType, to target: ValueType
    ) -> AbstractValue {
        var number = value
        switch source {
        case .i: number = AbstractValue(signExtended(value.low, from: 32))
        case .u: number = AbstractValue(zeroExtending: value.low)
        case .c, .s, .uc, .us: number = narrowed(value, to: source)
        case .l, .ul, .p, .f, .d: break
        }
        switch target {
        case .c, .s, .uc, .us: return narrowed(number, to: target)
        case .i, .u: return AbstractValue(zeroExtending: number.low)
        case .l, .ul, .p, .f, .d: return number
        }
    }

    private static func signExtended(_ low: Numeric<UInt32>, from bits: Int) -> Numeric<UInt64> {
        var wide = Numeric<UInt64>.top
        (wide.smin, wide.smax) = (Int64(low.smin), Int64(low.smax))
        wide.unknown = UInt64(bitPattern: Int64(Int32(bitPattern: low.unknown)))
        wide.bits = UInt64(bitPattern: Int64(Int32(bitPattern: low.bits))) & ~wide.unknown
        return wide.reduced()
    }

    /// The low 8 or 16 bits, extended to 64 as the type is.
    private static func narrowed(_ value: AbstractValue, to type: ValueType) -> AbstractValue {
        let low = value.low
        if type.isSigned {
            let least = type == .c ? Int32(Int8.min) : Int32(Int16.min)
            let most = type == .c ? Int32(Int8.max) : Int32(Int16.max)
            if low.smin >= least, low.smax <= most { return AbstractValue(signExtended(low, from: 32)) }
            let up = Numeric<UInt32>(constant: UInt32(32 - type.bits))
            return AbstractValue(
                signExtended(low.shiftedLeft(by: up).shiftedRightArithmetic(by: up), from: 32))
        }
        let mask = Numeric<UInt32>(constant: type == .uc ? 0xff : 0xffff)
        return AbstractValue(zeroExtending: low.and(mask))
    }
}
