import SCode
import Yams

/// The tree of schedulers and applications.
extension ScenarioBuilder {
    /// How a node says what it is entitled to.
    enum Share {
        /// `60%` of the parent's time.
        case fraction(Double)
        /// `3`: three times as much as a sibling with 1, of what the percentages leave.
        case weight(Double)
    }

    private static let applicationKeys = ["name", "share", "workload", "tasks"]
    private static let schedulerKeys = ["name", "share", "scheduler", "fragment", "data", "children"]

    func child(
        _ node: Node, depth: Int, isRoot: Bool = false
    ) -> (child: Scenario.Child, share: Share?)? {
        guard depth <= ScenarioLimits.depth else {
            tree.report(.nestedTooDeeply(limit: ScenarioLimits.depth), at: node)
            return nil
        }
        guard let entries = tree.entries(node, "a child") else { return nil }
        let isGroup = entries.contains { $0.key == "workload" || $0.key == "tasks" }
        let isTask = entries.contains { $0.key == "do" || $0.key == "phases" || $0.key == "program" }
        let isApplication = isGroup || isTask
        let keys =
            isGroup
            ? Self.applicationKeys
            : isTask ? ["share"] + Self.soloTaskKeys : Self.schedulerKeys
        let what = isApplication ? "an application" : "a scheduler"
        guard let parts = tree.mapping(node, what, keys: keys) else { return nil }
        var name = isRoot ? "root" : ""
        if let node = parts["name"] {
            guard let given = tree.name(node, "'name'") else { return nil }
            name = given
        } else if !isRoot {
            tree.report(.missingKey("name", of: what), at: node)
            return nil
        }
        let place = parts["name"] ?? node
        let share = parts["share"].flatMap(self.share)
        if isApplication {
            let workload = isGroup ? self.workload(parts, at: place) : soloWorkload(node, parts, name: name)
            guard let workload else { return nil }
            let application = Scenario.Application(name: name, workload: workload)
            claimEnvironments(of: application, at: place)
            return (.application(application), share)
        }
        return scheduler(parts, name: name, depth: depth, at: place).map { (.scheduler($0), share) }
    }

    private func scheduler(
        _ parts: [String: Node], name: String, depth: Int, at place: Node
    ) -> Scenario.Scheduler? {
        claim(name, at: place)
        guard schedulers.count < ScenarioLimits.schedulers else {
            tree.report(.tooMany("schedulers", limit: ScenarioLimits.schedulers), at: place)
            return nil
        }
        schedulers.insert(name)
        var scheduler = Scenario.Scheduler(name: name)
        if let file = parts["scheduler"] {
            scheduler.source = fragmentSource(file, fragment: parts["fragment"])
        } else if let fragment = parts["fragment"] {
            tree.report(.missingKey("scheduler", of: "a 'fragment'"), at: fragment)
        }
        scheduler.data = parts["data"].map(regionData) ?? []
        guard let list = parts["children"] else {
            tree.report(.missingKey("children", of: "scheduler '\(name)'"), at: place)
            return scheduler
        }
        var shares: [Share?] = []
        for node in tree.sequence(list, "'children'") {
            guard let (child, share) = child(node, depth: depth + 1) else { continue }
            scheduler.children.append(child)
            shares.append(share)
        }
        for (index, entitlement) in entitlements(shares, at: list).enumerated() {
            scheduler.children[index].entitlement = entitlement
        }
        return scheduler
    }

    // MARK: Names

    private func claim(_ name: String, at place: Node) {
        if !names.insert(name).inserted { tree.report(.duplicateName(name), at: place) }
    }

    private func claimEnvironments(of application: Scenario.Application, at place: Node) {
        let count = application.workload.tasks.count
        guard count <= ScenarioLimits.environments - environments else {
            tree.report(.tooMany("environments", limit: ScenarioLimits.environments), at: place)
            return
        }
        environments += count
        if count != 1 { claim(application.name, at: place) }
        for index in 0..<count { claim(application.environmentName(index), at: place) }
        taskNames.formUnion(application.workload.tasks.lazy.map(\.name))
    }

    // MARK: Shares

    private func share(_ node: Node) -> Share? {
        guard let text = tree.text(node, "'share'") else { return nil }
        let million: UInt64 = 1_000_000
        let isPercentage = text.hasSuffix("%")
        let digits = isPercentage ? text.dropLast() : text[...]
        guard let value = Quantity.decimal(digits, scale: million), value > 0 else {
            tree.report(.badQuantity(text, expected: "a share, like 60% or a weight like 3"), at: node)
            return nil
        }
        let least = isPercentage ? 1 : million
        let most = isPercentage ? 100 * million : million * million
        guard (least...most).contains(value) else {
            tree.report(
                .outOfRange("'share'", "a percentage up to 100%, or a weight of at least 1"), at: node)
            return nil
        }
        let number = Double(value) / Double(million)
        return isPercentage ? .fraction(number / 100) : .weight(number)
    }

