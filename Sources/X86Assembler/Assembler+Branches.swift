// Jumps, calls, tables of jump targets, padding.

extension Assembler {
    // MARK: Jumps to labels

    /// `jcc label`: 70+cc cb backward when it reaches, and when it `isNear`; else 0F 80+cc cd
    /// - Parameter isNear: the label is known to come within 127 bytes; `finish` throws when it does not.
    @inlinable @inline(__always)
    public mutating func jcc(_ condition: Condition, _ label: CodeLabel, isNear: Bool = false) {
        if isNear { return emitShort(0x70 | condition.code, label) }
        guard label.index < state.pointee.labels.count else { return Self.note(.foreignLabel(label), state) }
        jcc(condition, &state.pointee.labels.entries[Int(label.index)])
    }

    /// `jmp label`: EB cb backward when it reaches, and when it `isNear`, as of `jcc`; else E9 cd
    @inlinable @inline(__always)
    public mutating func jmp(_ label: CodeLabel, isNear: Bool = false) {
        if isNear { return emitShort(0xEB, label) }
        guard label.index < state.pointee.labels.count else { return Self.note(.foreignLabel(label), state) }
        jmp(&state.pointee.labels.entries[Int(label.index)])
    }

    /// `call label`: E8 cd
    public mutating func call(_ label: CodeLabel) {
        put(0xE8 as UInt8)
        putDistance(to: label)
        end()
    }

    @usableFromInline
    mutating func emitShort(_ opcode: UInt8, _ label: CodeLabel) {
        put(opcode)
        put(0 as UInt8)
        leaveToFinish(.rel8, label)
        end()
    }

    // MARK: Jumps to places

    /// `jcc`, as to a label; but when it `isWide` always in its long form.
    @inlinable @inline(__always)
    public mutating func jcc(_ condition: Condition, _ place: inout CodePlace, isWide: Bool = false) {
        let (short, long) = (0x70 | condition.code, 0x80 | condition.code)
        emitJump(short: short, long: 0x0F | UInt16(long) << 8, longLength: 2, &place, isWide)
    }

    /// `jmp`, likewise.
    @inlinable @inline(__always)
    public mutating func jmp(_ place: inout CodePlace, isWide: Bool = false) {
        emitJump(short: 0xEB, long: 0xE9, longLength: 1, &place, isWide)
    }

    /// A jump in its short form when its target is behind and a byte reaches it, else in its long form.
    @inlinable @inline(__always)
    mutating func emitJump(
        short: UInt8, long: UInt16, longLength: Int, _ place: inout CodePlace, _ isWide: Bool
    ) {
        if place.isBound {
            let near = Int32(truncatingIfNeeded: Int(place.offset) &- position &- 2)
            if !isWide && near.isShort {
                put(UInt16(short) | UInt16(truncatingIfNeeded: near) << 8)
            } else {
                putLong(long, longLength, UInt32(bitPattern: near &- Int32(longLength) &- 2))
            }
        } else {
            putLong(long, longLength, addUse(of: &place, field: position &+ longLength))
        }
        end()
    }

    @inlinable @inline(__always)
    mutating func putLong(_ opcode: UInt16, _ length: Int, _ field: UInt32) {
        last.storeBytes(of: opcode, toByteOffset: cursor, as: UInt16.self)
        last.storeBytes(of: field, toByteOffset: cursor &+ length, as: UInt32.self)
        cursor &+= length &+ 4
    }

    /// Binds a place here, as a label is bound.
    @inlinable @inline(__always)
    public mutating func bind(_ place: inout CodePlace) {
        if !resolve(&place) { state.pointee.hasMisplacedPlace = true }
        endBeforeRun()
    }

    /// Binds a place here. False: it is bound already, or one of other code.
    @inlinable @inline(__always)
    mutating func resolve(_ place: inout CodePlace) -> Bool {
        guard !place.isBound else { return false }
        if place.isAwaited { state.pointee.awaited &-= 1 }
        return place.bind(at: position, in: state.pointee.buffer.start)
    }

    /// Returns what to put into the field.
    @inlinable @inline(__always)
    mutating func addUse(of place: inout CodePlace, field: Int) -> UInt32 {
        if !place.isAwaited { state.pointee.awaited &+= 1 }
        return place.addUse(field: field)
    }

    // MARK: Distances

    /// 32 bits: how far the label is from their end; or, when that is not known, who else waits to know.
    mutating func putDistance(to label: CodeLabel) {
        guard label.index < state.pointee.labels.count else { return Self.note(.foreignLabel(label), state) }
        let place = state.pointee.labels.entries + Int(label.index)
        if place.pointee.isBound {
            put(UInt32(truncatingIfNeeded: Int(place.pointee.offset) - position - 4))
        } else {
            put(addUse(of: &place.pointee, field: position))
        }
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
        put(0x0B0F as UInt16)
        end()
    }

    private mutating func single(_ opcode: UInt8) {
        put(opcode)
        end()
    }

    // MARK: Data and padding

    /// One entry of a jump table: 32 bits, the distance from `origin` to `label`.
    public mutating func emitTableEntry(_ label: CodeLabel, relativeTo origin: CodeLabel) {
        put(0 as UInt32)
        leaveToFinish(.tableEntry, label, relativeTo: origin)
        end()
    }

    /// Padding of `count` bytes that may be executed: the manual's recommended forms, the longest first.
    public mutating func nop(_ count: Int = 1) {
        var remaining = count
        while remaining > 0 && !overflowed {
            let length = min(remaining, 9)
            emitNop(length)
            remaining -= length
        }
    }

    /// Pads until `position` is a multiple of `alignment`, a power of two.
    public mutating func align(to alignment: Int) {
        nop(-position & (alignment - 1))
    }

    private mutating func emitNop(_ length: Int) {
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
        end()
    }
}
