import SCodeIR

extension VerifiedFragment {
    /// What the verifier knows, instruction by instruction: for `scodec --dump=facts`.
    public func printedFacts() -> String {
        var text = ""
        for (index, instruction) in code.instructions.enumerated() {
            let block = flow.blocks[Int(flow.blockOfInstruction[index])]
            var facts: [String] = []
            if !block.isReachable { facts.append("unreachable") }
            let live = liveBefore[index].registers.map { code.name(of: $0) }
            facts.append("live: \(live.isEmpty ? "-" : live.joined(separator: " "))")
            if costsBudget[index] { facts.append("costs budget") }
            if instruction.opcode.shape.isAccess {
                switch accesses[index] {
                case .unknown: facts.append("address unknown: guarded")
                case .based(let region): facts.append("address from \(regions[Int(region)].name): guarded")
                case .inside(let region): facts.append("proved: inside \(regions[Int(region)].name)")
                case .proved(let region, let offset):
                    facts.append("proved: \(regions[Int(region)].name) + \(offset)")
                }
            }
            let line = code.sourceRange(at: index).line
            let name =
                instruction.opcode.shape.isExpanded
                ? code.macroCalls[Int(instruction.index)].name : instruction.opcode.mnemonic
            text +=
                "\(index)\(line == 0 ? "" : " (line \(line))") \(name): \(facts.joined(separator: "; "))\n"
        }
        return text
    }
}
