extension Program {
    /// Reads a module. What comes out has the shape of a program and no more: the verifier judges it. Whatever
    /// the bytes are, decoding takes time and memory in proportion to their number.
    public init(decoding bytes: UnsafeRawBufferPointer) throws(DecodingFailure) {
        guard let base = bytes.baseAddress else { throw .notAModule }
        var reader = ModuleReader(ModuleCursor(base: base, count: bytes.count))
        self = try reader.program()
    }

    public init(decoding bytes: RawSpan) throws(DecodingFailure) {
        self = try bytes.withUnsafeBytes { (buffer) throws(DecodingFailure) in try Program(decoding: buffer) }
    }

    public init(decoding bytes: [UInt8]) throws(DecodingFailure) {
        try self.init(decoding: bytes.span.bytes)
    }
}

/// Reads a module section by section. `ModuleWriter` writes what it reads.
private struct ModuleReader {
    private var cursor: ModuleCursor
    private let layouts = OperandLayout.all
    /// The range before the one to read.
    private var lastRange = SourceRange.none

    init(_ cursor: ModuleCursor) { self.cursor = cursor }

    mutating func program() throws(DecodingFailure) -> Program {
        try header()
        var program = Program()
        var last = ModuleFormat.Section.end
        while let section = try section(after: last) {
            switch section {
            case .end: break
            case .acceptor:
                program.acceptorName = try cursor.name()
                program.acceptorVersion = try cursor.number32(.acceptorVersion)
            case .hostFunctions: program.hostFunctions = try hostFunctions()
            case .regions: program.regions = try regions()
            case .fragments: program.fragments = try fragments()
            case .names: try names(&program.fragments)
            case .positions: try positions(&program)
            }
            last = section
        }
        guard cursor.isAtEnd else { throw .trailingBytes(at: cursor.offset) }
        return program
    }

    private mutating func header() throws(DecodingFailure) {
        for expected in ModuleFormat.magic {
            guard cursor.remaining > 0, try cursor.byte() == expected else { throw .notAModule }
        }
        let at = cursor.offset
        let version = try cursor.number()
        guard version == ModuleFormat.version else { throw .unknownVersion(version, at: at) }
    }

    /// The section that comes next; nil at the end of the module.
    private mutating func section(
        after last: ModuleFormat.Section
    ) throws(DecodingFailure) -> ModuleFormat.Section? {
        let at = cursor.offset
        let number = try cursor.byte()
        guard let section = ModuleFormat.Section(rawValue: number) else {
            throw .unknownSection(number, at: at)
        }
        if section == .end { return nil }
        guard number > last.rawValue else { throw .sectionOrder(number, at: at) }
        return section
    }

    // MARK: What the program declares

    private mutating func hostFunctions() throws(DecodingFailure) -> [HostDeclaration] {
        let count = try cursor.countOfSome(
            .hostFunctions, atMost: ProgramLimits.hostFunctions,
            leastBytes: ModuleFormat.LeastBytes.hostFunction)
        var functions: [HostDeclaration] = []
        functions.reserveCapacity(count)
        for _ in 0..<count {
            var function = HostDeclaration(name: try cursor.name(), parameters: [])
            let at = cursor.offset
            let result = try cursor.number()
            if result > 0 { function.result = try type(result - 1, at: at) }
            let parameters = try cursor.count(
                .hostParameters, atMost: ProgramLimits.macroOperands, leastBytes: 1)
            for _ in 0..<parameters {
                let at = cursor.offset
                function.parameters.append(try type(try cursor.number(), at: at))
            }
            functions.append(function)
        }
        return functions
    }

    private func type(_ number: UInt64, at offset: Int) throws(DecodingFailure) -> ValueType {
        guard let type = UInt8(exactly: number).flatMap(ValueType.init(rawValue:)) else {
            throw .badValue(.type, number, at: offset)
        }
        return type
    }

    private mutating func regions() throws(DecodingFailure) -> [Region] {
        let count = try cursor.countOfSome(
            .regions, atMost: ProgramLimits.regions, leastBytes: ModuleFormat.LeastBytes.region)
        var regions: [Region] = []
        regions.reserveCapacity(count)
        for _ in 0..<count {
            let name = try cursor.name()
            let at = cursor.offset
            let flags = try cursor.number()
            let number = flags & ~(ModuleFormat.regionIsWritable | ModuleFormat.regionHasContents)
            guard let policy = UInt8(exactly: number).flatMap(MemoryPolicy.init(rawValue:)) else {
                throw .badValue(.regionFlags, flags, at: at)
            }
            var region = Region(
                name: name, policy: policy, isWritable: flags & ModuleFormat.regionIsWritable != 0,
                size: try cursor.number())
            if flags & ModuleFormat.regionHasContents != 0 {
                let most = Int(min(region.size, UInt64(ProgramLimits.regionContents)))
                let count = try cursor.countOfSome(.regionContents, atMost: most, leastBytes: 1)
                region.contents = try cursor.bytes(count)
            }
            regions.append(region)
        }
        return regions
    }

    // MARK: Fragments

