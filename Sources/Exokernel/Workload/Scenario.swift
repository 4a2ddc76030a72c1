/// What a simulation is of: a machine, a tree of schedulers with applications as its leaves, and what is done
/// to their fragments while it runs.
///
/// A scenario is complete: every file that it was read from is in it. Names of schedulers and environments
/// are unique in the whole scenario. Times are in nanoseconds of simulated time.
public struct Scenario: Sendable, Hashable {
    public var machine: Machine
    /// The scheduler that attaches first.
    public var root: Scheduler
    /// Oldest first; events of one moment in the order in which they were written.
    public var events: [Event]
    public init(machine: Machine = Machine(), root: Scheduler, events: [Event] = []) {
        self.machine = machine
        self.root = root
        self.events = events
    }

    /// The hardware, and the limits that the kernel sets.
    public struct Machine: Sendable, Hashable {
        public static let processorCounts = 1...64
        /// How many there are, one of `processorCounts`. All are alike.
        public var processors = 1
        public var tick: UInt64 = 1_000_000
        public var quantum: UInt64 = 100_000_000
        public var duration: UInt64 = 2_000_000_000
        /// Physical memory in pages of 4,096 bytes.
        public var memoryPages = 4096
        public var seed: UInt64 = 1
        /// Backward jumps and calls that one chain of fragments may make.
        public var budget: UInt64 = 10_000
        /// How long an environment may be able to run without being chosen, before the kernel stops asking the
        /// schedulers; 0: for ever.
        public var starvation: UInt64 = 30_000_000_000
        public var costs = Costs()
        public init() {}
    }

    /// What things take, in nanoseconds of simulated time.
    public struct Costs: Sendable, Hashable {
        /// The longest that can be written: a second.
        public static let limit: UInt64 = 1_000_000_000
        /// A backward jump, or a call of a procedure, of a program.
        public var jump: UInt64 = 1_000
        /// A system call, or a page fault.
        public var call: UInt64 = 1_000
        /// A decision, in the kernel.
        public var decision: UInt64 = 0
        /// A backward jump or call in a scheduler's fragment: what counts against the budget.
        public var fragment: UInt64 = 0
        /// To go on with another environment than the last on the processor, in the kernel.
        public var change: UInt64 = 0
        public init() {}
    }

    /// SCODE that an environment runs.
    public struct Program: Sendable, Hashable {
        public var source: FragmentSource
        public var data: [RegionData]
        /// Capabilities in its slots from 1 on; slot 0 holds its own.
        public var capabilities: [Grant]
        public init(source: FragmentSource, data: [RegionData] = [], capabilities: [Grant] = []) {
            self.source = source
            self.data = data
            self.capabilities = capabilities
        }
    }

    /// A capability that a program begins with.
    public struct Grant: Sendable, Hashable {
        public enum Object: Sendable, Hashable {
            /// An environment, by name.
            case environment(String)
            /// Everything, as the kernel itself has it.
            case everything
        }
        public var object: Object
        /// Bits: 4 the processor, 8 to watch it, 16 to change its address space and slots, 32 to change its access list.
        public var rights: UInt8
        public init(object: Object, rights: UInt8) {
            self.object = object
            self.rights = rights
        }
        /// The words for the rights in a scenario.
        public static let rightNames: KeyValuePairs<String, UInt8> = [
            "processor": 4, "watch": 8, "manage": 16, "access": 32,
        ]
    }

    /// Code to download.
    public struct FragmentSource: Sendable, Hashable {
        /// The path that the text was read from, for messages.
        public var path: String
        public var text: String
        /// Which of the fragments in the text; nil: the first.
        public var fragment: String?
        /// The file whose lines the text has, for debuggers: a module or an object file has no lines of text.
        var textFile: String? { path.hasSuffix(".scode") ? path : nil }

        public init(path: String, text: String, fragment: String? = nil) {
            self.path = path
            self.text = text
            self.fragment = fragment
        }
    }

    /// What a region that a fragment declares holds at first; what is not stated is zero.
    public struct RegionData: Sendable, Hashable {
        /// The region's name in the fragment's source.
        public var region: String
        public var bytes: [UInt8]
        public init(region: String, bytes: [UInt8]) {
            self.region = region
            self.bytes = bytes
        }
    }

    /// A node of the tree that hands the processor on to its children.
    public struct Scheduler: Sendable, Hashable {
        public var name: String
        /// nil: nothing is downloaded, and the kernel's default takes the fragment's place.
        public var source: FragmentSource?
        public var data: [RegionData]
        /// The share of its parent's processor time that it is entitled to, 0 … 1; nil: not stated.
        public var entitlement: Double?
        /// In the order in which they attach.
        public var children: [Child]
        public init(
            name: String, source: FragmentSource? = nil, data: [RegionData] = [], entitlement: Double? = nil,
            children: [Child] = []
        ) {
            self.name = name
            self.source = source
            self.data = data
            self.entitlement = entitlement
            self.children = children
        }
    }

