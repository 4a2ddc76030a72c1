import SCodeIR

/// What the top of a file declares. Constants and regions share their names with registers, so that an operand
/// means one thing; structures have names of their own, since they are only ever followed by a dot or inside
/// `sizeof`.
struct Declarations {
    enum Value {
        case integer(Int128)
        case number(FloatLiteral)
    }
    struct Constant {
        /// Nil when its expression was wrong, so that its uses are not complained about as well.
        var value: Value?
        var range: SourceRange
    }
    struct DeclaredRegion {
        /// Nil when there were too many regions.
        var index: UInt32?
        var range: SourceRange
    }
    struct Structure {
        var fields: [Name: Field] = [:]
        var size: Int128 = 0
        var alignment: Int128 = 1
        var range: SourceRange
    }
    struct Field {
        var offset: Int128
        /// The structure that the field is one of, or an array of.
        var structure: Name?
        var range: SourceRange
    }

    struct Host {
        /// Nil when the declaration was wrong: calls of it are not complained about.
        var function: HostDeclaration?
        var range: SourceRange
    }

    var constants: [Name: Constant] = [:]
    var regions: [Name: DeclaredRegion] = [:]
    var structures: [Name: Structure] = [:]
    var hosts: [Name: Host] = [:]
    var macros: [Name: Macro] = [:]
    var macroOrder: [Name] = []

    /// Where a constant or region of that name is declared, and what it is.
    func valueDeclaration(of name: Name) -> (range: SourceRange, what: String)? {
        if let constant = constants[name] { return (constant.range, "a constant") }
        if let region = regions[name] { return (region.range, "a region") }
        return nil
    }
}

extension Parser {
    /// `const NAME = EXPRESSION`, `const NAME = NUMBER`
    mutating func constant() -> Bool {
        position += 1
        guard let name = expect(.identifier, "the constant's name"),
            checkDeclarable(name, "a constant"), checkUnused(name),
            expect(.equals, "'=' after the constant's name") != nil
        else { return false }
        let value: Declarations.Value? =
            isNumber(constantExtent()) ? number(nil).map { .number($0) } : expression().map { .integer($0) }
        declarations.constants[name.name] = .init(value: value, range: name.range)
        return value != nil
    }

    /// `region NAME: static|physical|virtual|host ro|rw, SIZE`, `… SIZE = { BYTE, … }`, `… SIZE = TYPE { VALUE, … }`
    mutating func region() -> Bool {
        position += 1
        guard let name = expect(.identifier, "the region's name"), checkDeclarable(name, "a region"),
            checkUnused(name)
        else { return false }
        var region = Region(name: text(name), policy: .virtual, isWritable: false, size: 0)
        // Declared even when the rest is wrong: its uses are right.
        defer { declare(region, at: name) }
        guard expect(.colon, "':' after the region's name") != nil else { return false }
        let policies = MemoryPolicy.allCases
        guard
            let policy = word(
                policies.map(\.name), "a policy: \(policies.map(\.name).joined(separator: ", "))"),
            let access = word(["ro", "rw"], "ro (read only) or rw (read and write)"),
            expect(.comma, "',' and the region's size in bytes") != nil
        else { return false }
        region.policy = policies.first { $0.name == policy } ?? .virtual
        region.isWritable = access == "rw"
        let start = current
        guard let size = expression() else { return false }
        guard let bytes = UInt64(exactly: size) else {
            sink.error(start.range(through: tokens[position - 1]), "a size cannot be negative")
            return true
        }
        region.size = bytes
        guard take(.equals) != nil else { return true }
        guard let contents = regionContents() else { return false }
        guard contents.count <= bytes else {
            sink.error(
                name.range, "region '\(text(name))' of \(bytes) bytes cannot hold \(contents.count)",
                suggestion: "declare it with a size of at least \(contents.count)")
            return true
        }
        region.contents = contents
        return true
    }

    /// `{ VALUE, … }`, of bytes or of the type before it, as they lie in memory.
    private mutating func regionContents() -> [UInt8]? {
        var type = ValueType.uc
        if let name = take(.identifier) {
            guard let known = valueType(name) else { return nil }
            guard !known.isFloat else {
                sink.error(name.range, "what a region holds is given in integers")
                return nil
            }
            type = known
        }
        guard expect(.leftBrace, "'{' and what the region holds") != nil else { return nil }
        var contents: [UInt8] = []
        skipNewlines()
        while current.kind != .rightBrace {
            let start = current
            guard let value = expression() else { return nil }
            let most = Int128(1) << Int128(type.bits)
            guard value >= -most / 2, value < most else {
                sink.error(
                    start.range(through: tokens[position - 1]),
                    "\(value) does not fit type '\(type.suffix)'")
                return nil
            }
            guard contents.count + type.size <= ProgramLimits.regionContents else {
                sink.error(
                    start.range, "a region holds at most \(ProgramLimits.regionContents) bytes at first")
                return nil
            }
            for byte in 0..<type.size {
                contents.append(UInt8(truncatingIfNeeded: value >> Int128(8 * byte)))
            }
            skipNewlines()
            if current.kind == .rightBrace { break }
            guard expect(.comma, "',' or '}'") != nil else { return nil }
            skipNewlines()
        }
        position += 1
        return contents
    }