    private mutating func fragments() throws(DecodingFailure) -> [FragmentCode] {
        let count = try cursor.countOfSome(
            .fragments, atMost: ProgramLimits.fragments, leastBytes: ModuleFormat.LeastBytes.fragment)
        var fragments: [FragmentCode] = []
        fragments.reserveCapacity(count)
        for _ in 0..<count { fragments.append(try fragment()) }
        return fragments
    }

    private mutating func fragment() throws(DecodingFailure) -> FragmentCode {
        var fragment = FragmentCode(name: try cursor.name(), registerNames: Self.noRegisterNames)
        fragment.parameters = try parameters()
        fragment.labels = try labels()
        fragment.tables = try tables()
        fragment.procedures = try procedures()
        fragment.macroCalls = try macroCalls()
        fragment.instructions = try instructions()
        return fragment
    }

    /// Shared by all fragments whose registers have no names.
    private static let noRegisterNames = [String?](repeating: nil, count: Register.count)

    private mutating func parameters() throws(DecodingFailure) -> [Parameter] {
        let count = try cursor.count(
            .parameters, atMost: ProgramLimits.parameters, leastBytes: ModuleFormat.LeastBytes.parameter)
        if count == 0 { return [] }
        var parameters: [Parameter] = []
        parameters.reserveCapacity(count)
        for _ in 0..<count { parameters.append(try parameter()) }
        return parameters
    }

    private mutating func parameter() throws(DecodingFailure) -> Parameter {
        let register = try register(.register)
        let at = cursor.offset
        let flags = try cursor.number()
        let typeMask: UInt64 = (1 << ModuleFormat.parameterTypeBits) - 1
        guard let kind = ModuleFormat.DefaultKind(rawValue: flags >> ModuleFormat.parameterTypeBits) else {
            throw .badValue(.parameterFlags, flags, at: at)
        }
        var parameter = Parameter(name: "", register: register, type: try type(flags & typeMask, at: at))
        switch kind {
        case .none: break
        case .constant: parameter.defaultValue = .constant(try cursor.signed())
        case .region: parameter.defaultValue = .region(try cursor.number32(.parameterRegion))
        }
        return parameter
    }

    private mutating func register(
        _ field: DecodingFailure.DecodedField
    ) throws(DecodingFailure) -> Register {
        Register(UInt8(truncatingIfNeeded: try cursor.number(field, atMost: UInt64(Register.count - 1))))
    }

    private mutating func labels() throws(DecodingFailure) -> [Label] {
        let count = try cursor.count(
            .labels, atMost: ProgramLimits.labels, leastBytes: ModuleFormat.LeastBytes.label)
        if count == 0 { return [] }
        var labels: [Label] = []
        labels.reserveCapacity(count)
        for _ in 0..<count { labels.append(Label(name: "", position: try cursor.number32(.labelPosition))) }
        return labels
    }

    private mutating func tables() throws(DecodingFailure) -> [JumpTable] {
        let count = try cursor.count(
            .tables, atMost: ProgramLimits.tables, leastBytes: ModuleFormat.LeastBytes.table)
        if count == 0 { return [] }
        var tables: [JumpTable] = []
        tables.reserveCapacity(count)
        for _ in 0..<count {
            let entries = try cursor.count(
                .tableEntries, atMost: ProgramLimits.tableEntries,
                leastBytes: ModuleFormat.LeastBytes.tableEntry)
            var table = JumpTable(name: "", labels: [])
            table.labels.reserveCapacity(entries)
            for _ in 0..<entries { table.labels.append(try cursor.number32(.tableEntry)) }
            tables.append(table)
        }
        return tables
    }

    private mutating func procedures() throws(DecodingFailure) -> [Procedure] {
        let count = try cursor.count(
            .procedures, atMost: ProgramLimits.procedures, leastBytes: ModuleFormat.LeastBytes.procedure)
        if count == 0 { return [] }
        var procedures: [Procedure] = []
        procedures.reserveCapacity(count)
        for _ in 0..<count {
            procedures.append(Procedure(name: "", start: try cursor.number32(.procedureStart)))
        }
        return procedures
    }

    private mutating func macroCalls() throws(DecodingFailure) -> [MacroCall] {
        let count = try cursor.count(
            .macroCalls, atMost: ProgramLimits.instructionsPerFragment,
            leastBytes: ModuleFormat.LeastBytes.macroCall)
        if count == 0 { return [] }
        var calls: [MacroCall] = []
        calls.reserveCapacity(count)
        for _ in 0..<count { calls.append(try macroCall()) }
        return calls
    }

    private mutating func macroCall() throws(DecodingFailure) -> MacroCall {
        var call = MacroCall(name: try cursor.name(), operands: [])
        let count = try cursor.count(
            .macroOperands, atMost: ProgramLimits.macroOperands,
            leastBytes: ModuleFormat.LeastBytes.macroOperand)
        call.operands.reserveCapacity(count)
        for _ in 0..<count {
            let operand = try cursor.number(.macroOperand, atMost: ModuleFormat.constantOperand)
            call.operands.append(
                operand == ModuleFormat.constantOperand
                    ? .immediate(try cursor.signed())
                    : .register(Register(UInt8(truncatingIfNeeded: operand))))
        }
        return call
    }

