import SCodeIR
import Testing

@testable import SCodeVerifier

/// Repeated labels are found as a set would find them, whatever the names.
@Suite struct RepeatedNamesTests {
    private func repeated(_ names: [String]) -> [Int] {
        let labels = names.map { Label(name: $0, position: 0) }
        let arena = Arena(expecting: 0)
        defer { arena.giveBack() }
        var seen = RepeatedNames(arena)
        return labels.indices.filter { !labels[$0].name.isEmpty && seen.isRepeated($0, labels) }
    }

    private func expected(_ names: [String]) -> [Int] {
        var seen: Set<String> = []
        return names.indices.filter { !names[$0].isEmpty && !seen.insert(names[$0]).inserted }
    }

    @Test func amongMany() {
        var names = (0..<3000).map { "L\($0)" }
        #expect(repeated(names) == [])
        names[7] = ""
        names[2999] = "L0"
        names[1500] = "L1499"
        names[40] = "L0"
        #expect(repeated(names) == [40, 1500, 2999])
    }

    /// The same letter in two spellings.
    @Test func beyondASCII() {
        let names = ["a", "caf\u{e9}", "b", "cafe\u{301}", "a", "c"]
        #expect(repeated(names) == [3, 4])
        #expect(repeated(names) == expected(names))
    }

    /// All at one place of the table: found all the same, and in time.
    @Test func namesThatCollide() throws {
        let count = 2000
        let mask = RepeatedNames.size(count + 2) - 1
        var names: [String] = []
        var number = 0
        while names.count < count {
            let name = "n\(number)"
            number += 1
            let hash = try #require(RepeatedNames.hash(name))
            if RepeatedNames.place(hash) & mask == 5 { names.append(name) }
        }
        names += [names[0], names[count - 1]]
        #expect(repeated(names) == [count, count + 1])
    }
}
