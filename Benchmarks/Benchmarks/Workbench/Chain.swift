import SCode
import SCodeAcceptors

/// The fragments of a decision without a machine around them: three of them below one another, each of which takes turns,
/// as `Scenarios.decisions` has them.
public struct Chain {
    private let top: Fragment
    private let fragments: [Fragment]
    private let memory: PhysicalMemory

    /// Five children each: schedulers in the slots of the first two, environments below the third.
    public init() {
        do {
            let code = try Module(text: Scenarios.turns(5, turn: "physical").text, acceptor: .scheduler)
                .program.fragments[0]
            let page = PhysicalMemory.pageSize
            let environments = 8192 * 32
            let memory = PhysicalMemory(size: environments + 8 * page)
            var fragments: [Fragment] = []
            for level in 0..<3 {
                let children = memory.base + environments + level * 2 * page
                for place in 0..<5 {
                    let record = children + place * 16
                    record.storeBytes(of: level == 2 ? 1 : 2, as: UInt32.self)
                    record.storeBytes(
                        of: UInt32(level == 2 ? place + 1 : place), toByteOffset: 4, as: UInt32.self)
                    (memory.base + (place + 1) * 32).storeBytes(of: 1, toByteOffset: 4, as: UInt32.self)
                }
                func region(_ place: UnsafeMutableRawPointer, _ size: Int) -> RegionBinding {
                    .physical(
                        base: 1 << 32 + UInt64(place - memory.base), host: place, size: size, writable: true)
                }
                let regions = [
                    region(children, page), region(memory.base, environments), region(children + page, page),
                ]
                let fragment = try Fragment(code, regions: regions, slotCount: 5)
                // As the kernel says it: five places are in use.
                let listed = code.acceptor.entryRegisters.firstIndex { $0.name == "listed" }
                guard let listed, fragment.setEntryRegister(listed, 5) else { fatalError("no 'listed'") }
                for slot in 0..<5 where level > 0 { fragments[level - 1].setSlot(slot, fragment) }
                fragments.append(fragment)
            }
            self.memory = memory
            self.fragments = fragments
            top = fragments[0]
        } catch {
            fatalError("\(error)")
        }
    }

    /// Chooses an environment.
    @inline(__always) public func decide() -> UInt64 { top.enter(budget: 10_000).value }

    /// What one decision takes of real time.
    public func nanoseconds() -> Double {
        let count = 100_000
        var best = Double.infinity
        for _ in 0..<70 {
            var sum: UInt64 = 0
            let took = ContinuousClock().measure { for _ in 0..<count { sum += decide() } }
            guard sum > 0 else { fatalError("nobody was chosen") }
            let (seconds, attoseconds) = took.components
            best = min(best, (Double(seconds) * 1e9 + Double(attoseconds) / 1e9) / Double(count))
        }
        return best
    }
}
