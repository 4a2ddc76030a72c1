/// What an application does: the model that the YAML and the rt-app reader both produce.
///
/// Times are in nanoseconds of simulated time.
public struct Workload: Sendable, Hashable {
    public var tasks: [Task]
    /// When the workload as a whole ends; nil: when all its tasks have.
    public var duration: UInt64?
    public init(tasks: [Task] = [], duration: UInt64? = nil) {
        self.tasks = tasks
        self.duration = duration
    }

    /// One thread of control; the machine runs it as an environment.
    public struct Task: Sendable, Hashable {
        public var name: String
        /// Nice value of rt-app (-20 … 19); smaller is more important.
        public var priority: Int
        /// When the task comes to be, after the start of the simulation.
        public var start: UInt64
        /// How often all phases are gone through; nil: for ever.
        public var loops: UInt64?
        public var phases: [Phase]
        /// What the task runs instead of phases.
        public var program: Scenario.Program?
        public init(
            name: String, priority: Int = 0, start: UInt64 = 0, loops: UInt64? = 1, phases: [Phase] = []
        ) {
            self.name = name
            self.priority = priority
            self.start = start
            self.loops = loops
            self.phases = phases
        }
    }

    /// A list of actions, repeated.
    public struct Phase: Sendable, Hashable {
        public var name: String
        /// nil: for ever.
        public var loops: UInt64?
        public var actions: [Action]
        public init(name: String, loops: UInt64? = 1, actions: [Action] = []) {
            self.name = name
            self.loops = loops
            self.actions = actions
        }
    }

    /// One thing that a task does.
    public enum Action: Sendable, Hashable {
        /// Needs the processor for this long.
        case run(UInt64)
        /// Sleeps for this long.
        case sleep(UInt64)
        /// Sleeps until the named timer's next period. The first use starts the timer; one that is already
        /// past does not sleep, and the next period counts from the last (rt-app's `timer`). A name of
        /// `unique` is the task's own timer.
        case timer(name: String, period: UInt64)
        /// Sleeps until somebody resumes the name.
        case suspend(String)
        /// Wakes whoever is suspended under the name; a resume that finds nobody is lost.
        case resume(String)
        case lock(String)
        case unlock(String)
        /// Gives up the mutex, sleeps until the condition is signalled, takes the mutex again.
        case wait(condition: String, mutex: String)
        /// Wakes one task that waits for the condition.
        case signal(String)
        /// Wakes all tasks that wait for the condition.
        case broadcast(String)
        /// Sleeps until as many tasks have come here as the workload has that name the barrier.
        case barrier(String)
        /// Gives up the processor but stays runnable.
        case yield
        /// Hands the processor to a task of the application, or another environment, without asking the schedulers;
        /// if that one cannot have it, the same as `yield`.
        case yieldTo(String)
    }
}
