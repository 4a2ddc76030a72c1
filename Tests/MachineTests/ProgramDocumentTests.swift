import Foundation
import SCodeAcceptors
import Testing

@testable import Exokernel

/// `docs/programs.md` names everything that a program can be called by, and can call.
@Suite struct ProgramDocumentTests {
    @Test func everythingHasARow() throws {
        let file = Examples.folder.deletingLastPathComponent().appending(path: "docs/programs.md")
        let rows = try String(contentsOf: file, encoding: .utf8).split(separator: "\n").filter {
            $0.hasPrefix("| `")
        }
        for call in SystemCall.allCases {
            #expect(rows.count { $0.hasPrefix("| `\(call.name)` |") } == 1, "\(call.name)")
        }
        for entry in Program.Entry.allCases {
            #expect(rows.count { $0.hasPrefix("| `\(entry.rawValue)` |") } == 1, "\(entry.rawValue)")
        }
    }
}
