import SCodeIR

/// What is known about the fragment that is being read.
struct FragmentScope {
    struct NamedRegister {
        var register: Register
        var range: SourceRange
    }

    var code = FragmentCode(name: "")
    var registers: [String: NamedRegister] = [:]
    /// Names that got no register because none was left, or because their declaration was wrong.
    var unplaced: Set<String> = []
    /// Registers that are spoken for: parameters', aliased, or written as `rN` somewhere.
    var reserved: RegisterSet = []
    var labels: [String: UInt32] = [:]
    var tables: [String: UInt32] = [:]

    /// Labels and instructions before the registers are known; an operand is a stretch of tokens.
    var statements: [Statement] = []
    var operands: [Range<Int>] = []
    var labelPlaces: [LabelPlace] = []
    var hasTooManyLabels = false
    /// Tables, with the tokens that name their labels.
    var tableEntries: [(name: Token, entries: [Token])] = []

    struct Statement {
        /// The token that is the mnemonic.
        var mnemonic: Int
        /// Nil for a macro-instruction.
        var opcode: Opcode?
        /// Its part of `operands`.
        var operands: Range<Int>
    }
    struct LabelPlace {
        var range: SourceRange
        /// How many statements stand before it.
        var statement: Int
    }
}

extension Parser {
    /// Reads a fragment, from its keyword to `limit`. *Requires* that every declaration is known. *Produces* one
    /// more fragment in the program. Registers are given out once the whole body has been seen: any `rN` in it
    /// is not for names, and a name may be read in a line above the one that writes it.
    mutating func parseFragment(isClosed: Bool) {
        fragment = FragmentScope()
        let keyword = advance()
        heading(keyword)
        body(isClosed: isClosed, keyword: keyword)
        assignRegisters()
        resolveTables()
        resolveStatements()
        program.fragments.append(fragment.code)
        fragment = FragmentScope()
    }

    // MARK: Heading

    private mutating func heading(_ keyword: Token) {
        var name: Token?
        if let token = expect(.identifier, "the fragment's name"), checkDeclarable(token, "a fragment") {
            name = token
        }
        fragment.code.name = name.map(text) ?? "unnamed"
        fragment.code.range = name.map { keyword.range(through: $0) } ?? keyword.range
        if let name, let first = program.fragments.first(where: { $0.name == fragment.code.name }) {
            sink.error(
                name.range, "fragment '\(first.name)' is declared twice",
                notes: [.init(first.range, "first declared here")])
        }
        for index in position..<limit where tokens[index].kind == .identifier {
            if let register = TextForm.register(named: text(tokens[index])) {
                fragment.reserved.insert(register)
            }
        }
        let isWhole = take(.leftParenthesis) == nil || parameters()
        if isWhole, take(.leftBrace) != nil { return }
        if isWhole { unexpected("'{' and the fragment's body") }
        findBody()
    }

    /// After a wrong heading: goes on behind its brace or, if it has none, in the next line.
    private mutating func findBody() {
        let start = position
        while current.kind != .end {
            let isTable = position > start && tokens[position - 1].kind == .equals
            if advance().kind == .leftBrace, !isTable { return }
        }
        position = start
        while current.kind != .newline, current.kind != .end { position += 1 }
    }

    // MARK: Parameters

    /// A parameter before it has a register.
    private struct ParameterWish {
        var token: Token
        var type: ValueType
        var register: Register?
        var value: ParameterDefault?
    }

    /// Reads the parameters, after the parenthesis; a wrong one does not keep the others from being read. False,
    /// after a complaint, when the closing parenthesis is not found.
    private mutating func parameters() -> Bool {
        var wishes: [ParameterWish] = []
        skipNewlines()
        while current.kind != .rightParenthesis {
            let name = current
            let before = sink.count
            if let wish = parameter() {
                wishes.append(wish)
            } else {
                if name.kind == .identifier { fragment.unplaced.insert(text(name)) }
                skipParameter()
            }
            skipNewlines()
            if take(.comma) == nil {
                let isClosed = take(.rightParenthesis) != nil
                if !isClosed, sink.count == before { unexpected("',' or ')' after the parameter") }
                placeParameters(wishes)
                return isClosed
            }
            skipNewlines()
        }
        position += 1
        placeParameters(wishes)
        return true
    }

