import SCode

/// What the verifier has proved of a fragment and what it left to guards, instruction by instruction: `check --explain`.
struct Explanation {
    /// What is said of one instruction.
    struct Entry {
        enum Kind: String { case access, divisor, index, alignment, jump, call }
        var instruction: Int
        var line: Int
        var kind: Kind
        var isProved: Bool
        /// Machine instructions that the guard takes when it lets the code pass.
        var cost: Int
        var text: String
    }

    let fragment: VerifiedFragment
    private(set) var entries: [Entry] = []
    private let cursor: KnownValuesCursor?

    /// *Requires* a fragment that was verified with `keepsStates`.
    init(_ fragment: VerifiedFragment) {
        self.fragment = fragment
        cursor = KnownValuesCursor(fragment)
        let costs = Dictionary(uniqueKeysWithValues: fragment.costs.map { (Int($0.instruction), $0) })
        for (index, instruction) in fragment.code.instructions.enumerated() {
            guard cursor?.move(to: index) ?? false else { continue }
            if instruction.opcode.shape.isAccess { explainAccess(index, instruction) }
            explainOperand(index, instruction)
            if let cost = costs[index] { explainCost(index, instruction, cost) }
        }
    }

    private mutating func add(_ index: Int, _ kind: Entry.Kind, proved: Bool, cost: Int = 0, _ text: String) {
        entries.append(
            Entry(
                instruction: index, line: Int(fragment.code.sourceRange(at: index).line), kind: kind,
                isProved: proved, cost: proved ? 0 : cost, text: text))
    }

    private func text(_ register: Register) -> String { cursor?.text(register) ?? "any" }

    // MARK: Accesses

    private mutating func explainAccess(_ index: Int, _ instruction: Instruction) {
        let address = cursor?.addressText ?? "any"
        switch fragment.facts[index].access {
        case .inside(let number), .proved(let number, _):
            let region = fragment.regions[Int(number)]
            add(
                index, .access, proved: true,
                "\(address) lies in the \(region.size) bytes of '\(region.name)'")
        case .based(let number):
            let region = fragment.regions[Int(number)]
            let leaves = "\(address) may leave the \(region.size) bytes of '\(region.name)'"
            switch region.policy {
            case .virtual:
                add(
                    index, .access, proved: false, cost: GuardCost.page,
                    "'\(region.name)' is virtual: the page table decides")
            case .host:
                add(
                    index, .access, proved: false, cost: GuardCost.window, "\(leaves): the processor decides")
            case .physical, .static:
                add(index, .access, proved: false, cost: GuardCost.region, leaves)
            }
        case .unknown where fragment.regions.contains(where: { $0.policy == .host }):
            add(
                index, .access, proved: false, cost: GuardCost.window,
                "the address is \(address), computed from no region: the processor decides")
        case .unknown:
            let isPaged =
                fragment.regions.contains { $0.policy == .virtual }
                || !fragment.regions.contains { $0.policy == .physical }
            add(
                index, .access, proved: false, cost: isPaged ? GuardCost.page : GuardCost.region,
                "the address is \(address), computed from no region")
        }
        if instruction.opcode.isAtomic {
            add(
                index, .alignment, proved: fragment.facts[index].isSafe, cost: GuardCost.alignment,
                fragment.facts[index].isSafe ? "the address is aligned" : "the address may not be aligned")
        }
    }

    // MARK: Divisors and indices

    private mutating func explainOperand(_ index: Int, _ instruction: Instruction) {
        let isProved = fragment.facts[index].isSafe
        switch instruction.opcode.operation {
        case .div, .mod:
            guard !instruction.opcode.type.isFloat, instruction.opcode.form == .register else { return }
            let name = fragment.code.name(of: instruction.rs2)
            add(
                index, .divisor, proved: isProved, cost: GuardCost.divisor,
                "divisor \(name) is \(text(instruction.rs2))\(isProved ? "" : ": it may be zero")")
        case .jumpTable:
            let table = fragment.code.tables[Int(instruction.index)]
            let name = fragment.code.name(of: instruction.rs1)
            add(
                index, .index, proved: isProved, cost: GuardCost.index,
                "index \(name) is \(text(instruction.rs1)); '\(table.name)' has \(table.labels.count) entries"
            )
        default: break
        }
    }

    // MARK: Jumps and calls

