import Foundation
import SCodeIR
import SCodeSyntax
import SCodeTestSupport
import SCodeVerifier
import Testing

/// The language reference says what the tables say, and its examples are programs. What they do when they run,
/// `LanguageGuideRunTests` finds out.
@Suite struct LanguageGuideTests {
    static let guide = LanguageGuide.shared
    static let text = guide.lines.joined(separator: "\n")

    // MARK: Instructions

    private static func title(_ row: OpcodeRow) -> String {
        row.shape == .macro ? "macro-instruction" : row.mnemonic
    }

    @Test(arguments: Opcode.table.map(\.operation)) func operationHasASection(_ operation: SCodeIR.Operation)
        throws
    {
        let row = Opcode.table[Int(operation.rawValue)]
        let title = Self.title(row)
        let section = try #require(Self.guide.section(title), "no section '### \(title)'")
        #expect(section.level == 3)
        #expect(section.text.contains("\nMeaning: `\(row.meaning)`\n"), "\(title): \(row.meaning)")
        #expect(section.text.contains("\nAborts: "), "\(title) does not say what it aborts for")
        #expect(section.text.contains("\nAborts: never.") == !row.effects.contains(.canAbort), "\(title)")
        #expect(
            row.shape.isExpanded || section.blocks.contains { $0.language == "scode" }, "\(title): no example"
        )

