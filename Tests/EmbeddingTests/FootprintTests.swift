import CMalloc
import Foundation
import SCode
import Testing

/// What installed fragments cost, and that it is given back. Each test is a process of its own: nothing else allocates.
@Suite struct FootprintTests {
    private static let acceptor = Acceptor(
        name: "small", suppliedArguments: 1, policies: [.physical],
        macros: [
            MacroInstruction("accept", [.value(.ul)], .accept, meaning: ""),
            MacroInstruction("refuse", [], .refuse, meaning: ""),
        ])

    /// Twenty instructions, of a program that no other fragment has: looks for an entry of a table, and counts.
    private static func module(_ number: Int) throws -> Program {
        return parse(
            """
            region entries: physical rw, 1024

            fragment find(wanted: ul, entry: p = entries) {
                setul   i, 0
                setul   found, \(number)
            next:
                ldul    key, entry, 0
                bequl   key, wanted, here
                ldu     uses, entry, 8
                addu    uses, uses, 1
                stu     uses, entry, 8
                ldu     flags, entry, 12
                bequ    flags, 0, skip
                addul   found, found, 1
            skip:
                addp    entry, entry, 16
                addul   i, i, 1
                bltul   i, 60, next
                refuse
            here:
                ldu     uses, entry, 8
                addul   found, found, uses
                xorul   found, found, i
                stu     found, entry, 12
                movul   key, found
                accept  key
            }
            """
        ).program
    }

    private struct Measure {
        var allocated = malloc_allocated_bytes()
        var code = CodeMemory.usage
    }

    /// Installs fragments, each from bytes of its own.
    private static func install(_ numbers: Range<Int>, table: UnsafeMutableRawPointer) throws -> [Fragment] {
        let modules = try numbers.map { try module($0).encoded() }
        return try modules.map { bytes in
            let module = try Module(program: try Program(decoding: bytes), acceptor: acceptor)
            let code = try #require(module.fragment())
            #expect(code.code.instructions.count == 20)
            return try Fragment(
                code, regions: [.physical(base: 1 << 32, host: table, size: 1024, writable: true)])
        }
    }

    @Test func aFragmentOfTwentyInstructionsCostsLessThanAKibibyte() async {
        let result = await #expect(processExitsWith: .success, observing: [\.standardOutputContent]) {
            let table = UnsafeMutableRawPointer.allocate(byteCount: 1024, alignment: 8)
            table.initializeMemory(as: UInt8.self, repeating: 0, count: 1024)
            // What is made once, is made.
            var kept = try FootprintTests.install(0..<10, table: table)
            for fragment in kept { #expect(fragment.invoke(arguments: [1]).exit == .refuse) }

            let before = Measure()
            let count = 300
            kept.reserveCapacity(2 * count)
            let list = Measure()
            kept += try FootprintTests.install(10..<10 + count, table: table)
            let after = Measure()
            let code = after.code.used - list.code.used
            let each = (after.allocated - list.allocated + code) / count
            print("a fragment of 20 instructions: \(each) bytes, \(code / count) of them machine code")
            #expect(each < 1024)
            // Pages of the heap are filled, not begun.
            #expect(after.code.resident - list.code.resident <= code + 4096)

            table.storeBytes(of: 7, toByteOffset: 32, as: UInt64.self)
            for (index, fragment) in kept.enumerated() {
                let uses = UInt64(table.load(fromByteOffset: 40, as: UInt32.self))
                #expect(fragment.invoke(arguments: [7]).exit == .accept((UInt64(index) + uses) ^ 2))
                table.storeBytes(of: 0, toByteOffset: 44, as: UInt32.self)
            }

            kept = []
            let end = Measure()
            // The rest is what the test itself notes.
            #expect(end.allocated < before.allocated + 4 * count)
            #expect(end.code.used == 0)
            #expect(end.code.resident <= 64 << 10, "few pages are kept")
        }
        print(String(decoding: result?.standardOutputContent ?? [], as: UTF8.self))
    }

    /// An abort that nobody asks for is no reason for a fragment to stay.
    @Test func anAbortKeepsNobody() throws {
        weak var gone: Fragment?
        do {
            let text = "fragment f(x: ul) {\n divul x, x, x\n accept x\n}\n"
            let code = try #require(try Module(text: text, acceptor: Self.acceptor).fragment())
            let fragment = try Fragment(code)
            #expect(fragment.enter(budget: 10).way == .aborted)
            gone = fragment
        }
        #expect(gone == nil)
    }
}
