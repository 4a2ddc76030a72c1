import SCodeIR
import SCodeVerifier

/// Checks before a loop what its accesses would check in every round, and whether there is budget for all rounds. When
/// that holds the loop runs without guards, else as it was: so what it does is the same by construction.
///
/// *Requires* VCode from lowering, without masks. *Produces* VCode of the same meaning, with two versions of some loops.
enum LoopVersioning {
    /// A longer loop gains less than its copy takes.
    private static let longest = 256
    /// Ranges that are looked at before a loop.
    private static let rangeLimit = 4

    static func run(_ code: inout VCode) {
        guard code.hasLoops, code.operations.contains(.guardRegion), !code.isLong,
            !code.fragment.acceptor.guards.masksSpeculation
        else { return }
        let places = LabelPlaces(code)
        var versions = VersionedCode(code)
        var next = 0
        for (index, jump) in code.instructions.enumerated()
        where jump.isDirectJump {
            let start = places.place(jump.target)
            guard start >= next, start < index, index - start <= longest,
                code.instructions[start...index].contains(where: { $0.operation == .guardRegion }),
                let body = LoopBody(code, from: start, to: index, places)
            else { continue }
            let ranges = LoopRanges(body, code.fragment, limit: rangeLimit)
            guard !ranges.groups.isEmpty else { continue }
            next = index + 1
            versions.copy(upTo: start)
            write(body, ranges, code, &versions)
        }
        if next > 0 { versions.finish(&code) }
    }

    private static func write(
        _ body: LoopBody, _ ranges: LoopRanges, _ code: VCode, _ versions: inout VersionedCode
    ) {
        let other = versions.newLabel()
        let head = versions.newLabel()
        let budget = budget(of: body, ranges, code)
        let source = Int(body.instructions[body.start].source)
        versions.append(body.instructions[body.start])
        if let counter = body.counter,
            budget != .guarded || ranges.groups.contains(where: { $0.range.stride > 0 })
        {
            for check in counter.entryChecks(source, other) { versions.append(check) }
        }
        for group in ranges.groups {
            if group.range.stride > 0, let counter = body.counter {
                versions.append(counter.extent(source, other))
            }
            versions.append(group.check(source, other), of: group.range)
        }
        if budget != .guarded, let counter = body.counter {
            versions.append(counter.extent(source, other))
            versions.append(counter.budgetCheck(source, other, takes: budget == .taken))
        }
        versions.writeVersions(
            to: body.end, without: ranges.isCovered, other: other, head: head, budget: budget)
    }

    /// How the version without guards counts its rounds. Who stops when the budget is used up seldom has enough for all.
    private static func budget(of body: LoopBody, _ ranges: LoopRanges, _ code: VCode) -> LoopBudget {
        guard let counter = body.counter, !code.fragment.acceptor.isInterruptible,
            body.instructions[body.end - 1].operation == .guardBudget
        else { return .guarded }
        // What is taken before must be what all rounds take.
        return counter.isPowerOfTwo && body.runsToItsEnd(without: ranges.isCovered) ? .taken : .counted
    }
}

/// The accesses of a loop whose guards checks before it can take the place of, by ranges.
struct LoopRanges {
    struct Group {
        var a: Register
        var b: Register?
        var scale: UInt8
        var range: ByteRange

        func isLike(_ other: Group) -> Bool {
            a == other.a && b == other.b && scale == other.scale && range.region == other.range.region
                && range.stride == other.range.stride
        }

        func check(_ source: Int, _ other: UInt32) -> VInstruction {
            var check = VInstruction(.checkRange, source: source)
            check.a = a
            check.b = b ?? a
            check.hasImmediate = b == nil
            check.scale = scale
            check.target = other
            return check
        }
    }

    private(set) var groups: [Group] = []
    private var covered: [Int] = []

    func isCovered(_ index: Int) -> Bool { covered.contains(index) }

