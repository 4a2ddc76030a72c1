import SCodeIR

extension EBPFCode {
    /// The acceptor that sections of an object file name, as the first part of their name; nil if none does.
    static func acceptor(named known: Set<String>, in object: ELFObject) throws(EBPFFailure) -> String? {
        var found: String?
        for section in object.sections where section.isExecutable && !section.bytes.isEmpty {
            let name = String(section.name.prefix { $0 != "/" })
            guard known.contains(name), name != found else { continue }
            if let found { throw EBPFFailure(.differentAcceptors(found, name)) }
            found = name
        }
        return found
    }

    /// The functions and data of an object file, its references to them resolved.
    init(_ object: ELFObject, _ interface: EBPFInterface) throws(EBPFFailure) {
        self.init()
        var reader = ObjectReader(object, interface)
        try reader.run(&self)
    }
}

/// Goes over an object file once: code, then symbols, then relocations, then data that they have named.
private struct ObjectReader {
    let object: ELFObject
    let interface: EBPFInterface
    /// By section: the index of its first instruction.
    private var firstInstruction: [Int: Int] = [:]
    private var codeInOrder: [(section: Int, start: Int)] {
        firstInstruction.sorted { $0.value < $1.value }.map { ($0.key, $0.value) }
    }
    private var relocations: [Int: [ELFObject.Relocation]] = [:]
    private var data = DataLayout()
    private var names = UniqueNames()

    init(_ object: ELFObject, _ interface: EBPFInterface) {
        self.object = object
        self.interface = interface
    }

    mutating func run(_ code: inout EBPFCode) throws(EBPFFailure) {
        try readCode(&code)
        try readFunctions(&code)
        for section in firstInstruction.keys { relocations[section] = try object.relocations(of: section) }
        let symbols = Set(relocations.values.joined().map(\.symbol))
        data = try DataLayout(object, symbols.sorted().map { object.symbols[$0] }, interface)
        code.regions = data.regions
        try readReferences(&code)
        if let lines = LineInformation(object) { lines.read(into: &code, firstInstruction) }
    }

    // MARK: Code

    private mutating func readCode(_ code: inout EBPFCode) throws(EBPFFailure) {
        for (number, section) in object.sections.enumerated()
        where section.isExecutable && !section.bytes.isEmpty {
            guard section.bytes.count % EBPFInstruction.size == 0 else {
                throw EBPFFailure(.partialInstruction(section.bytes.count), section: section.name)
            }
            let start = code.instructions.count
            code.instructions += EBPFInstruction.all(in: object.contents(of: number))
            guard code.instructions.count <= EBPFLimits.instructions else {
                throw EBPFFailure(.tooManyInstructions(EBPFLimits.instructions))
            }
            code.sections.append(.init(name: section.name, range: start..<code.instructions.count))
            firstInstruction[number] = start
        }
        guard !code.instructions.isEmpty else { throw EBPFFailure(.noFunctions) }
    }

    /// Functions that others may call become fragments: those outside `.text` if there are any, which is where C
    /// compilers put functions that nobody has given a section; else those in it.
    private mutating func readFunctions(_ code: inout EBPFCode) throws(EBPFFailure) {
        var starts = Set(code.sections.map(\.range.lowerBound))
        var entries: [(entry: EBPFEntry, isText: Bool)] = []
        var hasSymbol: Set<Int> = []
        var functions = 0
        for symbol in object.symbols where symbol.kind == .function {
            guard let section = symbol.section, let first = firstInstruction[section] else { continue }
            let offset = symbol.value / UInt64(EBPFInstruction.size)
            guard symbol.value % UInt64(EBPFInstruction.size) == 0,
                offset < UInt64(object.sections[section].bytes.count / EBPFInstruction.size)
            else { throw EBPFFailure(.notAnObject(.symbolTable)) }
            let start = first + Int(offset)
            starts.insert(start)
            hasSymbol.insert(section)
            functions += 1
            guard functions <= EBPFLimits.functions else {
                throw EBPFFailure(.tooManyFunctions(limit: EBPFLimits.functions))
            }
            let name = names.takeSanitised(object.name(of: symbol))
            if code.names[start] == nil { code.names[start] = name }
            guard !symbol.isLocal else { continue }
            entries.append((EBPFEntry(name: name, start: start), object.sections[section].name == ".text"))
        }
        // Code without names, as from an assembler, is called like its section.
        for (section, start) in codeInOrder where !hasSymbol.contains(section) {
            let name = object.sections[section].name
            let entry = EBPFEntry(name: names.takeSanitised(name == ".text" ? "main" : name), start: start)
            entries.append((entry, name == ".text"))
        }
        let isMixed = entries.contains { !$0.isText }
        code.entries = entries.filter { !isMixed || !$0.isText }.map(\.entry).sorted {
            ($0.start, $0.name) < ($1.start, $1.name)
        }
        code.starts = starts.sorted()
        guard !code.entries.isEmpty else { throw EBPFFailure(.noFunctions) }
    }

