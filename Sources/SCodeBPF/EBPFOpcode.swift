import SCodeIR

/// What an instruction of eBPF does, in terms of what it becomes in SCODE.
enum EBPFOperation: Hashable, Sendable {
    /// dst := dst OP (src or imm)
    case binary(Operation, ValueType)
    /// The same of `div` and `mod`, which eBPF defines for a divisor of zero.
    case divide(Operation, ValueType)
    /// dst := imm, as a value of the type
    case set(ValueType)
    /// dst := these, one after another, of src (or dst, where src means nothing); none: dst stays as it is
    case convert([Opcode])
    /// dst := the 64 bits of two places
    case setWide
    /// dst := [src + offset], then these of dst
    case load(ValueType, then: [Opcode])
    /// [dst + offset] := src or imm
    case store(ValueType)
    /// [dst + offset] := [dst + offset] OP src, at once; src or r0 := the old value, where the operation fetches
    case atomic(Operation, ValueType)
    /// if dst OP (src or imm) goto offset
    case branch(Operation, ValueType)
    /// if dst & (src or imm) goto offset
    case branchIfSet(ValueType)
    /// goto offset; goto imm
    case jump, jumpFar
    case callHelper, callLocal, callRegister
    case exit
}

/// One row of the table: an instruction, and which of its fields mean something. The others hold what the row says,
/// which is zero but where they tell instructions of the same code apart (RFC 9669, section 3: unused fields are
/// zero).
struct EBPFOpcode: Hashable, Sendable {
    let code: UInt8
    let operation: EBPFOperation
    let uses: EBPFFields
    var source: UInt8 = 0
    var offset: Int16 = 0
    var immediate: Int32 = 0

    /// The fields in which an instruction with this code is not the row's.
    func mismatch(_ instruction: EBPFInstruction) -> EBPFFields {
        var fields: EBPFFields = []
        if instruction.destination != 0 { fields.insert(.destination) }
        if instruction.source != source { fields.insert(.source) }
        if instruction.offset != offset { fields.insert(.offset) }
        if instruction.immediate != immediate { fields.insert(.immediate) }
        return fields.subtracting(uses)
    }

    /// Whether src, and not the immediate, is the second operand.
    var isRegisterForm: Bool { uses.contains(.source) }
}

extension EBPFOpcode {
    /// The instruction classes: the three lowest bits of a code (RFC 9669, section 3.3).
    private enum Class {
        static let ld: UInt8 = 0, ldx: UInt8 = 1, st: UInt8 = 2, stx: UInt8 = 3
        static let alu: UInt8 = 4, jmp: UInt8 = 5, jmp32: UInt8 = 6, alu64: UInt8 = 7
    }
    /// The bit of arithmetic and jumps that says: the second operand is src.
    private static let x: UInt8 = 0x08

    /// The rows that have a code.
    static func rows(of code: UInt8) -> [EBPFOpcode] { byCode[Int(code)] }

    private static let byCode: [[EBPFOpcode]] = {
        var rows = [[EBPFOpcode]](repeating: [], count: 256)
        for row in table { rows[Int(row.code)].append(row) }
        return rows
    }()

    /// The base instruction set of RFC 9669 (its appendix lists it), without the legacy packet access, which it
    /// deprecates, and without what only a kernel has: maps, and functions by BTF number. One row more:
    /// `callx`, which compilers emit.
    static let table: [EBPFOpcode] = arithmetic + conversions + jumps + accesses + atomics