    private mutating func declare(_ region: Region, at name: Token) {
        guard program.regions.count < ProgramLimits.regions else {
            sink.error(name.range, "a program has at most \(ProgramLimits.regions) regions")
            declarations.regions[name.name] = .init(index: nil, range: name.range)
            return
        }
        let index = UInt32(truncatingIfNeeded: program.regions.count)
        declarations.regions[name.name] = .init(index: index, range: name.range)
        program.regions.append(region)
    }

    /// One of a few words that mean something only here.
    private mutating func word(_ words: [String], _ what: String) -> String? {
        if current.kind == .identifier {
            let name = text(current)
            if words.contains(name) {
                position += 1
                return name
            }
            let suggestion = sink.didYouMean(name, among: words)
            sink.error(current.range, "expected \(what), found '\(name)'", suggestion: suggestion)
        } else {
            unexpected(what)
        }
        return nil
    }

    private mutating func checkUnused(_ name: Token) -> Bool {
        guard let first = declarations.valueDeclaration(of: name.name) else { return true }
        sink.error(
            name.range, "'\(text(name))' is declared twice",
            notes: [.init(first.range, "first declared here")])
        return false
    }

    // MARK: Structures

    /// `struct NAME { FIELD: TYPE, FIELD: TYPE[COUNT], … }`, laid out as C does.
    mutating func structure() -> Bool {
        position += 1
        guard let name = expect(.identifier, "the structure's name"), checkDeclarable(name, "a structure")
        else { return false }
        if ValueType.allCases.contains(where: { $0.suffix == text(name) }) {
            sink.error(name.range, "'\(text(name))' is a type and cannot name a structure")
            return false
        }
        if let first = declarations.structures[name.name] {
            sink.error(
                name.range, "structure '\(text(name))' is declared twice",
                notes: [.init(first.range, "first declared here")])
            return false
        }
        guard expect(.leftBrace, "'{' after the structure's name") != nil else { return false }
        var structure = Declarations.Structure(range: name.range)
        var isWhole = true
        skipNewlines()
        while current.kind != .rightBrace {
            if !field(of: &structure) {
                isWhole = false
                skipField()
            }
            let hasComma = take(.comma) != nil
            skipNewlines()
            if current.kind == .rightBrace { break }
            if !hasComma, isWhole { unexpected("',' or '}'") }
            // With the brace missing, what follows is no field: stop at the first line that is none.
            if !hasComma { break }
        }
        let isClosed = take(.rightBrace) != nil
        if isClosed, structure.fields.isEmpty, isWhole {
            sink.error(name.range, "a structure has at least one field")
        }
        structure.size = roundUp(structure.size, to: structure.alignment)
        declarations.structures[name.name] = structure
        return isClosed
    }

    private mutating func skipField() {
        while true {
            switch current.kind {
            case .comma, .newline, .rightBrace, .end: return
            default: position += 1
            }
        }
    }

    private mutating func field(of structure: inout Declarations.Structure) -> Bool {
        guard let name = expect(.identifier, "a field's name"),
            expect(.colon, "':' and the field's type") != nil,
            let typeName = expect(.identifier, "the field's type")
        else { return false }
        var field = Declarations.Field(offset: 0, structure: nil, range: name.range)
        let alignment: Int128
        var size: Int128
        if let type = ValueType.allCases.first(where: { $0.suffix == text(typeName) }) {
            size = Int128(type.size)
            alignment = size
        } else if let other = declarations.structures[typeName.name] {
            size = other.size
            alignment = other.alignment
            field.structure = typeName.name
        } else {
            unknownType(typeName)
            return false
        }
        if take(.leftBracket) != nil {
            guard let count = expression(), expect(.rightBracket, "']' after the number of elements") != nil
            else { return false }
            guard count > 0, count <= SyntaxLimits.structureSize else {
                sink.error(name.range, "an array has 1 to \(SyntaxLimits.structureSize) elements")
                return false
            }
            size *= count
        }
        field.offset = roundUp(structure.size, to: alignment)
        if let first = structure.fields[name.name] {
            sink.error(
                name.range, "field '\(text(name))' is declared twice",
                notes: [.init(first.range, "first declared here")])
            return true
        }
        guard field.offset + size <= SyntaxLimits.structureSize else {
            sink.error(name.range, "a structure has at most \(SyntaxLimits.structureSize) bytes")
            return true
        }
        structure.fields[name.name] = field
        structure.size = field.offset + size
        structure.alignment = max(structure.alignment, alignment)
        return true
    }

    /// The type that the token names; complains if it names none.
    mutating func valueType(_ token: Token) -> ValueType? {
        if let type = ValueType.allCases.first(where: { $0.suffix == text(token) }) { return type }
        unknownType(token)
        return nil
    }

    private mutating func unknownType(_ token: Token) {
        if includes.hasUnread { return }
        let suggestion = sink.didYouMean(text(token), among: candidates(declarations.structures.keys))
        let types = ValueType.allCases.map(\.suffix).joined(separator: " ")
        sink.error(
            token.range, "no type or structure is called '\(text(token))'",
            suggestion: suggestion ?? "the types are \(types)")
    }

    private func roundUp(_ value: Int128, to alignment: Int128) -> Int128 {
        (value + alignment - 1) / alignment * alignment
    }
}
