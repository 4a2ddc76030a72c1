import SCodeIR

extension VerifiedFragment {
    /// What the verifier knows, instruction by instruction: for `scodec --dump=facts`.
    public func printedFacts() -> String {
        var text = ""
        let cursor = KnownValuesCursor(self)
        for (index, instruction) in code.instructions.enumerated() {
            let block = flow.blocks[Int(facts[index].block)]
            var said: [String] = []
            if !block.isReachable { said.append("unreachable") }
            let isReached = cursor?.move(to: index) ?? true
            let live = facts[index].liveBefore.registers.map { register in
                let name = code.name(of: register)
                guard let cursor, isReached, cursor.claimed.contains(register) else { return name }
                let text = cursor.text(register)
                return text == "any" ? name : "\(name) = \(text)"
            }
            said.append("live: \(live.isEmpty ? "-" : live.joined(separator: ", "))")
            if facts[index].costsBudget { said.append("costs budget") }
            if instruction.opcode.shape.isAccess {
                switch facts[index].access {
                case .unknown: said.append("address unknown: guarded")
                case .based(let region): said.append("address from \(regions[Int(region)].name): guarded")
                case .inside(let region): said.append("proved: inside \(regions[Int(region)].name)")
                case .proved(let region, let offset):
                    said.append("proved: \(regions[Int(region)].name) + \(offset)")
                }
            }
            let line = code.sourceRange(at: index).line
            let name =
                instruction.opcode.shape.isExpanded
                ? code.macroCalls[Int(instruction.index)].name : instruction.opcode.mnemonic
            text +=
                "\(index)\(line == 0 ? "" : " (line \(line))") \(name): \(said.joined(separator: "; "))\n"
        }
        return text
    }
}
