import CSCodeRuntime

/// Simulated physical memory: zero-filled host memory, page by page. Pages that nobody has written take no room.
public final class PhysicalMemory {
    public static let pageSize = Int(SCODE_PAGE_SIZE)
    /// Bytes; a multiple of the page size.
    public let size: Int
    public let base: UnsafeMutableRawPointer
    /// The same, if it is the host's to take back.
    private let reserved: UnsafeMutableRawPointer?

    /// - Parameter size: in bytes, rounded up to whole pages; at least one page, at most 4 GiB. It is one page when the
    ///   host has no room for so many.
    public init(size: Int) {
        let page = PhysicalMemory.pageSize
        let wanted = min(max(size, page), 1 << 32)
        let rounded = (wanted + page - 1) / page * page
        reserved = scode_memory_reserve(rounded)
        self.size = reserved == nil ? page : rounded
        base = reserved ?? UnsafeMutableRawPointer.allocate(byteCount: page, alignment: page)
        if reserved == nil { base.initializeMemory(as: UInt8.self, repeating: 0, count: page) }
    }

    deinit {
        if let reserved { scode_memory_release(reserved, size) } else { base.deallocate() }
    }
}

/// A simulated address space: a page directory in simulated physical memory, and the software TLB before it.
public final class AddressSpace {
    let space: UnsafeMutablePointer<scode_space>
    private let memory: PhysicalMemory

    /// - Parameters:
    ///   - directory: physical address of the page directory.
    ///   - usesTLB: whether translations are remembered; else every access walks the page table.
    public init(memory: PhysicalMemory, directory: UInt64, usesTLB: Bool = true) {
        self.memory = memory
        space = .allocate(capacity: 1)
        space.initialize(to: scode_space())
        space.pointee.memory = memory.base.assumingMemoryBound(to: UInt8.self)
        space.pointee.memory_size = UInt64(memory.size)
        space.pointee.directory = directory
        space.pointee.use_tlb = usesTLB ? 1 : 0
        flush()
    }

    deinit { space.deallocate() }

    /// Physical address of the page directory. Changing it forgets every translation.
    public var directory: UInt64 {
        get { space.pointee.directory }
        set {
            space.pointee.directory = newValue
            flush()
        }
    }

    /// Forgets every translation. Whoever changes a page table calls it, as on the real machine.
    public func flush() { scode_tlb_flush(space) }
}

/// What one of a program's regions is bound to when the program is installed.
public struct RegionBinding {
    var base: UInt64
    var size: UInt64
    var host: UnsafeMutablePointer<UInt8>?
    var isWritable: Bool

    /// Host memory that the fragment sees at simulated address `base`; for static and physical regions.
    /// The memory must stay for as long as the fragment is installed.
    public static func physical(
        base: UInt64, host: UnsafeMutableRawPointer, size: Int, writable: Bool
    ) -> RegionBinding {
        RegionBinding(
            base: base, size: UInt64(max(size, 0)), host: host.assumingMemoryBound(to: UInt8.self),
            isWritable: writable)
    }

    /// A place in the owner's address space; what may be done there is up to the page table.
    public static func virtual(base: UInt64, size: Int) -> RegionBinding {
        RegionBinding(base: base, size: UInt64(max(size, 0)), host: nil, isWritable: true)
    }
}

extension RegionBinding {
    /// As the instance holds it.
    func record(for region: Region) -> scode_region {
        // A fragment may touch no more than it declared.
        let size = region.size
        func count(_ bytes: UInt64) -> UInt64 { size >= bytes ? size - bytes + 1 : 0 }
        var flags: UInt64 = 0
        if region.isWritable { flags |= UInt64(SCODE_REGION_WRITABLE) }
        if region.policy == .physical { flags |= UInt64(SCODE_REGION_SEARCHED) }
        return scode_region(
            base: base, size: size, host: host, flags: flags,
            offset_count: (count(1), count(2), count(4), count(8)),
            delta: host.map { UInt64(UInt(bitPattern: $0)) &- base } ?? 0)
    }

    /// Holds bindings against what a program declares. With atomic operations, what is aligned in the region is
    /// aligned for the fragment and for the processor.
    static func check(
        _ bindings: [RegionBinding], against regions: [Region], space: AddressSpace?, hasAtomics: Bool
    ) throws(InstallFailure) {
        guard bindings.count == regions.count else {
            throw .regionCount(declared: regions.count, given: bindings.count)
        }
        for (index, (binding, region)) in zip(bindings, regions).enumerated() {
            if region.policy == .virtual {
                guard binding.host == nil, space != nil else { throw .regionKind(region.name) }
            } else {
                guard binding.host != nil else { throw .regionKind(region.name) }
            }
            if hasAtomics {
                let host = binding.host.map { UInt64(UInt(bitPattern: $0)) } ?? 0
                if host % 8 != 0 || binding.base % 8 != 0 { throw .regionMisaligned(region.name) }
            }
            if binding.size < region.size { throw .regionTooSmall(region.name) }
            if region.isWritable, !binding.isWritable { throw .regionReadOnly(region.name) }
            guard region.size <= UInt64.max - binding.base else { throw .regionMisplaced(region.name) }
            let end = binding.base + region.size
            // Addresses compare as their offsets do: the verifier counts on it.
            if end > 1 << 63 { throw .regionMisplaced(region.name) }
            if region.policy == .virtual {
                if end > 1 << 32 { throw .regionMisplaced(region.name) }
                continue
            }
            // Addresses below 4 GiB belong to the page table when there is one.
            if space != nil, binding.base < 1 << 32 { throw .regionMisplaced(region.name) }
            for (other, declared) in zip(bindings, regions).prefix(index) where declared.policy != .virtual {
                let otherEnd = other.base &+ declared.size
                if binding.base < otherEnd, other.base < end { throw .regionMisplaced(region.name) }
            }
        }
    }
}
