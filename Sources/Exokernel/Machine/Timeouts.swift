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
    /// The quantum is over: revoke the processor, then call the top-level scheduling fragment.
    case schedule

    /// Timers of single environments are as precise as the clock. The rest is the timer interrupt's
    /// business, and happens at the first one that is not before the deadline.
    var isPrecise: Bool {
        switch self {
        case .create, .wake, .endApplication: true
        case .scenarioEvent, .schedule: false
        }
    }

    /// Of what is due at one moment, the timer interrupt comes last, and the decision last of all: so it
    /// sees everybody who has woken.
    var rank: UInt8 {
        switch self {
        case .create, .wake, .endApplication: 0
        case .scenarioEvent: 1
        case .schedule: 2
        }
    }
}

/// The kernel's queue of timeouts: one-shot, sorted by deadline.
struct Timeouts {
    /// Nanoseconds between two timer interrupts.
    private let tick: UInt64
    private var queue = EventQueue<Timeout>()
    /// When the quantum that now runs is over; nil: none does.
    private var quantumEnd: UInt64?
    /// Whether `.schedule` is in the queue. It is there once at most: a deadline that has moved on is found
    /// when the old one comes, and set again then.
    private var isScheduleQueued = false

    init(tick: UInt64) { self.tick = tick }

    /// When something is due.
    var next: UInt64? { queue.first?.time }

    mutating func add(_ timeout: Timeout, at time: UInt64) {
        queue.add(
            timeout, at: timeout.isPrecise ? time : time.roundedUp(toMultipleOf: tick), rank: timeout.rank)
    }

    /// Begins a quantum that is over at `end`, which is not before the end of the last one.
    mutating func armQuantum(end: UInt64) {
        quantumEnd = end.roundedUp(toMultipleOf: tick)
        if !isScheduleQueued {
            isScheduleQueued = true
            add(.schedule, at: end)
        }
    }

    /// The processor is idle: no quantum runs out.
    mutating func disarmQuantum() { quantumEnd = nil }

    /// Takes out the next timeout that is due at `now`.
    /// - Parameter precise: only timeouts that do not wait for the timer interrupt.
    mutating func expire(at now: UInt64, onlyPrecise precise: Bool) -> Timeout? {
        while let first = queue.first, first.time <= now {
            if precise, first.rank > 0 { return nil }
            guard let timeout = queue.removeFirst() else { return nil }
            guard timeout == .schedule else { return timeout }
            isScheduleQueued = false
            guard let end = quantumEnd else { continue }
            if end <= now {
                quantumEnd = nil
                return timeout
            }
            armQuantum(end: end)
        }
        return nil
    }
}
