extension Program {
    /// The program in text form; parsing it gives the program back.
    ///
    /// *Requires* nothing: a program that no one has verified prints too, with `?` where an index leads
    /// nowhere. *Produces*, of a program that keeps rule V1, lists its labels by position and has one macro
    /// call for each macro-instruction, in order: text that parses to the same program without positions. Names
    /// that the text form cannot write are replaced by ones that it can.
    public func printed() -> String {
        var names = UniqueNames()
        // Parts that an empty line keeps apart.
        var parts: [String] = []
        if let acceptorName {
            let version = acceptorVersion == 0 ? "" : " \(acceptorVersion)"
            parts.append("accept \(UniqueNames.sanitised(acceptorName))\(version)\n")
        }
        if !hostFunctions.isEmpty {
            parts.append(
                hostFunctions.map { function in
                    let parameters = function.parameters.map(\.suffix).joined(separator: ", ")
                    let result = function.result.map { ": \($0.suffix)" } ?? ""
                    return "host \(UniqueNames.sanitised(function.name))(\(parameters))\(result)\n"
                }.joined())
        }
        let regionNames = regions.enumerated().map { names.take($1.name, or: "region_\($0)") }
        if !regions.isEmpty {
            parts.append(
                zip(regions, regionNames).map { region, name in
                    "region \(name): \(region.policy.name) \(region.isWritable ? "rw" : "ro"), \(region.size)"
                        + region.contentsText + "\n"
                }.joined())
        }
        var fragmentNames = UniqueNames()
        for (index, fragment) in fragments.enumerated() {
            let name = fragmentNames.take(fragment.name, or: "fragment_\(index)")
            let printer = FragmentPrinter(fragment, called: name, regions: regionNames, used: names)
            parts.append(printer.text())
        }
        return parts.joined(separator: "\n")
    }
}

extension Region {
    /// ` = { … }`, sixteen bytes a line when there are more; nothing when the region holds zeros.
    fileprivate var contentsText: String {
        if contents.isEmpty { return "" }
        let perLine = 16
        let breaks = contents.count > perLine
        var text: [UInt8] = Array(" = {".utf8)
        for (index, byte) in contents.enumerated() {
            if index > 0 { text.append(UInt8(ascii: ",")) }
            text += (breaks && index % perLine == 0 ? "\n    " : " ").utf8
            text += String(byte).utf8
        }
        text += (breaks ? "\n}" : " }").utf8
        return String(decoding: text, as: UTF8.self)
    }
}

/// Prints one fragment, once every name in it is settled.
private struct FragmentPrinter {
    private let fragment: FragmentCode
    private let name: String
    private let regions: [String]
    private let labels: [String]
    private let tables: [String]
    private let procedures: [String]
    private let parameters: [String]
    /// What each register is called in operands.
    private var registers: [String]
    /// Registers whose names a `register` line must declare.
    private var declared: [Register] = []

    init(_ fragment: FragmentCode, called name: String, regions: [String], used: UniqueNames) {
        self.fragment = fragment
        self.name = name
        self.regions = regions
        var labelNames = UniqueNames()
        labels = fragment.labels.enumerated().map { labelNames.take($1.name, or: "L\($0)") }
        var tableNames = UniqueNames()
        tables = fragment.tables.enumerated().map { tableNames.take($1.name, or: "T\($0)") }
        procedures = fragment.procedures.enumerated().map { labelNames.take($1.name, or: "P\($0)") }
        registers = (0..<Register.count).map { Register($0).name }
        var registerNames = used
        var parameters: [String] = []
        for parameter in fragment.parameters {
            // A parameter without a name of its own goes by its register.
            let own = registerNames.takeIfPossible(parameter.name) ?? parameter.register.name
            if registers.indices.contains(Int(parameter.register.number)) {
                registers[Int(parameter.register.number)] = own
            }
            parameters.append(own)
        }
        self.parameters = parameters
        for (number, name) in fragment.registerNames.prefix(Register.count).enumerated()
        where !fragment.parameters.contains(where: { Int($0.register.number) == number }) {
            guard let own = registerNames.takeIfPossible(name) else { continue }
            registers[number] = own
            declared.append(Register(number))
        }
    }

