import SCode

/// The page table of an environment: a directory and tables of the 80386, kept in simulated physical memory,
/// where the MMU that generated code simulates reads them.
///
/// Only the kernel writes here. The owner reads all of it, accessed and dirty bits too, through a window at the end of
/// its address space.
final class PageTable {
    /// Bits of an entry (Intel SDM volume 3, section 4.3).
    enum Bits {
        static let present: UInt32 = 1
        static let writable: UInt32 = 2
        static let user: UInt32 = 4
        static let accessed: UInt32 = 0x20
        static let dirty: UInt32 = 0x40
        static let frame: UInt32 = 0xffff_f000
    }
    static let entries = 1024
    /// One more than the highest page of the 32-bit address space.
    static let virtualPages = 1 << 20
    /// From this page on the owner reads its page table: the entry of virtual page n is the n-th word, and the directory
    /// is the last page. The directory is its own last table, without the right to write.
    static let windowPage = virtualPages - entries

    /// What runs in it sees. Made when somebody does: it comes with a TLB.
    var space: AddressSpace {
        if let made { return made }
        let space = AddressSpace(memory: pages.memory, directory: directory.physicalAddress)
        made = space
        return space
    }
    private var made: AddressSpace?
    private let pages: PhysicalPages
    private let owner: Int
    private let directory: Frame

    /// An empty address space. The table's own pages belong to `owner`.
    init(pages: PhysicalPages, owner: Int) throws(MachineError) {
        self.pages = pages
        self.owner = owner
        directory = try pages.allocate(owner: owner)
        pages.address(directory).storeBytes(
            of: UInt32(truncatingIfNeeded: directory) << 12 | Bits.present | Bits.user,
            toByteOffset: (Self.entries - 1) * 4, as: UInt32.self)
    }

    /// Maps a virtual page to a physical one, which it holds as long as it is mapped. What was mapped there
    /// before is released.
    func map(_ page: Int, to frame: Frame, writable: Bool) throws(MachineError) {
        let entry = try makeEntry(of: page)
        guard let entry else { return }
        let old = load(entry)
        pages.retain(frame)
        if old & Bits.present != 0 { pages.release(Frame(old >> 12)) }
        let rights = Bits.present | Bits.user | (writable ? Bits.writable : 0)
        store(UInt32(truncatingIfNeeded: frame) << 12 | rights, at: entry)
        made?.flush()
    }

    /// Takes away the translation of a virtual page, and releases the physical one.
    func unmap(_ page: Int) {
        guard let entry = existingEntry(of: page) else { return }
        let old = load(entry)
        guard old & Bits.present != 0 else { return }
        store(0, at: entry)
        pages.release(Frame(old >> 12))
        made?.flush()
    }

    /// Changes whether a mapped page may be written.
    func protect(_ page: Int, writable: Bool) {
        guard let entry = existingEntry(of: page) else { return }
        let old = load(entry)
        guard old & Bits.present != 0 else { return }
        store(writable ? old | Bits.writable : old & ~Bits.writable, at: entry)
        made?.flush()
    }

    /// Clears bits in the entry of a mapped page.
    func clear(_ bits: UInt32, of page: Int) {
        guard let entry = existingEntry(of: page) else { return }
        store(load(entry) & ~bits, at: entry)
        made?.flush()
    }

    /// What a virtual page is mapped to.
    func translation(of page: Int) -> (frame: Frame, writable: Bool)? {
        guard let entry = existingEntry(of: page) else { return nil }
        let value = load(entry)
        return value & Bits.present == 0 ? nil : (Frame(value >> 12), value & Bits.writable != 0)
    }

    /// The physical pages that are mapped, each as often as it is.
    var mappedFrames: [Frame] {
        tables.flatMap { table in
            (0..<Self.entries).compactMap { slot in
                let value = load(pages.address(table) + slot * 4)
                return value & Bits.present == 0 ? nil : Frame(value >> 12)
            }
        }
    }

    /// The pages of the table besides the directory.
    private var tables: [Frame] {
        (0..<Self.entries - 1).compactMap { index in
            let entry = load(pages.address(directory) + index * 4)
            return entry & Bits.present == 0 ? nil : Frame(entry >> 12)
        }
    }

    /// Releases everything that is mapped, then the table itself, which must not be used again.
    func destroy() {
        for frame in mappedFrames { pages.release(frame) }
        for table in tables { pages.release(table) }
        pages.release(directory)
        made?.flush()
    }

    private func existingEntry(of page: Int) -> UnsafeMutableRawPointer? {
        guard page >= 0, page < Self.windowPage else { return nil }
        let value = load(pages.address(directory) + page / Self.entries * 4)
        guard value & Bits.present != 0 else { return nil }
        return pages.address(Frame(value >> 12)) + page % Self.entries * 4
    }

    /// Where the entry of a virtual page lies; makes the table that holds it when there is none yet.
    /// - Returns: nil when there is no such page.
    private func makeEntry(of page: Int) throws(MachineError) -> UnsafeMutableRawPointer? {
        if let entry = existingEntry(of: page) { return entry }
        guard page >= 0, page < Self.windowPage else { return nil }
        let table = try pages.allocate(owner: owner)
        // The tables decide what may be written, so the directory allows it.
        let rights = Bits.present | Bits.user | Bits.writable
        store(
            UInt32(truncatingIfNeeded: table) << 12 | rights,
            at: pages.address(directory) + page / Self.entries * 4)
        return existingEntry(of: page)
    }

    private func load(_ entry: UnsafeMutableRawPointer) -> UInt32 { entry.load(as: UInt32.self) }
    private func store(_ value: UInt32, at entry: UnsafeMutableRawPointer) {
        entry.storeBytes(of: value, as: UInt32.self)
    }
}
