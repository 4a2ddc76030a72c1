import SCodeIR

/// What is known about the fragment that is being read.
struct FragmentScope {
    struct NamedRegister {
        var register: Register
        var range: SourceRange
    }
    /// Labels and procedures share their names.
    enum Place {
        case label(Int)
        case procedure(Int)
    }

    var code = FragmentCode(name: "")
    /// False when something was left out that has been complained about elsewhere, such as a macro's body.
    var isWhole = true
    var registers: [Name: NamedRegister] = [:]
    /// Names that got no register because none was left, or because their declaration was wrong.
    var unplaced: Set<Name> = []
    /// Registers that are spoken for: parameters', aliased, or written as `rN` or `fN` somewhere.
    var reserved: RegisterSet = []
    var places: [Name: Place] = [:]
    var tables: [Name: Int] = [:]

    /// Labels, procedures and instructions before the registers are known; an operand is a stretch of tokens.
    var statements: [Statement] = []
    var operands: [Range<Int>] = []
    var labelPlaces: [Marker] = []
    var procedurePlaces: [Marker] = []
    var hasTooManyLabels = false
    /// Tables, with the tokens that name their labels.
    var tableEntries: [(name: Token, entries: [Token])] = []
    /// Names that expansions of macros have made in this fragment.
    var generated = GeneratedNames()

    struct Statement {
        /// The token that is the mnemonic.
        var mnemonic: Int
        /// Nil for a macro-instruction.
        var row: Mnemonic?
        /// Its part of `operands`.
        var operands: Range<Int>
        /// The token with which it ends where it was written.
        var last: Int
        /// The expansion that it comes from, as an index into the sink's.
        var expansion: Int?
    }
    /// Where a label or procedure stands.
    struct Marker {
        var range: SourceRange
        /// How many statements stand before it.
        var statement: Int
    }
}

extension Parser {
    /// Reads a fragment, from its keyword to `limit`. *Requires* that every declaration is known. *Produces* one
    /// more fragment in the program. Registers are given out once the whole body has been seen: any `rN` in it
    /// is not for names, and a name may be read in a line above the one that writes it.
    /// False when something was left out and nothing said about it here.
    mutating func parseFragment(isClosed: Bool) -> Bool {
        fragment = FragmentScope()
        sink.expansions.removeAll()
        let keyword = advance()
        heading(keyword)
        body(isClosed: isClosed, keyword: keyword)
        assignRegisters()
        resolveTables()
        resolveStatements()
        program.fragments.append(fragment.code)
        let isWhole = fragment.isWhole
        fragment = FragmentScope()
        return isWhole
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
        let isNamed = next?.kind == .identifier
        if next?.kind == .colon {
            position += 2
            label(token)
        } else if isNamed, isWord(token, "procedure") {
            if !procedure() { skipStatement() }
        } else if isNamed, isWord(token, "table") {
            if !table() { skipStatement() }
        } else if isNamed, isWord(token, "register") {
            if !alias() || !expectEndOfStatement() { skipStatement() }
        } else if next?.kind == .equals {
            let name = text(token)
            sink.error(
                token.range, "there is no assignment", suggestion: "write setu \(name), … or movu \(name), …")
            skipStatement()
        } else {
            instruction()
        }
    }

    mutating func skipStatement() {
        while current.kind != .newline, current.kind != .rightBrace, current.kind != .end { position += 1 }
    }

    // MARK: Labels, procedures, tables

    mutating func label(_ token: Token) {
        guard checkDeclarable(token, "a label"), checkUnplaced(token, "label") else { return }
        guard fragment.code.labels.count < ProgramLimits.labels else {
            if !fragment.hasTooManyLabels {
                sink.error(token.range, "a fragment has at most \(ProgramLimits.labels) labels")
            }
            fragment.hasTooManyLabels = true
            return
        }
        fragment.places[token.name] = .label(fragment.code.labels.count)
        fragment.code.labels.append(Label(name: names[token.name].text, position: 0))
        fragment.labelPlaces.append(.init(range: token.range, statement: fragment.statements.count))
    }

    /// `procedure NAME:`
    private mutating func procedure() -> Bool {
        position += 1
        let name = advance()
        guard expect(.colon, "':' after the procedure's name") != nil else { return false }
        guard checkDeclarable(name, "a procedure"), checkUnplaced(name, "procedure") else { return true }
        guard fragment.code.procedures.count < ProgramLimits.procedures else {
            sink.error(name.range, "a fragment has at most \(ProgramLimits.procedures) procedures")
            return true
        }
        fragment.places[name.name] = .procedure(fragment.code.procedures.count)
        fragment.code.procedures.append(Procedure(name: text(name), start: 0))
        fragment.procedurePlaces.append(.init(range: name.range, statement: fragment.statements.count))
        return true
    }

    /// Whether no label or procedure has the name; complains if one has.
    private mutating func checkUnplaced(_ token: Token, _ what: String) -> Bool {
        let name = text(token)
        switch fragment.places[token.name] {
        case nil: return true
        case .label(let index):
            sink.error(
                token.range,
                what == "label"
                    ? "label '\(name)' is placed twice" : "\(what) '\(name)' has the name of a label",
                notes: [.init(fragment.labelPlaces[index].range, "first placed here")])
        case .procedure(let index):
            sink.error(
                token.range,
                what == "procedure"
                    ? "procedure '\(name)' is declared twice"
                    : "\(what) '\(name)' has the name of a procedure",
                notes: [.init(fragment.procedurePlaces[index].range, "first declared here")])
        }
        return false
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
        if let first = fragment.tables[name.name] {
            let range = fragment.tableEntries[first].name.range
            sink.error(
                name.range, "table '\(text(name))' is declared twice",
                notes: [.init(range, "first declared here")])
        } else if fragment.tableEntries.count == ProgramLimits.tables {
            sink.error(name.range, "a fragment has at most \(ProgramLimits.tables) tables")
        } else {
            fragment.tables[name.name] = fragment.tableEntries.count
            fragment.tableEntries.append((name, Array(entries.prefix(ProgramLimits.tableEntries))))
        }
        return expectEndOfStatement()
    }

    /// `register NAME = rN`, `register NAME = fN`
    private mutating func alias() -> Bool {
        position += 1
        let name = advance()
        guard checkDeclarable(name, "a register"), expect(.equals, "'=' after the register's name") != nil,
            let register = explicitRegister()
        else {
            fragment.unplaced.insert(name.name)
            return false
        }
        fragment.reserved.insert(register)
        nameRegister(name, register, "register")
        return true
    }

    // MARK: Instructions

    /// A mnemonic and its operands, not looked into yet, or the use of a macro, which is expanded at once.
    private mutating func instruction() {
        let mnemonic = position
        position += 1
        let operands = cutOperands()
        let last = operands.last.map { max(mnemonic, fragment.operands[$0].upperBound - 1) } ?? mnemonic
        let statement = FragmentScope.Statement(
            mnemonic: mnemonic, row: names[tokens[mnemonic].name].mnemonic, operands: operands, last: last,
            expansion: nil)
        if statement.row == nil, let macro = declarations.macros[tokens[mnemonic].name] {
            expand(macro, statement)
        } else {
            fragment.statements.append(statement)
        }
    }

    /// Cuts the rest of the line at its commas; the operands become the last of the fragment's.
    mutating func cutOperands() -> Range<Int> {
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
        return first..<fragment.operands.count
    }
}