    // swift-format-ignore
    /// Section 4.1. Operations with a second operand, each in 64 and 32 bits, and with src and imm.
    private static let arithmetic: [EBPFOpcode] = {
        let operations: [(code: UInt8, offset: Int16, wide: EBPFOperation, narrow: EBPFOperation)] = [
            (0x00, 0, .binary(.add, .ul), .binary(.add, .u)),
            (0x10, 0, .binary(.sub, .ul), .binary(.sub, .u)),
            (0x20, 0, .binary(.mul, .ul), .binary(.mul, .u)),
            (0x30, 0, .divide(.div, .ul), .divide(.div, .u)),
            (0x30, 1, .divide(.div, .l),  .divide(.div, .i)),
            (0x40, 0, .binary(.or, .ul),  .binary(.or, .u)),
            (0x50, 0, .binary(.and, .ul), .binary(.and, .u)),
            (0x60, 0, .binary(.lsh, .ul), .binary(.lsh, .u)),
            (0x70, 0, .binary(.rsh, .ul), .binary(.rsh, .u)),
            (0x90, 0, .divide(.mod, .ul), .divide(.mod, .u)),
            (0x90, 1, .divide(.mod, .l),  .divide(.mod, .i)),
            (0xa0, 0, .binary(.xor, .ul), .binary(.xor, .u)),
            (0xc0, 0, .binary(.rsh, .l),  .binary(.rsh, .i)),
        ]
        var rows: [EBPFOpcode] = []
        for (code, offset, wide, narrow) in operations {
            for (kind, operation) in [(Class.alu64, wide), (Class.alu, narrow)] {
                rows.append(EBPFOpcode(code: code | kind, operation: operation, uses: [.destination, .immediate], offset: offset))
                rows.append(EBPFOpcode(code: code | kind | x, operation: operation, uses: [.destination, .source], offset: offset))
            }
        }
        return rows
    }()

    // swift-format-ignore
    /// Sections 4.1 and 4.2. Moves, negation, and changes of byte order, whose width stands in the immediate.
    private static let conversions: [EBPFOpcode] = {
        func from(_ type: ValueType, to target: ValueType) -> Opcode { Opcode(.convert, target, from: type) }
        let moves: [(kind: UInt8, offset: Int16, opcodes: [Opcode])] = [
            (Class.alu64, 0,  [Opcode(.mov, .ul)]),
            (Class.alu64, 8,  [from(.ul, to: .c)]),
            (Class.alu64, 16, [from(.ul, to: .s)]),
            (Class.alu64, 32, [from(.i, to: .l)]),
            (Class.alu,   0,  [Opcode(.mov, .u)]),
            (Class.alu,   8,  [from(.ul, to: .c), Opcode(.mov, .u)]),
            (Class.alu,   16, [from(.ul, to: .s), Opcode(.mov, .u)]),
        ]
        let little: [Int32: [Opcode]] = [16: [from(.ul, to: .us)], 32: [Opcode(.mov, .u)], 64: []]
        let swapped: [Int32: [Opcode]] = [
            16: [Opcode(.byteSwap, .us)], 32: [Opcode(.byteSwap, .u)], 64: [Opcode(.byteSwap, .ul)],
        ]
        // The machine is little-endian: `le` cuts off, `be` swaps.
        let ends: [(code: UInt8, opcodes: [Int32: [Opcode]])] = [
            (0xd0 | Class.alu, little), (0xd0 | Class.alu | x, swapped), (0xd0 | Class.alu64, swapped),
        ]
        return [
            EBPFOpcode(code: 0xb0 | Class.alu64, operation: .set(.l), uses: [.destination, .immediate]),
            EBPFOpcode(code: 0xb0 | Class.alu, operation: .set(.u), uses: [.destination, .immediate]),
            EBPFOpcode(code: 0x80 | Class.alu64, operation: .convert([Opcode(.neg, .l)]), uses: [.destination]),
            EBPFOpcode(code: 0x80 | Class.alu, operation: .convert([Opcode(.neg, .i)]), uses: [.destination]),
        ] + moves.map {
            EBPFOpcode(code: 0xb0 | $0.kind | x, operation: .convert($0.opcodes), uses: [.destination, .source], offset: $0.offset)
        } + ends.flatMap { code, opcodes in
            opcodes.sorted { $0.key < $1.key }.map { bits, opcodes in
                EBPFOpcode(code: code, operation: .convert(opcodes), uses: [.destination], immediate: bits)
            }
        }
    }()

