import SCodeIR

/// What the verifier knows of every value of a fragment, kept for people to read and for tests to check.
public final class KnownValues: Sendable {
    // Never changed after it was made, and given back with it.
    nonisolated(unsafe) private let arena: Arena
    nonisolated(unsafe) private let states: BlockStates

    /// Per instruction: the registers that are followed, before it.
    let followed: [RegisterSet]
    /// Per instruction: what is written before it.
    let written: [WrittenBefore]

    init(_ states: borrowing BlockStates, followed: [RegisterSet], written: [WrittenBefore]) {
        arena = Arena(expecting: states.size)
        self.states = BlockStates(copying: states, to: arena)
        self.followed = followed
        self.written = written
    }

    deinit { arena.giveBack() }

    /// Whether an execution can come to a block.
    func isReached(_ block: Int) -> Bool { states.isReached(block) }

    func load(_ block: Int, into values: RegisterValues) { states.load(block, into: values) }
}

/// Walks along with an execution, instruction by instruction, and says what must hold.
public final class KnownValuesCursor {
    private let fragment: VerifiedFragment
    private let known: KnownValues
    private let values: RegisterValues
    /// The instruction before which `values` holds.
    private var place = -1

    /// Nil when the verifier was not asked to keep what it knows.
    public init?(_ fragment: VerifiedFragment) {
        guard let known = fragment.knownValues else { return nil }
        self.fragment = fragment
        self.known = known
        values = RegisterValues(base: .allocate(capacity: RegisterValues.count))
        values.base.initialize(repeating: .top, count: RegisterValues.count)
    }

    deinit { values.base.deallocate() }

    /// Moves to an instruction. False: the verifier has proved that no execution comes here.
    public func move(to index: Int) -> Bool {
        let block = Int(fragment.facts[index].block)
        let start = Int(fragment.flow.blocks[block].start)
        guard known.isReached(block) else { return false }
        if index == start || place < start || place > index {
            known.load(block, into: values)
            place = start
        }
        while place < index {
            let instruction = fragment.code.instructions[place]
            if instruction.opcode.shape.isExpanded {
                let call = Int(instruction.index)
                values.step(fragment.code.macroCalls[call], fragment.macros[call])
            } else {
                values.step(instruction)
            }
            place += 1
        }
        return true
    }

    /// The integer registers of which something is claimed here: those on which some fact may depend.
    public var claimed: RegisterSet { known.followed[place].intersection(known.written[place].all) }

    /// Whether the register may hold the value, where the regions lie at these addresses.
    public func allows(_ register: Register, _ value: UInt64, base: (Int) -> UInt64) -> Bool {
        values[register].contains(value, base: base)
    }

    /// What is known of the register, for people.
    public func text(_ register: Register) -> String { values[register].text(fragment.regions) }

    /// What is known of the address of the access at this place, for people.
    public var addressText: String {
        values.address(of: fragment.code.instructions[place]).text(fragment.regions)
    }
}
