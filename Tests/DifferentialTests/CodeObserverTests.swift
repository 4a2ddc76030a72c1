import CSCodeRuntime
import Foundation
import Testing

@testable import SCode

/// What debuggers are shown of generated code, read from where they read it. Real ones are tried by `DebuggerTests`.
@Suite(.serialized) final class CodeObserverTests {
    private static let acceptor = Acceptor(
        name: "seen", suppliedArguments: 1,
        macros: [MacroInstruction("accept", [.value(.ul)], .accept, meaning: "")])

    /// A fragment with guards, cold code, a local procedure and a loop.
    private static func verified(_ name: String, file: String? = "/tmp/seen.scode") throws -> VerifiedFragment
    {
        let text = """
            region data: physical rw, 64
            fragment \(name)(n: ul, at: p = data) {
                setul   i, 0
            next:
                ldul    x, at, 0
                addp    at, at, 8
                addul   i, i, 1
                bltul   i, n, next
                call    halve
                accept  x
            procedure halve:
                divul   x, x, n
                ret
            }
            """
        return try #require(try Module(text: text, acceptor: acceptor, fileName: file).fragment())
    }

    init() throws { try CodeObserver.debugger.attach() }
    deinit { CodeObserver.debugger.detach() }

    /// The object files that debuggers are shown now and that have a symbol of this name.
    private func shown(_ name: String) throws -> [ObjectFileReader] {
        var found: [ObjectFileReader] = []
        for object in shownObjects() {
            let file = try #require(ObjectFileReader(object))
            if file.symbols.contains(where: { $0.name == name }) { found.append(file) }
        }
        return found
    }

    /// Other tests compile meanwhile, and free: what the list holds is copied while nobody changes it.
    private func shownObjects() -> [[UInt8]] {
        var objects: [[UInt8]] = []
        withUnsafeMutablePointer(to: &objects) { objects in
            scode_debugger_each(
                { bytes, count, context in
                    guard let bytes, let context else { return }
                    context.assumingMemoryBound(to: [[UInt8]].self).pointee.append(
                        [UInt8](UnsafeRawBufferPointer(start: bytes, count: count)))
                }, objects)
        }
        return objects
    }

    @Test func codeIsShownUntilItIsFreed() throws {
        let code = try Self.verified("shown_until_freed")
        #expect(try shown("shown_until_freed").isEmpty)
        var first: NativeCode? = try NativeCode.compile(code)
        var second: NativeCode? = try NativeCode.compile(code)
        let addresses = [first, second].compactMap { $0?.address }.sorted()
        #expect(try shown("shown_until_freed").compactMap { $0.code?.address }.sorted() == addresses)
        first = nil
        #expect(try shown("shown_until_freed").compactMap { $0.code?.address } == [second?.address])
        second = nil
        #expect(try shown("shown_until_freed").isEmpty)

        CodeObserver.debugger.detach()
        let unseen = try NativeCode.compile(code)
        #expect(try shown("shown_until_freed").isEmpty)
        withExtendedLifetime(unseen) {}
    }

    /// The symbols cover the code without gap or overlap, entries where they are.
    @Test func symbolsCoverTheCode() throws {
        let native = try NativeCode.compile(try Self.verified("covered"))
        let file = try #require(try shown("covered").first)
        #expect(file.code?.address == native.address && file.code?.size == native.bytes.count)
        let symbols = file.symbols.sorted { $0.address < $1.address }
        #expect(symbols.map(\.name) == ["covered", "covered.stubs", "covered.abort", "covered.entry"])
        var end = native.address
        for symbol in symbols {
            #expect(symbol.address == end && symbol.size > 0)
            end += symbol.size
        }
        #expect(end == native.address + UInt64(native.bytes.count))
        #expect(symbols.last?.address == UInt64(UInt(bitPattern: native.outerEntry)))
    }

    /// Each byte of the body comes from the line of the instruction that it serves.
    @Test func everyByteHasItsLine() throws {
        let code = try Self.verified("lined")
        let native = try NativeCode.compile(code)
        let rows = try #require(try shown("lined").first).lines
        #expect(rows.allSatisfy { $0.file == "/tmp/seen.scode" })
        #expect(rows.last?.endsSequence == true)
        #expect(rows.last?.address == native.address + UInt64(native.bytes.count))
        #expect(rows.map(\.address) == rows.map(\.address).sorted())
        func line(_ offset: Int) -> Int? {
            let row = rows.last { $0.address <= native.address + UInt64(offset) }
            return row?.endsSequence == false ? row?.line : nil
        }
        #expect(line(0) == 2)  // arguments are fetched for the heading
        var seen: Set<Int> = []
        let pieces = try NativeCode.translate(code).pieces
        for (piece, next) in zip(pieces, pieces.dropFirst()) {
            let expected = Int(code.code.sourceRange(at: try #require(piece.instruction)).line)
            let lines = Set((piece.offset..<next.offset).map(line))
            #expect(lines == [expected])
            seen.insert(expected)
        }
        #expect(seen == [3, 5, 6, 7, 8, 9, 10, 12, 13])
        // The cold code serves what may abort or go the long way, other than a loop that has come to its guarded version;
        // stubs serve nobody in particular.
        let cold = try #require(pieces.last?.offset)
        let symbols = try #require(try shown("lined").first).symbols
        let stubs = try #require(symbols.first { $0.name == "lined.stubs" })
        let entry = try #require(symbols.first { $0.name == "lined.entry" })
        let coldLines = Set((cold..<Int(stubs.address - native.address)).compactMap(line))
        #expect(coldLines == [3, 5, 12])
        let end = Int(entry.address - native.address)
        #expect((Int(stubs.address - native.address)..<end).allSatisfy { line($0) == nil })
        #expect(line(end) == 2)
    }

    @Test func withoutFilesThereAreNoLines() throws {
        let native = try NativeCode.compile(try Self.verified("lineless", file: nil))
        let file = try #require(try shown("lineless").first)
        #expect(file.lines.isEmpty && file.symbols.count == 4)
        withExtendedLifetime(native) {}
    }

    /// A path may hold anything but ends up in tables of strings, in lines of text and on terminals.
    @Test func pathsAreCleaned() throws {
        let native = try NativeCode.compile(
            try Self.verified("cleaned", file: "/tmp/a\n\u{1B}[2J\0\u{202E}ü.scode"))
        let rows = try #require(try shown("cleaned").first).lines
        #expect(Set(rows.map(\.file)) == ["/tmp/a??[2J??ü.scode"])
        withExtendedLifetime(native) {}
    }

    /// Threads compile and free what debuggers are shown.
    @Test func manyThreads() async throws {
        let code = try Self.verified("threaded")
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<4 {
                group.addTask {
                    for _ in 0..<100 { _ = try? NativeCode.compile(code) }
                }
            }
        }
        #expect(try shown("threaded").isEmpty)
    }
}
