import SCode

/// Changes a module in a way that leaves a module: bytes changed at random seldom get past the decoder, and verifier
/// and engines would see little.
///
/// - Returns: the length of the new module, which is in the buffer, or nil when it does not fit there or the first
///   `count` bytes are no module.
public func mutateModule(_ buffer: UnsafeMutableRawBufferPointer, count: Int, seed: UInt32) -> Int? {
    guard count <= buffer.count,
        var program = try? Program(decoding: UnsafeRawBufferPointer(rebasing: buffer[..<count]))
    else { return nil }
    var generator = FuzzGenerator(state: UInt64(seed))
    for _ in 0..<generator.below(4) + 1 { program.mutate(&generator) }
    let bytes = program.encoded()
    guard bytes.count <= buffer.count else { return nil }
    buffer.copyBytes(from: bytes)
    return bytes.count
}

extension Region {
    /// As the host policy wants it, mostly.
    fileprivate mutating func roundToPages(_ generator: inout FuzzGenerator) {
        if policy == .host, generator.below(8) != 0 { size &= ~(MemoryPolicy.hostPage - 1) }
    }
}

extension Program {
    fileprivate mutating func mutate(_ generator: inout FuzzGenerator) {
        switch generator.below(12) {
        case 0:
            var region = Region(
                name: "r\(regions.count)", policy: generator.pick(MemoryPolicy.allCases) ?? .physical,
                isWritable: generator.below(2) == 0, size: UInt64(generator.below(5000)))
            region.roundToPages(&generator)
            if regions.count < ProgramLimits.regions { regions.append(region) }
        case 1:
            guard let index = regions.indices.randomElement(using: &generator) else { return }
            regions[index].policy = generator.pick(MemoryPolicy.allCases) ?? .physical
            regions[index].size = UInt64(bitPattern: generator.constant()) % 0x3000
            regions[index].roundToPages(&generator)
            // Now and then more than there is room for.
            regions[index].contents = [UInt8](repeating: 7, count: generator.below(4) * generator.below(20))
        default:
            guard let index = fragments.indices.randomElement(using: &generator) else { return }
            fragments[index].mutate(regions: regions.count, &generator)
        }
    }
}

extension FragmentCode {
    /// Changes it a little, in a way that a seed stands for: an instruction, a label, an operand.
    /// - Parameter regions: how many the program has.
    public mutating func mutate(regions: Int, seed: UInt64) {
        var generator = FuzzGenerator(state: seed)
        for _ in 0..<generator.below(4) + 1 { mutate(regions: regions, &generator) }
    }

    fileprivate mutating func mutate(regions: Int, _ generator: inout FuzzGenerator) {
        // Positions would have to be kept in step, and matter to nobody.
        sourceRanges = []
        let place = generator.below(instructions.count + 1)
        switch generator.below(10) {
        case 0...2: insert(anyInstruction(regions: regions, &generator), at: place)
        case 3:
            guard place < instructions.count else { return }
            instructions[place] = anyInstruction(regions: regions, &generator)
        case 4:
            guard place < instructions.count else { return }
            remove(at: place)
        case 5:
            guard let other = instructions.randomElement(using: &generator) else { return }
            insert(other, at: place)
        case 6:
            guard place < instructions.count else { return }
            instructions[place].changeOperand(&generator)
        case 7: labels.append(Label(name: "", position: UInt32(place)))
        case 8:
            guard let label = labels.indices.randomElement(using: &generator) else { return }
            labels[label].position = UInt32(place)
        default: mutateRest(regions: regions, place, &generator)
        }
    }

    private mutating func mutateRest(regions: Int, _ place: Int, _ generator: inout FuzzGenerator) {
        switch generator.below(4) {
        case 0:
            let entries = (0..<generator.below(4) + 1).map { _ in UInt32(generator.below(labels.count + 1)) }
            tables.append(JumpTable(name: "", labels: entries))
        case 1:
            procedures.append(Procedure(name: "", start: UInt32(place)))
            procedures.sort { $0.start < $1.start }
        case 2:
            var parameter = Parameter(
                name: "", register: generator.register(), type: generator.pick(ValueType.allCases) ?? .ul,
                defaultValue: .constant(generator.constant()))
            if regions > 0, generator.below(2) == 0 {
                parameter.type = .p
                parameter.defaultValue = .region(UInt32(generator.below(regions)))
            }
            if parameters.count < ProgramLimits.parameters { parameters.append(parameter) }
        default:
            guard let call = macroCalls.indices.randomElement(using: &generator),
                let operand = macroCalls[call].operands.indices.randomElement(using: &generator)
            else { return }
            macroCalls[call].operands[operand] =
                generator.below(2) == 0 ? .register(generator.register()) : .immediate(generator.constant())
        }
    }