    /// Tasks that belong together. They have no scheduler of their own: each task is an environment that the
    /// scheduler above the application schedules. Locks, conditions, barriers and suspended names are the
    /// application's own.
    public struct Application: Sendable, Hashable {
        public var name: String
        /// Of the application as a whole.
        public var entitlement: Double?
        public var workload: Workload
        public init(name: String, entitlement: Double? = nil, workload: Workload) {
            self.name = name
            self.entitlement = entitlement
            self.workload = workload
        }

        /// The name of the environment of task `index`: the application's own if that is its only task, else
        /// `application.task`.
        public func environmentName(_ index: Int) -> String {
            guard workload.tasks.indices.contains(index), workload.tasks.count > 1 else { return name }
            return "\(name).\(workload.tasks[index].name)"
        }

        /// What one of the environments is entitled to: they share equally.
        public var environmentEntitlement: Double? {
            workload.tasks.isEmpty ? entitlement : entitlement.map { $0 / Double(workload.tasks.count) }
        }
    }

    public enum Child: Sendable, Hashable {
        case scheduler(Scheduler)
        case application(Application)

        public var name: String {
            switch self {
            case .scheduler(let scheduler): scheduler.name
            case .application(let application): application.name
            }
        }
    }

    /// Something done to the fragment of a scheduler at a moment of the simulation.
    public struct Event: Sendable, Hashable {
        public var time: UInt64
        /// Name of the scheduler.
        public var node: String
        public var action: Action
        public init(time: UInt64, node: String, action: Action) {
            self.time = time
            self.node = node
            self.action = action
        }

        public enum Action: Sendable, Hashable {
            /// The scheduler goes, as when its process dies; its children go to the scheduler above.
            case detach
            /// The scheduler or environment goes below another scheduler, with all that is below it.
            case move(below: String)
            /// The fragment goes; the default takes its place.
            case remove
            /// A fragment for a scheduler that has none at that moment.
            case install(FragmentSource, data: [RegionData])
            /// A fragment in place of the one that is there. Regions keep what is in them unless `data`
            /// names them.
            case replace(FragmentSource, data: [RegionData])

            /// Whether it is about any node of the tree, and not about a scheduler's fragment.
            var isMove: Bool { if case .move = self { true } else { false } }
        }
    }

    /// The text of a fragment that the scenario was given under a path.
    public func source(path: String) -> String? {
        let ofEvents = events.lazy.compactMap { event -> FragmentSource? in
            switch event.action {
            case .install(let source, _), .replace(let source, _): source
            case .remove, .detach, .move: nil
            }
        }
        return (Self.sources(below: root) + ofEvents).first { $0.path == path }?.text
    }

    private static func sources(below scheduler: Scheduler) -> [FragmentSource] {
        scheduler.children.reduce(into: scheduler.source.map { [$0] } ?? []) { sources, child in
            switch child {
            case .scheduler(let inner): sources += Self.sources(below: inner)
            case .application(let application):
                sources += application.workload.tasks.compactMap(\.program?.source)
            }
        }
    }

    /// How many environments the scenario comes to.
    public var environmentCount: Int { Self.environmentCount(below: root) }

    private static func environmentCount(below scheduler: Scheduler) -> Int {
        scheduler.children.reduce(0) { sum, child in
            switch child {
            case .scheduler(let inner): sum + environmentCount(below: inner)
            case .application(let application): sum + application.workload.tasks.count
            }
        }
    }
}

/// Limits of what the readers of workloads and scenarios accept. They bound the work of whoever comes after.
public enum ScenarioLimits {
    public static let environments = 1 << 17
    public static let schedulers = 1024
    /// Environments and schedulers together, and the idle one, of a scenario that was not read from a file.
    public static let ids = 1 << 18
    /// Schedulers above one another.
    public static let depth = 32
    public static let events = 4096
    /// Actions of one task, inner loops multiplied out.
    public static let actions = 1 << 16
    /// Actions of all tasks that a scenario writes down itself.
    public static let allActions = 1 << 19
    /// Bytes of one file.
    public static let fileSize = 1 << 20
    public static let nameLength = 255
    /// Bytes that a scenario may put into one region, and into all of them.
    public static let regionSize = 1 << 20
    public static let allRegions = 1 << 24
    /// Longest time that can be written: a day.
    public static let duration: UInt64 = 86_400_000_000_000
}
