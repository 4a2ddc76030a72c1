/// Which kind of value a register holds.
@frozen public enum RegisterBank: Sendable {
    case integer, float
}

/// A register of the abstract machine: r0 to r31 hold integers and addresses, f0 to f31 floating-point numbers.
public struct Register: Hashable, Sendable, BitwiseCopyable {
    /// Registers of each bank.
    public static let bankSize = 32
    /// All registers.
    public static let count = 64
    /// 0 to 31: r0 to r31; 32 to 63: f0 to f31.
    public var number: UInt8
    public init(_ number: UInt8) { self.number = number }
    public init(_ number: Int) { self.number = UInt8(truncatingIfNeeded: number) }
    /// f0 to f31.
    public static func float(_ number: Int) -> Register { Register(number + bankSize) }
    @inlinable public var bank: RegisterBank { number < Register.bankSize ? .integer : .float }
    public var name: String {
        bank == .integer ? "r\(number)" : "f\(number - UInt8(Register.bankSize))"
    }
}

/// A set of registers, as a 64-bit mask: bit n is register number n.
public struct RegisterSet: OptionSet, Hashable, Sendable, BitwiseCopyable {
    public var rawValue: UInt64
    public init(rawValue: UInt64) { self.rawValue = rawValue }
    @inlinable public static var all: RegisterSet { RegisterSet(rawValue: .max) }
    @inlinable public static var integers: RegisterSet { RegisterSet(rawValue: 0xffff_ffff) }
    @inlinable public static var floats: RegisterSet { RegisterSet(rawValue: 0xffff_ffff << 32) }

    @inlinable public func contains(_ register: Register) -> Bool {
        register.number < 64 && rawValue >> UInt64(register.number) & 1 != 0
    }
    @inlinable public mutating func insert(_ register: Register) {
        if register.number < 64 { rawValue |= 1 << UInt64(register.number) }
    }
    @inlinable public mutating func remove(_ register: Register) {
        if register.number < 64 { rawValue &= ~(1 << UInt64(register.number)) }
    }
    /// The members, lowest first.
    public var registers: [Register] { (0..<Register.count).map { Register($0) }.filter { contains($0) } }
}

/// One instruction. Which fields mean something follows from the opcode's operand list; the others are zero
/// (verifier rule V1), so no operand can be taken for another kind than it is.
public struct Instruction: Hashable, Sendable, BitwiseCopyable {
    public var opcode: Opcode
    /// The register written; of a store, the register whose value is stored (`value`); of an atomic that
    /// fetches, the operand, which becomes the old value.
    public var rd: Register
    /// The first source: left operand, base address, value to convert.
    public var rs1: Register
    /// The second source in register form: right operand, offset; of a compare-exchange, the new value.
    public var rs2: Register
    /// Label, jump table, procedure, region or call: an index into the list of the fragment (region: of the
    /// program) that the opcode calls for.
    public var index: UInt32
    /// The constant in immediate form; the addend in symbol form. Stored as `ValueType.immediate` says.
    public var immediate: Int64

    public init(
        _ opcode: Opcode, rd: Register = Register(0), rs1: Register = Register(0),
        rs2: Register = Register(0),
        index: UInt32 = 0, immediate: Int64 = 0
    ) {
        self.opcode = opcode
        self.rd = rd
        self.rs1 = rs1
        self.rs2 = rs2
        self.index = index
        self.immediate = immediate
    }

    /// Of a store: the register whose low bits go to memory.
    public var value: Register { rd }
}

/// An operand of a macro-instruction, whose kinds the acceptor's signature says.
public enum MacroOperand: Hashable, Sendable {
    case register(Register)
    case immediate(Int64)
}

/// A macro-instruction, or the call of a host function, as it stands in a fragment: its name and operands, not yet
/// held against an acceptor. Of a host function, the register for the result comes first, when it has one.
public struct MacroCall: Hashable, Sendable {
    public var name: String
    public var operands: [MacroOperand]
    public init(name: String, operands: [MacroOperand]) {
        self.name = name
        self.operands = operands
    }
}
