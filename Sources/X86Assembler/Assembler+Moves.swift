// Moves, loads, stores and extensions.

extension Assembler {
    // MARK: Registers

    /// `mov r, r`: 89 /r
    public mutating func mov(_ width: Width, _ destination: GPR, _ source: GPR) {
        emit(Opcode(0x89), width, reg: source, rm: destination)
    }

    /// `mov r, imm`, all 64 bits, in the smallest encoding that leaves the flags alone:
    /// B8+r id (zero-extended), REX.W C7 /0 id (sign-extended), or REX.W B8+r io
    public mutating func mov(_ destination: GPR, immediate: UInt64) {
        if let short = UInt32(exactly: immediate) {
            if emit(Opcode(0xB8), .w32, plus: destination) { buffer.put(short) }
        } else if let short = Int32(exactly: Int64(bitPattern: immediate)) {
            emit(Opcode(0xC7), .w64, reg: 0, rm: destination, .id(UInt32(bitPattern: short)))
        } else {
            if emit(Opcode(0xB8), .w64, plus: destination) { buffer.put(immediate) }
        }
    }

    /// `xor r, r`: the smallest way to 0; changes the flags
    public mutating func zero(_ destination: GPR) {
        alu(.xor, .w32, destination, destination)
    }

    /// `push r`: 50+r
    public mutating func push(_ source: GPR) {
        _ = emit(Opcode(0x50), .w32, plus: source)
    }

    /// `pop r`: 58+r
    public mutating func pop(_ destination: GPR) {
        _ = emit(Opcode(0x58), .w32, plus: destination)
    }

    // MARK: Extension

    /// The low bits of `source`, zero-extended: 0F B6 /r, 0F B7 /r, or `mov`
    public mutating func zeroExtend(_ size: MemoryWidth, _ destination: GPR, _ source: GPR) {
        switch size {
        case .w8: emit(Opcode(0x0F, 0xB6), .w32, reg: destination, rm: source, isByte: true)
        case .w16: emit(Opcode(0x0F, 0xB7), .w32, reg: destination, rm: source)
        case .w32: emit(Opcode(0x8B), .w32, reg: destination, rm: source)
        case .w64: emit(Opcode(0x8B), .w64, reg: destination, rm: source)
        }
    }

    /// The low bits of `source`, sign-extended to `width`: 0F BE /r, 0F BF /r, 63 /r (movsxd), or `mov`
    public mutating func signExtend(
        _ size: MemoryWidth, to width: Width, _ destination: GPR, _ source: GPR
    ) {
        switch (size, width) {
        case (.w8, _): emit(Opcode(0x0F, 0xBE), width, reg: destination, rm: source, isByte: true)
        case (.w16, _): emit(Opcode(0x0F, 0xBF), width, reg: destination, rm: source)
        case (.w32, .w64): emit(Opcode(0x63), .w64, reg: destination, rm: source)
        case (.w32, .w32), (.w64, _): emit(Opcode(0x8B), width, reg: destination, rm: source)
        }
    }

    // MARK: Loads

    /// Loads and zero-extends to 64 bits: 0F B6 /r, 0F B7 /r, 8B /r, REX.W 8B /r
    public mutating func load(_ size: MemoryWidth, _ destination: GPR, _ source: Memory) {
        switch size {
        case .w8: emit(Opcode(0x0F, 0xB6), .w32, reg: destination, rm: source)
        case .w16: emit(Opcode(0x0F, 0xB7), .w32, reg: destination, rm: source)
        case .w32: emit(Opcode(0x8B), .w32, reg: destination, rm: source)
        case .w64: emit(Opcode(0x8B), .w64, reg: destination, rm: source)
        }
    }

    /// Loads and sign-extends to `width`: 0F BE /r, 0F BF /r, REX.W 63 /r (movsxd), or a plain load
    public mutating func loadSigned(
        _ size: MemoryWidth, to width: Width, _ destination: GPR, _ source: Memory
    ) {
        switch (size, width) {
        case (.w8, _): emit(Opcode(0x0F, 0xBE), width, reg: destination, rm: source)
        case (.w16, _): emit(Opcode(0x0F, 0xBF), width, reg: destination, rm: source)
        case (.w32, .w64): emit(Opcode(0x63), .w64, reg: destination, rm: source)
        case (.w32, .w32), (.w64, _): emit(Opcode(0x8B), width, reg: destination, rm: source)
        }
    }

    // MARK: Stores

    /// Stores the low bits of a register: 88 /r, 66 89 /r, 89 /r, REX.W 89 /r
    public mutating func store(_ size: MemoryWidth, _ destination: Memory, _ source: GPR) {
        switch size {
        case .w8: emit(Opcode(0x88), .w32, reg: source, rm: destination, isByte: true)
        case .w16: emit(Opcode(0x66, 0, 0x89), .w32, reg: source, rm: destination)
        case .w32: emit(Opcode(0x89), .w32, reg: source, rm: destination)
        case .w64: emit(Opcode(0x89), .w64, reg: source, rm: destination)
        }
    }

    /// Stores the low bits of an immediate, sign-extended for 64 bits:
    /// C6 /0 ib, 66 C7 /0 iw, C7 /0 id, REX.W C7 /0 id
    public mutating func store(_ size: MemoryWidth, _ destination: Memory, immediate: Int32) {
        let value = UInt32(bitPattern: immediate)
        switch size {
        case .w8: emit(Opcode(0xC6), .w32, reg: 0, rm: destination, .ib(UInt8(truncatingIfNeeded: value)))
        case .w16:
            emit(Opcode(0x66, 0, 0xC7), .w32, reg: 0, rm: destination, .iw(UInt16(truncatingIfNeeded: value)))
        case .w32: emit(Opcode(0xC7), .w32, reg: 0, rm: destination, .id(value))
        case .w64: emit(Opcode(0xC7), .w64, reg: 0, rm: destination, .id(value))
        }
    }

    // MARK: Addresses

    /// `lea r, m`: 8D /r
    public mutating func lea(_ width: Width, _ destination: GPR, _ source: Memory) {
        emit(Opcode(0x8D), width, reg: destination, rm: source)
    }

    /// `lea r, [rip + label]`: REX.W 8D /r with mod 00, r/m 101, and the distance from the end
    public mutating func lea(_ destination: GPR, _ label: CodeLabel) {
        guard buffer.reserve() else { return }
        buffer.put(0x48 | destination.rawValue >> 1 & 0b100)
        buffer.put(0x8D as UInt8)
        buffer.put(0b00_000_101 | (destination.rawValue & 7) << 3)
        buffer.put(0 as UInt32)
        useLabel(label, .rel32)
    }

    // MARK: Conditional

    /// `setcc r8`: 0F 90+cc /0. Writes the low 8 bits only.
    public mutating func set(_ condition: Condition, _ destination: GPR) {
        emit(Opcode(0x0F, 0x90 | condition.rawValue), .w32, reg: 0, rm: destination, isByte: true)
    }
}
