import SCodeIR
import SCodeVerifier
import Testing

/// What regions hold at first, where neither parser nor decoder has looked at it before.
@Suite struct RegionContentsTests {
    private func region(_ size: UInt64, _ contents: [UInt8]) -> Region {
        Region(name: "r", policy: .physical, isWritable: false, size: size, contents: contents)
    }

    @Test func contentsFit() {
        let code = FragmentCode(
            name: "f", instructions: [Instruction(Opcode(.macro))],
            macroCalls: [MacroCall(name: "refuse", operands: [])])
        func rules(_ region: Region) -> [VerifierRule?] {
            let program = Program(regions: [region], fragments: [code])
            return Verifier.verify(program, acceptor: .plain).1.map(\.rule)
        }
        #expect(rules(region(2, [1, 2])) == [])
        #expect(rules(region(1, [1, 2])) == [.regions])
        let most = ProgramLimits.regionContents
        #expect(rules(region(1 << 32, [UInt8](repeating: 1, count: most))) == [])
        #expect(rules(region(1 << 32, [UInt8](repeating: 1, count: most + 1))) == [.regions])
    }

    @Test(arguments: [0, 1, 2, 3, 4, 9]) func memoryIsInitialised(_ room: Int) {
        var memory = [UInt8](repeating: 0xaa, count: room)
        memory.withUnsafeMutableBytes { region(8, [1, 2, 3]).initialise($0) }
        #expect(memory == Array(([1, 2, 3] + [UInt8](repeating: 0, count: room)).prefix(room)))
    }
}
