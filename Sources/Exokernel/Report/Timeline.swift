/// What a simulation records: who had the processor when, and what happened.
///
/// The machine appends; the table, the trace and the chart are drawn from it. Times are in nanoseconds of
/// simulated time.
public struct Timeline: Sendable {
    /// A node of the tree of schedulers, or an environment that a scheduler schedules.
    public struct Node: Sendable, Hashable {
        public var name: String
        /// Index of the scheduler above; nil for the root, and for what nobody has attached.
        public var parent: Int?
        public var isScheduler: Bool
        /// The share of its parent's processor time that it is entitled to, 0 … 1; nil: not stated.
        public var entitlement: Double?
        /// When the environment came to be, and when it ended (nil: it has not).
        public var created: UInt64
        public var ended: UInt64?
        /// With what its program ended; nil: it has no program, or that is not over, refused or was killed.
        public var exit: UInt64?
        public init(
            name: String, parent: Int? = nil, isScheduler: Bool = false, entitlement: Double? = nil,
            created: UInt64 = 0, ended: UInt64? = nil
        ) {
            self.name = name
            self.parent = parent
            self.isScheduler = isScheduler
            self.entitlement = entitlement
            self.created = created
            self.ended = ended
        }
    }

    /// What an environment is doing in a span.
    public enum State: UInt8, Sendable, CaseIterable {
        /// Has the processor.
        case running
        /// Could run, and waits for the processor.
        case runnable
        /// Waits for time to pass (sleep, timer).
        case sleeping
        /// Waits for somebody else (lock, condition, suspend, barrier).
        case blocked
    }

    /// A stretch of one state. The spans of an environment follow one another without gap, oldest first.
    public struct Span: Sendable, Hashable {
        public var start: UInt64
        public var end: UInt64
        // There are millions of them.
        private var index: Int32
        public var state: State
        /// The processor on which it runs; 0 in other states.
        public var processor: UInt8
        public var node: Int {
            get { Int(index) }
            set { index = Int32(clamping: newValue) }
        }
        public init(node: Int, state: State, processor: UInt8 = 0, start: UInt64, end: UInt64) {
            index = Int32(clamping: node)
            self.state = state
            self.processor = processor
            self.start = start
            self.end = end
        }
    }

    /// Something that went wrong in a fragment, or was done about it.
    public struct Incident: Sendable, Hashable {
        public var time: UInt64
        /// The scheduler whose fragment it was.
        public var node: Int?
        /// `abort budget-exhausted at line 12`, `refused by everyone`, `detached`, …
        public var message: String
        /// What the fragment's registers held, the first time: `n = 0, entry = 4294971392`.
        public var registers: String?
        public init(time: UInt64, node: Int?, message: String, registers: String? = nil) {
            self.time = time
            self.node = node
            self.message = message
            self.registers = registers
        }
    }

    /// One decision: an invocation of the chain of fragments, or of the default in its place.
    public struct Decision: Sendable, Hashable {
        public var time: UInt64
        /// Backward jumps and calls that the chain used.
        public var budgetUsed: UInt64
        // There are millions of them.
        private var index: Int32
        /// The processor that it was about.
        public var processor: UInt8
        /// Whether the default round robin took it.
        public var byDefault: Bool
        /// The environment that got the processor; nil: nobody, it is idle.
        public var chosen: Int? {
            get { index < 0 ? nil : Int(index) }
            set { index = newValue.map { Int32(clamping: max(0, $0)) } ?? -1 }
        }
        public init(
            time: UInt64, processor: UInt8 = 0, chosen: Int?, byDefault: Bool, budgetUsed: UInt64
        ) {
            self.time = time
            self.processor = processor
            index = chosen.map { Int32(clamping: max(0, $0)) } ?? -1
            self.byDefault = byDefault
            self.budgetUsed = budgetUsed
        }
    }

    /// A processor passes from one environment to another, and is not idle in between. Either may have it for no time.
    public struct HandOver: Sendable, Hashable {
        /// How the first one lost it.
        public enum Kind: String, Sendable, CaseIterable {
            /// The kernel took it: a quantum was over, or a scheduler asked for a decision.
            case revoked
            /// It gave the processor back, though it could have gone on.
            case yielded
            /// A directed yield: it gave the processor to the other one, and no scheduler was asked.
            case directed
            /// Somebody who may do so gave it to the other one (`sys_grant_processor`).
            case granted
            /// It began to sleep or to wait, or ended.
            case released
        }
        /// When the first one stops.
        public var time: UInt64
        /// When the other one goes to work: later, if the kernel and fragments take some time in between.
        public var arrival: UInt64
        // There are millions of them.
        private var fromIndex: Int32
        private var toIndex: Int32
        public var processor: UInt8
        public var kind: Kind
        public var from: Int {
            get { Int(fromIndex) }
            set { fromIndex = Int32(clamping: newValue) }
        }
        public var to: Int {
            get { Int(toIndex) }
            set { toIndex = Int32(clamping: newValue) }
        }
        public init(
            time: UInt64, arrival: UInt64? = nil, processor: UInt8 = 0, from: Int, to: Int, kind: Kind
        ) {
            self.time = time
            self.arrival = arrival ?? time
            self.processor = processor
            fromIndex = Int32(clamping: from)
            toIndex = Int32(clamping: to)
            self.kind = kind
        }
    }

    /// Time that a processor spent in the kernel, or in a fragment.
    public struct Overhead: Sendable, Hashable {
        public var processor: UInt8
        /// The scheduler whose fragment it was; nil: the kernel.
        public var scheduler: Int?
        public var start: UInt64
        public var end: UInt64
        public init(processor: UInt8 = 0, scheduler: Int?, start: UInt64, end: UInt64) {
            self.processor = processor
            self.scheduler = scheduler
            self.start = start
            self.end = end
        }
    }

    /// How many processors the machine has.
    public var processors = 1
    public var nodes: [Node] = []
    public var spans: [Span] = []
    public var incidents: [Incident] = []
    public var decisions: [Decision] = []
    public var handOvers: [HandOver] = []
    /// Of each processor oldest first. Empty when decisions cost nothing.
    public var overheads: [Overhead] = []
    /// Moments at which an environment stopped waiting and became runnable.
    public var wakeups: [(time: UInt64, node: Int)] = []
    /// The length of the simulation.
    public var end: UInt64 = 0
    /// The length of a tick.
    public var tick: UInt64 = 1_000_000
    /// Wall-clock time spent in fragments, all decisions together; nil: not measured. Unlike everything else
    /// here it differs from run to run.
    public var fragmentNanoseconds: UInt64?
    public init() {}
}
