// Jumps, calls, tables of jump targets, padding.

extension Assembler {
    // MARK: Jumps to labels

    /// `jcc label`: 70+cc cb backward when it reaches, and when it `isNear`; else 0F 80+cc cd
    /// - Parameter isNear: the label is known to come within 127 bytes; `finish` throws when it does not.
    @inlinable @inline(__always)
    public mutating func jcc(_ condition: Condition, _ label: CodeLabel, isNear: Bool = false) {
        guard reserve() else { return }
        putJump(condition, to: label, isNear)
    }

    /// `jmp label`: EB cb backward when it reaches, and when it `isNear`, as of `jcc`; else E9 cd
    @inlinable @inline(__always)
    public mutating func jmp(_ label: CodeLabel, isNear: Bool = false) {
        guard reserve() else { return }
        if isNear { return putShort(0xEB, label) }
        guard label.index < state.pointee.labels.count else { return Self.note(.foreignLabel(label), state) }
        putJump(short: 0xEB, long: 0xE9, longLength: 1, &state.pointee.labels.entries[Int(label.index)])
    }

    /// `call label`: E8 cd
    public mutating func call(_ label: CodeLabel) {
        guard reserve() else { return }
        put(0xE8 as UInt8)
        putDistance(to: label)
    }

    /// *Requires* room.
    @usableFromInline
    mutating func putShort(_ opcode: UInt8, _ label: CodeLabel) {
        put(opcode)
        put(0 as UInt8)
        leaveToFinish(.rel8, label)
    }

    /// *Requires* room.
    @inlinable @inline(__always)
    mutating func putJump(_ condition: Condition, to label: CodeLabel, _ isNear: Bool) {
        if isNear { return putShort(0x70 | condition.code, label) }
        guard label.index < state.pointee.labels.count else { return Self.note(.foreignLabel(label), state) }
        putJump(condition, &state.pointee.labels.entries[Int(label.index)])
    }

    /// *Requires* room.
    @inlinable @inline(__always)
    mutating func putJump(_ condition: Condition, _ place: inout CodePlace) {
        putJump(
            short: 0x70 | condition.code, long: 0x0F | UInt16(0x80 | condition.code) << 8, longLength: 2,
            &place)
    }

    /// A jump in its short form when its target is behind and a byte reaches it, else in its long form.
    /// *Requires* room.
    @inlinable @inline(__always)
    mutating func putJump(short: UInt8, long: UInt16, longLength: Int, _ place: inout CodePlace) {
        let end = cursor - state.pointee.buffer.start &+ longLength &+ 4
        if place.isBound {
            let distance = place.offset &- end
            let near = Int32(truncatingIfNeeded: distance &+ longLength &+ 2)
            if near.isShort {
                return put(UInt16(short) | UInt16(truncatingIfNeeded: near) << 8)
            }
            putLong(long, longLength, Int32(truncatingIfNeeded: distance))
        } else {
            putLong(long, longLength, place.addUse(field: end &- 4))
            awaiting &+= 1
        }
    }

    @inlinable @inline(__always)
    mutating func putLong(_ opcode: UInt16, _ length: Int, _ field: Int32) {
        cursor.storeBytes(of: opcode, as: UInt16.self)
        cursor.storeBytes(of: field, toByteOffset: length, as: Int32.self)
        cursor += length + 4
    }

    /// 32 bits: how far the label is from their end; or, when that is not known, who else waits to know
    /// (`LabelTable`). *Requires* room.
    mutating func putDistance(to label: CodeLabel) {
        guard label.index < state.pointee.labels.count else { return Self.note(.foreignLabel(label), state) }
        let place = state.pointee.labels.entries + Int(label.index)
        let field = position
        if place.pointee.isBound {
            put(UInt32(truncatingIfNeeded: place.pointee.offset - (field + 4)))
        } else {
            put(UInt32(bitPattern: place.pointee.addUse(field: field)))
            awaiting &+= 1
        }
    }

    // MARK: Jumps to places

    /// `jmp`, as to a label.
    @inlinable @inline(__always)
    public mutating func jmp(_ place: inout CodePlace) {
        guard reserve() else { return }
        putJump(short: 0xEB, long: 0xE9, longLength: 1, &place)
    }

    /// Binds a place here, as a label is bound. False: it is bound already, or one of other code.
    @inlinable @inline(__always)
    public mutating func bind(_ place: inout CodePlace) -> Bool {
        let start = state.pointee.buffer.start
        return place.bind(at: cursor - start, in: start, &awaiting)
    }

    // MARK: Computed targets

    /// `jmp r`: FF /4
    public mutating func jmp(_ target: GPR) {
        emit(Opcode(0xFF), .w32, digit: 4, rm: target)
    }

    /// `jmp m`: FF /4
    public mutating func jmp(_ target: Memory) {
        emit(Opcode(0xFF), .w32, digit: 4, rm: target)
    }

    /// `call r`: FF /2
    public mutating func call(_ target: GPR) {
        emit(Opcode(0xFF), .w32, digit: 2, rm: target)
    }

    /// `call m`: FF /2
    public mutating func call(_ target: Memory) {
        emit(Opcode(0xFF), .w32, digit: 2, rm: target)
    }

    /// `ret`: C3
    public mutating func ret() { single(0xC3) }

    /// `ud2`: 0F 0B
    public mutating func ud2() {
        guard reserve() else { return }
        put(0x0F as UInt8)
        put(0x0B as UInt8)
    }

    private mutating func single(_ opcode: UInt8) {
        guard reserve() else { return }
        put(opcode)
    }

    // MARK: Data and padding

    /// One entry of a jump table: 32 bits, the distance from `origin` to `label`.
    public mutating func emitTableEntry(_ label: CodeLabel, relativeTo origin: CodeLabel) {
        guard reserve() else { return }
        put(0 as UInt32)
        leaveToFinish(.tableEntry, label, relativeTo: origin)
    }

    /// Padding of `count` bytes that may be executed: the manual's recommended forms, the longest first.
    public mutating func nop(_ count: Int = 1) {
        var remaining = count
        while remaining > 0 && reserve() {
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
            put(UInt8(truncatingIfNeeded: low >> (8 * UInt64(position))))
        }
    }
}
