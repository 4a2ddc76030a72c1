import SCode

/// Memory for the regions of a program: frame 0 is the page directory, frame 1 its one table, then each region in
/// frames of its own with an empty one behind it.
final class FuzzMachine {
    private let regions: [Region]
    private let memory: PhysicalMemory
    /// First frame and number of frames of each region.
    private let frames: [Range<Int>]

    private static let page = PhysicalMemory.pageSize
    private static let regionLimit: UInt64 = 16 << 10

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

    /// Runs a fragment; nil when it cannot be installed. In the interpreter, every claim of the verifier is held against
    /// what happens.
    func run(
        _ code: VerifiedFragment, _ engine: EngineKind, _ observation: RegisterObservation, seed: UInt64
    ) throws(Finding) -> State? {
        reset(seed)
        let space =
            regions.contains { $0.policy == .virtual } ? AddressSpace(memory: memory, directory: 0) : nil
        let hostMemory = hostMemory(seed)
        let fragment: Fragment
        do {
            fragment = try Fragment(
                code, regions: bindings(hostMemory), space: space, slotCount: 2, engine: engine,
                observing: observation,
                checksFacts: engine == .interpreter)
        } catch {
            return nil
        }
        // Itself in a slot: it nests until depth or budget ends it.
        fragment.setSlot(1, fragment)
        fragment.setEntryRegister(1, 2)
        let arguments = (0..<UInt64(code.code.parameters.count)).map { argument($0, seed) }
        let invocation = fragment.invoke(arguments: seed == 0 ? [] : arguments, budget: 300)
        if let violation = invocation.violation {
            throw Finding(property: "what the verifier claims holds: \(violation)")
        }
        // It would hold itself for ever.
        fragment.setSlot(1, nil)
        if let hostMemory {
            for pages in hostPages {
                (memory.base + pages.lowerBound).copyMemory(
                    from: hostMemory.base + pages.lowerBound, byteCount: pages.count)
            }
        }
        let left = [UInt8](UnsafeRawBufferPointer(start: memory.base, count: memory.size))
        try requireUntouched(left, seed)
        return State(
            exit: invocation.exit, budget: invocation.remainingBudget, registers: invocation.registers,
            memory: left)
    }

    private func argument(_ index: UInt64, _ seed: UInt64) -> UInt64 {
        (seed &+ index) &* 0x9e37_79b9_7f4a_7c15
    }

    /// Where regions of the host policy lie: as in memory, so in a memory of theirs.
    private var hostPages: [Range<Int>] {
        zip(regions, frames).filter { $0.0.policy == .host && !$0.1.isEmpty }.map { _, frames in
            frames.lowerBound * Self.page..<frames.upperBound * Self.page
        }
    }

    /// Nil when no region has the policy, or the system gives no memory.
    private func hostMemory(_ seed: UInt64) -> HostMemory? {
        guard regions.contains(where: { $0.policy == .host }), let memory = HostMemory() else { return nil }
        let writable = zip(regions, frames).filter { $0.0.policy == .host && !$0.1.isEmpty }.map(
            \.0.isWritable)
        let isMapped = zip(hostPages, writable).allSatisfy { pages, isWritable in
            memory.map(
                at: pages.lowerBound, size: pages.count, writable: isWritable,
                contents: pages.map { filler($0, seed) })
        }
        return isMapped ? memory : nil
    }

    private func bindings(_ hostMemory: HostMemory?) -> [RegionBinding] {
        zip(regions, frames).enumerated().map { index, place in
            let (region, frames) = place
            if region.policy == .virtual {
                return .virtual(base: UInt64(frames.lowerBound * Self.page), size: Int(region.size))
            }
            if region.policy == .host, let hostMemory {
                return .host(hostMemory, at: frames.lowerBound * Self.page, size: Int(region.size))
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
