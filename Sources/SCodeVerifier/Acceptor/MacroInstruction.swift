import SCodeIR

/// What a macro-instruction takes at one place of its operand list.
public enum MacroOperandKind: Hashable, Sendable {
    /// A value: a register that is read, or a constant.
    case value(ValueType)
    /// A register that is written.
    case result(ValueType)
}

/// A C type, in the signature of a host function.
public enum ForeignType: Sendable, Hashable {
    case int8, uint8, int16, uint16, int32, uint32, int64, uint64, pointer, float, double
}

/// A C function of the host that a macro-instruction calls.
public struct HostFunction: Sendable, Hashable {
    public let parameters: [ForeignType]
    public let result: ForeignType?
    /// The address of the function, as a bit pattern, so that acceptors stay `Sendable`.
    public let address: UInt
    /// Passed before the operands, when there is one: the embedder's own data.
    public let userData: UInt?

    public init(
        parameters: [ForeignType], result: ForeignType?, address: UnsafeRawPointer,
        userData: UnsafeMutableRawPointer? = nil
    ) {
        self.parameters = parameters
        self.result = result
        self.address = UInt(bitPattern: address)
        self.userData = userData.map { UInt(bitPattern: $0) }
    }
}

/// A function that programs may declare (`host NAME(…)`) and call with `callh`.
public struct OfferedFunction: Sendable, Hashable {
    /// The signature that programs declare.
    public let declaration: HostDeclaration
    public let function: HostFunction
    /// What it does, in a sentence.
    public let meaning: String
    public init(_ declaration: HostDeclaration, _ function: HostFunction, meaning: String) {
        self.declaration = declaration
        self.function = function
        self.meaning = meaning
    }

    /// A call of it, in the terms of macro-instructions: the result first, then the arguments.
    var asMacro: MacroInstruction {
        let results = declaration.result.map { [MacroOperandKind.result($0)] } ?? []
        return MacroInstruction(
            declaration.name, results + declaration.parameters.map { .value($0) }, .hostCall(function),
            meaning: meaning)
    }
}

/// What a macro-instruction becomes.
public enum MacroExpansion: Sendable, Hashable {
    /// Leaves the fragment, and every fragment that called it, with its operand as the value.
    case accept
    /// Leaves the fragment; whoever called it goes on after the call.
    case refuse
    /// Calls the fragment in the slot that its operand names; goes on with the next instruction when that
    /// refuses, or when the slot is empty.
    case subSchedule
    /// Calls a function of the host. A `.result` operand, if there is one, comes first.
    case hostCall(HostFunction)
    /// Stops the fragment in the middle, and hands the number and the operands to whoever resumed its `Activation`;
    /// goes on with the answer in the `.result` operand, which comes first if there is one. Outside an activation the
    /// answer is all ones.
    case systemCall(UInt32)
    /// Stops the fragment: abort reason `policy`.
    case abort
    /// Becomes code in its place.
    case template(CodeTemplate)

    /// Whether the instruction after it can be reached.
    public var fallsThrough: Bool {
        switch self {
        case .accept, .refuse, .abort: false
        case .subSchedule, .hostCall, .systemCall: true
        case .template(let template): template.fallsThrough
        }
    }
}

/// An instruction that an acceptor adds to the language.
public struct MacroInstruction: Sendable, Hashable {
    public let name: String
    public let operands: [MacroOperandKind]
    public let expansion: MacroExpansion
    /// What it does, in a sentence.
    public let meaning: String
    public init(_ name: String, _ operands: [MacroOperandKind], _ expansion: MacroExpansion, meaning: String)
    {
        self.name = name
        self.operands = operands
        self.expansion = expansion
        self.meaning = meaning
    }
}