    private mutating func skipParameter() {
        var depth = 0
        while current.kind != .end, current.kind != .leftBrace, depth > 0 || current.kind != .comma {
            if current.kind == .leftParenthesis { depth += 1 }
            if current.kind == .rightParenthesis {
                if depth == 0 { return }
                depth -= 1
            }
            position += 1
        }
    }

    private mutating func parameter() -> ParameterWish? {
        guard let name = expect(.identifier, "a parameter's name"),
            expect(.colon, "':' and the parameter's type") != nil,
            let typeName = expect(.identifier, "the parameter's type"), let type = valueType(typeName)
        else { return nil }
        var wish = ParameterWish(token: name, type: type)
        wish.register = TextForm.register(named: text(name))
        if wish.register == nil, !checkDeclarable(name, "a parameter") { return nil }
        if current.kind == .identifier, text(current) == "in" {
            position += 1
            guard let place = explicitRegister() else { return nil }
            if wish.register != nil, wish.register != place {
                sink.error(name.range, "'\(text(name))' is another register")
            }
            wish.register = place
        }
        if take(.equals) != nil {
            guard let value = parameterDefault(type) else { return nil }
            wish.value = value
        }
        return wish
    }

    private mutating func placeParameters(_ wishes: [ParameterWish]) {
        // Parameters that ask for a register get it; the others get the lowest that are left, in order.
        var taken: RegisterSet = []
        for wish in wishes { if let register = wish.register { taken.insert(register) } }
        var seen: RegisterSet = []
        for wish in wishes {
            guard let register = wish.register ?? RegisterSet.all.subtracting(taken).registers.first else {
                break  // too many parameters, which is said below
            }
            taken.insert(register)
            if seen.contains(register) {
                sink.error(wish.token.range, "\(register.name) already holds another parameter")
            }
            seen.insert(register)
            let name = text(wish.token)
            if TextForm.register(named: name) == nil { nameRegister(wish.token, register, "parameter") }
            if fragment.code.parameters.count < ProgramLimits.parameters {
                fragment.code.parameters.append(
                    Parameter(name: name, register: register, type: wish.type, defaultValue: wish.value))
            }
        }
        if wishes.count > ProgramLimits.parameters {
            sink.error(
                wishes[ProgramLimits.parameters].token.range,
                "a fragment has at most \(ProgramLimits.parameters) parameters")
        }
        fragment.reserved.formUnion(seen)
    }

    private mutating func parameterDefault(_ type: ValueType) -> ParameterDefault? {
        let start = current
        if start.kind == .identifier, let region = declarations.regions[text(start)] {
            position += 1
            if type.size < 8 {
                sink.error(
                    start.range, "the address of a region does not fit in type \(type.suffix)",
                    suggestion: "use type p")
                return nil
            }
            return .region(region.index ?? 0)
        }
        guard let value = expression() else { return nil }
        return immediate(value, type, start.range(through: tokens[position - 1])).map { .constant($0) }
    }

    /// The register that the next token names.
    private mutating func explicitRegister() -> Register? {
        guard let token = expect(.identifier, "a register, r0 to r31") else { return nil }
        if let register = TextForm.register(named: text(token)) { return register }
        sink.error(token.range, "'\(text(token))' is not one of the registers r0 to r31")
        return nil
    }

    /// Gives a register a name, if both are free.
    private mutating func nameRegister(_ token: Token, _ register: Register, _ what: String) {
        let name = text(token)
        if let first = declarations.valueDeclaration(of: name) {
            sink.error(
                token.range, "\(what) '\(name)' has the name of \(first.what)",
                notes: [.init(first.range, "declared here")])
            fragment.unplaced.insert(name)
        } else if let first = fragment.registers[name] {
            sink.error(
                token.range, "'\(name)' is declared twice", notes: [.init(first.range, "first declared here")]
            )
        } else {
            fragment.registers[name] = .init(register: register, range: token.range)
            let number = Int(register.number)
            if let other = fragment.code.registerNames[number] {
                let notes = fragment.registers[other].map { [Diagnostic.Note($0.range, "named here")] } ?? []
                sink.error(token.range, "\(register.name) is already called '\(other)'", notes: notes)
            } else {
                fragment.code.registerNames[number] = name
            }
        }
    }

    // MARK: Body

    private mutating func body(isClosed: Bool, keyword: Token) {
        while true {
            skipNewlines()
            let token = current
            switch token.kind {
            case .rightBrace:
                position += 1
                return
            case .end:
                // A wrong heading explains it; one complaint is enough.
                if !isClosed {
                    sink.error(keyword.range, "fragment '\(fragment.code.name)' has no closing '}'")
                }
                return
            case .identifier:
                statement(token)
            default:
                unexpected("an instruction, a label or '}'")
                skipStatement()
            }
        }
    }

