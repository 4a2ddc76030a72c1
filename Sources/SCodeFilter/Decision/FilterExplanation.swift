/// One test that kept a filter from taking a packet.
public struct FilterReason: Hashable, Sendable {
    /// The bytes of the packet that it looks at, if it looks at a field and nothing else.
    public var offset: Int?
    public var size: Int?
    /// What the packet has there.
    public var value: UInt64
    /// What would have gone on.
    public var wanted: Wanted
    /// All of it in words.
    public var text: String

    public enum Wanted: Hashable, Sendable {
        case oneOf([UInt64]), noneOf([UInt64]), atLeast(UInt64), below(UInt64)
    }
}

/// Says why a filter does not take packets.
///
/// Reasons are the tests of which one other answer, the rest of the packet being as it is, would have had the filter take
/// the packet: of `port 80`, both ports. Of tests in which the packet has a value that the filter asks for, only the last
/// counts: of `not port 80` it is the port, and not that the packet is TCP. Where there is no such test, because several
/// failed, it is the last from which a way to taking the packet was left.
public struct FilterExplanation {
    private var graph = DecisionGraph()
    private let root: Int32
    /// Nodes from which a packet can still be taken.
    private let hopeful: Set<Int32>

    /// Answers that are tried for a packet, so that explaining ends soon.
    private static let trials = 256
    /// Wanted values that are written out.
    private static let shown = 4

    /// - Returns: nil when the filter makes too large a decision to explain.
    public init?(_ program: ClassicProgram) {
        guard let root = try? SymbolicExecution.decision(of: program, filter: 0, in: &graph) else {
            return nil
        }
        self.root = root
        var hopeful: Set<Int32> = []
        // What a node leads to comes behind it.
        for number in graph.order(from: root).reversed() {
            switch graph.node(number) {
            case .verdict(let filter): if filter != nil { hopeful.insert(number) }
            case .choose, .atLeast:
                if graph.node(number).ways.contains(where: hopeful.contains) { hopeful.insert(number) }
            }
        }
        self.hopeful = hopeful
    }

    /// - Returns: nil when the filter takes the packet; else at least one reason.
    public func reasons(
        _ packet: UnsafeRawBufferPointer, wireLength: UInt32, linkType: UInt32
    ) -> [FilterReason]? {
        let values = PacketValues(graph, packet, wireLength)
        let path = values.path(from: root)
        if path.isTaken { return nil }
        let fields = PacketFields(packet, linkType: linkType)
        var trials = Self.trials
        var turning: [(step: PacketValues.Step, ways: Set<Int32>)] = []
        for step in path.steps {
            let ways = others(step).filter {
                trials -= 1
                return trials >= 0 && values.path(from: $0).isTaken
            }
            if !ways.isEmpty { turning.append((step, ways)) }
        }
        let missed = turning.filter { !hasWhatIsAsked($0.step) || $0.step.node == path.steps.last?.node }
        let reasons = missed.isEmpty ? Array(turning.suffix(1)) : missed
        if !reasons.isEmpty { return reasons.map { reason($0.step, $0.ways, values, fields) } }
        guard let last = path.steps.last(where: { !others($0).isEmpty }) else { return [Self.takesNothing] }
        return [reason(last, others(last), values, fields)]
    }

    /// The ways that the packet did not go, and that lead to its being taken.
    private func others(_ step: PacketValues.Step) -> Set<Int32> {
        Set(graph.node(step.node).ways).subtracting([step.next]).intersection(hopeful)
    }

    private func hasWhatIsAsked(_ step: PacketValues.Step) -> Bool {
        guard case .choose(_, let cases, _) = graph.node(step.node) else { return false }
        return DecisionGraph.find(UInt32(truncatingIfNeeded: step.value), cases) != nil
    }

    private static let takesNothing = FilterReason(
        value: 0, wanted: .oneOf([]), text: "the filter takes no packet like this")

    // MARK: In words

    private func reason(
        _ step: PacketValues.Step, _ would: Set<Int32>, _ values: PacketValues, _ fields: PacketFields
    ) -> FilterReason {
        switch graph.node(step.node) {
        case .verdict: return Self.takesNothing
        case .atLeast(let asked, let bound, let yes, _):
            let subject = subject(asked, values, fields)
            let wantsMore = would.contains(yes)
            if case .room = graph.expression(asked) {
                let end = subject.start + bound
                return FilterReason(
                    value: UInt64(values.count), wanted: wantsMore ? .atLeast(end) : .below(end),
                    text: "the packet has \(values.count) bytes, "
                        + "wanted \(wantsMore ? "at least" : "fewer than") \(end)")
            }
            let (found, limit) = (subject.write(step.value), subject.write(bound))
            return FilterReason(
                offset: subject.offset, size: subject.size, value: step.value,
                wanted: wantsMore ? .atLeast(bound) : .below(bound),
                text: "\(subject.name) is \(found), wanted \(wantsMore ? "at least" : "less than") \(limit)")
        case .choose(let asked, let cases, let otherwise):
            let subject = subject(asked, values, fields)
            let found = subject.write(step.value)
            let wanted = cases.filter { would.contains($0.node) }.map { UInt64($0.value) }
            let excludes = wanted.isEmpty && would.contains(otherwise)
            let excluded = excludes ? cases.filter { !would.contains($0.node) }.map { UInt64($0.value) } : []
            let named = excludes ? excluded : wanted
            let list = named.prefix(Self.shown).map(subject.write).joined(separator: " or ")
            let more = named.count > Self.shown ? " or others" : ""
            return FilterReason(
                offset: subject.offset, size: subject.size, value: step.value,
                wanted: excludes ? .noneOf(named) : .oneOf(named),
                text: "\(subject.name) is \(found), wanted \(excludes ? "any but " : "")\(list)\(more)")
        }
    }

