/// What the kernel does when a timeout expires: the type field of the thesis (section 3.4). The order of the
/// cases is the order of what is due at one moment.
enum Timeout: Hashable {
    /// An application's task begins.
    case create(environment: Int)
    /// An environment has slept long enough. It has one such timeout at most, and none is meant for another:
    /// ids are not used again.
    case wake(environment: Int)
    /// An application's time is over.
    case endApplication(Int)
    /// An event of the scenario, by index.
    case scenarioEvent(Int)
    /// A timeout that a program has set: see `Program.timeoutSerials`.
    case upcall(environment: Int, timeout: Int, serial: UInt32)
    /// Somebody waits for its predicate to be true.
    case poll
    /// The quantum of a processor is over: revoke the processor, then call the top-level scheduling fragment.
    case schedule(processor: Int)

    /// Timers of single environments are as precise as the clock. The rest is the timer interrupt's
    /// business, and happens at the first one that is not before the deadline.
    var isPrecise: Bool {
        switch self {
        case .create, .wake, .endApplication, .upcall: true
        case .scenarioEvent, .poll, .schedule: false
        }
    }

    /// Of what is due at one moment, the timer interrupt comes last, and the decision last of all: so it
    /// sees everybody who has woken.
    var rank: UInt8 {
        switch self {
        case .create, .wake, .endApplication, .upcall: 0
        case .scenarioEvent, .poll: 1
        case .schedule: 2
        }
    }
}

/// The kernel's queue of timeouts: one-shot, sorted by deadline. The quanta, which are set anew with each decision, are
/// kept apart: one for each processor.
struct Timeouts {
    /// Nanoseconds between two timer interrupts.
    private let tick: UInt64
    private var queue = EventQueue<Timeout>()
    /// Per processor: when the quantum that now runs is over; nil: none does.
    private var quanta: [UInt64?]
    /// The least of them.
    private var nextQuantum: UInt64?
    private var isPollQueued = false

    init(tick: UInt64, processors: Int = 1) {
        self.tick = tick
        quanta = Array(repeating: nil, count: processors)
    }

    /// When something is due.
    var next: UInt64? {
        guard let queued = queue.first?.time else { return nextQuantum }
        return min(queued, nextQuantum ?? .max)
    }

    func isDue(at now: UInt64) -> Bool {
        (nextQuantum.map { $0 <= now } ?? false) || (queue.first.map { $0.time <= now } ?? false)
    }

    mutating func add(_ timeout: Timeout, at time: UInt64) {
        queue.add(
            timeout, at: timeout.isPrecise ? time : time.roundedUp(toMultipleOf: tick), rank: timeout.rank)
    }

    /// Begins a quantum of a processor, in place of the one that runs.
    mutating func armQuantum(of processor: Int, end: UInt64) {
        quanta[processor] = end.roundedUp(toMultipleOf: tick)
        findNextQuantum()
    }

    /// Ends the quantum of a processor without consequences.
    mutating func disarmQuantum(of processor: Int) {
        quanta[processor] = nil
        findNextQuantum()
    }

    private mutating func findNextQuantum() {
        nextQuantum = quanta[0]
        for case let end? in quanta.dropFirst() where nextQuantum.map({ end < $0 }) ?? true {
            nextQuantum = end
        }
    }

    /// Sees to it that something is due at the next timer interrupt.
    mutating func addPoll(after now: UInt64) {
        guard !isPollQueued else { return }
        isPollQueued = true
        add(.poll, at: now.adding(1))
    }
    mutating func endPoll() { isPollQueued = false }

    /// Takes out the next timeout that is due at `now`.
    /// - Parameter precise: only timeouts that do not wait for the timer interrupt.
    mutating func expire(at now: UInt64, onlyPrecise precise: Bool) -> Timeout? {
        if let first = queue.first, first.time <= now, !precise || first.rank == 0 {
            return queue.removeFirst()
        }
        guard !precise, let nextQuantum, nextQuantum <= now else { return nil }
        guard let processor = quanta.firstIndex(of: nextQuantum) else { return nil }
        quanta[processor] = nil
        findNextQuantum()
        return .schedule(processor: processor)
    }
}
