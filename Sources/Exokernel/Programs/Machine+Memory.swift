import SCode
import SCodeAcceptors

/// Pages that programs allocate, map into address spaces and give back (application-level virtual memory).
extension Machine {
    /// A mapping of a page that was made by system call.
    struct Mapping: Hashable {
        var environment: Int
        var page: Int
    }

    /// Pages that the kernel asks for when somebody needs one and there are none.
    static let reclaimCount = 4

    func allocatePage(guardedBy slot: UInt64, _ id: Int, _ program: Program) throws(SystemCallError) -> Frame
    {
        guard let capability = program.slot(slot) else { throw .denied }
        guard let frame = try? pages.allocate(owner: id) else {
            runShort(id)
            throw .outOfMemory
        }
        mappings[frame] = nil  // of who is no more
        accessOfPages[frame] = AccessList(owner: Capability(name: capability.name, rights: .all))
        program.pages.append(frame)
        environments.exposePages(id)
        return frame
    }

    /// Gives a page back. It stays as long as it is mapped; nobody can map it any more.
    func freePage(_ page: UInt64, _ slot: UInt64, _ id: Int, _ program: Program) throws(SystemCallError) {
        guard let frame = Int(exactly: page), let list = accessOfPages[frame] else { throw .noSuchObject }
        try authorise(program, slot, .access, list)
        guard let owner = pages.owner(of: frame), let holder = programs[owner] else { throw .noSuchObject }
        holder.pages.removeAll { $0 == frame }
        releasePage(frame)
        environments.exposePages(owner)
    }

    /// Takes a page from the environment that allocated it.
    func releasePage(_ frame: Frame) {
        accessOfPages[frame] = nil
        pages.release(frame)
        if pages.referenceCount(of: frame) == 0 { mappings[frame] = nil }
    }

    // MARK: Page tables

    /// `sys_map environment, cap, address, page, page's cap, rights`
    func map(_ operands: [UInt64], _ program: Program) throws(SystemCallError) {
        let target = try environment(operands[0], operands[1], .manage, program)
        let page = try userPage(operands[2])
        guard let frame = Int(exactly: operands[3]), let list = accessOfPages[frame] else {
            throw .noSuchObject
        }
        let rights = Capability.Rights(rawValue: UInt8(truncatingIfNeeded: operands[5]))
        guard operands[5] == 1 || operands[5] == 3 else { throw .invalidArgument }
        try authorise(program, operands[4], rights, list)
        guard let table = environments[target].pageTable else { throw .noSuchObject }
        forgetMapping(of: page, in: target)
        do { try table.map(page, to: frame, writable: rights.contains(.write)) } catch {
            runShort(target)
            throw .outOfMemory
        }
        mappings[frame, default: []].insert(Mapping(environment: target, page: page))
    }

    /// `sys_unmap environment, cap, address`
    func unmap(_ operands: [UInt64], _ program: Program) throws(SystemCallError) {
        let target = try environment(operands[0], operands[1], .manage, program)
        let page = try userPage(operands[2])
        guard let table = environments[target].pageTable, table.translation(of: page) != nil else {
            throw .noSuchObject
        }
        forgetMapping(of: page, in: target)
        table.unmap(page)
    }

    /// `sys_protect address, rights, bits`: no more rights than it had; clears bits of accessed and dirty.
    func protect(_ operands: [UInt64], _ id: Int) throws(SystemCallError) {
        let page = try userPage(operands[0])
        let bits = UInt32(truncatingIfNeeded: operands[2]) & (PageTable.Bits.accessed | PageTable.Bits.dirty)
        guard operands[1] == 1 || operands[1] == 3, operands[2] == UInt64(bits) else {
            throw .invalidArgument
        }
        guard let table = environments[id].pageTable, let mapped = table.translation(of: page) else {
            throw .noSuchObject
        }
        guard operands[1] == 1 || mapped.writable else { throw .denied }
        table.protect(page, writable: operands[1] == 3)
        table.clear(bits, of: page)
    }

    /// The virtual page of an address at which programs may map: not the own page, not the page table's window.
    private func userPage(_ address: UInt64) throws(SystemCallError) -> Int {
        let page = address / UInt64(PhysicalMemory.pageSize)
        guard address % UInt64(PhysicalMemory.pageSize) == 0, page > UInt64(EnvironmentTable.ownPage),
            page < UInt64(PageTable.windowPage)
        else { throw .invalidArgument }
        return Int(page)
    }

    private func forgetMapping(of page: Int, in id: Int) {
        guard let frame = environments[id].pageTable?.translation(of: page)?.frame else { return }
        mappings[frame]?.remove(Mapping(environment: id, page: page))
    }

    /// Takes a page out of the address spaces of all who did not allocate it.
    func unmapForeign(_ frame: Frame) {
        let owner = pages.owner(of: frame)
        remove(mappingsOf: frame) { $0.environment != owner }
    }

    private func remove(mappingsOf frame: Frame, where isGone: (Mapping) -> Bool) {
        for mapping in mappings[frame] ?? [] where isGone(mapping) {
            mappings[frame]?.remove(mapping)
            let table = environments[mapping.environment].pageTable
            if table?.translation(of: mapping.page)?.frame == frame { table?.unmap(mapping.page) }
        }
    }

    // MARK: Revocation

    /// There was no page for somebody: the schedulers learn of it, and pages are asked for.
    private func runShort(_ id: Int) {
        raise(.shortage, about: id, on: environments[id].processor)
        askForPages(on: id)
    }

    /// Asks whoever has allocated the most pages to give some back: it chooses which.
    private func askForPages(on behalf: Int) {
        let candidates = programs.filter { id, program in
            id != behalf && program.handles(.reclaim) && !program.pages.isEmpty && program.pagesWanted == 0
        }
        let most = candidates.max { ($0.value.pages.count, $1.key) < ($1.value.pages.count, $0.key) }
        guard let (id, program) = most else { return }
        let count = min(Self.reclaimCount, program.pages.count)
        program.pagesWanted = count
        program.pagesBefore = program.pages.count
        post(.init(entry: .reclaim, subject: UInt64(count)), to: id)
    }

    /// What a program that was asked for pages has not given back is taken from it, the latest first.
    func takeWantedPages(from id: Int, _ program: Program) {
        let given = program.pagesBefore - min(program.pagesBefore, program.pages.count)
        let missing = program.pagesWanted - min(program.pagesWanted, given)
        program.pagesWanted = 0
        guard missing > 0 else { return }
        report("gave back \(given) of \(given + missing) pages: the rest was taken", id)
        for _ in 0..<missing {
            guard let frame = program.pages.popLast() else { break }
            remove(mappingsOf: frame) { _ in true }
            releasePage(frame)
        }
        environments.exposePages(id)
    }
}
