import X86Assembler

/// Where parameters are, in the calling convention of System V, and where they are kept.
struct Parameters {
    /// By the number of the parameter; of the other kind there is a register that means nothing.
    private(set) var integers: [Register] = []
    private(set) var floats: [FloatRegister] = []
    /// Parameters that arrive in scratch registers: from, to.
    private(set) var moves: [(Register, Register)] = []
    private(set) var usedIntegers: [Register] = []
    private(set) var usedFloats: [FloatRegister] = []

    private static let kept: [Register] = [.rdi, .rsi, .r10, .r11, .r8, .r9]

    /// nil: more than there are registers.
    init?(_ types: [ParameterType]) {
        for type in types {
            if type.isFloat {
                guard usedFloats.count < 8 else { return nil }
                usedFloats.append(FloatRegister.allCases[usedFloats.count])
            } else {
                guard usedIntegers.count < Self.kept.count else { return nil }
                let register = Self.kept[usedIntegers.count]
                if register == .r10 { moves.append((.rdx, .r10)) }
                if register == .r11 { moves.append((.rcx, .r11)) }
                usedIntegers.append(register)
            }
            integers.append(usedIntegers.last ?? .rax)
            floats.append(usedFloats.last ?? .xmm0)
        }
    }
}

/// The registers that are free.
struct RegisterPool {
    private static let temporaries: [Register] = [.r9, .r8, .r11, .r10, .rsi, .rdi]
    // Without r12, which as a base is written in another way.
    private static let variables: [Register] = [.r13, .r15, .r14, .rbp, .rbx]

    // The last one is taken first.
    private var temporaries: [Register]
    private var variables = Self.variables
    private var floats: [FloatRegister]
    /// Variables that were ever taken, and so have to be saved.
    private(set) var variablesTaken: [Register] = []

    init(without parameters: Parameters) {
        temporaries = Self.temporaries.filter { !parameters.usedIntegers.contains($0) }
        floats = FloatRegister.allCases.reversed().filter { !parameters.usedFloats.contains($0) }
    }

    mutating func take(_ kind: RegisterClass) -> Register? {
        switch kind {
        case .temporary: return temporaries.popLast()
        case .variable:
            guard let register = variables.popLast() else { return nil }
            if !variablesTaken.contains(register) { variablesTaken.append(register) }
            return register
        }
    }

    mutating func takeFloat() -> FloatRegister? { floats.popLast() }

    mutating func giveBack(_ register: Register) {
        if Self.variables.contains(register) {
            if !variables.contains(register) { variables.append(register) }
        } else if Self.temporaries.contains(register), !temporaries.contains(register) {
            temporaries.append(register)
        }
    }

    mutating func giveBack(_ register: FloatRegister) {
        if !floats.contains(register) { floats.append(register) }
    }
}
