import SCodeIR

/// The values of the 32 integer registers at one place; a view of memory that someone else owns.
struct RegisterValues {
    let base: UnsafeMutablePointer<AbstractValue>

    @inline(__always)
    subscript(register: Register) -> AbstractValue {
        get { base[Int(register.number & 31)] }
        nonmutating set { base[Int(register.number & 31)] = newValue }
    }

    /// The last source operand: a register or the constant in the instruction.
    @inline(__always)
    func second(_ instruction: Instruction) -> AbstractValue {
        instruction.opcode.form == .immediate
            ? AbstractValue(constant: UInt64(bitPattern: instruction.immediate)) : self[instruction.rs2]
    }

    /// The effective address of a load or store.
    @inline(__always)
    func address(of instruction: Instruction) -> AbstractValue {
        Self.sum(self[instruction.rs1], second(instruction))
    }

    /// The effect of one instruction on the registers. *Requires* V1 and V5.
    func step(_ instruction: Instruction, _ code: FragmentCode, _ macros: [MacroInstruction]) {
        let opcode = instruction.opcode
        switch opcode.operation {
        case .add, .sub, .mul, .div, .mod, .and, .or, .xor, .lsh, .rsh:
            if opcode.type.isFloat { return }
            self[instruction.rd] = Self.binary(opcode, self[instruction.rs1], second(instruction))
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
        case .hostCall, .macro:
            let index = Int(instruction.index)
            for (operand, kind) in zip(code.macroCalls[index].operands, macros[index].operands) {
                if case .register(let register) = operand, case .result(let type) = kind, !type.isFloat {
                    self[register] = AbstractValue(unknownOf: type)
                }
            }
        case .store, .atomicAdd, .atomicAnd, .atomicOr, .atomicXor, .blt, .ble, .bgt, .bge, .beq, .bne, .jump,
            .jumpTable, .call, .return:
            break
        }
    }

    // MARK: Operations

    @inline(__always)
    private static func binary(_ opcode: Opcode, _ a: AbstractValue, _ b: AbstractValue) -> AbstractValue {
        if opcode.type.size == 4 {
            return AbstractValue(zeroExtending: arithmetic(opcode, a.low, b.low))
        }
        switch opcode.operation {
        case .add: return sum(a, b)
        case .sub: return difference(a, b)
        default:
            let result = AbstractValue(arithmetic(opcode, a.number, b.number))
            // Rounding an address down, and the like: where it came from is worth remembering.
            guard !a.isNumber || !b.isNumber, opcode.operation == .and || opcode.operation == .or,
                a.isNumber || b.isNumber
            else { return result }
            var pointer = AbstractValue.top
            pointer.region = a.isNumber ? b.region : a.region
            return pointer
        }
    }

    /// Addresses plus numbers are addresses; two addresses make a number of which nothing is known.
    @inline(__always)
    static func sum(_ a: AbstractValue, _ b: AbstractValue) -> AbstractValue {
        guard a.isNumber || b.isNumber else { return .top }
        return AbstractValue(a.wide.adding(b.wide), region: min(a.region, b.region))
    }

    /// The distance of two addresses in one region is that of their offsets.
    @inline(__always)
    private static func difference(_ a: AbstractValue, _ b: AbstractValue) -> AbstractValue {
        if b.isNumber { return AbstractValue(a.wide.subtracting(b.wide), region: a.region) }
        return a.region == b.region ? AbstractValue(a.wide.subtracting(b.wide)) : .top
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
