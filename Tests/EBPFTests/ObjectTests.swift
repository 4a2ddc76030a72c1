import Foundation
import SCode
import SCodeAcceptors
import SCodeTestSupport
import Testing

@testable import SCodeBPF

/// Object files: what is read out of them, and that no bytes do harm.
@Suite struct ObjectTests {
    private func read(_ file: [UInt8]) throws(EBPFFailure) -> Program {
        try Program(ebpf: file, for: Acceptor.standard)
    }

    private func reason(_ writer: ObjectWriter) -> EBPFFailure.Reason? {
        do {
            _ = try read(writer.file)
            return nil
        } catch { return error.reason }
    }

    private func code(_ text: String) throws -> [UInt8] { try EBPFAssembler.bytes(text) }

    /// Two constants and a variable, of which code uses each.
    private func withData() throws -> ObjectWriter {
        var writer = ObjectWriter.function(
            "sum", in: "plain",
            try code(
                """
                lddw %r1, 4
                ldxw %r0, [%r1+0]
                lddw %r1, 0
                ldxdw %r2, [%r1+0]
                add %r2, 1
                stxdw [%r1+0], %r2
                add %r0, %r2
                lddw %r1, 0
                ldxb %r2, [%r1+3]
                add %r0, %r2
                exit
                """))
        writer.sections[0].relocations = [(0, 1, 1), (24, 1, 2), (72, 1, 3)]
        writer.sections += [
            .init(name: ".rodata", bytes: [1, 0, 0, 0, 40, 0, 0, 0]),
            .init(name: ".bss", type: 8, flags: 3, size: 8, alignment: 16),
            .init(name: ".data", flags: 3, bytes: [9, 9, 9, 7], alignment: 4),
        ]
        writer.symbols += [
            .init(name: "constants", kind: 3, isLocal: true, section: 1),
            .init(name: "variable", kind: 1, section: 2), .init(name: "bytes", kind: 1, section: 3),
        ]
        return writer
    }

    // MARK: What is read