        let syntax = try #require(section.blocks.first { $0.language == "syntax" }, "\(title) has no syntax")
        let shown = Set(syntax.lines.flatMap(LanguageGuide.expand)).filter(Self.isForm)
        let expected = Set(Opcode.all.filter { $0.operation == operation }.map(Self.syntax))
        #expect(shown.subtracting(expected).isEmpty, "\(title): the table does not have this")
        #expect(expected.subtracting(shown).isEmpty, "\(title): the guide does not show this")
    }

    /// Of a conversion the two types differ, which the compact form cannot say.
    private static func isForm(_ syntax: String) -> Bool {
        let mnemonic = syntax.prefix { $0 != " " }
        guard mnemonic.hasPrefix("cv") else { return true }
        let types = mnemonic.dropFirst(2).split(separator: "2")
        return types.count != 2 || types[0] != types[1]
    }

    /// An instruction as the guide writes it.
    private static func syntax(_ opcode: Opcode) -> String {
        if opcode.shape == .hostCall { return "callh function[, result][, argument …]" }
        let operands = opcode.operands
        let isAccess = opcode.shape.isAccess
        let isAlone = isAccess || !operands.contains { $0 == .source2 || $0 == .immediate }
        let words = operands.map { operand in
            switch operand {
            case .destination, .exchanged: "rd"
            case .value: "rv"
            case .source: isAlone ? "rs" : "rs1"
            case .source2: "rs2"
            case .immediate: isAccess ? "offset" : "constant"
            case .symbol: "region + constant"
            case .label: "label"
            case .table: "table"
            case .procedure: "procedure"
            }
        }
        return words.isEmpty ? opcode.mnemonic : "\(opcode.mnemonic) \(words.joined(separator: ", "))"
    }

    @Test func sectionsStandInTheOrderOfTheTable() throws {
        let titles = Self.guide.sections.map(\.title)
        let start = try #require(titles.firstIndex(of: "11. Instructions"))
        let sections = Self.guide.sections[(start + 1)...].prefix { $0.level == 3 }.map(\.title)
        #expect(sections == Opcode.table.map(Self.title))
        let index = Self.guide.sections[start].text
        for title in sections { #expect(index.contains("[\(title)](#\(title))")) }
    }

    // MARK: Lists

    @Test func everyRuleReasonPolicyAndTypeIsListed() {
        for rule in VerifierRule.allCases {
            #expect(Self.text.contains("| \(rule.code) | \(rule.statement) |"))
        }
        for reason in AbortReason.allCases {
            #expect(
                Self.text.contains("\n| `\(reason.name)` | \(reason.hasAddress ? "yes" : "no") | "),
                "\(reason)")
        }
        for policy in MemoryPolicy.allCases {
            #expect(Self.text.contains("\n| `\(policy.name)` |"), "\(policy)")
        }
        for type in ValueType.allCases {
            let sign =
                type.isFloat
                ? "floating-point" : type == .p ? "an address" : type.isSigned ? "signed" : "unsigned"
            #expect(Self.text.contains("\n| `\(type.suffix)` | \(type.bits), \(sign) |"))
        }
    }

    @Test func everyKeywordIsListedAndInTheGrammar() throws {
        let list = try #require(Self.guide.lines.first { $0.hasPrefix("`accept` `const`") })
        let listed = list.split(separator: " ").map { $0.filter { $0 != "`" } }
        #expect(Set(listed) == TextForm.keywords)
        let grammar = Self.guide.blocks.filter { $0.language == "ebnf" }.map(\.text).joined()
        let words =
            Array(TextForm.keywords) + MemoryPolicy.allCases.map(\.name) + ValueType.allCases.map(\.suffix)
        for word in words { #expect(grammar.contains("\"\(word)\""), "\(word)") }
    }

    @Test func everyAcceptorIsDescribed() throws {
        let text = try #require(Self.guide.section("12. Macro-instructions and host functions")).text
        for acceptor in GuideAcceptors.standard {
            let start = try #require(text.range(of: "**`\(acceptor.name)`**")).lowerBound
            let rest = text[start...].dropFirst(2)
            let part = rest[..<(rest.range(of: "\n**`")?.lowerBound ?? rest.endIndex)].replacing(
                "\n", with: " ")
            #expect(part.contains("budget \(Self.grouped(Int(acceptor.budget)))"), "\(acceptor.name)")
            for macro in acceptor.macros { #expect(part.contains("| `\(macro.name)"), "\(macro.name)") }
            for register in acceptor.entryRegisters { #expect(part.contains("\(register.register.name), ")) }
        }
    }

    // MARK: Limits

    private static let programLimits = [
        "instructionsPerFragment": ProgramLimits.instructionsPerFragment,
        "fragments": ProgramLimits.fragments,
        "regions": ProgramLimits.regions, "regionContents": ProgramLimits.regionContents,
        "parameters": ProgramLimits.parameters,
        "macroOperands": ProgramLimits.macroOperands, "hostFunctions": ProgramLimits.hostFunctions,
        "procedures": ProgramLimits.procedures, "callDepth": ProgramLimits.callDepth,
        "sourceFiles": ProgramLimits.sourceFiles, "tableEntries": ProgramLimits.tableEntries,
        "tableEdges": ProgramLimits.tableEdges, "labels": ProgramLimits.labels,
        "tables": ProgramLimits.tables,
        "nameLength": ProgramLimits.nameLength, "sourceFileNameLength": ProgramLimits.sourceFileNameLength,
    ]

    private static let syntaxLimits = [
        "textBytes": SyntaxLimits.textBytes, "tokens": SyntaxLimits.tokens,
        "expressionDepth": SyntaxLimits.expressionDepth, "floatLength": SyntaxLimits.floatLength,
        "diagnostics": SyntaxLimits.diagnostics, "structureSize": Int(SyntaxLimits.structureSize),
        "includeDepth": SyntaxLimits.includeDepth, "includes": SyntaxLimits.includes,
        "macroParameters": SyntaxLimits.macroParameters, "expansionDepth": SyntaxLimits.expansionDepth,
        "expandedStatements": SyntaxLimits.expandedStatements, "expandedTokens": SyntaxLimits.expandedTokens,
    ]

    @Test func everyLimitIsListed() throws {
        let section = try #require(Self.guide.section("15. Limits")).text
        for (name, value) in Self.programLimits.merging(
            Self.syntaxLimits, uniquingKeysWith: { first, _ in first })
        {
            #expect(section.contains(" | \(Self.grouped(value)) | `\(name)` |\n"), "\(name) is \(value)")
        }
        #expect(section.contains("at most \(Acceptor.entryRegisterLimit) registers on entry"))
        #expect(
            try Self.constants("enum ProgramLimits", in: "Sources/SCodeIR/Program.swift")
                == Set(Self.programLimits.keys))
        #expect(
            try Self.constants("enum SyntaxLimits", in: "Sources/SCodeSyntax/SourceText.swift")
                == Set(Self.syntaxLimits.keys))
    }

    /// The names of the constants of a type: Swift cannot list them.
    private static func constants(_ type: String, in path: String) throws -> Set<String> {
        let source = try Files.text(path)
        let start = try #require(source.range(of: type)).upperBound
        let body = source[start...].prefix { $0 != "}" }
        let names = body.components(separatedBy: "static let ").dropFirst().map { $0.prefix { $0 != " " } }
        return Set(names.map(String.init))
    }

    /// 131,072
    private static func grouped(_ value: Int) -> String {
        var digits = Array(String(value))
        for place in stride(from: digits.count - 3, to: 0, by: -3) { digits.insert(",", at: place) }
        return String(digits)
    }

    // MARK: Examples and links

    @Test func examplesAreProgramsAndFormatted() throws {
        let blocks = Self.guide.blocks.filter { $0.language == "scode" }
        #expect(blocks.count > Opcode.table.count)
        var rejected: Set<String> = []
        for block in blocks {
            let place = "docs/language.md:\(block.line)"
            let parsed = parse(block.text)
            #expect(parsed.diagnostics == [], "\(place)")
            #expect(try format(block.text) == block.text, "\(place)")
            let acceptor = try #require(GuideAcceptors.named(parsed.program.acceptorName), "\(place)")
            let broken = Verifier.verify(parsed.program, acceptor: acceptor).diagnostics.filter {
                $0.severity == .error
            }
            let expected = block.comment("rejected")
            #expect(Set(broken.map { $0.rule?.code }) == Set(expected.map { [$0.text] } ?? []), "\(place)")
            guard let expected else { continue }
            rejected.insert(expected.text)
            // What concerns no fragment in particular has no line.
            #expect(broken.contains { [0, expected.line].contains(Int($0.range.line)) }, "\(place)")
        }
        // The parser makes nothing that breaks V1.
        #expect(rejected == Set(VerifierRule.allCases.map(\.code)).subtracting(["V1"]))
        let hello = try Files.text("scode-examples/hello.scode")
        #expect(blocks.contains { hello.hasSuffix($0.text) })
    }

    @Test func linksLeadToHeadings() {
        let anchors = Set(Self.guide.sections.map { LanguageGuide.anchor($0.title) })
        let links = Self.text.components(separatedBy: "](#").dropFirst().map {
            String($0.prefix { $0 != ")" })
        }
        #expect(links.count > Opcode.table.count)
        for link in links { #expect(anchors.contains(link), "#\(link)") }
    }
}
