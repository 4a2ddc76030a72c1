/// The module format, `.sco`: a program as bytes, for passing code through memory buffers and files.
///
/// Little-endian throughout. A list is its length and then its elements; a name is its length in one byte and
/// then UTF-8. `docs/language.md` lists the fields in order. The encoder below and the decoder beside it are
/// read side by side: each method here has its twin there.
enum ModuleFormat {
    static let magic: [UInt8] = [0x53, 0x43, 0x4F, 0x44]  // "SCOD"
    static let version: UInt16 = 1

    /// Bytes of an instruction: four of the opcode, three registers and a zero, the index, the constant.
    static let instructionSize = 20
    /// Bytes of a source range: line, column, length.
    static let rangeSize = 12

    /// What a fragment carries about the source it came from.
    static let hasHeadingRange: UInt8 = 1
    static let hasSourceRanges: UInt8 = 2
}

extension Program {
    /// The program as a module. *Requires* that it stays within `ProgramLimits`; what does not is cut short, and
    /// the decoder refuses the result.
    public func encoded() -> [UInt8] {
        var writer = ModuleWriter()
        writer.bytes += ModuleFormat.magic
        writer.write(ModuleFormat.version)
        writer.write(acceptorName) { $0.write(name: $1) }
        writer.write(list: regions) { $0.write($1) }
        writer.write(list: fragments) { $0.write($1) }
        return writer.bytes
    }
}

private struct ModuleWriter {
    var bytes: [UInt8] = []

    mutating func write(_ value: some FixedWidthInteger) {
        withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }

    mutating func write(name: String) {
        let utf8 = name.utf8.prefix(ProgramLimits.nameLength)
        write(UInt8(truncatingIfNeeded: utf8.count))
        bytes.append(contentsOf: utf8)
    }

    mutating func write<Element>(_ value: Element?, _ body: (inout ModuleWriter, Element) -> Void) {
        write(UInt8(value == nil ? 0 : 1))
        if let value { body(&self, value) }
    }

    mutating func write<Element>(list: [Element], _ body: (inout ModuleWriter, Element) -> Void) {
        write(UInt32(truncatingIfNeeded: list.count))
        for element in list { body(&self, element) }
    }

    mutating func write(_ region: Region) {
        write(name: region.name)
        write(region.policy.rawValue)
        write(UInt8(region.isWritable ? 1 : 0))
        write(region.size)
    }

    mutating func write(_ fragment: FragmentCode) {
        write(name: fragment.name)
        write(list: fragment.parameters) { $0.write($1) }
        for number in 0..<Register.count {
            let names = fragment.registerNames
            write(names.indices.contains(number) ? names[number] : nil) { $0.write(name: $1) }
        }
        write(list: fragment.labels) {
            $0.write(name: $1.name)
            $0.write($1.position)
        }
        write(list: fragment.tables) {
            $0.write(name: $1.name)
            $0.write(list: $1.labels) { $0.write($1) }
        }
        write(list: fragment.macroCalls) {
            $0.write(name: $1.name)
            $0.write(list: $1.operands) { $0.write($1) }
        }
        write(list: fragment.instructions) { $0.write($1) }
        let hasRanges =
            !fragment.sourceRanges.isEmpty && fragment.sourceRanges.count == fragment.instructions.count
        let hasHeading = fragment.range != .none
        write(
            (hasHeading ? ModuleFormat.hasHeadingRange : 0) | (hasRanges ? ModuleFormat.hasSourceRanges : 0))
        if hasHeading { write(fragment.range) }
        // One range per instruction: the count is the instructions'.
        if hasRanges { for range in fragment.sourceRanges { write(range) } }
    }

    mutating func write(_ parameter: Parameter) {
        write(name: parameter.name)
        write(parameter.register.number)
        write(parameter.type.rawValue)
        switch parameter.defaultValue {
        case nil:
            write(UInt8(0))
        case .constant(let value):
            write(UInt8(1))
            write(value)
        case .region(let index):
            write(UInt8(2))
            write(index)
        }
    }

    mutating func write(_ operand: MacroOperand) {
        switch operand {
        case .register(let register):
            write(UInt8(0))
            write(register.number)
        case .immediate(let value):
            write(UInt8(1))
            write(value)
        }
    }

    mutating func write(_ instruction: Instruction) {
        let opcode = instruction.opcode
        write(opcode.operation.rawValue)
        write(opcode.type.rawValue)
        write(opcode.sourceType.rawValue)
        write(opcode.form.rawValue)
        write(instruction.rd.number)
        write(instruction.rs1.number)
        write(instruction.rs2.number)
        write(UInt8(0))
        write(instruction.index)
        write(instruction.immediate)
    }

    mutating func write(_ range: SourceRange) {
        write(range.line)
        write(range.column)
        write(range.length)
    }
}

extension Program {
    /// The four bytes that every module begins with.
    public static let moduleMagic = ModuleFormat.magic
}