    @Test func dataBecomeRegions() throws {
        let program = try read(try withData().file)
        #expect(program.acceptorName == "plain")
        #expect(program.fragments.map(\.name) == ["sum"])
        // Variables with a value come before those without, each as aligned as it wants to be.
        #expect(
            program.regions.dropFirst() == [
                Region(
                    name: "rodata", policy: .physical, isWritable: false, size: 8,
                    contents: [1, 0, 0, 0, 40, 0, 0, 0]),
                Region(name: "data", policy: .physical, isWritable: true, size: 24, contents: [9, 9, 9, 7]),
            ])
        #expect(parse(program.printed()).program.withoutPositions == program)
        let module = try Module(program: program, acceptor: .plain)
        let verified = try #require(module.fragment())
        for engine in EngineKind.allCases {
            let memory = TestMemory(verified.regions)
            let fragment = try Fragment(verified, regions: memory.bindings, engine: engine)
            #expect(fragment.invoke().exit == .accept(40 + 1 + 7))
            #expect(fragment.invoke().exit == .accept(40 + 2 + 7))
        }
    }

    @Test func functionsOfSections() throws {
        var writer = ObjectWriter.function("first", in: "filter/one", try code("mov %r0, 1\nexit"))
        let call = try code("call local +1\nexit\nmov %r0, 3\nexit")
        writer.sections.append(.init(name: ".text", flags: 6, bytes: call))
        writer.sections.append(.init(name: "filter/two", flags: 6, bytes: try code("call 0\nexit")))
        writer.symbols += [
            .init(name: "inner", isLocal: true, section: 1, value: 16), .init(name: "outer", section: 1),
            .init(name: "r\u{1b}[2J", section: 2),
        ]
        // A call of a function in another section: the constant counts from the symbol.
        writer.sections[2].bytes[1] = 0x10
        writer.sections[2].bytes.replaceSubrange(4..<8, with: [0xff, 0xff, 0xff, 0xff])
        writer.sections[2].relocations = [(0, 10, 2)]
        let program = try read(writer.file)
        #expect(program.acceptorName == "filter")
        #expect(program.fragments.map(\.name) == ["first", "r__2J"])
        #expect(program.fragments[1].procedures.map(\.name) == ["outer", "inner"])
        #expect(try Module(program: program, acceptor: .filter).program.fragments.count == 2)

        writer.sections[0].name = "scheduler"
        #expect(reason(writer) == .differentAcceptors("scheduler", "filter"))
    }

    @Test func namesFromElsewhere() throws {
        // children[0].id goes to s_app_sched, called by its name.
        var writer = ObjectWriter.function(
            "pick", in: "scheduler", try code("lddw %r1, 4\nldxw %r1, [%r1+0]\ncall 0"))
        writer.sections[0].bytes[25] = 0x10
        writer.sections[0].relocations = [(0, 1, 1), (24, 10, 2)]
        writer.symbols += [.init(name: "children", kind: 0), .init(name: "s_app_sched", kind: 0)]
        let program = try read(writer.file)
        #expect(program.regions.map(\.name) == ["children"])
        #expect(program.fragments[0].macroCalls.map(\.name) == ["s_app_sched"])

        for symbol in [1, 2] {
            var unknown = writer
            unknown.symbols[symbol].name = "nowhere"
            #expect(reason(unknown) == .undefinedSymbol("nowhere", acceptor: "scheduler"))
        }
        writer.sections[0].relocations[0].type = 77
        #expect(reason(writer) == .unknownRelocation(77, symbol: "children"))
        writer.sections[0].relocations[0] = (16, 1, 1)
        #expect(reason(writer) == .misplacedRelocation(symbol: "children"))
        writer.sections[0].relocations[0] = (32, 1, 1)
        #expect(reason(writer) == .misplacedRelocation(symbol: "children"))
    }

    @Test func whatOnlyALoaderKnows() throws {
        var writer = try withData()
        writer.sections[1].relocations = [(0, 2, 2)]
        #expect(reason(writer) == .addressInData(symbol: "variable"))
        writer = try withData()
        writer.symbols[1] = .init(name: "sum", section: 0)
        #expect(reason(writer) == .addressOfFunction("sum"))
        writer = try withData()
        writer.sections[2].size = 1 << 40
        #expect(reason(writer) == .tooMuchData)
        writer = try withData()
        writer.sections[1].bytes = [UInt8](repeating: 1, count: ProgramLimits.regionContents + 1)
        #expect(reason(writer) == .tooMuchData)
        writer.machine = 62
        #expect(reason(writer) == .notAnObject(.machine))
        #expect(reason(ObjectWriter()) == .noFunctions)
        writer = .function("f", in: "plain", [1, 2, 3])
        #expect(reason(writer) == .partialInstruction(3))
    }

    // MARK: Bytes that do no harm

    /// Either a failure, or a program that can be verified or is refused with reasons.
    private func isHarmless(_ file: [UInt8]) {
        guard let program = try? read(file) else { return }
        guard let acceptor = Acceptor.standard.first(where: { $0.name == program.acceptorName }) else {
            Issue.record("the program is for nobody")
            return
        }
        _ = Verifier.verify(program, acceptor: acceptor)
        #expect((try? Program(decoding: program.encoded())) == program)
    }

    @Test func partsOfFiles() throws {
        let file = try withData().file
        for count in 0..<file.count {
            let reason = (try? read(Array(file[..<count]))) == nil
            #expect(reason, "the first \(count) bytes were read")
        }
    }

    @Test func changedFiles() throws {
        var generator = SeededGenerator(seed: 5)
        let file = try withData().file
        for bit in 0..<file.count * 8 {
            var copy = file
            copy[bit / 8] ^= 1 << UInt8(bit % 8)
            isHarmless(copy)
        }
        let objects = [file] + Clang.examples.compactMap { try? Clang.compile($0) }
        for object in objects {
            for _ in 0..<2000 {
                var copy = object
                for _ in 0..<Int.random(in: 1...4, using: &generator) {
                    let place = Int.random(in: 0..<copy.count, using: &generator)
                    copy[place] = generator.oneIn(2) ? UInt8(truncatingIfNeeded: generator.next()) : 0xff
                }
                isHarmless(copy)
            }
        }
    }
}

/// Fresh memory for regions, filled as they say.
final class TestMemory {
    private(set) var bindings: [RegionBinding] = []
    private var blocks: [UnsafeMutableRawBufferPointer] = []

    init(_ regions: [Region]) {
        for (index, region) in regions.enumerated() {
            let block = UnsafeMutableRawBufferPointer.allocate(byteCount: Int(region.size), alignment: 16)
            region.initialise(block)
            blocks.append(block)
            guard let base = block.baseAddress else { continue }
            bindings.append(
                .physical(
                    base: UInt64(index + 1) << 32, host: base, size: Int(region.size), writable: true))
        }
    }

    deinit { for block in blocks { block.deallocate() } }
}
