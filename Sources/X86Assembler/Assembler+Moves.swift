// Moves, loads, stores and extensions.

/// How a load is written: what it takes and how it extends it.
@frozen public struct LoadForm: Sendable, BitwiseCopyable {
    @usableFromInline let opcode: Opcode
    @usableFromInline let width: Width

    @inlinable @inline(__always) init(_ opcode: Opcode, _ width: Width) {
        self.opcode = opcode
        self.width = width
    }

    // Zero-extending.
    @inlinable @inline(__always) public static var w8: LoadForm { LoadForm(Opcode(0x0F, 0xB6), .w32) }
    @inlinable @inline(__always) public static var w16: LoadForm { LoadForm(Opcode(0x0F, 0xB7), .w32) }
    @inlinable @inline(__always) public static var w32: LoadForm { LoadForm(Opcode(0x8B), .w32) }
    @inlinable @inline(__always) public static var w64: LoadForm { LoadForm(Opcode(0x8B), .w64) }
    // Sign-extending.
    @inlinable @inline(__always) public static func signed8(to width: Width) -> LoadForm {
        LoadForm(Opcode(0x0F, 0xBE), width)
    }
    @inlinable @inline(__always) public static func signed16(to width: Width) -> LoadForm {
        LoadForm(Opcode(0x0F, 0xBF), width)
    }
    @inlinable @inline(__always) public static var signed32: LoadForm { LoadForm(Opcode(0x63), .w64) }
}

/// How a store is written.
@frozen public struct StoreForm: Sendable, BitwiseCopyable {
    @usableFromInline let opcode: Opcode
    @usableFromInline let width: Width
    @usableFromInline let isByte: Bool

    @inlinable @inline(__always) init(_ opcode: Opcode, _ width: Width, isByte: Bool = false) {
        self.opcode = opcode
        self.width = width
        self.isByte = isByte
    }

    @inlinable @inline(__always) public static var w8: StoreForm {
        StoreForm(Opcode(0x88), .w32, isByte: true)
    }
    @inlinable @inline(__always) public static var w16: StoreForm { StoreForm(Opcode(0x66, 0, 0x89), .w32) }
    @inlinable @inline(__always) public static var w32: StoreForm { StoreForm(Opcode(0x89), .w32) }
    @inlinable @inline(__always) public static var w64: StoreForm { StoreForm(Opcode(0x89), .w64) }
}

extension Assembler {
    // MARK: Registers

    /// `mov r, r`: 89 /r
    @inlinable @inline(__always)
    public mutating func mov(_ width: some OperandWidth, _ destination: GPR, _ source: GPR) {
        emit(Opcode(0x89), width, reg: source, rm: destination)
    }

    /// `mov r, imm`, all 64 bits, in the smallest encoding that leaves the flags alone:
    /// B8+r id (zero-extended), REX.W C7 /0 id (sign-extended), or REX.W B8+r io
    @inlinable @inline(__always)
    public mutating func mov(_ destination: GPR, immediate: UInt64) {
        if let short = UInt32(exactly: immediate) {
            put(0xB8, .w32, plus: destination)
            put(short)
        } else if let short = Int32(exactly: Int64(bitPattern: immediate)) {
            putHead(Opcode(0xC7), .w64, destination.rm | OperandBits.direct)
            put(short)
        } else {
            put(0xB8, .w64, plus: destination)
            put(immediate)
        }
        end()
    }

    /// `xor r, r`: the smallest way to 0; changes the flags
    @inlinable @inline(__always)
    public mutating func zero(_ destination: GPR, _ width: some OperandWidth = Width.w32) {
        alu(.xor, width, destination, destination)
    }

    /// `push r`: 50+r
    public mutating func push(_ source: GPR) {
        emit(0x50, .w32, plus: source)
    }

    /// `pop r`: 58+r
    public mutating func pop(_ destination: GPR) {
        emit(0x58, .w32, plus: destination)
    }

    // MARK: Extension

    /// The low bits of `source`, zero-extended: 0F B6 /r, 0F B7 /r, or `mov`
    @inlinable @inline(__always)
    public mutating func zeroExtend(_ size: MemoryWidth, _ destination: GPR, _ source: GPR) {
        switch size {
        case .w8: emit(Opcode(0x0F, 0xB6), .w32, reg: destination, rm: source, isByte: true)
        case .w16: emit(Opcode(0x0F, 0xB7), .w32, reg: destination, rm: source)
        case .w32: emit(Opcode(0x8B), .w32, reg: destination, rm: source)
        case .w64: emit(Opcode(0x8B), .w64, reg: destination, rm: source)
        }
    }

    /// The low bits of `source`, sign-extended to `width`: 0F BE /r, 0F BF /r, 63 /r (movsxd), or `mov`
    @inlinable @inline(__always)
    public mutating func signExtend(
        _ size: MemoryWidth, to width: Width, _ destination: GPR, _ source: GPR
    ) {
        switch (size, width.isWide) {
        case (.w8, _): emit(Opcode(0x0F, 0xBE), width, reg: destination, rm: source, isByte: true)
        case (.w16, _): emit(Opcode(0x0F, 0xBF), width, reg: destination, rm: source)
        case (.w32, true): emit(Opcode(0x63), .w64, reg: destination, rm: source)
        case (.w32, false), (.w64, _): emit(Opcode(0x8B), width, reg: destination, rm: source)
        }
    }

