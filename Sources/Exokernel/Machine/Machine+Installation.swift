import SCode

/// Fragments come and go.
extension Machine {
    /// Does what the scenario says is done at this moment. What cannot be done is an incident, and leaves
    /// everything as it was.
    func perform(_ event: Scenario.Event) {
        if case .move(let target) = event.action {
            do throws(MachineError) { try move(event.node, below: target) } catch {
                recorder.incident("move failed: \(error)", node: nil, at: clock.now, always: false)
            }
            return
        }
        guard let id = schedulers[event.node] else {
            return recorder.incident(
                "event for '\(event.node)', which has been detached", node: nil, at: clock.now, always: false)
        }
        let what: String
        do throws(MachineError) {
            switch event.action {
            case .move: return
            case .detach:
                what = "detach"
                try detachScheduler(event.node)
            case .remove:
                what = "remove"
                guard downloaded[id] != nil else { throw .hasNoFragment(event.node) }
                remove(id)
            case .install(let source, let data):
                what = "install"
                guard downloaded[id] == nil else { throw .hasFragment(event.node) }
                try install(source, data: data, for: id)
            case .replace(let source, let data):
                what = "replace"
                guard downloaded[id] != nil else { throw .hasNoFragment(event.node) }
                try install(source, data: data, for: id)
            }
        } catch {
            report("\(what) failed: \(error)", id)
        }
    }

    /// Takes a fragment away, and its memory; the default takes its place.
    func remove(_ id: Int) {
        guard let old = downloaded.removeValue(forKey: id) else { return }
        relink(id)
        release(old, of: id)
    }

    /// Detaches a scheduler with its fragment. Its children go to the scheduler above.
    public func detachScheduler(_ name: String) throws(MachineError) {
        guard let id = schedulers[name] else { throw .unknownScheduler(name) }
        let parent = try tree.detach(environments[id], environments: environments)
        schedulers[name] = nil
        remove(id)
        if let old = defaults.removeValue(forKey: id) { release(old, of: id) }
        // Those that have not begun move too.
        for child in environments.all where child.parent == id {
            environments.setParent(child.id, parent)
            recorder.moveUnder(environments[parent].node, child.node)
        }
        relink(parent)
        environments.end(id, at: clock.now)
        recorder.endScheduler(environments[id].node, at: clock.now)
    }

    /// Puts a scheduler, with everything below it, or an environment below another scheduler. On failure nothing has
    /// changed.
    public func move(_ name: String, below target: String) throws(MachineError) {
        guard let parent = schedulers[target] else { throw .unknownScheduler(target) }
        guard let id = schedulers[name] ?? environments.id(named: name) else {
            throw .unknownEnvironment(name)
        }
        guard id != tree.root, id != parent, !environments.isBelow(parent, id) else {
            throw .cannotBeMoved(name, below: target)
        }
        let depth = tree.depth(of: parent) + tree.height(of: id)
        guard depth <= ScenarioLimits.depth else {
            throw .tooManySchedulersAboveOneAnother(limit: ScenarioLimits.depth)
        }
        let old = environments[id].parent
        guard old != parent, !environments[id].hasEnded else { return }
        if environments[id].hasBegun { try tree.move(environments[id], to: parent) }
        environments.setParent(id, parent)
        recorder.moveUnder(environments[parent].node, environments[id].node)
        relink(old)
        relink(parent)
    }

    /// Downloads a fragment for a scheduler, in place of the one that is there.
    func install(
        _ source: Scenario.FragmentSource, data: [Scenario.RegionData], for id: Int
    ) throws(MachineError) {
        let old = downloaded[id]
        let new = try download(source, data: data, for: id)
        if id == tree.root { isUnderDefault = false }
        relink(id)
        if let old { release(old, of: id, except: new) }
    }

