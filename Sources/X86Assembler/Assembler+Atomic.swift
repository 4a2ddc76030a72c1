// Instructions that read and write memory at once.

extension Assembler {
    /// `lock op m, r`: F0 row+01 /r; not `cmp`, which writes nothing
    public mutating func locked(_ op: ALU, _ width: Width, _ destination: Memory, _ source: GPR) {
        emit(Opcode(0xF0, 0, op.row | 0x01), width, reg: source, rm: destination)
    }

    /// `lock xadd m, r`: F0 0F C1 /r. The register gets what was in memory.
    public mutating func lockedXadd(_ width: Width, _ destination: Memory, _ operand: GPR) {
        emit(Opcode(0xF0, 0x0F, 0xC1), width, reg: operand, rm: destination)
    }

    /// `lock cmpxchg m, r`: F0 0F B1 /r. Compares with rax, which gets what was in memory; zero set: stored.
    public mutating func lockedCmpxchg(_ width: Width, _ destination: Memory, _ new: GPR) {
        emit(Opcode(0xF0, 0x0F, 0xB1), width, reg: new, rm: destination)
    }

    /// `xchg m, r`: 87 /r. Locked by itself.
    public mutating func xchg(_ width: Width, _ destination: Memory, _ operand: GPR) {
        emit(Opcode(0x87), width, reg: operand, rm: destination)
    }
}
