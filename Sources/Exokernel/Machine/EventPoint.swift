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
    /// A program has made an access that its page table does not allow.
    case fault
    /// There was no page for it.
    case shortage

    /// Whether there can be a wish for a new decision: one that runs may be less important than who has come, or have
    /// become a burden. In `end` and `sleep` there is a decision anyway.
    var canAskForDecision: Bool { self != .end && self != .sleep }
}
