import SCodeIR

/// What is known of a register's value. The order is by knowledge: `unknown` is the top.
struct AbstractValue: Hashable, BitwiseCopyable {
    enum Kind: UInt8, BitwiseCopyable {
        case constant
        /// The base of a region plus a known offset.
        case pointer
        /// Computed from the base of a region.
        case based
        case unknown
    }
    var kind: Kind
    var region: UInt8
    /// The constant, or the offset.
    var offset: Int64

    static let unknown = AbstractValue(kind: .unknown, region: 0, offset: 0)
    static func constant(_ value: Int64) -> AbstractValue {
        AbstractValue(kind: .constant, region: 0, offset: value)
    }
    static func pointer(_ region: UInt8, _ offset: Int64) -> AbstractValue {
        AbstractValue(kind: .pointer, region: region, offset: offset)
    }
    static func based(_ region: UInt8) -> AbstractValue {
        AbstractValue(kind: .based, region: region, offset: 0)
    }

    /// What is known when the value is either of the two.
    func joined(_ other: AbstractValue) -> AbstractValue {
        if self == other { return self }
        guard kind == .pointer || kind == .based, other.kind == .pointer || other.kind == .based,
            region == other.region
        else { return .unknown }
        return .based(region)
    }

    /// The sum mod 2^64 of two 64-bit values.
    func adding(_ other: AbstractValue) -> AbstractValue {
        switch (kind, other.kind) {
        case (.constant, .constant): .constant(offset &+ other.offset)
        case (.pointer, .constant): advanced(by: other.offset)
        case (.constant, .pointer): other.advanced(by: offset)
        case (.pointer, .unknown), (.based, .unknown), (.based, .constant): .based(region)
        case (.unknown, .pointer), (.unknown, .based), (.constant, .based): .based(other.region)
        default: .unknown
        }
    }

    /// The difference mod 2^64 of two 64-bit values.
    func subtracting(_ other: AbstractValue) -> AbstractValue {
        switch (kind, other.kind) {
        case (.constant, .constant): .constant(offset &- other.offset)
        case (.pointer, .constant) where other.offset != .min: advanced(by: -other.offset)
        case (.pointer, .unknown), (.based, .unknown), (.based, .constant), (.pointer, .constant):
            .based(region)
        default: .unknown
        }
    }

    private func advanced(by distance: Int64) -> AbstractValue {
        let (sum, overflow) = offset.addingReportingOverflow(distance)
        return overflow ? .based(region) : .pointer(region, sum)
    }
}

/// What is known at one place of a fragment.
struct FlowState {
    /// Per register.
    var values: [AbstractValue]

    subscript(register: Register) -> AbstractValue {
        get { values[Int(register.number)] }
        set { values[Int(register.number)] = newValue }
    }

    /// Takes in what holds on another path. Returns whether anything was lost.
    mutating func join(_ other: FlowState) -> Bool {
        var changed = false
        for index in values.indices where values[index] != other.values[index] {
            let joined = values[index].joined(other.values[index])
            if joined != values[index] {
                values[index] = joined
                changed = true
            }
        }
        return changed
    }

    /// The effect of one instruction.
    mutating func step(_ instruction: Instruction, _ code: FragmentCode, _ macros: [MacroInstruction]) {
        let written = instruction.writes(code, macros)
        let value = result(of: instruction)
        for register in written.registers { self[register] = value }
    }

    private func result(of instruction: Instruction) -> AbstractValue {
        let opcode = instruction.opcode
        switch opcode.operation {
        case .set:
            if opcode.form == .symbol {
                return .pointer(UInt8(truncatingIfNeeded: instruction.index), instruction.immediate)
            }
            return .constant(
                Int64(bitPattern: opcode.type.canonical(UInt64(bitPattern: instruction.immediate))))
        case .mov where opcode.type.size == 8:
            return self[instruction.rs1]
        case .add where opcode.type.size == 8:
            return self[instruction.rs1].adding(second(instruction))
        case .sub where opcode.type.size == 8:
            return self[instruction.rs1].subtracting(second(instruction))
        default:
            return .unknown
        }
    }

    private func second(_ instruction: Instruction) -> AbstractValue {
        instruction.opcode.form == .immediate ? .constant(instruction.immediate) : self[instruction.rs2]
    }

    /// The effective address of a load or store.
    func address(of instruction: Instruction) -> AbstractValue {
        self[instruction.rs1].adding(second(instruction))
    }
}