    private mutating func statement(_ token: Token) {
        let name = text(token)
        if let next, next.kind == .colon {
            position += 2
            label(token, name)
        } else if name == "table", let next, next.kind == .identifier {
            if !table() { skipStatement() }
        } else if name == "register", let next, next.kind == .identifier {
            if !alias() || !expectEndOfStatement() { skipStatement() }
        } else if let next, next.kind == .equals {
            sink.error(
                token.range, "there is no assignment", suggestion: "write setu \(name), … or movu \(name), …")
            skipStatement()
        } else {
            instruction(name)
        }
    }

    mutating func skipStatement() {
        while current.kind != .newline, current.kind != .rightBrace, current.kind != .end { position += 1 }
    }

    private mutating func label(_ token: Token, _ name: String) {
        guard checkDeclarable(token, "a label") else { return }
        if let first = fragment.labels[name] {
            sink.error(
                token.range, "label '\(name)' is placed twice",
                notes: [.init(fragment.labelPlaces[Int(first)].range, "first placed here")])
            return
        }
        guard fragment.code.labels.count < ProgramLimits.labels else {
            if !fragment.hasTooManyLabels {
                sink.error(token.range, "a fragment has at most \(ProgramLimits.labels) labels")
            }
            fragment.hasTooManyLabels = true
            return
        }
        fragment.labels[name] = UInt32(truncatingIfNeeded: fragment.code.labels.count)
        fragment.code.labels.append(Label(name: name, position: 0))
        fragment.labelPlaces.append(.init(range: token.range, statement: fragment.statements.count))
    }

    /// `table NAME = { LABEL, … }`
    private mutating func table() -> Bool {
        position += 1
        let name = advance()
        guard checkDeclarable(name, "a table"), expect(.equals, "'=' after the table's name") != nil,
            expect(.leftBrace, "'{' and the labels") != nil
        else { return false }
        var entries: [Token] = []
        skipNewlines()
        while current.kind != .rightBrace {
            guard let entry = expect(.identifier, "a label") else { return false }
            if entries.count == ProgramLimits.tableEntries {
                sink.error(entry.range, "a table has at most \(ProgramLimits.tableEntries) labels")
            }
            entries.append(entry)
            skipNewlines()
            if take(.comma) == nil { break }
            skipNewlines()
        }
        guard expect(.rightBrace, "',' or '}' after the label") != nil else { return false }
        if let first = fragment.tables[text(name)] {
            let range = fragment.tableEntries[Int(first)].name.range
            sink.error(
                name.range, "table '\(text(name))' is declared twice",
                notes: [.init(range, "first declared here")])
        } else if fragment.tableEntries.count == ProgramLimits.tables {
            sink.error(name.range, "a fragment has at most \(ProgramLimits.tables) tables")
        } else {
            fragment.tables[text(name)] = UInt32(truncatingIfNeeded: fragment.tableEntries.count)
            fragment.tableEntries.append((name, Array(entries.prefix(ProgramLimits.tableEntries))))
        }
        return expectEndOfStatement()
    }

    /// `register NAME = rN`
    private mutating func alias() -> Bool {
        position += 1
        let name = advance()
        guard checkDeclarable(name, "a register"), expect(.equals, "'=' after the register's name") != nil,
            let register = explicitRegister()
        else {
            fragment.unplaced.insert(text(name))
            return false
        }
        nameRegister(name, register, "register")
        return true
    }

    /// A mnemonic and its operands: cut at the commas, not looked into yet.
    private mutating func instruction(_ name: String) {
        let mnemonic = position
        position += 1
        let first = fragment.operands.count
        var start = position
        var depth = 0
        scan: while true {
            switch current.kind {
            case .newline, .rightBrace, .end: break scan
            case .leftParenthesis: depth += 1
            case .rightParenthesis: depth -= 1
            case .comma where depth <= 0:
                fragment.operands.append(start..<position)
                start = position + 1
            default: break
            }
            position += 1
        }
        // An instruction without operands has none, and not an empty one.
        if position > start || fragment.operands.count > first { fragment.operands.append(start..<position) }
        fragment.statements.append(
            .init(
                mnemonic: mnemonic, opcode: Opcode.byMnemonic[name], operands: first..<fragment.operands.count
            ))
    }
}