    private func entitlements(_ shares: [Share?], at node: Node) -> [Double?] {
        var fractions = 0.0
        var weights = 0.0
        for case .some(let share) in shares {
            switch share {
            case .fraction(let value): fractions += value
            case .weight(let value): weights += value
            }
        }
        let rounding = 1e-9
        if fractions > 1 + rounding { tree.report(.sharesExceedWhole, at: node) }
        let rest = max(0, 1 - fractions)
        return shares.map { share in
            switch share {
            case nil: nil
            case .fraction(let value): value
            case .weight(let value): rest * value / weights
            }
        }
    }

    // MARK: Fragments and their data

    func fragmentSource(_ node: Node, fragment: Node?) -> Scenario.FragmentSource? {
        let name = fragment.flatMap { tree.name($0, "'fragment'") }
        guard let (path, text) = fileText(node, "'scheduler'") else { return nil }
        return Scenario.FragmentSource(path: path, text: text, fragment: name)
    }

    func fileText(_ node: Node, _ what: String) -> (path: String, text: String)? {
        guard let name = tree.text(node, what) else { return nil }
        let path = files.path(name)
        do {
            return (path, try files.text(path))
        } catch {
            let reason = (error as? ReadIssue)?.problem.message ?? "\(error)"
            tree.report(.fileUnreadable(path: path, reason: reason), at: node)
            return nil
        }
    }

    /// `{tickets: [3, 1], queue: [words: [1, 2], bytes: [7], zero: 4, text: hello]}`
    func regionData(_ node: Node) -> [Scenario.RegionData] {
        (tree.entries(node, "'data'") ?? []).compactMap { entry in
            guard isValidName(entry.key) else {
                tree.report(.badName(entry.key), at: entry.keyNode)
                return nil
            }
            var bytes: [UInt8] = []
            appendData(entry.value, region: entry.key, to: &bytes)
            regionBytes += bytes.count
            guard bytes.count <= ScenarioLimits.regionSize, regionBytes <= ScenarioLimits.allRegions else {
                let problem = ReadProblem.tooMany("bytes of data", limit: ScenarioLimits.regionSize)
                tree.report(problem, at: entry.keyNode)
                regionBytes -= bytes.count
                return nil
            }
            return Scenario.RegionData(region: entry.key, bytes: bytes)
        }
    }

    /// A list of words, or of pieces one after the other.
    private func appendData(_ node: Node, region: String, to bytes: inout [UInt8]) {
        let items = if case .sequence = node { tree.sequence(node, "data") } else { [node] }
        for item in items where bytes.count <= ScenarioLimits.regionSize {
            if case .mapping = item {
                for piece in tree.entries(item, "data") ?? [] { appendPiece(piece, to: &bytes) }
            } else {
                append(item, size: 4, to: &bytes)
            }
        }
    }

    private func appendPiece(_ piece: ScenarioTree.Entry, to bytes: inout [UInt8]) {
        let sizes = ["bytes": 1, "shorts": 2, "words": 4, "longs": 8]
        switch piece.key {
        case "zero":
            let room = ScenarioLimits.regionSize - min(bytes.count, ScenarioLimits.regionSize)
            guard let count = tree.integer(piece.value, "'zero'", in: 0...room) else { return }
            bytes += [UInt8](repeating: 0, count: count)
        case "text":
            bytes += Array((tree.text(piece.value, "'text'") ?? "").utf8)
        default:
            guard let size = sizes[piece.key] else {
                let known = sizes.keys.sorted() + ["text", "zero"]
                let suggestion = Spelling.nearest(to: piece.key, in: known)
                tree.report(
                    .unknownKey(piece.key, of: "data", suggestion: suggestion), at: piece.keyNode)
                return
            }
            for item in tree.sequence(piece.value, "'\(piece.key)'") { append(item, size: size, to: &bytes) }
        }
    }

    /// A number in little-endian order; signed or unsigned, as long as it fits.
    private func append(_ node: Node, size: Int, to bytes: inout [UInt8]) {
        let bits = Int128(size * 8)
        let range = -(Int128(1) << (bits - 1))...(Int128(1) << bits) - 1
        guard let value = tree.integer(node, "a number of \(size) bytes", in: range) else { return }
        for byte in 0..<size { bytes.append(UInt8(truncatingIfNeeded: value >> Int128(byte * 8))) }
    }
}

extension Scenario.Child {
    fileprivate var entitlement: Double? {
        get {
            switch self {
            case .scheduler(let scheduler): scheduler.entitlement
            case .application(let application): application.entitlement
            }
        }
        set {
            switch self {
            case .scheduler(var scheduler):
                scheduler.entitlement = newValue
                self = .scheduler(scheduler)
            case .application(var application):
                application.entitlement = newValue
                self = .application(application)
            }
        }
    }
}
