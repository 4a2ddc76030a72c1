import SCode

/// The memory behind a region of a scheduler's fragment.
struct RegionStorage {
    enum Place: Hashable {
        /// At its physical address.
        case physical
        /// In the address space of the scheduler's environment, from this virtual page on.
        case virtual(page: Int)
    }

    let name: String
    let place: Place
    /// The first of the pages, which lie next to one another.
    let frame: Frame
    let pages: Int
    /// Bytes that the fragment declares, or more.
    let size: Int
    /// Whether the pages show state of the kernel, and are not the scheduler's.
    let isKernels: Bool

    /// Whether it can be the memory of a region of another fragment in the same place.
    func canHold(_ region: Region) -> Bool {
        let isVirtual: Bool
        switch place {
        case .physical: isVirtual = false
        case .virtual: isVirtual = true
        }
        return !isKernels && name == region.name && region.size <= UInt64(size)
            && isVirtual == (region.policy == .virtual)
    }
}

/// Finds memory for the regions of fragments, and gives it back.
///
/// The kernel's own regions (`environments`, `children`, `machine`) show the kernel's pages, also when they
/// are declared virtual. Every other region is zeroed memory of the scheduler's environment.
struct RegionAllocator {
    /// The largest region.
    static let sizeLimit = UInt64(ScenarioLimits.regionSize)
    /// Where virtual regions begin: 1 MiB. One page between two of them stays free, so that running off the
    /// end of one is noticed.
    static let firstVirtualPage = 256

    let physical: PhysicalPages
    let pageTable: PageTable
    let owner: Int
    /// The path of the fragment's text, for messages.
    let path: String

    /// A region that shows pages of the kernel's.
    func kernelRegion(
        _ region: Region, frame: Frame, bytes: Int, besides others: [RegionStorage]
    ) throws(MachineError) -> RegionStorage {
        guard !region.isWritable else { throw .regionReadOnly(path: path, region: region.name) }
        guard region.size <= UInt64(bytes) else {
            throw .regionTooLarge(path: path, region: region.name, size: region.size, limit: UInt64(bytes))
        }
        return try place(region, frame: frame, pages: Frame.pages(holding: bytes), isKernels: true, others)
    }

    /// A region of zeroed memory.
    func ownRegion(_ region: Region, besides others: [RegionStorage]) throws(MachineError) -> RegionStorage {
        guard region.size <= Self.sizeLimit else {
            throw .regionTooLarge(path: path, region: region.name, size: region.size, limit: Self.sizeLimit)
        }
        let pages = Frame.pages(holding: Int(region.size))
        let frame = try physical.allocate(pages, owner: owner)
        do throws(MachineError) {
            return try place(region, frame: frame, pages: pages, isKernels: false, others)
        } catch {
            physical.release(frame, count: pages)
            throw error
        }
    }

    private func place(
        _ region: Region, frame: Frame, pages: Int, isKernels: Bool, _ others: [RegionStorage]
    ) throws(MachineError) -> RegionStorage {
        var place = RegionStorage.Place.physical
        if region.policy == .virtual {
            let page = freeVirtualPages(pages, besides: others)
            place = .virtual(page: page)
            for index in 0..<pages {
                do throws(MachineError) {
                    try pageTable.map(page + index, to: frame + index, writable: region.isWritable)
                } catch {
                    for mapped in 0..<index { pageTable.unmap(page + mapped) }
                    throw error
                }
            }
        }
        return RegionStorage(
            name: region.name, place: place, frame: frame, pages: pages,
            size: pages * PhysicalMemory.pageSize, isKernels: isKernels)
    }

    /// The lowest virtual pages that keep their distance from all others. There are always some: no more
    /// than two fragments' regions are mapped at a time, and their size is limited.
    private func freeVirtualPages(_ count: Int, besides others: [RegionStorage]) -> Int {
        var page = Self.firstVirtualPage
        let taken = others.compactMap { storage -> Range<Int>? in
            guard case .virtual(let first) = storage.place else { return nil }
            return first..<(first + storage.pages)
        }
        for range in taken.sorted(by: { $0.lowerBound < $1.lowerBound })
        where page + count >= range.lowerBound {
            page = max(page, range.upperBound + 1)
        }
        return page
    }

    /// Gives a region's memory back.
    func release(_ storage: RegionStorage) {
        if case .virtual(let page) = storage.place {
            for index in 0..<storage.pages { pageTable.unmap(page + index) }
        }
        if !storage.isKernels { physical.release(storage.frame, count: storage.pages) }
    }

    /// Copies as much as both regions hold.
    func copy(_ old: RegionStorage, to new: RegionStorage) {
        let count = min(old.pages, new.pages) * PhysicalMemory.pageSize
        physical.address(new.frame).copyMemory(from: physical.address(old.frame), byteCount: count)
    }

    /// Sets what a region holds: these bytes, then zeros.
    func fill(_ storage: RegionStorage, with bytes: [UInt8]) {
        let room = storage.pages * PhysicalMemory.pageSize
        physical.address(storage.frame).initializeMemory(as: UInt8.self, repeating: 0, count: room)
        physical.write(Array(bytes.prefix(room)), to: storage.frame)
    }
}
