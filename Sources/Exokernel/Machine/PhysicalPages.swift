import SCode

/// The pages of simulated physical memory: who owns which, and how many map it.
///
/// Page 0 is never handed out, so that physical address 0 means nobody's memory.
final class PhysicalPages {
    /// Pages of 4,096 bytes: one for nobody up to 4 GiB in all.
    static let allowedCounts = 2...(1 << 20)

    let memory: PhysicalMemory
    /// Per page: how many hold it. 0: free.
    private var references: [UInt32]
    private var owners: [Int]
    /// Per owner: pages held as owner.
    private var ownedCounts = ByID<Int>()
    /// No page below this one is free.
    private var lowestFree: Frame
    /// No page from this one on has been handed out: they are zero as they are.
    private var untouched: Frame
    private(set) var freeCount: Int

    /// - Parameter count: pages of memory, one of `allowedCounts`.
    init(count: Int) throws(MachineError) {
        guard Self.allowedCounts.contains(count) else {
            throw .memorySize(pages: count, allowed: Self.allowedCounts)
        }
        memory = PhysicalMemory(size: count * PhysicalMemory.pageSize)
        guard memory.size == count * PhysicalMemory.pageSize else {
            throw .outOfMemory(pages: count, free: memory.size / PhysicalMemory.pageSize)
        }
        references = Array(repeating: 0, count: count)
        owners = Array(repeating: 0, count: count)
        references[0] = 1
        lowestFree = 1
        untouched = 1
        freeCount = count - 1
    }

    /// Hands out zeroed pages that lie next to one another, the lowest that there are.
    /// - Returns: the first of them. Each is held once.
    func allocate(_ count: Int = 1, owner: Int) throws(MachineError) -> Frame {
        guard count >= 1, count <= freeCount, let first = firstRun(of: count) else {
            throw .outOfMemory(pages: count, free: freeCount)
        }
        for frame in first..<(first + count) {
            references[frame] = 1
            owners[frame] = owner
        }
        ownedCounts[owner] = ownedCount(owner) + count
        freeCount -= count
        if first == lowestFree { lowestFree = first + count }
        let used = max(0, min(first + count, untouched) - first)
        address(first).initializeMemory(as: UInt8.self, repeating: 0, count: used * PhysicalMemory.pageSize)
        untouched = max(untouched, first + count)
        return first
    }

    /// The first of `count` free pages in a row.
    private func firstRun(of count: Int) -> Frame? {
        var start = lowestFree
        var frame = lowestFree
        while frame < references.count {
            if references[frame] != 0 {
                start = frame + 1
            } else if frame - start + 1 == count {
                return start
            }
            frame += 1
        }
        return nil
    }

    /// One more holds the page: it stays until as many have released it.
    func retain(_ frame: Frame) {
        guard references.indices.contains(frame), references[frame] > 0 else { return }
        references[frame] += 1
    }

    /// One less holds the page; the last one frees it.
    func release(_ frame: Frame, count: Int = 1) {
        for frame in frame..<(frame + count) where references.indices.contains(frame) && frame > 0 {
            switch references[frame] {
            case 0: continue
            case 1:
                references[frame] = 0
                ownedCounts[owners[frame]] = ownedCount(owners[frame]) - 1
                lowestFree = min(lowestFree, frame)
                freeCount += 1
            default: references[frame] -= 1
            }
        }
    }

    func owner(of frame: Frame) -> Int? {
        references.indices.contains(frame) && references[frame] > 0 && frame > 0 ? owners[frame] : nil
    }
    func referenceCount(of frame: Frame) -> Int {
        references.indices.contains(frame) ? Int(references[frame]) : 0
    }
    /// How many pages an environment owns.
    func ownedCount(_ owner: Int) -> Int { ownedCounts[owner] ?? 0 }

    /// Where a page lies in the host's memory.
    func address(_ frame: Frame) -> UnsafeMutableRawPointer { memory.base + frame * PhysicalMemory.pageSize }

    /// Copies bytes into pages that lie next to one another.
    func write(_ bytes: [UInt8], to frame: Frame) {
        let room = max(0, memory.size - frame * PhysicalMemory.pageSize)
        address(frame).copyMemory(from: bytes, byteCount: min(bytes.count, room))
    }
}

/// The number of a page of physical memory.
typealias Frame = Int

extension Frame {
    var physicalAddress: UInt64 { UInt64(self) * UInt64(PhysicalMemory.pageSize) }

    /// Pages that hold this many bytes; at least one.
    static func pages(holding bytes: Int) -> Int {
        Swift.max(1, (bytes + PhysicalMemory.pageSize - 1) / PhysicalMemory.pageSize)
    }
}