    // MARK: Loads

    /// Loads and zero-extends to 64 bits: 0F B6 /r, 0F B7 /r, 8B /r, REX.W 8B /r
    @inlinable @inline(__always)
    public mutating func load(_ size: MemoryWidth, _ destination: GPR, _ source: Memory) {
        let form: LoadForm =
            switch size {
            case .w8: .w8
            case .w16: .w16
            case .w32: .w32
            case .w64: .w64
            }
        load(as: form, destination, source)
    }

    /// Loads and sign-extends to `width`: 0F BE /r, 0F BF /r, REX.W 63 /r (movsxd), or a plain load
    @inlinable @inline(__always)
    public mutating func loadSigned(
        _ size: MemoryWidth, to width: Width, _ destination: GPR, _ source: Memory
    ) {
        let form: LoadForm =
            switch (size, width.isWide) {
            case (.w8, _): .signed8(to: width)
            case (.w16, _): .signed16(to: width)
            case (.w32, true): .signed32
            case (.w32, false): .w32
            case (.w64, _): LoadForm(Opcode(0x8B), width)
            }
        load(as: form, destination, source)
    }

    @inlinable @inline(__always)
    public mutating func load(as form: LoadForm, _ destination: GPR, _ source: Memory) {
        emit(form.opcode, form.width, reg: destination, rm: source)
    }

    /// In a uniform form. *Requires* a base that takes no SIB byte: neither rsp nor r12.
    @inlinable @inline(__always)
    public mutating func load(
        as form: LoadForm, _ destination: GPR, plainBase base: GPR, _ displacement: Int32,
        isWide: Bool = false
    ) {
        emit(
            form.opcode, UniformWidth(rex: form.width.rex), reg: destination, plainBase: base, displacement,
            isWide: isWide)
    }

    // MARK: Stores

    /// Stores the low bits of a register: 88 /r, 66 89 /r, 89 /r, REX.W 89 /r
    @inlinable @inline(__always)
    public mutating func store(_ size: MemoryWidth, _ destination: Memory, _ source: GPR) {
        let form: StoreForm =
            switch size {
            case .w8: .w8
            case .w16: .w16
            case .w32: .w32
            case .w64: .w64
            }
        store(as: form, destination, source)
    }

    @inlinable @inline(__always)
    public mutating func store(as form: StoreForm, _ destination: Memory, _ source: GPR) {
        emit(form.opcode, form.width, reg: source, rm: destination, isByte: form.isByte)
    }

    /// In a uniform form. *Requires* a base that takes no SIB byte: neither rsp nor r12.
    @inlinable @inline(__always)
    public mutating func store(
        as form: StoreForm, plainBase base: GPR, _ displacement: Int32, _ source: GPR, isWide: Bool = false
    ) {
        emit(
            form.opcode, UniformWidth(rex: form.width.rex), reg: source, plainBase: base, displacement,
            isWide: isWide)
    }

    /// Stores the low bits of an immediate, sign-extended for 64 bits:
    /// C6 /0 ib, 66 C7 /0 iw, C7 /0 id, REX.W C7 /0 id
    public mutating func store(_ size: MemoryWidth, _ destination: Memory, immediate: Int32) {
        switch size {
        case .w8:
            put(Opcode(0xC6), .w32, reg: 0, rm: destination)
            put(UInt8(truncatingIfNeeded: immediate))
        case .w16:
            put(Opcode(0x66, 0, 0xC7), .w32, reg: 0, rm: destination)
            put(UInt16(truncatingIfNeeded: immediate))
        case .w32:
            put(Opcode(0xC7), .w32, reg: 0, rm: destination)
            put(immediate)
        case .w64:
            put(Opcode(0xC7), .w64, reg: 0, rm: destination)
            put(immediate)
        }
        end()
    }

    // MARK: Addresses

    /// `lea r, m`: 8D /r
    @inlinable @inline(__always)
    public mutating func lea(_ width: Width, _ destination: GPR, _ source: Memory) {
        emit(Opcode(0x8D), width, reg: destination, rm: source)
    }

    /// `lea r, [rip + label]`: REX.W 8D /r with mod 00, r/m 101, and the distance from the end
    public mutating func lea(_ destination: GPR, _ label: CodeLabel) {
        putHead(Opcode(0x8D), .w64, destination.reg | OperandBits.rm(0b101))
        putDistance(to: label)
        end()
    }

    // MARK: Conditional

    /// `setcc r8`: 0F 90+cc /0. Writes the low 8 bits only.
    public mutating func set(_ condition: Condition, _ destination: GPR) {
        emit(Opcode(0x0F, 0x90 | condition.code), .w32, digit: 0, rm: destination, isByte: true)
    }
}
