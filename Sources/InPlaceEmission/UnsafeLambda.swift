import X86Assembler

/// A function under construction, emitted in place in the manner of VCODE: each call of an operation writes the machine
/// instructions at once. There is no intermediate representation, no pass over the code, and no check of what it does.
///
/// *Unsafe*: nothing is verified, guarded or bounded. The code reads and writes what its addresses say, divides by zero,
/// runs for ever; a mistake of the generator is undefined behaviour of the process. For generators that are trusted as
/// one trusts the compiler; code from others is for `SCode`.
///
///     var code = try UnsafeLambda([.i])                   // v_lambda("%i", arg, V_LEAF, …)
///     let x = code.parameter(0)
///     code.add(.i, x, x, 1)                               // v_addii(arg[0], arg[0], 1)
///     code.ret(.i, x)                                     // v_reti(arg[0])
///     let increment = try code.end()                      // v_end()
///
/// Operations have VCODE's names, and the type, a letter or two in VCODE's, as their first argument. They are those of an
/// idealised RISC machine: three operands, which may be one register; loads and stores with base and offset. Registers are
/// the generator's to manage, with `getreg` and `putreg`. An immediate has 32 bits and is extended with its sign; `set`
/// makes larger ones.
///
/// *Requires* registers that `getreg` or `parameter` gave; rax, rcx and rdx belong to the operations. The functions are
/// leaves: they call nothing.
public struct UnsafeLambda: ~Copyable {
    @usableFromInline var assembler: Assembler
    private var registers: RegisterPool
    private let parameters: Parameters
    private let body: CodeLabel
    private let limit: Int

    /// Begins a function.
    /// - Parameters:
    ///   - types: of its parameters, which arrive in registers.
    ///   - capacity: bytes for which there is memory from the start; it grows as needed.
    ///   - limit: the most bytes that it may have.
    public init(
        _ types: [ParameterType] = [], capacity: Int = 4096, limit: Int = Assembler.defaultLimit
    ) throws(EmissionError) {
        guard let parameters = Parameters(types) else { throw .tooManyParameters }
        self.parameters = parameters
        self.limit = limit
        registers = RegisterPool(without: parameters)
        assembler = Assembler(initialCapacity: capacity, limit: limit)
        body = assembler.boundLabel()
        // Where the calling convention has two of them, operations need room.
        for (arrives, kept) in parameters.moves { assembler.mov(.w64, kept, arrives) }
    }

    // MARK: Registers and labels

    /// The register that holds a parameter, counted among all of them. *Requires* that it is an integer or an address.
    public func parameter(_ index: Int) -> Register { parameters.integers[index] }

    /// The register that holds a parameter, counted among all of them. *Requires* that it is an `f` or a `d`.
    public func floatParameter(_ index: Int) -> FloatRegister { parameters.floats[index] }

    /// A register for an integer or address; nil: all are taken. `putreg` gives it back.
    public mutating func getreg(_ kind: RegisterClass = .temporary) -> Register? { registers.take(kind) }

    /// Gives a register back: one that `getreg` gave, or a parameter's.
    public mutating func putreg(_ register: Register) { registers.giveBack(register) }

    /// A register for a floating-point number; nil: all are taken.
    public mutating func getfreg() -> FloatRegister? { registers.takeFloat() }

    /// Gives a register back.
    public mutating func putfreg(_ register: FloatRegister) { registers.giveBack(register) }

    /// Binds a label: it names the next instruction.
    @inlinable @inline(__always) public mutating func label(_ label: inout Label) {
        assembler.bind(&label)
    }

    /// Bytes of code so far.
    public var size: Int { assembler.position }

    // MARK: The end

    /// Links the labels and puts the code into executable memory. *Requires* that every path ends with `ret`.
    public consuming func end() throws(EmissionError) -> UnsafeFunction {
        let entry = emitEntry()
        if assembler.overflowed { throw .tooLarge(limit: limit) }
        do { try assembler.finish() } catch { throw .misplacedLabel }
        guard let function = UnsafeFunction(assembler.bytes, entry: entry) else { throw .outOfMemory }
        return function
    }

    /// Saves what the caller wants to find again, around a call of the body. It comes last, since only now it is known
    /// what there is to save; a body that needs nothing is its own entry.
    private mutating func emitEntry() -> Int {
        let saved = registers.variablesTaken
        if saved.isEmpty { return 0 }
        assembler.align(to: 16)
        let entry = assembler.position
        for register in saved { assembler.push(register) }
        assembler.call(body)
        for register in saved.reversed() { assembler.pop(register) }
        assembler.ret()
        return entry
    }
}