    // swift-format-ignore
    /// Section 4.3. Conditions compare 64 bits in class JMP and 32 in JMP32.
    private static let jumps: [EBPFOpcode] = {
        let conditions: [(code: UInt8, operation: Operation, isSigned: Bool)] = [
            (0x10, .beq, false), (0x20, .bgt, false), (0x30, .bge, false), (0x50, .bne, false), (0x60, .bgt, true),
            (0x70, .bge, true), (0xa0, .blt, false), (0xb0, .ble, false), (0xc0, .blt, true), (0xd0, .ble, true),
        ]
        let withRegister: EBPFFields = [.destination, .source, .offset]
        let withConstant: EBPFFields = [.destination, .immediate, .offset]
        var rows: [EBPFOpcode] = []
        for (kind, unsigned, signed) in [(Class.jmp, ValueType.ul, ValueType.l), (Class.jmp32, .u, .i)] {
            var operations = conditions.map { ($0.code, EBPFOperation.branch($0.operation, $0.isSigned ? signed : unsigned)) }
            operations.append((0x40, .branchIfSet(unsigned)))
            for (code, operation) in operations {
                rows.append(EBPFOpcode(code: code | kind, operation: operation, uses: withConstant))
                rows.append(EBPFOpcode(code: code | kind | x, operation: operation, uses: withRegister))
            }
        }
        return rows + [
            EBPFOpcode(code: 0x00 | Class.jmp, operation: .jump, uses: [.offset]),
            EBPFOpcode(code: 0x00 | Class.jmp32, operation: .jumpFar, uses: [.immediate]),
            EBPFOpcode(code: 0x80 | Class.jmp, operation: .callHelper, uses: [.immediate], source: 0),
            EBPFOpcode(code: 0x80 | Class.jmp, operation: .callLocal, uses: [.immediate], source: 1),
            EBPFOpcode(code: 0x80 | Class.jmp | x, operation: .callRegister, uses: [.destination]),
            EBPFOpcode(code: 0x90 | Class.jmp, operation: .exit, uses: []),
        ]
    }()

    // swift-format-ignore
    /// Sections 5.1, 5.2 and 5.4. The width stands in bits 3 and 4, the mode in the three highest bits.
    private static let accesses: [EBPFOpcode] = {
        let mem: UInt8 = 0x60, signed: UInt8 = 0x80
        let widths: [(code: UInt8, type: ValueType)] = [(0x10, .uc), (0x08, .us), (0x00, .u), (0x18, .ul)]
        var rows = [EBPFOpcode(code: 0x18 | Class.ld, operation: .setWide, uses: [.destination, .immediate])]
        for (code, type) in widths {
            rows += [
                EBPFOpcode(code: mem | code | Class.ldx, operation: .load(type, then: []), uses: [.destination, .source, .offset]),
                EBPFOpcode(code: mem | code | Class.st, operation: .store(type), uses: [.destination, .offset, .immediate]),
                EBPFOpcode(code: mem | code | Class.stx, operation: .store(type), uses: [.destination, .source, .offset]),
            ]
        }
        let extended: [(code: UInt8, type: ValueType, then: [Opcode])] = [
            (0x10, .c, []), (0x08, .s, []), (0x00, .i, [Opcode(.convert, .l, from: .i)]),
        ]
        return rows + extended.map {
            EBPFOpcode(code: signed | $0.code | Class.ldx, operation: .load($0.type, then: $0.then), uses: [.destination, .source, .offset])
        }
    }()

    // swift-format-ignore
    /// Section 5.3. The immediate says what is done; its lowest bit, that src receives the old value.
    private static let atomics: [EBPFOpcode] = {
        let operations: [(immediate: Int32, operation: Operation)] = [
            (0x00, .atomicAdd), (0x40, .atomicOr), (0x50, .atomicAnd), (0xa0, .atomicXor),
            (0x01, .fetchAdd), (0x41, .fetchOr), (0x51, .fetchAnd), (0xa1, .fetchXor),
            (0xe1, .exchange), (0xf1, .compareExchange),
        ]
        return [(UInt8(0xc0), ValueType.u), (0xd8, .ul)].flatMap { code, type in
            operations.map {
                EBPFOpcode(
                    code: code | Class.stx, operation: .atomic($0.operation, type), uses: [.destination, .source, .offset],
                    immediate: $0.immediate)
            }
        }
    }()
}