    /// The same, without linking it.
    @discardableResult
    func download(
        _ source: Scenario.FragmentSource, data: [Scenario.RegionData], for id: Int
    ) throws(MachineError) -> Installed {
        let code = try downloads.code(source)
        let kept = downloaded[id]?.regions ?? []
        let new = try build(code, path: source.path, data: data, for: id, keeping: kept)
        downloaded[id] = new
        environments.exposePages(id)
        return new
    }

    /// Frees the memory of a fragment that nobody calls any more.
    private func release(_ old: Installed, of id: Int, except new: Installed? = nil) {
        let kept = Set(new?.regions.map(\.frame) ?? [])
        for region in old.regions where region.isKernels || !kept.contains(region.frame) {
            allocator(of: id, path: "")?.release(region)
        }
        environments.exposePages(id)
    }

    private func allocator(of id: Int, path: String) -> RegionAllocator? {
        environments[id].pageTable.map {
            RegionAllocator(physical: pages, pageTable: $0, owner: id, path: path)
        }
    }

    // MARK: Linking

    /// Puts the fragments of a scheduler and of those below it into the jump tables that lead to them.
    func relink(_ id: Int) {
        guard let node = tree[id] else { return }
        showListed(to: id)
        for (slot, child) in node.slots.enumerated() {
            let fragment = child == 0 ? nil : activeFragment(of: child)
            downloaded[id]?.fragment.setSlot(slot, fragment)
            defaults[id]?.fragment.setSlot(slot, fragment)
        }
        guard let parent = tree[node.parent], let slot = parent.slots.firstIndex(of: id) else { return }
        let fragment = activeFragment(of: id)
        downloaded[node.parent]?.fragment.setSlot(slot, fragment)
        defaults[node.parent]?.fragment.setSlot(slot, fragment)
    }

    /// Shows the fragments of a scheduler how long its list of children is.
    func showListed(to id: Int) {
        guard let count = tree[id]?.entries.count else { return }
        downloaded[id]?.setListed(count)
        defaults[id]?.setListed(count)
    }

    /// What decides for a scheduler: its own fragment, or the default.
    /// - Returns: nil when there is no memory for the default.
    func activeFragment(of id: Int) -> SchedulerFragment? {
        downloaded.fragment(of: id) ?? defaultFragment(of: id)
    }

    /// The default's fragment for a scheduler, made when it is first needed.
    func defaultFragment(of id: Int) -> SchedulerFragment? {
        if let known = defaults.fragment(of: id) { return known }
        guard let node = tree[id] else { return nil }
        do throws(MachineError) {
            let source = DefaultScheduler.source(
                entries: node.entryLimit, environments: exposed.capacity)
            let code = try downloads.code(source)
            let new = try build(code, path: source.path, data: [], for: id, keeping: [])
            defaults[id] = new
            for (slot, child) in node.slots.enumerated() where child != 0 {
                new.fragment.setSlot(slot, activeFragment(of: child))
            }
            return new.fragment
        } catch {
            report("no default: \(error)", id)
            return nil
        }
    }

    // MARK: Building

