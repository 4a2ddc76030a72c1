import SCode
import SCodeAcceptors
import SCodeTestSupport
import Testing

@testable import Exokernel

/// Programs that make any system calls in any order, with operands that make sense about half of the time.
enum RandomPrograms {
    static func text(_ random: inout SeededGenerator) -> String {
        var text = "fragment main() {\n" + initial + "again:\n"
        for _ in 0..<Int.random(in: 4...20, using: &random) { text += call(&random) }
        text += random.oneIn(3) ? "j again\n}\n" : "accept r1\n}\n"
        for handler in ["fault", "timeout", "event", "reclaim", "epilogue", "prologue"] where !random.oneIn(3)
        {
            text += "fragment \(handler)() {\n" + initial
            if handler == "epilogue", !random.oneIn(4) { text += "sys_yield\n" }
            for _ in 0..<Int.random(in: 0...3, using: &random) { text += call(&random) }
            text += (random.oneIn(4) ? "refuse" : "accept 1") + "\n}\n"
        }
        if random.oneIn(2) {
            text += "fragment predicate() {\nsetul r1, 0\nsys_time r1\n"
            text +=
                "bltul r1, \(Int.random(in: 0...40_000_000, using: &random)), no\naccept 1\nno:\nrefuse\n}\n"
        }
        return text
    }

    private static let initial = (1...6).map { "setul r\($0), \($0 * 3)\n" }.joined()

    private static func operand(_ random: inout SeededGenerator) -> String {
        switch Int.random(in: 0..<8, using: &random) {
        case 0, 1: "r\(Int.random(in: 1...6, using: &random))"
        case 2: "\(Int.random(in: 0...5, using: &random))"
        case 3: "\(0x4000_0000 + 4096 * Int.random(in: 0...3, using: &random))"
        case 4: "r31"
        case 5: "\(Int.random(in: 1...3_000_000, using: &random))"
        case 6:
            ["0", "1", "3", "63", "-1", "0x7fffffff", "0x80000000", "1024"].randomElement(using: &random)
                ?? "0"
        default: "0"
        }
    }

    private static func call(_ random: inout SeededGenerator) -> String {
        if random.oneIn(6) {
            let address =
                0x4000_0000 + 4096 * Int.random(in: 0...4, using: &random) + 8
                * Int.random(in: 0...3, using: &random)
            return random.oneIn(2)
                ? "setp r7, \(address)\nlduli r2, r7, 0\n" : "setp r7, \(address)\nstuli r3, r7, 4\n"
        }
        guard let call = SystemCall.allCases.randomElement(using: &random) else { return "" }
        let (results, operands) = call.operandCounts
        let list =
            (0..<results).map { _ in "r\(Int.random(in: 1...6, using: &random))" }
            + (0..<operands).map { _ in operand(&random) }
        return "\(call.name) \(list.joined(separator: ", "))\n"
    }
}

extension SystemCall {
    fileprivate var operandCounts: (results: Int, operands: Int) {
        let operands = Acceptor.application.macro(named: name)?.operands ?? []
        let results = operands.count { if case .result = $0 { true } else { false } }
        return (results, operands.count - results)
    }
}

extension Machine {
    /// Every page is held as often as page tables, owners and the kernel hold it.
    func checkPages(_ comment: Comment, _ location: SourceLocation = #_sourceLocation) {
        var holders: [Frame: Int] = [:]
        for environment in environments.all {
            for frame in environment.pageTable?.mappedFrames ?? [] { holders[frame, default: 0] += 1 }
        }
        for program in programs.values { for frame in program.pages { holders[frame, default: 0] += 1 } }
        for (frame, list) in mappings where !list.isEmpty {
            for mapping in list {
                #expect(
                    environments[mapping.environment].pageTable?.translation(of: mapping.page)?.frame
                        == frame,
                    comment, sourceLocation: location)
            }
        }
        for frame in accessOfPages.keys {
            #expect(pages.referenceCount(of: frame) == holders[frame], comment, sourceLocation: location)
        }
        for program in programs.values {
            for frame in program.pages {
                #expect(accessOfPages[frame] != nil, comment, sourceLocation: location)
            }
        }
    }
}