    private mutating func instructions() throws(DecodingFailure) -> [Instruction] {
        let count = try cursor.count(
            .instructions, atMost: ProgramLimits.instructionsPerFragment,
            leastBytes: ModuleFormat.LeastBytes.instruction)
        // A cursor of its own, which stays in registers.
        var cursor = cursor
        var instructions = [Instruction](repeating: Instruction(Opcode(.macro)), count: count)
        for index in 0..<count { instructions[index] = try cursor.instruction(layouts) }
        self.cursor = cursor
        return instructions
    }

    // MARK: Names

    private mutating func names(_ fragments: inout [FragmentCode]) throws(DecodingFailure) {
        let start = cursor.offset
        var hasNames = false
        for index in fragments.indices {
            let at = cursor.offset
            let flags = ModuleFormat.NameFlags(rawValue: try cursor.number())
            guard flags.isSubset(of: .all) else { throw .badValue(.nameFlags, flags.rawValue, at: at) }
            if flags.isEmpty { continue }
            hasNames = true
            if flags.contains(.parameters) { try names(.parameterNames, of: &fragments[index].parameters) }
            if flags.contains(.registers) { fragments[index].registerNames = try registerNames() }
            if flags.contains(.labels) { try names(.labelNames, of: &fragments[index].labels) }
            if flags.contains(.tables) { try names(.tableNames, of: &fragments[index].tables) }
            if flags.contains(.procedures) { try names(.procedureNames, of: &fragments[index].procedures) }
        }
        guard hasNames else { throw .empty(.names, at: start) }
    }

    private mutating func names<Element: Named>(
        _ list: DecodingFailure.DecodedList, of elements: inout [Element]
    ) throws(DecodingFailure) {
        let start = cursor.offset
        var hasNames = false
        for index in elements.indices {
            let name = try cursor.name()
            if name.isEmpty { continue }
            elements[index].name = name
            hasNames = true
        }
        guard hasNames else { throw .empty(list, at: start) }
    }

    private mutating func registerNames() throws(DecodingFailure) -> [String?] {
        let count = try cursor.countOfSome(
            .registerNames, atMost: Register.count, leastBytes: ModuleFormat.LeastBytes.namedRegister)
        var names = [String?](repeating: nil, count: Register.count)
        var lowest = 0
        for _ in 0..<count {
            let at = cursor.offset
            let number = Int(try register(.namedRegister).number)
            // By ascending number, so that none comes twice.
            guard number >= lowest else { throw .badValue(.namedRegister, UInt64(number), at: at) }
            lowest = number + 1
            let name = try cursor.name()
            guard !name.isEmpty else { throw .empty(.registerNames, at: at) }
            names[number] = name
        }
        return names
    }

    // MARK: Source positions

    private mutating func positions(_ program: inout Program) throws(DecodingFailure) {
        let start = cursor.offset
        let files = try cursor.count(
            .sourceFiles, atMost: ProgramLimits.sourceFiles, leastBytes: ModuleFormat.LeastBytes.name)
        for _ in 0..<files {
            program.sourceFiles.append(try cursor.name(atMost: ProgramLimits.sourceFileNameLength))
        }
        var saysSomething = files > 0
        for index in program.fragments.indices {
            let at = cursor.offset
            let flags = ModuleFormat.PositionFlags(rawValue: try cursor.number())
            guard flags.isSubset(of: .all) else { throw .badValue(.positionFlags, flags.rawValue, at: at) }
            if flags.isEmpty { continue }
            saysSomething = true
            if flags.contains(.heading) {
                let at = cursor.offset
                lastRange = try cursor.range(after: lastRange, files: files)
                guard lastRange != .none else { throw .empty(.headingPosition, at: at) }
                program.fragments[index].range = lastRange
            }
            if flags.contains(.instructions) {
                let count = program.fragments[index].instructions.count
                program.fragments[index].sourceRanges = try ranges(count, files: files)
            }
        }
        guard saysSomething else { throw .empty(.positions, at: start) }
    }

    /// A range for each instruction. That there are as many is not said again.
    private mutating func ranges(_ count: Int, files: Int) throws(DecodingFailure) -> [SourceRange] {
        guard count > 0 else { throw .empty(.instructionPositions, at: cursor.offset) }
        guard count <= cursor.remaining / ModuleFormat.LeastBytes.range else {
            throw .tooMany(.instructionPositions, UInt64(count), at: cursor.offset)
        }
        var ranges: [SourceRange] = []
        ranges.reserveCapacity(count)
        // A cursor of its own, which stays in registers.
        var cursor = cursor
        var last = lastRange
        for _ in 0..<count {
            last = try cursor.range(after: last, files: files)
            ranges.append(last)
        }
        (self.cursor, lastRange) = (cursor, last)
        return ranges
    }
}

/// What the names section names.
private protocol Named {
    var name: String { get set }
}

extension Parameter: Named {}
extension Label: Named {}
extension JumpTable: Named {}
extension Procedure: Named {}
