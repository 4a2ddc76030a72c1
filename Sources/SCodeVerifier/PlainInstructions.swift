import SCodeIR

/// Instructions of which one look tells that they obey the rules V1 to V5: those without floating-point numbers, jumps
/// through tables, macro-instructions and mistakes. `StructuralRules` says what is wrong with others, if anything is.
struct PlainInstructions: BitwiseCopyable {
    /// The registers, as bits, that may be named, and that may be written.
    private let named: UInt64
    private let writable: UInt64
    /// How many there are of what an index may name.
    private let regions: UInt32
    private let labels: UInt32
    private let procedures: UInt32

    init(labels: Int, procedures: Int, regions: Int, mapped: RegisterSet, readOnly: RegisterSet) {
        named = mapped.intersection(.integers).rawValue
        writable = named & ~readOnly.rawValue
        self.regions = UInt32(clamping: regions)
        self.labels = UInt32(clamping: labels)
        self.procedures = UInt32(clamping: procedures)
    }

    /// The registers that an instruction reads and writes; nil when it is none of these.
    @inline(__always)
    func registers(_ instruction: Instruction, _ facts: Opcode.Facts) -> (reads: UInt64, writes: UInt64)? {
        let fields = facts.fields
        let (rd, rs1, rs2) = (instruction.rd.number, instruction.rs1.number, instruction.rs2.number)
        let hasRd = !fields.isDisjoint(with: .rd)
        let (hasRs1, hasRs2) = (fields.contains(.source), fields.contains(.source2))
        let unused = (hasRd ? 0 : rd) | (hasRs1 ? 0 : rs1) | (hasRs2 ? 0 : rs2)
        guard unused == 0, rd | rs1 | rs2 < UInt8(Register.bankSize),
            instruction.opcode.isPlain(facts)
        else { return nil }
        let writes = bit(rd, if: !fields.isDisjoint(with: .writesRd))
        let reads =
            bit(rd, if: !fields.isDisjoint(with: .readsRd)) | bit(rs1, if: hasRs1) | bit(rs2, if: hasRs2)
        guard (reads | writes) & ~named | writes & ~writable == 0, instruction.index < limit(fields),
            hasPlainConstant(instruction, facts)
        else { return nil }
        return (reads, writes)
    }

    @inline(__always)
    private func bit(_ register: UInt8, if condition: Bool) -> UInt64 {
        (condition ? 1 : 0) &<< UInt64(register)
    }

    /// Indices are below this. Where none is meant it is 0.
    @inline(__always)
    private func limit(_ fields: OperandFields) -> UInt32 {
        if fields.isDisjoint(with: .index) { return 1 }
        if fields.contains(.label) { return labels }
        return fields.contains(.symbol) ? regions : procedures
    }

    @inline(__always)
    private func hasPlainConstant(_ instruction: Instruction, _ facts: Opcode.Facts) -> Bool {
        let constant = instruction.immediate
        if constant == 0 || facts.fields.contains(.symbol) { return true }
        guard facts.fields.contains(.immediate) else { return false }
        return facts.shape.isAccess
            ? constant == Int64(Int32(truncatingIfNeeded: constant))
            : constant == instruction.opcode.type.immediate(constant)
    }
}