    /// What a test is about.
    private struct Subject {
        var name: String
        var style: PacketFields.Style
        var offset: Int?
        var size: Int?
        /// Of `room`: where it is counted from.
        var start: UInt64 = 0
        func write(_ value: UInt64) -> String { PacketFields.text(value, style) }
    }

    private func subject(_ number: Int32, _ values: PacketValues, _ fields: PacketFields) -> Subject {
        switch graph.expression(number) {
        case .constant(let value): return Subject(name: "\(value)", style: .decimal)
        case .wireLength: return Subject(name: "the length on the wire", style: .decimal)
        case .room(let base): return Subject(name: "", style: .decimal, start: values.value(base) ?? 0)
        case .load(let size, let base, let offset):
            let start = Int((base.flatMap { values.value($0) } ?? 0) + UInt64(offset))
            let count = Int(size.bytes)
            let place = count == 1 ? "byte \(start)" : "bytes \(start) to \(start + count - 1)"
            guard let (field, isWhole) = fields.field(start, count) else {
                return Subject(name: place, style: .hexadecimal, offset: start, size: count)
            }
            return Subject(
                name: "\(isWhole ? "" : "part of the ")\(field.name) (\(place))",
                style: isWhole ? field.style : .hexadecimal, offset: start, size: count)
        case .arithmetic(.and, let left, let right):
            let subject = subject(left, values, fields)
            guard case .constant(let mask) = graph.expression(right) else { break }
            let style: PacketFields.Style = subject.style == .address ? .address : .hexadecimal
            return Subject(
                name: "\(subject.name) & \(PacketFields.text(UInt64(mask), style))", style: style,
                offset: subject.offset, size: subject.size)
        case .arithmetic, .negate, .less: break
        }
        return Subject(name: text(number, values, fields), style: .decimal)
    }

    private func text(_ number: Int32, _ values: PacketValues, _ fields: PacketFields) -> String {
        switch graph.expression(number) {
        case .arithmetic(let operation, let left, let right):
            "(\(text(left, values, fields)) \(operation.symbol) \(text(right, values, fields)))"
        case .negate(let operand): "-\(text(operand, values, fields))"
        case .less(let left, let right): "(\(text(left, values, fields)) < \(text(right, values, fields)))"
        case .constant, .wireLength, .room, .load: subject(number, values, fields).name
        }
    }
}

extension ClassicArithmetic {
    fileprivate var symbol: String {
        switch self {
        case .add: "+"
        case .sub: "-"
        case .mul: "*"
        case .div: "/"
        case .mod: "%"
        case .or: "|"
        case .and: "&"
        case .xor: "^"
        case .lsh: "<<"
        case .rsh: ">>"
        }
    }
}

/// What the expressions of a decision are for one packet.
struct PacketValues {
    private let graph: DecisionGraph
    private let packet: UnsafeRawBufferPointer
    private let wireLength: UInt32
    var count: Int { packet.count }

    struct Step {
        var node: Int32
        /// What the packet has; of `room`, its bits.
        var value: UInt64
        var next: Int32
    }

    init(_ graph: DecisionGraph, _ packet: UnsafeRawBufferPointer, _ wireLength: UInt32) {
        self.graph = graph
        self.packet = packet
        self.wireLength = wireLength
    }

    /// The way of the packet, up to a verdict or to a byte that is not there, and whether it is taken.
    func path(from start: Int32) -> (steps: [Step], isTaken: Bool) {
        var steps: [Step] = []
        var number = start
        while true {
            let next: Int32
            let found: UInt64
            switch graph.node(number) {
            case .verdict(let filter): return (steps, filter != nil)
            case .choose(let asked, let cases, let otherwise):
                guard let value = value(asked) else { return (steps, false) }
                found = value
                let way = DecisionGraph.find(UInt32(truncatingIfNeeded: value), cases)
                next = way?.node ?? otherwise
            case .atLeast(let asked, let bound, let yes, let no):
                guard let value = value(asked) else { return (steps, false) }
                found = value
                // Room is signed, and bounds are far from both ends.
                next = Int64(bitPattern: value) >= Int64(bitPattern: bound) ? yes : no
            }
            steps.append(Step(node: number, value: found, next: next))
            number = next
        }
    }

    /// - Returns: nil where a byte is not there.
    func value(_ number: Int32) -> UInt64? {
        switch graph.expression(number) {
        case .constant(let value): return UInt64(value)
        case .wireLength: return UInt64(wireLength)
        case .load(let size, let base, let offset):
            var start = UInt64(offset)
            if let base {
                guard let value = value(base) else { return nil }
                start += value
            }
            guard start + size.bytes <= UInt64(packet.count) else { return nil }
            return packet[Int(start)..<Int(start + size.bytes)].reduce(0) { $0 << 8 | UInt64($1) }
        case .negate(let operand):
            return value(operand).map { UInt64(0 &- UInt32(truncatingIfNeeded: $0)) }
        case .room(let base): return value(base).map { UInt64(packet.count) &- $0 }
        case .less(let left, let right):
            guard let first = value(left), let second = value(right) else { return nil }
            return first < second ? 1 : 0
        case .arithmetic(let operation, let left, let right):
            guard let first = value(left), let second = value(right) else { return nil }
            return UInt64(
                operation.applied(
                    to: UInt32(truncatingIfNeeded: first), UInt32(truncatingIfNeeded: second)))
        }
    }
}
