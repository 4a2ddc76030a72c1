import Foundation
import SCodeAcceptors
import SCodeIR
import SCodeSyntax
import SCodeVerifier
import Testing

/// The language guide says what the tables say, and its examples are programs.
@Suite struct LanguageGuideTests {
    static let guide = (try? Files.text("docs/language.md")) ?? ""

    @Test func everyOperationIsExplained() {
        for row in Opcode.table where row.shape != .macro {
            let types =
                row.types.isEmpty
                ? ""
                : row.types.count == ValueType.allCases.count
                    ? "all" : row.types.map(\.suffix).joined(separator: " ")
            let meaning = row.meaning.replacing("|", with: "\\|")
            let start = "| `\(row.mnemonic)` | \(types)"
            let line = Self.guide.split(separator: "\n").first { $0.hasPrefix(start) }
            #expect(line?.hasSuffix("| `\(meaning)` |") == true, "\(start) … \(meaning)")
        }
    }

    @Test func everyRuleReasonAndMacroIsListed() {
        for rule in VerifierRule.allCases {
            #expect(Self.guide.contains("| \(rule.code) | \(rule.statement) |"))
        }
        for reason in AbortReason.allCases { #expect(Self.guide.contains("| `\(reason.name)` |")) }
        for policy in MemoryPolicy.allCases { #expect(Self.guide.contains("| `\(policy.name)` |")) }
        for type in ValueType.allCases {
            let sign =
                type.isFloat
                ? "floating-point" : type == .p ? "an address" : type.isSigned ? "signed" : "unsigned"
            #expect(Self.guide.contains("| `\(type.suffix)` | \(type.bits), \(sign) |"))
        }
        for acceptor in Acceptor.standard {
            #expect(Self.guide.contains("**`\(acceptor.name)`**"))
            for macro in acceptor.macros { #expect(Self.guide.contains("| `\(macro.name)")) }
        }
        for keyword in TextForm.keywords { #expect(Self.guide.contains("`\(keyword)`")) }
    }

    @Test func examplesAreProgramsAndFormatted() throws {
        let parts = Self.guide.components(separatedBy: "```scode\n").dropFirst()
        #expect(parts.count >= 2)
        for part in parts {
            let text = String(part.prefix(upTo: part.firstRange(of: "```")?.lowerBound ?? part.endIndex))
            #expect(parse(text).diagnostics == [])
            #expect(try format(text) == text)
        }
        let hello = try Files.text("scode-examples/hello.scode")
        #expect(parts.contains { hello.contains($0.prefix { $0 != "`" }) })
    }
}
