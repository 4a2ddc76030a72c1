import SCode
import Testing

@testable import SCodeJIT

/// What debug builds hold VCode against finds what is wrong with it.
@Suite struct InvariantTests {
    /// Tables that lie in the structures themselves have their size in the source.
    @Test func tablesAreLargeEnough() {
        #expect(InstanceConstant.limit == 2 * ProgramLimits.regions + 1)
        #expect(Register.count == 64)
        #expect(Allocation.anchorLimit == 16)
    }

    private func vcode(_ change: (inout [VInstruction]) -> Void) throws -> String? {
        let code = FragmentCode(
            [.ul, .d, .d], labels: [0], procedures: [5],
            [
                .base(r(1)), .op(.load, rd: r(2), r(1), r(0)), .op(.call, to: 0), .op(.blt, .d, f(0), f(1)),
                .accept(r(2)), .op(.add, .d, rd: f(0), f(0), f(1)), .op(.return),
            ])
        let data = Region(name: "data", policy: .physical, isWritable: true, size: 64)
        var vcode = Lowering.lower(try BothEngines.verified(code, regions: [data]), observing: .all)
        #expect(vcode.firstProblem() == nil)
        change(&vcode.instructions)
        return vcode.firstProblem()
    }

    @Test func brokenRulesAreFound() throws {
        #expect(try vcode { $0.removeAll { $0.operation == .label } }?.contains("placed") == true)
        #expect(try vcode { $0.append($0[0]) }?.contains("twice") == true)
        #expect(try vcode { $0.removeAll { $0.operation == .guardRegion } }?.contains("guards") == true)
        for operation in [VOperation.floatAdd, .address, .branch] {
            let problem = try vcode { code in
                for index in code.indices where code[index].operation == operation {
                    code[index].a = Register((Int(code[index].a.number) + 32) % 64)
                }
            }
            #expect(problem?.contains("bank") == true)
        }
        for operation in [VOperation.call, .return, .regionBase, .branch] {
            let problem = try vcode { code in
                for index in code.indices where code[index].operation == operation {
                    code[index].target = 999
                }
            }
            #expect(problem != nil)
        }
    }
}
