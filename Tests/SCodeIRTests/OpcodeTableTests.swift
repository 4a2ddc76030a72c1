import SCodeIR
import Testing

@Suite struct OpcodeTableTests {
    /// `Opcode.row` looks rows up by the operation's raw value.
    @Test func rowsStandInTheOrderOfOperations() {
        #expect(Opcode.table.count == Operation.allCases.count)
        for (index, row) in Opcode.table.enumerated() {
            #expect(Int(row.operation.rawValue) == index)
            #expect(row.operation == Operation.allCases[index])
        }
    }

    @Test func mnemonicsAreUnique() {
        var seen: [String: Opcode] = [:]
        for opcode in Opcode.all where opcode.form != .symbol {
            let other = seen.updateValue(opcode, forKey: opcode.mnemonic)
            #expect(other == nil, "\(opcode.mnemonic) is \(opcode) and \(String(describing: other))")
        }
        #expect(seen == Opcode.byMnemonic)
    }

    @Test func opcodesAreDefinedOnce() {
        #expect(Set(Opcode.all).count == Opcode.all.count)
        #expect(Opcode.all.allSatisfy { $0.isDefined && $0.shape != .macro })
    }

    @Test func immediateFormsExistForEachLastSource() {
        for opcode in Opcode.all where opcode.operands.contains(where: { $0 == .source2 }) {
            // Arithmetic on numbers has registers only; the offset of a compare-exchange is a constant already.
            let isFixed = opcode.shape == .compareExchange || (opcode.type.isFloat && !opcode.shape.isAccess)
            #expect(opcode.withImmediate?.form == (isFixed && opcode.form == .register ? nil : .immediate))
        }
    }

    @Test func registerNames() {
        #expect(TextForm.register(named: "r0") == Register(0))
        #expect(TextForm.register(named: "r31") == Register(31))
        for name in ["r32", "r01", "r", "r-1", "R1", "r1x", "r99999999999999999999", ""] {
            #expect(TextForm.register(named: name) == nil)
        }
    }
}