    /// Labels and procedures stay at their instructions.
    private mutating func insert(_ instruction: Instruction, at place: Int) {
        guard instructions.count < 2000 else { return }
        instructions.insert(instruction, at: place)
        for index in labels.indices where Int(labels[index].position) > place { labels[index].position &+= 1 }
        for index in procedures.indices where Int(procedures[index].start) > place {
            procedures[index].start &+= 1
        }
    }

    private mutating func remove(at place: Int) {
        instructions.remove(at: place)
        for index in labels.indices where Int(labels[index].position) > place { labels[index].position -= 1 }
        for index in procedures.indices where Int(procedures[index].start) > place {
            procedures[index].start -= 1
        }
    }

    /// An instruction of the table, mostly with operands that exist.
    private func anyInstruction(regions: Int, _ generator: inout FuzzGenerator) -> Instruction {
        guard let opcode = generator.pick(Opcode.all), !opcode.shape.isExpanded else {
            return Instruction(Opcode(.macro), index: UInt32(generator.below(macroCalls.count + 1)))
        }
        var instruction = Instruction(opcode)
        for kind in opcode.operands {
            let register = generator.register(opcode.bank(kind))
            switch kind {
            case .destination, .value, .exchanged: instruction.rd = register
            case .source: instruction.rs1 = register
            case .source2: instruction.rs2 = register
            case .immediate: instruction.immediate = opcode.constant(&generator)
            case .symbol: instruction.index = UInt32(generator.below(regions + 1))
            case .label: instruction.index = UInt32(generator.below(labels.count + 1))
            case .table: instruction.index = UInt32(generator.below(tables.count + 1))
            case .procedure: instruction.index = UInt32(generator.below(procedures.count + 1))
            }
        }
        return instruction
    }
}

extension Opcode {
    fileprivate func constant(_ generator: inout FuzzGenerator) -> Int64 {
        let value = generator.constant()
        return shape.isAccess ? Int64(Int32(truncatingIfNeeded: value)) : type.immediate(value)
    }
}

extension Instruction {
    /// Another register, constant or index in the place of one.
    fileprivate mutating func changeOperand(_ generator: inout FuzzGenerator) {
        guard let kind = generator.pick(opcode.operands) else { return }
        let register = generator.register(opcode.bank(kind))
        switch kind {
        case .destination, .value, .exchanged: rd = register
        case .source: rs1 = register
        case .source2: rs2 = register
        case .immediate: immediate = opcode.constant(&generator)
        case .symbol: immediate = generator.constant()
        case .label, .table, .procedure: index = UInt32(generator.below(8))
        }
    }
}

/// SplitMix64, and what the mutator draws.
private struct FuzzGenerator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    /// 0 up to a limit, which is at least 1.
    mutating func below(_ limit: Int) -> Int { Int.random(in: 0..<limit, using: &self) }

    mutating func pick<Element>(_ elements: [Element]) -> Element? { elements.randomElement(using: &self) }

    /// Mostly one of a few, so that values meet.
    mutating func register(_ bank: RegisterBank = .integer) -> Register {
        let number = below(4) > 0 ? below(6) : below(Register.bankSize)
        return bank == .integer ? Register(number) : .float(number)
    }

    mutating func constant() -> Int64 {
        switch below(4) {
        case 0: Int64(below(17)) - 8
        case 1: pick([Int64.min, .max, -1, 0, 1 << 31, -(1 << 31), 1 << 32, 4096, 4095, 255, 65535]) ?? 0
        case 2: Int64(below(0x3000))
        default: Int64(bitPattern: next()) >> Int64(below(64))
        }
    }
}
