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

/// Memory that the processor's own MMU guards, for regions of the host policy: 4 GiB of the host's address space, in which
/// pages are mapped and whatever else is touched faults. The fault ends the fragment, and nothing besides.
///
/// Addresses that fragments use are offsets here, of which the low 32 bits count. A fragment may touch every page that is
/// mapped, as the page allows, whichever regions it declares: what fragments should not share wants a memory of its own.
///
/// Pages stay as they are mapped for as long as the memory does. One thread maps at a time, whoever runs fragments.
public final class HostMemory: @unchecked Sendable {
    public static let pageSize = Int(SCODE_PAGE_SIZE)
    /// Where pages may lie: all but the last one.
    public static let limit = 1 << 32 - pageSize
    let window: UnsafeMutablePointer<scode_window>

    /// - Returns: nil when the system gives no address space.
    ///
    /// The first one installs a handler of `SIGSEGV`, which passes on to the one that was there before whatever is no
    /// fault of a fragment. Who installs another one later does the same.
    public init?() {
        guard let window = scode_window_create() else { return nil }
        self.window = window
    }

    deinit { scode_window_destroy(window) }

    /// Where offset 0 lies, for the host's own accesses to pages that are mapped.
    public var base: UnsafeMutableRawPointer { UnsafeMutableRawPointer(window.pointee.base) }

    /// Maps pages of zeros.
    /// - Parameters:
    ///   - offset, size: in bytes, multiples of the page size.
    ///   - contents: what the pages begin with.
    /// - Returns: false, and nothing is mapped, when the pages lie outside, some of them are mapped already, the contents
    ///   are larger, or the system gives no memory.
    public func map(at offset: Int, size: Int, writable: Bool, contents: [UInt8] = []) -> Bool {
        let page = HostMemory.pageSize
        guard offset >= 0, size > 0, offset <= HostMemory.limit, size <= HostMemory.limit - offset,
            offset % page == 0, size % page == 0, contents.count <= size
        else { return false }
        let isFree = stride(from: offset, to: offset + size, by: page).allSatisfy {
            !allows($0, isStore: false)
        }
        return isFree
            && scode_window_map(window, UInt64(offset), UInt64(size), writable, contents, contents.count)
    }

    private func allows(_ offset: Int, isStore: Bool) -> Bool {
        scode_window_allows(window, UInt64(offset), isStore)
    }

    /// Whether all pages may be read, or written to.
    fileprivate func allows(_ offset: UInt64, _ size: UInt64, isStore: Bool) -> Bool {
        guard offset <= HostMemory.limit, size <= UInt64(HostMemory.limit) - offset else { return false }
        return stride(from: Int(offset), to: Int(offset + size), by: HostMemory.pageSize)
            .allSatisfy { allows($0, isStore: isStore) }
    }
}

/// What one of a program's regions is bound to when the program is installed.
public struct RegionBinding {
    var base: UInt64
    var size: UInt64
    var host: UnsafeMutablePointer<UInt8>?
    var isWritable: Bool
    /// Of a region of the host policy.
    var hostMemory: HostMemory?

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

    /// Pages of host memory, from a multiple of the page size on; what may be done there is up to them.
    public static func host(_ memory: HostMemory, at offset: Int, size: Int) -> RegionBinding {
        let base = UInt64(max(offset, 0))
        return RegionBinding(
            base: base, size: UInt64(max(size, 0)),
            host: memory.window.pointee.base + Int(min(base, 1 << 32)),
            isWritable: true, hostMemory: memory)
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
            guard (binding.hostMemory != nil) == (region.policy == .host) else {
                throw .regionKind(region.name)
            }
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
            if let memory = binding.hostMemory {
                let first = bindings.lazy.compactMap(\.hostMemory).first
                guard memory === first, binding.base % UInt64(HostMemory.pageSize) == 0 else {
                    throw .regionMisplaced(region.name)
                }
                guard memory.allows(binding.base, region.size, isStore: false) else {
                    throw .regionTooSmall(region.name)
                }
                if region.isWritable, !memory.allows(binding.base, region.size, isStore: true) {
                    throw .regionReadOnly(region.name)
                }
            }
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