    init(_ body: LoopBody, _ fragment: VerifiedFragment, limit: Int) {
        for index in body.start...body.end where body.instructions[index].operation == .guardRegion {
            guard let group = Self.group(body, index) else { continue }
            let size = fragment.regions[Int(group.range.region)].size
            if let place = groups.firstIndex(where: { $0.isLike(group) }) {
                var range = groups[place].range
                range.formUnion(group.range)
                guard range.fits(size) else { continue }
                groups[place].range = range
            } else {
                guard groups.count < limit, group.range.fits(size) else { continue }
                groups.append(group)
            }
            covered.append(index)
        }
    }

    private static func group(_ body: LoopBody, _ index: Int) -> Group? {
        let check = body.instructions[index]
        let address = body.instructions[index - 1]
        guard address.operation == .address, address.isWide,
            let sum = body.sum(ofAddress: address, at: index - 1)
        else { return nil }
        var (a, b) = (sum.a, sum.b)
        if a == nil, sum.scale == 0 { (a, b) = (b, nil) }
        guard let a else { return nil }
        return Group(
            a: a, b: b, scale: b == nil ? 0 : sum.scale,
            range: ByteRange(
                region: check.target, low: sum.offset, high: sum.offset + Int64(check.size),
                stride: sum.stride))
    }
}

extension LoopBody {
    /// Whether the loop ends in its last round only, when the guards are gone that are covered.
    fileprivate func runsToItsEnd(without isCovered: (Int) -> Bool) -> Bool {
        let labels = instructions[start...end].filter { $0.operation == .label }.map(\.target)
        for index in start..<end {
            let instruction = instructions[index]
            switch instruction.operation {
            case .guardBudget where index == end - 1: break
            case .accept, .refuse, .abort: return false
            case .branch, .jump:
                if index != counter?.place, !labels.contains(instruction.target) { return false }
            default: if instruction.isObserved, !isCovered(index) { return false }
            }
        }
        return true
    }
}

extension LoopBody.Counter {
    /// Branches to the other version unless the loop would go on, and the counter comes to its limit before it wraps around.
    fileprivate func entryChecks(_ source: Int, _ other: UInt32) -> [VInstruction] {
        var goesOn = branch(comparison.condition.inverted, source, other)
        if comparison.condition == .notEqual { goesOn.condition = .greaterOrEqualUnsigned }
        (goesOn.a, goesOn.b) = (comparison.a, comparison.b)
        (goesOn.hasImmediate, goesOn.immediate) = (comparison.hasImmediate, comparison.immediate)
        var checks = [goesOn]
        if let step = induction.by {
            var isPositive = branch(.lessSigned, source, other)
            (isPositive.a, isPositive.hasImmediate, isPositive.immediate) = (step, true, 1)
            checks.append(isPositive)
        }
        // Of a constant it is known.
        if mayWrap, !comparison.hasImmediate {
            var wraps = branch(isSigned ? .greaterSigned : .greaterUnsigned, source, other)
            (wraps.a, wraps.hasImmediate, wraps.immediate) = (comparison.b, true, highestLimit)
            checks.append(wraps)
        }
        return checks
    }

    private func branch(_ condition: VCondition, _ source: Int, _ other: UInt32) -> VInstruction {
        var branch = VInstruction(.branch, source: source)
        branch.isWide = comparison.isWide
        branch.condition = condition
        branch.target = other
        return branch
    }

    fileprivate func extent(_ source: Int, _ other: UInt32) -> VInstruction {
        var extent = VInstruction(.extent, source: source)
        (extent.a, extent.b) = (register, comparison.b)
        (extent.hasImmediate, extent.immediate) = (comparison.hasImmediate, comparison.immediate)
        extent.isWide = comparison.isWide
        extent.flag = isInclusive
        extent.scale = comparison.condition == .notEqual ? scale : 0
        extent.target = other
        return extent
    }

    fileprivate func budgetCheck(_ source: Int, _ other: UInt32, takes: Bool) -> VInstruction {
        var check = VInstruction(.checkBudget, source: source)
        check.scale = scale
        // Where it looks first, the loop jumps back once more, to find that it has ended.
        check.immediate = isTestedFirst ? 1 : 0
        check.flag = takes
        check.target = other
        return check
    }
}
