/// Simulated time. Nothing in a simulation looks at the host's clock.
struct Clock {
    /// Nanoseconds since the machine started.
    private(set) var now: UInt64 = 0
    /// Nanoseconds between two timer interrupts; not zero.
    let tick: UInt64

    /// The last timer interrupt was number `ticks`; interrupt n is raised at n times the tick.
    var ticks: UInt64 { now / tick }

    /// Lets time pass.
    /// - Returns: how many timer interrupts were raised after the old time, up to and with the new one.
    mutating func advance(to time: UInt64) -> UInt64 {
        let before = ticks
        now = max(now, time)
        return ticks - before
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
