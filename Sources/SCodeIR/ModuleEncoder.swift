extension Program {
    /// The four bytes that every module begins with.
    public static let moduleMagic = ModuleFormat.magic

    /// The program as a module.
    ///
    /// *Requires* that its instructions keep rule V1, that it stays within `ProgramLimits`, and that positions
    /// name files that are there. *Produces* bytes from which `init(decoding:)` makes the same program. Of other
    /// programs, what an opcode does not use is lost, and what no module can say the decoder refuses. Nothing is
    /// said of the version of an acceptor without a name, of registers with an empty name, and of positions that
    /// are there for some instructions only.
    public func encoded() -> [UInt8] {
        var writer = ModuleWriter()
        writer.write(self)
        return writer.bytes
    }
}

private struct ModuleWriter {
    var bytes: [UInt8] = []
    /// The range before the one to write.
    private var lastRange = SourceRange.none

    mutating func write(_ program: Program) {
        bytes.reserveCapacity(64 + 8 * program.fragments.reduce(0) { $0 + $1.instructions.count })
        bytes += ModuleFormat.magic
        write(ModuleFormat.version)
        if let name = program.acceptorName {
            write(.acceptor)
            write(name: name)
            write(UInt64(program.acceptorVersion))
        }
        if !program.hostFunctions.isEmpty {
            write(.hostFunctions)
            write(count: program.hostFunctions.count)
            for function in program.hostFunctions { write(function) }
        }
        if !program.regions.isEmpty {
            write(.regions)
            write(count: program.regions.count)
            for region in program.regions { write(region) }
        }
        if !program.fragments.isEmpty {
            write(.fragments)
            write(count: program.fragments.count)
            for fragment in program.fragments { write(fragment) }
        }
        if program.fragments.contains(where: { !nameFlags($0).isEmpty }) {
            write(.names)
            for fragment in program.fragments { writeNames(fragment) }
        }
        let hasPositions = program.fragments.contains { !positionFlags($0).isEmpty }
        if hasPositions || !program.sourceFiles.isEmpty {
            write(.positions)
            write(count: program.sourceFiles.count)
            for file in program.sourceFiles { write(name: file) }
            for fragment in program.fragments { writePositions(fragment) }
        }
        write(.end)
    }

    // MARK: Bytes, numbers, names

    private mutating func write(_ section: ModuleFormat.Section) { bytes.append(section.rawValue) }