    func text() -> String {
        var out = ""
        let inOrder = hasParametersInOrder
        let heading = zip(fragment.parameters, parameters).map { parameter, name in
            let place = inOrder || name == parameter.register.name ? "" : " in \(parameter.register.name)"
            let value = defaultText(parameter.defaultValue, parameter.type)
            return "\(name): \(parameter.type.suffix)\(place)\(value)"
        }
        out += "fragment \(name)(\(heading.joined(separator: ", "))) {\n"
        for register in declared {
            out += "    register \(text(register)) = \(register.name)\n"
        }
        for (table, name) in zip(fragment.tables, tables) {
            let entries = table.labels.map { entry(labels, $0) }.joined(separator: ", ")
            out += "    table \(name) = " + (entries.isEmpty ? "{}\n" : "{ \(entries) }\n")
        }
        // Labels by position, those of one position in their own order.
        let order = fragment.labels.indices.sorted {
            (fragment.labels[$0].position, $0) < (fragment.labels[$1].position, $1)
        }
        var next = 0
        var nextProcedure = 0
        for (position, instruction) in fragment.instructions.enumerated() {
            while nextProcedure < procedures.count, fragment.procedures[nextProcedure].start <= position {
                out += "procedure \(procedures[nextProcedure]):\n"
                nextProcedure += 1
            }
            while next < order.count, Int(fragment.labels[order[next]].position) <= position {
                out += "\(labels[order[next]]):\n"
                next += 1
            }
            print(instruction, into: &out)
        }
        for procedure in procedures.dropFirst(nextProcedure) { out += "procedure \(procedure):\n" }
        for label in order.dropFirst(next) { out += "\(labels[label]):\n" }
        return out + "}\n"
    }

    /// Whether each parameter arrives in the lowest register of its kind that those before it leave: then nothing
    /// has to say where.
    private var hasParametersInOrder: Bool {
        var integers = 0
        var floats = 0
        return fragment.parameters.allSatisfy { parameter in
            if parameter.type.isFloat {
                floats += 1
                return parameter.register == Register.float(floats - 1)
            }
            integers += 1
            return parameter.register == Register(integers - 1)
        }
    }

    private func print(_ instruction: Instruction, into out: inout String) {
        var mnemonic = instruction.opcode.mnemonic
        var operands = ""
        if instruction.opcode.shape.isExpanded {
            let index = Int(instruction.index)
            let calls = fragment.macroCalls
            let name = calls.indices.contains(index) ? UniqueNames.sanitised(calls[index].name) : "?"
            var list = calls.indices.contains(index) ? calls[index].operands.map(text) : []
            if instruction.opcode.shape == .macro { mnemonic = name } else { list.insert(name, at: 0) }
            operands = list.joined(separator: ", ")
        } else {
            operands = instruction.opcode.operands.map { text($0, of: instruction) }.joined(separator: ", ")
        }
        out += "    \(mnemonic)"
        if !operands.isEmpty {
            out += String(repeating: " ", count: max(1, 8 - mnemonic.utf8.count))
            out += operands
        }
        out += "\n"
    }

    private func text(_ kind: OperandKind, of instruction: Instruction) -> String {
        switch kind {
        case .destination, .value, .exchanged: text(instruction.rd)
        case .source: text(instruction.rs1)
        case .source2: text(instruction.rs2)
        case .immediate: text(instruction.immediate, instruction.opcode.type, instruction.opcode.shape)
        case .symbol: entry(regions, instruction.index) + addend(instruction.immediate)
        case .label: entry(labels, instruction.index)
        case .table: entry(tables, instruction.index)
        case .procedure: entry(procedures, instruction.index)
        }
    }

    private func text(_ immediate: Int64, _ type: ValueType, _ shape: OperandShape) -> String {
        type.isFloat && shape == .constant ? type.literal(UInt64(bitPattern: immediate)) : "\(immediate)"
    }

    private func text(_ operand: MacroOperand) -> String {
        switch operand {
        case .register(let register): text(register)
        case .immediate(let value): "\(value)"
        }
    }

    private func text(_ register: Register) -> String {
        let number = Int(register.number)
        return registers.indices.contains(number) ? registers[number] : register.name
    }

    private func entry(_ names: [String], _ index: UInt32) -> String {
        let index = Int(index)
        return names.indices.contains(index) ? names[index] : "?"
    }

    private func addend(_ value: Int64) -> String {
        if value == 0 { return "" }
        return value > 0 ? " + \(value)" : " - \(value.magnitude)"
    }

    private func defaultText(_ value: ParameterDefault?, _ type: ValueType) -> String {
        switch value {
        case nil: ""
        case .constant(let value): " = \(text(value, type, .constant))"
        case .region(let index): " = \(entry(regions, index))"
        }
    }
}

extension ValueType {
    /// The number with these bits as the text form writes it: the shortest decimal that reads back as the same
    /// number, `inf`, `-inf`, or `nan(0x…)` with all bits.
    public func literal(_ bits: UInt64) -> String {
        let isNaN: Bool
        let text: String
        if self == .f {
            let value = Float(bitPattern: UInt32(truncatingIfNeeded: bits))
            (isNaN, text) = (value.isNaN, "\(value)")
        } else {
            let value = Double(bitPattern: bits)
            (isNaN, text) = (value.isNaN, "\(value)")
        }
        return isNaN ? "nan(0x\(String(bits, radix: 16)))" : text
    }
}