    /// Binds a fragment's regions to memory and makes it ready. On failure nothing has changed.
    /// - Parameter old: regions of the fragment that it replaces. Memory under the same name and guard is
    ///   kept, with what is in it.
    private func build(
        _ downloaded: DownloadedCode, path: String, data: [Scenario.RegionData], for id: Int,
        keeping old: [RegionStorage]
    ) throws(MachineError) -> Installed {
        guard let node = tree[id], let allocator = allocator(of: id, path: path) else {
            throw .unknownScheduler(environments[id].name)
        }
        let code = downloaded.schedule
        try check(data, against: code.regions, path: path)
        var regions: [RegionStorage] = []
        var fresh: [RegionStorage] = []
        var table: (frame: Frame, pages: Int)?
        do throws(MachineError) {
            for region in code.regions {
                if let kept = old.first(where: { $0.canHold(region) }) {
                    regions.append(kept)
                    continue
                }
                let storage: RegionStorage
                let others = old + fresh
                if let shown = exposed.shown(region.name) {
                    storage = try allocator.kernelRegion(
                        region, frame: shown.frame, bytes: shown.bytes, besides: others)
                } else if region.name == ExposedState.RegionName.children {
                    // A fragment for any number of children declares more than there are: show as much.
                    if table == nil, region.size > UInt64(node.tableSize),
                        region.size <= RegionAllocator.sizeLimit
                    {
                        let count = Frame.pages(holding: Int(region.size))
                        table = (try pages.allocate(count, owner: id), count)
                    }
                    storage = try allocator.kernelRegion(
                        region, frame: table?.frame ?? node.table,
                        bytes: (table?.pages ?? node.tablePages) * PhysicalMemory.pageSize, besides: others)
                } else {
                    storage = try allocator.ownRegion(region, besides: others)
                }
                fresh.append(storage)
                regions.append(storage)
            }
            func instance(_ code: VerifiedFragment) throws(MachineError) -> SchedulerFragment {
                do throws(InstallFailure) {
                    return try SchedulerFragment(
                        code, regions: regions, memory: pages.memory, space: allocator.pageTable.space,
                        scheduler: id, slots: node.slots.count, engine: engine, codes: codes)
                } catch {
                    throw .installation(path: path, error)
                }
            }
            let fragment = try instance(code)
            var handlers: [EventPoint: SchedulerFragment] = [:]
            for (point, handler) in downloaded.handlers { handlers[point] = try instance(handler) }
            // From here on nothing fails.
            commit(regions, of: code, data: data, old: old, allocator: allocator)
            if let table { moveChildTable(of: id, to: table) }
            let installed = Installed(fragment: fragment, handlers: handlers, regions: regions)
            installed.setListed(node.entries.count)
            return installed
        } catch {
            for storage in fresh { allocator.release(storage) }
            if let table { pages.release(table.frame, count: table.pages) }
            throw error
        }
    }

    /// Gives regions their contents and their rights.
    private func commit(
        _ regions: [RegionStorage], of code: VerifiedFragment, data: [Scenario.RegionData],
        old: [RegionStorage], allocator: RegionAllocator
    ) {
        for (storage, region) in zip(regions, code.regions) where !storage.isKernels {
            if case .virtual(let page) = storage.place {
                for index in 0..<storage.pages {
                    allocator.pageTable.protect(page + index, writable: region.isWritable)
                }
            }
            let isKept = old.contains { $0.frame == storage.frame }
            if let bytes = data.first(where: { $0.region == region.name })?.bytes {
                allocator.fill(storage, with: bytes)
            } else if !region.contents.isEmpty, !region.isWritable {
                // Constants belong to the code, whatever the last one had in their place.
                allocator.fill(storage, with: region.contents)
            } else if let previous = old.first(where: { $0.name == region.name && !$0.isKernels }),
                previous.frame != storage.frame
            {
                allocator.copy(previous, to: storage)
            } else if !isKept, !region.contents.isEmpty {
                allocator.fill(storage, with: region.contents)
            }
        }
    }

    /// The list of children moves to more pages. Nobody must look at the old ones any more.
    private func moveChildTable(of id: Int, to table: (frame: Frame, pages: Int)) {
        guard let node = tree[id] else { return }
        if let stale = defaults.removeValue(forKey: id) { release(stale, of: id) }
        tree.moveTable(of: id, to: table.frame, pages: table.pages)
        // The fragment that is replaced may still show them virtually: they go when it does.
        pages.release(node.table, count: node.tablePages)
    }

    func check(
        _ data: [Scenario.RegionData], against regions: [Region], path: String
    ) throws(MachineError) {
        for item in data {
            guard let region = regions.first(where: { $0.name == item.region }) else {
                throw .unknownRegion(path: path, region: item.region)
            }
            if ExposedState.RegionName.all.contains(item.region) {
                throw .regionReadOnly(path: path, region: item.region)
            }
            if UInt64(item.bytes.count) > region.size {
                throw .regionDataTooLarge(
                    path: path, region: item.region, bytes: item.bytes.count, size: region.size)
            }
        }
    }
}
