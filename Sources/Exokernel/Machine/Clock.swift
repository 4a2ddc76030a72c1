/// Simulated time. Nothing in a simulation looks at the host's clock.
struct Clock {
    /// Nanoseconds since the machine started.
    private(set) var now: UInt64 = 0
    /// Nanoseconds between two timer interrupts; not zero.
    let tick: UInt64

    /// The last timer interrupt was number `ticks`; interrupt n is raised at n times the tick.
    private(set) var ticks: UInt64 = 0
    /// Nanoseconds since the last timer interrupt.
    private var sinceTick: UInt64 = 0

    init(tick: UInt64) { self.tick = tick }

    /// Lets time pass.
    /// - Returns: how many timer interrupts were raised after the old time, up to and with the new one.
    mutating func advance(to time: UInt64) -> UInt64 {
        guard time > now else { return 0 }
        let passed = time - now
        now = time
        // Mostly it is less than a tick, and a division takes longer than everything else here.
        if passed < tick - sinceTick {
            sinceTick += passed
            return 0
        }
        let raised = time / tick - ticks
        ticks += raised
        sinceTick = time - ticks * tick
        return raised
    }
}

extension UInt64 {
    /// The sum, or the end of time when there is no such moment.
    func adding(_ duration: UInt64) -> UInt64 {
        let (sum, overflow) = addingReportingOverflow(duration)
        return overflow ? .max : sum
    }

    /// The first multiple of `step`, which is not zero, that is not before this moment; or the end of time.
    func roundedUp(toMultipleOf step: UInt64) -> UInt64 {
        let remainder = self % step
        return remainder == 0 ? self : adding(step - remainder)
    }
}
