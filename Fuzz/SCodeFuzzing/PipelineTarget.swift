import SCode

/// What the verifier lets through runs alike on both engines, and touches nothing that it was not given.
func checkPipeline(_ input: UnsafeRawBufferPointer) throws(Finding) {
    guard let program = read(input) else { return }
    let name = program.acceptorName ?? Acceptor.plain.name
    guard let acceptor = Acceptor.standard.first(where: { $0.name == name }),
        let verified = Verifier.verify(program, acceptor: acceptor).program,
        let machine = FuzzMachine(program.regions)
    else { return }
    // Enough to see what fragments do together; a module of thousands would only take time.
    for fragment in verified.fragments.prefix(4) {
        for seed: UInt64 in 0..<2 {
            for observation in [RegisterObservation.live, .all] {
                let interpreted = try machine.run(fragment, .interpreter, observation, seed: seed)
                let native = try machine.run(fragment, .native, observation, seed: seed)
                try require(interpreted.exit == native.exit, "one exit: \(interpreted.exit), \(native.exit)")
                try require(
                    interpreted.budget == native.budget, "one budget: \(interpreted.budget), \(native.budget)"
                )
                try require(
                    interpreted.registers == native.registers,
                    "the same registers: \(interpreted.registers), \(native.registers)")
                try require(interpreted.memory == native.memory, "the same memory")
            }
        }
    }
}

/// A module if it begins like one, else text.
private func read(_ input: UnsafeRawBufferPointer) -> Program? {
    if input.starts(with: Program.moduleMagic) { return try? Program(decoding: input) }
    let result = parse(String(decoding: input, as: UTF8.self))
    return result.diagnostics.contains { $0.severity == .error } ? nil : result.program
}

/// Memory for the regions of a program: frame 0 is the page directory, frame 1 its one table, then each region in
/// frames of its own with an empty one behind it.
private final class FuzzMachine {
    private let regions: [Region]
    private let memory: PhysicalMemory
    /// First frame and number of frames of each region.
    private let frames: [Range<Int>]

    private static let page = PhysicalMemory.pageSize
    private static let regionLimit: UInt64 = 64 << 10

    /// Nil when the regions are larger than a fuzzer wants to fill again for each run.
    init?(_ regions: [Region]) {
        guard regions.allSatisfy({ $0.size <= Self.regionLimit }) else { return nil }
        self.regions = regions
        var next = 2
        var frames: [Range<Int>] = []
        for region in regions {
            let count = (Int(region.size) + Self.page - 1) / Self.page
            frames.append(next..<next + count)
            next += count + 1
        }
        self.frames = frames
        memory = PhysicalMemory(size: next * Self.page)
    }

    /// What a run leaves behind.
    struct State {
        var exit: Exit
        var budget: UInt64
        var registers: RegisterFile
        var memory: [UInt8]
    }

    func run(
        _ code: VerifiedFragment, _ engine: EngineKind, _ observation: RegisterObservation, seed: UInt64
    ) throws(Finding) -> State {
        reset(seed)
        let space =
            regions.contains { $0.policy == .virtual } ? AddressSpace(memory: memory, directory: 0) : nil
        let fragment: Fragment
        do {
            fragment = try Fragment(
                code, regions: bindings(), space: space, slotCount: 2, engine: engine, observing: observation)
        } catch {
            // Both engines refuse what no engine could run, and a fragment may be too large to compile.
            return State(exit: .refuse, budget: 0, registers: RegisterFile(), memory: [])
        }
        // Itself in a slot: it nests until depth or budget ends it.
        fragment.setSlot(1, fragment)
        fragment.setEntryRegister(1, 2)
        let arguments = (0..<UInt64(code.code.parameters.count)).map { argument($0, seed) }
        let invocation = fragment.invoke(arguments: seed == 0 ? [] : arguments, budget: 300)
        let left = [UInt8](UnsafeRawBufferPointer(start: memory.base, count: memory.size))
        try requireUntouched(left, seed)
        return State(
            exit: invocation.exit, budget: invocation.remainingBudget, registers: invocation.registers,
            memory: left)
    }

    private func argument(_ index: UInt64, _ seed: UInt64) -> UInt64 {
        (seed &+ index) &* 0x9e37_79b9_7f4a_7c15
    }

    private func bindings() -> [RegionBinding] {
        zip(regions, frames).enumerated().map { index, place in
            let (region, frames) = place
            if region.policy == .virtual {
                return .virtual(base: UInt64(frames.lowerBound * Self.page), size: Int(region.size))
            }
            return .physical(
                base: 1 << 32 + UInt64(index) << 28, host: memory.base + frames.lowerBound * Self.page,
                size: Int(region.size), writable: true)
        }
    }

    /// The byte that memory holds at an offset before the run.
    private func filler(_ offset: Int, _ seed: UInt64) -> UInt8 {
        UInt8(truncatingIfNeeded: offset &* 37 &+ offset >> 8 &+ Int(truncatingIfNeeded: seed))
    }

    private func reset(_ seed: UInt64) {
        let page = Self.page
        memory.base.initializeMemory(as: UInt8.self, repeating: 0, count: 2 * page)
        for offset in 2 * page..<memory.size {
            memory.base.storeBytes(of: filler(offset, seed), toByteOffset: offset, as: UInt8.self)
        }
        // Virtual regions are mapped where they lie.
        memory.base.storeBytes(of: 1 << 12 | 7, as: UInt32.self)
        for (region, frames) in zip(regions, frames) where region.policy == .virtual {
            for frame in frames {
                memory.base.storeBytes(
                    of: UInt32(frame << 12 | (region.isWritable ? 7 : 5)), toByteOffset: page + frame * 4,
                    as: UInt32.self)
            }
        }
    }

    /// Nothing is written but writable regions; of virtual ones, their pages.
    private func requireUntouched(_ left: [UInt8], _ seed: UInt64) throws(Finding) {
        var offset = 2 * Self.page
        for (region, frames) in zip(regions, frames) {
            let start = frames.lowerBound * Self.page
            var end = start
            if region.isWritable {
                end = region.policy == .virtual ? frames.upperBound * Self.page : start + Int(region.size)
            }
            for place in offset..<start where left[place] != filler(place, seed) {
                throw Finding(property: "nothing is written outside regions, but byte \(place) is")
            }
            offset = end
        }
        for place in offset..<left.count where left[place] != filler(place, seed) {
            throw Finding(property: "nothing is written outside regions, but byte \(place) is")
        }
    }
}