    // MARK: References

    private mutating func readReferences(_ code: inout EBPFCode) throws(EBPFFailure) {
        for (section, first) in codeInOrder {
            let count = object.sections[section].bytes.count / EBPFInstruction.size
            for relocation in relocations[section] ?? [] {
                let symbol = object.symbols[relocation.symbol]
                guard relocation.offset % UInt64(EBPFInstruction.size) == 0,
                    relocation.offset / UInt64(EBPFInstruction.size) < UInt64(count)
                else { throw EBPFFailure(.misplacedRelocation(symbol: object.name(of: symbol))) }
                let index = first + Int(relocation.offset / UInt64(EBPFInstruction.size))
                code.references[index] = try reference(code, index, first + count, relocation, symbol)
            }
        }
    }

    private func reference(
        _ code: EBPFCode, _ index: Int, _ end: Int, _ relocation: ELFObject.Relocation,
        _ symbol: ELFObject.Symbol
    ) throws(EBPFFailure) -> EBPFReference {
        let instruction = code.instructions[index]
        switch relocation.type {
        case 1:  // R_BPF_64_64: the address of data, in lddw
            guard instruction.code == 0x18, index + 1 < end else { throw misplaced(code, index, symbol) }
            let low = UInt64(UInt32(bitPattern: instruction.immediate))
            let high = UInt64(UInt32(bitPattern: code.instructions[index + 1].immediate))
            return try address(code, index, symbol, addend: Int64(bitPattern: high << 32 | low))
        case 10:  // R_BPF_64_32: a function, in call
            guard instruction.code == 0x85 else { throw misplaced(code, index, symbol) }
            return try function(code, index, symbol, addend: Int(instruction.immediate))
        default:
            let name = object.name(of: symbol)
            throw code.failure(.unknownRelocation(relocation.type, symbol: name), at: index)
        }
    }

    private func misplaced(
        _ code: EBPFCode, _ index: Int, _ symbol: ELFObject.Symbol
    ) -> EBPFFailure {
        code.failure(.misplacedRelocation(symbol: object.name(of: symbol)), at: index)
    }

    private func address(
        _ code: EBPFCode, _ index: Int, _ symbol: ELFObject.Symbol, addend: Int64
    ) throws(EBPFFailure) -> EBPFReference {
        guard let section = symbol.section else {
            let name = object.name(of: symbol)
            guard let region = data.shared[name] else {
                throw code.failure(.undefinedSymbol(name, acceptor: interface.acceptor), at: index)
            }
            return .address(region: region, offset: addend)
        }
        guard firstInstruction[section] == nil else {
            throw code.failure(.addressOfFunction(object.name(of: symbol)), at: index)
        }
        guard let place = data.places[section] else { throw misplaced(code, index, symbol) }
        let offset = Int64(truncatingIfNeeded: symbol.value) &+ addend &+ place.offset
        return .address(region: place.region, offset: offset)
    }

    private func function(
        _ code: EBPFCode, _ index: Int, _ symbol: ELFObject.Symbol, addend: Int
    ) throws(EBPFFailure) -> EBPFReference {
        guard let section = symbol.section else {
            let name = object.name(of: symbol)
            guard let helper = interface.helpers.first(where: { $0.value.name == name }) else {
                throw code.failure(.undefinedSymbol(name, acceptor: interface.acceptor), at: index)
            }
            return .helper(helper.key)
        }
        // The constant counts from behind the call, and the symbol from its section.
        let size = UInt64(EBPFInstruction.size)
        let target = Int(truncatingIfNeeded: symbol.value / size) &+ addend &+ 1
        guard let first = firstInstruction[section], symbol.value % size == 0, target >= 0,
            target < object.sections[section].bytes.count / EBPFInstruction.size
        else { throw misplaced(code, index, symbol) }
        return .function(first + target)
    }
}