    private mutating func write(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(truncatingIfNeeded: rest))
    }

    private mutating func write(_ value: Int64) { write(ModuleFormat.zigzag(value)) }

    private mutating func write(count: Int) { write(UInt64(count)) }

    private mutating func write(name: String) {
        write(count: name.utf8.count)
        bytes.append(contentsOf: name.utf8)
    }

    private mutating func write(_ register: Register) { bytes.append(register.number) }

    private mutating func write(_ type: ValueType) { bytes.append(type.rawValue) }

    // MARK: The program

    private mutating func write(_ function: HostDeclaration) {
        write(name: function.name)
        // Shifted by one, so that no result is 0.
        write(UInt64(function.result.map { $0.rawValue + 1 } ?? 0))
        write(count: function.parameters.count)
        for type in function.parameters { write(type) }
    }

    private mutating func write(_ region: Region) {
        write(name: region.name)
        write(
            UInt64(region.policy.rawValue) | (region.isWritable ? ModuleFormat.regionIsWritable : 0)
                | (region.contents.isEmpty ? 0 : ModuleFormat.regionHasContents))
        write(region.size)
        if !region.contents.isEmpty {
            write(count: region.contents.count)
            bytes += region.contents
        }
    }

    // MARK: Fragments

    private mutating func write(_ fragment: FragmentCode) {
        write(name: fragment.name)
        write(count: fragment.parameters.count)
        for parameter in fragment.parameters { write(parameter) }
        write(count: fragment.labels.count)
        for label in fragment.labels { write(UInt64(label.position)) }
        write(count: fragment.tables.count)
        for table in fragment.tables {
            write(count: table.labels.count)
            for label in table.labels { write(UInt64(label)) }
        }
        write(count: fragment.procedures.count)
        for procedure in fragment.procedures { write(UInt64(procedure.start)) }
        write(count: fragment.macroCalls.count)
        for call in fragment.macroCalls { write(call) }
        write(count: fragment.instructions.count)
        for instruction in fragment.instructions { write(instruction) }
    }

    private mutating func write(_ parameter: Parameter) {
        write(parameter.register)
        let kind: ModuleFormat.DefaultKind =
            switch parameter.defaultValue {
            case nil: .none
            case .constant: .constant
            case .region: .region
            }
        write(UInt64(parameter.type.rawValue) | kind.rawValue << ModuleFormat.parameterTypeBits)
        switch parameter.defaultValue {
        case nil: break
        case .constant(let value): write(value)
        case .region(let index): write(UInt64(index))
        }
    }

    private mutating func write(_ call: MacroCall) {
        write(name: call.name)
        write(count: call.operands.count)
        for operand in call.operands {
            switch operand {
            case .register(let register): write(register)
            case .immediate(let value):
                write(ModuleFormat.constantOperand)
                write(value)
            }
        }
    }

    private mutating func write(_ instruction: Instruction) {
        guard let number = instruction.opcode.number else {
            // The table has no such opcode, and the decoder no such number.
            write(count: OperandLayout.all.count)
            return
        }
        let layout = OperandLayout.all[number]
        write(count: number)
        let fields =
            UInt32(instruction.rd.number) | UInt32(instruction.rs1.number) << 8 | UInt32(
                instruction.rs2.number) << 16
        for index in 0..<UInt32(layout.registerCount) {
            bytes.append(UInt8(truncatingIfNeeded: fields >> layout.place(index)))
        }
        if layout.hasIndex { write(UInt64(instruction.index)) }
        if layout.constantBits > 0 {
            let unused = 64 - Int64(layout.constantBits)
            write((instruction.immediate << unused) >> unused)
        }
    }

    // MARK: Names

    private func nameFlags(_ fragment: FragmentCode) -> ModuleFormat.NameFlags {
        var flags: ModuleFormat.NameFlags = []
        if fragment.parameters.contains(where: { !$0.name.isEmpty }) { flags.insert(.parameters) }
        if !namedRegisters(fragment).isEmpty { flags.insert(.registers) }
        if fragment.labels.contains(where: { !$0.name.isEmpty }) { flags.insert(.labels) }
        if fragment.tables.contains(where: { !$0.name.isEmpty }) { flags.insert(.tables) }
        if fragment.procedures.contains(where: { !$0.name.isEmpty }) { flags.insert(.procedures) }
        return flags
    }

    private func namedRegisters(_ fragment: FragmentCode) -> [(register: Register, name: String)] {
        fragment.registerNames.prefix(Register.count).enumerated().compactMap { number, name in
            guard let name, !name.isEmpty else { return nil }
            return (Register(number), name)
        }
    }

    private mutating func writeNames(_ fragment: FragmentCode) {
        let flags = nameFlags(fragment)
        write(flags.rawValue)
        if flags.contains(.parameters) {
            for parameter in fragment.parameters { write(name: parameter.name) }
        }
        if flags.contains(.registers) {
            let named = namedRegisters(fragment)
            write(count: named.count)
            for (register, name) in named {
                write(register)
                write(name: name)
            }
        }
        if flags.contains(.labels) { for label in fragment.labels { write(name: label.name) } }
        if flags.contains(.tables) { for table in fragment.tables { write(name: table.name) } }
        if flags.contains(.procedures) {
            for procedure in fragment.procedures { write(name: procedure.name) }
        }
    }

    // MARK: Source positions

    private func positionFlags(_ fragment: FragmentCode) -> ModuleFormat.PositionFlags {
        var flags: ModuleFormat.PositionFlags = []
        if fragment.range != .none { flags.insert(.heading) }
        if !fragment.sourceRanges.isEmpty, fragment.sourceRanges.count == fragment.instructions.count {
            flags.insert(.instructions)
        }
        return flags
    }

    private mutating func writePositions(_ fragment: FragmentCode) {
        let flags = positionFlags(fragment)
        write(flags.rawValue)
        if flags.contains(.heading) { write(fragment.range) }
        if flags.contains(.instructions) { for range in fragment.sourceRanges { write(range) } }
    }

    private mutating func write(_ range: SourceRange) {
        let columnDiffers = range.column != lastRange.column
        let fileDiffers = range.file != lastRange.file
        let distance = ModuleFormat.zigzag(Int64(range.line) - Int64(lastRange.line))
        write(
            distance << 2 | (columnDiffers ? ModuleFormat.columnDiffers : 0)
                | (fileDiffers ? ModuleFormat.fileDiffers : 0))
        write(UInt64(range.length))
        if columnDiffers { write(UInt64(range.column)) }
        if fileDiffers { write(UInt64(range.file)) }
        lastRange = range
    }
}
