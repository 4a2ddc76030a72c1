import CSCodeRuntime
import SCodeIR
import SCodeVerifier

/// Memory as a fragment sees it: the regions that its instance was given, then its owner's address space.
///
/// The meaning of an access, whatever guards native code gets away with: the first region that contains all
/// its bytes serves it; else every page that it touches is translated, in order, before a byte moves. Where regions are of
/// the host policy, those pages are the window's, and what is not proved goes there at once.
struct SimulatedMemory {
    let instance: UnsafeMutablePointer<scode_instance>

    struct Fault: Error {
        var reason: AbortReason
        var address: UInt64
    }

    func base(ofRegion index: Int) -> UInt64 {
        index < Int(instance.pointee.region_count) ? region(index).base : 0
    }

    func load(_ address: UInt64, _ size: Int, _ fact: AccessFact) -> Result<UInt64, Fault> {
        locate(address, size, fact, isStore: false).map { place in
            var word: UInt64 = 0
            for index in (0..<size).reversed() { word = word << 8 | UInt64(place[index].pointee) }
            return word
        }
    }

    func store(_ value: UInt64, _ address: UInt64, _ size: Int, _ fact: AccessFact) -> Result<Void, Fault> {
        locate(address, size, fact, isStore: true).map { place in
            for index in 0..<size {
                place[index].pointee = UInt8(truncatingIfNeeded: value >> (8 * UInt64(index)))
            }
        }
    }

    /// The bytes of an atomic access, which is aligned and so lies in one page.
    func place(_ address: UInt64, _ size: Int, _ fact: AccessFact) -> Result<
        UnsafeMutablePointer<UInt8>, Fault
    > {
        locate(address, size, fact, isStore: true).map { $0.first }
    }

    /// Where the bytes of an access lie in host memory: in one piece, or in two pages.
    private struct Place {
        var first: UnsafeMutablePointer<UInt8>
        var inFirst: Int
        var second: UnsafeMutablePointer<UInt8>?

        subscript(index: Int) -> UnsafeMutablePointer<UInt8> {
            if let second, index >= inFirst { return second + (index - inFirst) }
            return first + index
        }
    }

    private func region(_ index: Int) -> scode_region { scode_region_at(instance, UInt64(index)).pointee }

    private func locate(
        _ address: UInt64, _ size: Int, _ fact: AccessFact, isStore: Bool
    ) -> Result<Place, Fault> {
        if case .proved(let number, let offset) = fact, let host = region(Int(number)).host {
            return .success(Place(first: host + Int(offset), inFirst: size, second: nil))
        }
        // Static regions are not searched; an access is in one when that is proved, and here it is looked at again.
        var known = -1
        if case .inside(let number) = fact { known = Int(number) }
        for index in 0..<Int(instance.pointee.region_count) {
            let region = region(index)
            guard region.flags & UInt64(SCODE_REGION_SEARCHED) != 0 || index == known, let host = region.host
            else { continue }
            guard address >= region.base, address - region.base < region.size,
                region.size - (address - region.base) >= UInt64(size)
            else { continue }
            if isStore, region.flags & UInt64(SCODE_REGION_WRITABLE) == 0 {
                return .failure(Fault(reason: .readOnlyRegion, address: address))
            }
            return .success(Place(first: host + Int(address - region.base), inFirst: size, second: nil))
        }
        if let window = instance.pointee.window { return locate(address, size, in: window, isStore: isStore) }
        guard let space = instance.pointee.space, space.pointee.memory != nil else {
            return .failure(Fault(reason: .outOfBounds, address: address))
        }
        let inFirst = min(size, 4096 - Int(address & 4095))
        return translate(address, in: space, isStore: isStore).flatMap { first in
            if inFirst == size { return .success(Place(first: first, inFirst: size, second: nil)) }
            return translate(address &+ UInt64(inFirst), in: space, isStore: isStore)
                .map { Place(first: first, inFirst: inFirst, second: $0) }
        }
    }

    /// The low half of the address is an offset in the window; both pages are looked at before a byte moves.
    private func locate(
        _ address: UInt64, _ size: Int, in window: UnsafePointer<scode_window>, isStore: Bool
    ) -> Result<Place, Fault> {
        let offset = address & 0xffff_ffff
        let last = offset + UInt64(size) - 1
        for place in [offset, last & ~4095] where !scode_window_allows(window, place, isStore) {
            let reason = scode_window_fault(window, place, isStore)
            return .failure(
                Fault(
                    reason: AbortReason(rawValue: UInt8(truncatingIfNeeded: reason)) ?? .outOfBounds,
                    address: max(place, offset)))
        }
        return .success(Place(first: window.pointee.base + Int(offset), inFirst: size, second: nil))
    }

    /// What an access that is not aligned is reported to have been at: as it is looked for in memory.
    func reported(_ address: UInt64, _ fact: AccessFact) -> UInt64 {
        instance.pointee.window == nil || fact.isProved ? address : address & 0xffff_ffff
    }

    /// The 80386's walk: directory, table, page. Sets accessed and dirty bits when the access is allowed.
    private func translate(
        _ address: UInt64, in space: UnsafeMutablePointer<scode_space>, isStore: Bool
    ) -> Result<UnsafeMutablePointer<UInt8>, Fault> {
        let present: UInt32 = 1
        let writable: UInt32 = 2
        let user: UInt32 = 4
        let accessed: UInt32 = 0x20
        let dirty: UInt32 = 0x40
        let large: UInt32 = 0x80

        guard let memory = space.pointee.memory, address <= UInt64(UInt32.max) else {
            return .failure(Fault(reason: .outOfBounds, address: address))
        }
        let size = space.pointee.memory_size
        func entry(_ table: UInt64, _ index: UInt64) -> UnsafeMutableRawPointer? {
            let place = (table & ~4095) &+ index * 4
            return place < size && size - place >= 4 ? UnsafeMutableRawPointer(memory + Int(place)) : nil
        }
        guard let directoryEntry = entry(space.pointee.directory, address >> 22) else {
            return .failure(Fault(reason: .pageTableCorrupt, address: address))
        }
        let directoryBits = directoryEntry.loadUnaligned(as: UInt32.self)
        if directoryBits & present == 0 { return .failure(Fault(reason: .pageNotPresent, address: address)) }
        guard directoryBits & large == 0, let tableEntry = entry(UInt64(directoryBits), address >> 12 & 1023)
        else { return .failure(Fault(reason: .pageTableCorrupt, address: address)) }
        let tableBits = tableEntry.loadUnaligned(as: UInt32.self)
        if tableBits & present == 0 { return .failure(Fault(reason: .pageNotPresent, address: address)) }
        let both = directoryBits & tableBits
        if both & user == 0 || (isStore && both & writable == 0) {
            return .failure(Fault(reason: .pageProtection, address: address))
        }
        let frame = UInt64(tableBits) & ~4095
        if frame >= size { return .failure(Fault(reason: .pageTableCorrupt, address: address)) }

        directoryEntry.storeBytes(of: directoryBits | accessed, as: UInt32.self)
        // Read again: a page table that maps itself may share the directory's entry.
        let after = tableEntry.loadUnaligned(as: UInt32.self)
        tableEntry.storeBytes(of: after | accessed | (isStore ? dirty : 0), as: UInt32.self)
        return .success(memory + Int(frame) + Int(address & 4095))
    }
}
