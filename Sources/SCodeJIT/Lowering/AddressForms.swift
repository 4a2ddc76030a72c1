import SCodeIR

/// A register as a sum: the base of a region, if there is one, an index shifted left, if there is one, and a constant.
struct AddressForm: BitwiseCopyable {
    /// -1: no region.
    var region: Int32 = -1
    var index = Register(0)
    var hasIndex = false
    var scale: UInt8 = 0
    var offset: Int64 = 0

    /// The sum of two, modulo 2^64; nil when it has no such form.
    func plus(_ other: AddressForm) -> AddressForm? {
        guard region < 0 || other.region < 0, !hasIndex || !other.hasIndex else { return nil }
        var sum = self
        if other.region >= 0 { sum.region = other.region }
        if other.hasIndex { (sum.index, sum.hasIndex, sum.scale) = (other.index, true, other.scale) }
        sum.offset = offset &+ other.offset
        return sum
    }
}

/// What registers are known to be sums of, from the last place on to which control comes from elsewhere: so that an
/// access can name what an address was computed from, and the processor adds it up.
struct AddressForms: ~Copyable {
    private struct Known: BitwiseCopyable {
        var register = Register(0)
        var form = AddressForm()
    }

    /// The latest few; there are seldom more, and looking through them must stay cheap.
    private var known = InlineArray<8, Known>(repeating: Known())
    private var count = 0
    /// The registers of which something is known, and those that it is known in terms of.
    private var involved: RegisterSet = []

    mutating func forget() {
        count = 0
        involved = []
    }

    /// To be told of every register that is written, before `define`.
    mutating func invalidate(_ register: Register) {
        if involved.contains(register) { remove(register) }
    }

    private mutating func remove(_ register: Register) {
        var kept = 0
        involved = []
        for index in 0..<count {
            let form = known[index].form
            if known[index].register == register { continue }
            if form.hasIndex, form.index == register { continue }
            known[kept] = known[index]
            note(known[kept])
            kept += 1
        }
        count = kept
    }

    private mutating func note(_ one: Known) {
        involved.insert(one.register)
        if one.form.hasIndex { involved.insert(one.form.index) }
    }

    mutating func define(_ register: Register, _ form: AddressForm) {
        // It is computed from what it was itself.
        if form.hasIndex, form.index == register { return }
        if count == known.count {
            for index in 1..<count { known[index - 1] = known[index] }
            count -= 1
        }
        known[count] = Known(register: register, form: form)
        note(known[count])
        count += 1
    }

    subscript(register: Register) -> AddressForm? {
        guard involved.contains(register) else { return nil }
        for index in 0..<count where known[index].register == register { return known[index].form }
        return nil
    }
}

extension Lowering {
    /// What a register is the sum of; itself if nothing else is known.
    private mutating func form(_ register: Register) -> AddressForm {
        if let known = forms[register] { return known }
        if let (region, offset) = onlyBase(register) {
            return AddressForm(region: Int32(region), offset: offset)
        }
        return AddressForm(index: register, hasIndex: true)
    }

    /// Follows an instruction that has been lowered.
    mutating func follow(_ instruction: Instruction) {
        // Without a base there is no sum that an access could name.
        guard bases.areSet else { return }
        // Who calls keeps what the verifier says is live, not what accesses name.
        switch instruction.opcode.operation {
        case .call, .macro, .hostCall: return forms.forget()
        default: break
        }
        guard !facts[instruction.opcode].fields.isDisjoint(with: .writesRd) else { return }
        let form = result(instruction)
        forms.invalidate(instruction.rd)
        if let form { forms.define(instruction.rd, form) }
    }

    /// What an instruction writes, if it is a sum that an access could name.
    private mutating func result(_ instruction: Instruction) -> AddressForm? {
        let opcode = instruction.opcode
        guard opcode.type.size == 8, !opcode.type.isFloat else { return nil }
        switch opcode.operation {
        case .add where opcode.form == .immediate:
            return form(instruction.rs1).plus(AddressForm(offset: instruction.immediate))
        case .add where opcode.form == .register: return form(instruction.rs1).plus(form(instruction.rs2))
        case .sub where opcode.form == .immediate:
            return form(instruction.rs1).plus(AddressForm(offset: 0 &- instruction.immediate))
        case .lsh where opcode.form == .immediate:
            let count = instruction.immediate & 63
            return (1...3).contains(count)
                ? AddressForm(index: instruction.rs1, hasIndex: true, scale: UInt8(count)) : nil
        case .mov: return form(instruction.rs1)
        case .set where opcode.form == .symbol:
            return AddressForm(region: Int32(instruction.index), offset: instruction.immediate)
        default: return nil
        }
    }

    /// The address of an access as a sum with the base of its region.
    mutating func address(of instruction: Instruction, in region: UInt32) -> AddressForm? {
        guard bases.areSet else { return nil }
        let address = form(instruction.rs1)
        let sum =
            instruction.opcode.form == .immediate
            ? address.plus(AddressForm(offset: instruction.immediate)) : address.plus(form(instruction.rs2))
        guard let sum, sum.region == Int32(region), Int32(exactly: sum.offset) != nil else { return nil }
        return sum
    }
}
