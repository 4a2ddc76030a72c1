/// What happens to environments that the schedulers above them can learn of (thesis sections 2.2 and 3.2).
///
/// A scheduler's handler of an event is the fragment of that name in the text of its scheduling fragment. The two share
/// their regions.
enum EventPoint: String, CaseIterable {
    /// Has begun, and is runnable.
    case begin
    /// Is about to be taken out.
    case end
    /// Waits, for time to pass or for another environment.
    case sleep
    /// Is runnable again.
    case wake

    /// Whether the processor may be wanted for the environment.
    var makesRunnable: Bool { self == .begin || self == .wake }
}
