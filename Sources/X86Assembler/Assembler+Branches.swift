// Jumps, calls, tables of jump targets, padding.

extension Assembler {
    // MARK: Jumps to labels

    /// `jcc label`: 70+cc cb backward when it reaches, else 0F 80+cc cd
    public mutating func jcc(_ condition: Condition, _ label: CodeLabel) {
        guard buffer.reserve() else { return }
        if let distance = shortDistance(backTo: label) {
            buffer.put(0x70 | condition.rawValue)
            buffer.put(distance)
        } else {
            buffer.put(0x0F as UInt8)
            buffer.put(0x80 | condition.rawValue)
            buffer.put(0 as UInt32)
            useLabel(label, .rel32)
        }
    }

    /// `jmp label`: EB cb backward when it reaches, else E9 cd
    public mutating func jmp(_ label: CodeLabel) {
        guard buffer.reserve() else { return }
        if let distance = shortDistance(backTo: label) {
            buffer.put(0xEB as UInt8)
            buffer.put(distance)
        } else {
            buffer.put(0xE9 as UInt8)
            buffer.put(0 as UInt32)
            useLabel(label, .rel32)
        }
    }

    /// `jcc label`: 70+cc cb, whatever the direction; `finish` throws when it does not reach
    public mutating func jccShort(_ condition: Condition, _ label: CodeLabel) {
        guard buffer.reserve() else { return }
        buffer.put(0x70 | condition.rawValue)
        buffer.put(0 as UInt8)
        useLabel(label, .rel8)
    }

    /// `jmp label`: EB cb, whatever the direction; `finish` throws when it does not reach
    public mutating func jmpShort(_ label: CodeLabel) {
        guard buffer.reserve() else { return }
        buffer.put(0xEB as UInt8)
        buffer.put(0 as UInt8)
        useLabel(label, .rel8)
    }

    /// `call label`: E8 cd
    public mutating func call(_ label: CodeLabel) {
        guard buffer.reserve() else { return }
        buffer.put(0xE8 as UInt8)
        buffer.put(0 as UInt32)
        useLabel(label, .rel32)
    }

    /// The displacement of a two-byte jump here to a label behind, if a byte can hold it.
    private func shortDistance(backTo label: CodeLabel) -> UInt8? {
        guard let target = offset(of: label), let distance = Int8(exactly: target - (position + 2)) else {
            return nil
        }
        return UInt8(bitPattern: distance)
    }

    // MARK: Computed targets

    /// `jmp r`: FF /4
    public mutating func jmp(_ target: GPR) {
        emit(Opcode(0xFF), .w32, reg: 4, rm: target)
    }

    /// `jmp m`: FF /4
    public mutating func jmp(_ target: Memory) {
        emit(Opcode(0xFF), .w32, reg: 4, rm: target)
    }

    /// `call r`: FF /2
    public mutating func call(_ target: GPR) {
        emit(Opcode(0xFF), .w32, reg: 2, rm: target)
    }

    /// `call m`: FF /2
    public mutating func call(_ target: Memory) {
        emit(Opcode(0xFF), .w32, reg: 2, rm: target)
    }

    /// `ret`: C3
    public mutating func ret() { single(0xC3) }

    /// `ud2`: 0F 0B
    public mutating func ud2() {
        guard buffer.reserve() else { return }
        buffer.put(0x0F as UInt8)
        buffer.put(0x0B as UInt8)
    }

    private mutating func single(_ opcode: UInt8) {
        guard buffer.reserve() else { return }
        buffer.put(opcode)
    }

    // MARK: Data and padding

    /// One entry of a jump table: 32 bits, the distance from `origin` to `label`.
    public mutating func emitTableEntry(_ label: CodeLabel, relativeTo origin: CodeLabel) {
        guard buffer.reserve() else { return }
        buffer.put(0 as UInt32)
        useLabel(label, .tableEntry, relativeTo: origin)
    }

    /// Padding of `count` bytes that may be executed: the manual's recommended forms, the longest first.
    public mutating func nop(_ count: Int = 1) {
        var remaining = count
        while remaining > 0 && buffer.reserve() {
            let length = min(remaining, 9)
            putNop(length)
            remaining -= length
        }
    }

    /// Pads until `position` is a multiple of `alignment`, a power of two.
    public mutating func align(to alignment: Int) {
        nop(-position & (alignment - 1))
    }

    private mutating func putNop(_ length: Int) {
        // 90; 66 90; else [66] 0F 1F /0 with an address as long as needed. Bytes above the constant are 0.
        let low: UInt64 =
            switch length {
            case 1: 0x90
            case 2: 0x90_66
            case 3: 0x00_1F_0F
            case 4: 0x40_1F_0F
            case 5: 0x44_1F_0F
            case 6: 0x44_1F_0F_66
            case 7: 0x80_1F_0F
            case 8: 0x84_1F_0F
            default: 0x84_1F_0F_66
            }
        for position in 0..<length {
            buffer.put(UInt8(truncatingIfNeeded: low >> (8 * UInt64(position))))
        }
    }
}
