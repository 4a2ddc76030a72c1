import SCodeIR
import SCodeVerifier

/// One check for a run of accesses to places around one register: where all of them lie inside, what follows runs without
/// their guards, else as it was.
///
/// *Requires* VCode from lowering, without masks. *Produces* VCode of the same meaning, with two versions of some stretches.
enum CheckMerging {
    /// Instructions that may lie between an access and the one before it, and in a stretch: each stands twice.
    private static let longestGap = 24
    private static let longest = 192

    static func run(_ code: inout VCode) {
        guard code.operations.contains(.guardRegion), !code.isLong,
            !code.fragment.acceptor.guards.masksSpeculation
        else { return }
        var places: LabelPlaces?
        var versions: VersionedCode?
        var next = 0
        for index in code.instructions.indices.dropFirst()
        where code.instructions[index].operation == .guardRegion && index > next {
            guard !code.instructions[index].isUnlikely else { break }
            var run = GuardRun(code, first: index)
            guard run.isPossible else { continue }
            let known = places ?? LabelPlaces(code)
            places = known
            run.grow(code, known, longestGap: longestGap, longest: longest)
            guard run.guards.count > 1 else { continue }
            var writing = versions ?? VersionedCode(code)
            versions = nil
            writing.copy(upTo: run.start)
            let other = writing.newLabel()
            writing.append(run.check(other), of: run.range)
            writing.writeVersions(to: run.end, without: run.guards.contains, other: other)
            next = run.end
            versions = writing
        }
        if let versions { versions.finish(&code) }
    }
}

/// Guards of accesses at constants from one register, from the first on, for as long as that stays as it is.
private struct GuardRun {
    private let address: VInstruction
    let start: Int
    private(set) var end: Int
    private(set) var guards: [Int]
    private(set) var range: ByteRange
    private let size: UInt64

    init(_ code: VCode, first index: Int) {
        address = code.instructions[index - 1]
        let check = code.instructions[index]
        start = index - 1
        end = index + 1
        guards = [index]
        range = ByteRange(
            region: check.target, low: address.immediate, high: address.immediate &+ Int64(check.size))
        size = code.fragment.regions[Int(check.target)].size
    }

    var isPossible: Bool {
        address.operation == .address && address.hasImmediate && address.isWide
            && ByteRange.offsets.contains(address.immediate) && range.fits(size)
    }

    mutating func grow(_ code: VCode, _ places: LabelPlaces, longestGap: Int, longest: Int) {
        var index = end
        while index < code.instructions.count, index - end <= longestGap, index - start <= longest,
            mayContain(code.instructions[index], index, places)
        {
            let instruction = code.instructions[index]
            if instruction.operation == .guardRegion { add(code, index) }
            if instruction.operation.hasResult, instruction.dst == address.a { break }
            index += 1
        }
        extendOverPair(code)
    }

    /// Whether a stretch may contain an instruction: control enters at its beginning only, and runs forward.
    private func mayContain(_ instruction: VInstruction, _ index: Int, _ places: LabelPlaces) -> Bool {
        switch instruction.operation {
        case .label: places.isReached(instruction.target, onlyFrom: start...index)
        case .branch, .jump: !(start...index).contains(places.place(instruction.target))
        case .call, .callSub, .callHost, .jumpTable, .return, .trap: false
        default: true
        }
    }

    /// What the emitter makes one of stays together: a load and who takes its value, a branch and the guarded jump that it
    /// leads around.
    private mutating func extendOverPair(_ code: VCode) {
        let instructions = code.instructions
        if end + 1 < instructions.count, instructions[end].operation == .load, instructions[end + 1].isFusible
        {
            end += 1
        }
        if end + 2 < instructions.count, instructions[end].operation == .branch,
            instructions[end + 1].operation == .guardBudget
        {
            end += 2
        }
    }

    private mutating func add(_ code: VCode, _ index: Int) {
        let check = code.instructions[index]
        let other = code.instructions[index - 1]
        guard other.operation == .address, other.hasImmediate, other.isWide, other.a == address.a,
            check.target == range.region, ByteRange.offsets.contains(other.immediate)
        else { return }
        var union = range
        union.formUnion(
            ByteRange(region: range.region, low: other.immediate, high: other.immediate + Int64(check.size)))
        guard union.fits(size) else { return }
        range = union
        guards.append(index)
        end = index + 1
    }

    func check(_ other: UInt32) -> VInstruction {
        var check = VInstruction(.checkRange, source: Int(address.source))
        check.a = address.a
        check.hasImmediate = true
        check.target = other
        return check
    }
}

extension VInstruction {
    /// Whether it may take from memory what the instruction before it loads.
    fileprivate var isFusible: Bool {
        switch operation {
        case .branch, .add, .sub, .mul, .and, .or, .xor: true
        default: false
        }
    }
}
