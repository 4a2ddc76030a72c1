import Testing
import X86Assembler

@Suite struct MistakeTests {
    @Test func unboundLabelIsNamed() {
        var assembler = Assembler()
        let bound = assembler.boundLabel()
        let forgotten = assembler.newLabel()
        assembler.jmp(bound)
        assembler.jcc(.e, forgotten)
        #expect(throws: AssemblerError.unboundLabel(forgotten)) { try assembler.finish() }
    }

    @Test func unboundTableOriginIsNamed() {
        var assembler = Assembler()
        let bound = assembler.boundLabel()
        let forgotten = assembler.newLabel()
        assembler.emitTableEntry(bound, relativeTo: forgotten)
        #expect(throws: AssemblerError.unboundLabel(forgotten)) { try assembler.finish() }
    }

    @Test func unusedLabelNeedNotBeBound() throws {
        var assembler = Assembler()
        let label = assembler.newLabel()
        #expect(assembler.offset(of: label) == nil)
        try assembler.finish()
    }

    @Test func labelIsBoundOnce() {
        var assembler = Assembler()
        let label = assembler.boundLabel()
        assembler.ret()
        assembler.bind(label)
        #expect(throws: AssemblerError.labelBoundTwice(label)) { try assembler.finish() }
        #expect(assembler.offset(of: label) == 0)
    }

    @Test func foreignLabels() {
        var other = Assembler()
        _ = other.newLabel()
        let foreign = other.newLabel()

        var binding = Assembler()
        binding.bind(foreign)
        #expect(throws: AssemblerError.foreignLabel(foreign)) { try binding.finish() }

        var using = Assembler()
        using.jmp(foreign)
        #expect(throws: AssemblerError.foreignLabel(foreign)) { try using.finish() }
    }

    @Test func stackPointerCannotBeAnIndex() {
        var assembler = Assembler()
        assembler.ret()
        assembler.load(.w64, .rax, Memory(.rcx, index: .rsp, .x2, 8))
        #expect(assembler.position == 1)
        #expect(throws: AssemblerError.unencodableIndex(offset: 1)) { try assembler.finish() }
    }

    @Test func resetForgetsEverything() throws {
        var assembler = Assembler()
        let label = assembler.newLabel()
        assembler.jmp(label)
        assembler.load(.w8, .rax, Memory(.rcx, index: .rsp))
        assembler.reset()
        #expect(assembler.position == 0)
        let fresh = assembler.newLabel()
        #expect(fresh == label)
        assembler.jmp(fresh)
        assembler.bind(fresh)
        try assembler.finish()
        #expect(Array(assembler.bytes) == [0xE9, 0, 0, 0, 0])
    }
}