    private mutating func explainCost(_ index: Int, _ instruction: Instruction, _ cost: CostFact) {
        let kind: Entry.Kind = instruction.opcode.operation == .call ? .call : .jump
        var reason = "how often is not known"
        if let bound = cost.bound {
            reason = "at most \(bound) time\(bound == 1 ? "" : "s")"
            if let loop = cost.loop.map({ fragment.loops[$0] }) { reason += counting(loop) }
            if cost.isPrepaid { reason += "; paid for at the fragment's entry" }
        }
        if !cost.isPrepaid {
            let isKnown = cost.bound != nil
            reason +=
                isKnown ? ", more than acceptor '\(fragment.acceptor.name)' lets be paid for at once" : ""
            reason += ": one of the budget each time"
        }
        add(index, kind, proved: cost.isPrepaid, cost: GuardCost.budget, reason)
    }

    private func counting(_ loop: LoopFact) -> String {
        guard let counter = loop.counter, let increment = loop.increment, let trips = loop.trips else {
            return ""
        }
        let line = fragment.code.sourceRange(at: Int(increment)).line
        let place = line == 0 ? "instruction \(increment)" : "line \(line)"
        let name = fragment.code.name(of: counter)
        return
            " (\(name) advances in \(place): \(trips) round\(trips == 1 ? "" : "s") each time the loop is entered)"
    }

    // MARK: Output

    /// Loads and stores, and jumps and calls: how many are proved, of how many.
    func count(_ kinds: Set<Entry.Kind>) -> (proved: Int, all: Int) {
        let all = entries.filter { kinds.contains($0.kind) }
        return (all.filter(\.isProved).count, all.count)
    }

    var summary: String {
        let accesses = count([.access])
        let jumps = count([.jump, .call])
        let worst =
            fragment.worstCase.map { "worst case \($0) of the budget" }
            ?? "worst case of the budget not known"
        return
            "fragment '\(fragment.code.name)': \(fragment.code.instructions.count) instructions; \(accesses.proved) of \(accesses.all) accesses and \(jumps.proved) of \(jumps.all) backward jumps and calls proved; \(worst), \(fragment.entryCharge) paid at entry"
    }

    /// The source with what is known below each line; without source, the mnemonics.
    func listing(_ source: SourceText?) -> String {
        var text = summary + "\n"
        var shown = -1
        for entry in entries {
            let place = entry.line > 0 ? entry.line : entry.instruction
            if place != shown {
                shown = place
                let code =
                    entry.line > 0
                    ? source?.line(entry.line) ?? mnemonic(entry.instruction) : mnemonic(entry.instruction)
                text += "\(Self.column(place)) | \(code)\n"
            }
            let verdict = entry.isProved ? "proved" : "guarded"
            let price =
                entry.cost == 0 ? "" : " (\(entry.cost) machine instruction\(entry.cost == 1 ? "" : "s"))"
            text += "\(Self.column(nil)) |     \(verdict): \(entry.text)\(price)\n"
        }
        return text
    }

    private func mnemonic(_ index: Int) -> String {
        "    " + fragment.code.instructions[index].opcode.mnemonic
    }

    private static func column(_ number: Int?) -> String {
        let text = number.map { "\($0)" } ?? ""
        return String(repeating: " ", count: max(0, 5 - text.count)) + text
    }

    var json: String {
        let items = entries.map { entry in
            "{\"instruction\":\(entry.instruction),\"line\":\(entry.line),\"kind\":\"\(entry.kind.rawValue)\",\"proved\":\(entry.isProved),\"cost\":\(entry.cost),\"reason\":\(JSONText.quoted(entry.text))}"
        }
        let loops = fragment.loops.map { loop in
            let trips = loop.trips.map { "\($0)" } ?? "null"
            let total = loop.total.map { "\($0)" } ?? "null"
            let line = fragment.code.sourceRange(at: Int(loop.head)).line
            return "{\"head\":\(loop.head),\"line\":\(line),\"trips\":\(trips),\"total\":\(total)}"
        }
        return
            "{\"name\":\(JSONText.quoted(fragment.code.name)),\"instructions\":\(fragment.code.instructions.count),\"worstCase\":\(fragment.worstCase.map { "\($0)" } ?? "null"),\"entryCharge\":\(fragment.entryCharge),\"facts\":[\(items.joined(separator: ","))],\"loops\":[\(loops.joined(separator: ","))]}"
    }
}
