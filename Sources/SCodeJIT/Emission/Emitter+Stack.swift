import X86Assembler

/// What moves rsp, and what is noted of that for debuggers.
extension Emitter {
    mutating func push(_ register: GPR) {
        assembler.push(register)
        noteStack(stackDepth + 8)
    }

    mutating func pop(_ register: GPR) {
        assembler.pop(register)
        noteStack(stackDepth - 8)
    }

    mutating func growStack(_ bytes: Int32) {
        assembler.alu(.sub, .w64, .rsp, immediate: bytes)
        noteStack(stackDepth + bytes)
    }

    mutating func shrinkStack(_ bytes: Int32) {
        assembler.alu(.add, .w64, .rsp, immediate: bytes)
        noteStack(stackDepth - bytes)
    }

    /// From here on rsp lies so far below the return address: that of the fragment, or of a stub within.
    mutating func noteStack(_ depth: Int32) {
        guard notes != nil else { return }
        stackDepth = depth
        notes?.stack.append(DebugNotes.StackRow(offset: UInt32(assembler.position), depth: depth))
    }

    /// From here on the cold code serves this SCODE instruction.
    mutating func noteColdCode(_ source: UInt32) {
        notes?.cold.append(CodeRange(offset: UInt32(assembler.position), instruction: source))
    }
}
