import SCode

/// A simulated computer, and the exokernel that runs on it.
///
/// The kernel owns the pages and the time. Who gets a processor is decided by fragments that schedulers
/// have downloaded: when a quantum is over, and when whoever runs stops to, the kernel calls the fragment of
/// the scheduler at the top, which may hand the offer down. No fragment can stop the machine: a decision
/// that fails is taken by default, round robin.
///
/// Nothing but the scenario has an influence on the timeline: not the engine, not the host's clock.
public final class Machine {
    /// Bounds of a simulation, for scenarios that nobody has checked.
    public struct Limits: Sendable, Hashable {
        /// Actions of one task without any time passing; the task is ended then.
        public var actionsPerInstant = 100_000
        /// Actions, decisions and timeouts in all; the simulation ends then.
        public var steps = 8_000_000
        /// Failures of one fragment within `failureWindow` ticks, after which it is removed.
        public var failures = 3
        public var failureWindow: UInt64 = 1000
        public init() {}
    }

    public let scenario: Scenario
    public let engine: EngineKind
    public let limits: Limits

    /// Whether to measure how long fragments take on the host. Has no influence on the timeline.
    @exclusivity(unchecked) public var measuresInvocations = false
    /// How long fragments took, while that was measured; and how many chains of fragments were invoked.
    public internal(set) var invocationTime: Duration = .zero
    @exclusivity(unchecked) public internal(set) var invocations = 0

    // What every decision touches is not checked for exclusive access at run time: functions of the kernel change one
    // part of it at a time, and hold none while they call one another.
    @exclusivity(unchecked) var clock: Clock
    @exclusivity(unchecked) var timeouts: Timeouts
    let pages: PhysicalPages
    let exposed: ExposedState
    @exclusivity(unchecked) var environments: EnvironmentTable
    @exclusivity(unchecked) var tree: SchedulerTree
    @exclusivity(unchecked) var recorder: TimelineRecorder

    var downloads: Downloads
    /// What schedulers and programs have downloaded, compiled.
    let codes = CodeCache()
    /// What was downloaded, by the scheduler's id.
    @exclusivity(unchecked) var downloaded = InstalledFragments()
    /// The kernel's own fragments, made when one is needed.
    @exclusivity(unchecked) var defaults = InstalledFragments()
    /// Ids of schedulers by name.
    var schedulers: [String: Int] = [:]
    /// Where the default goes on among everything below a scheduler, by its id.
    var defaultCursors: [Int: Int] = [:]

    @exclusivity(unchecked) var applications: [Application] = []
    /// Per id of an environment: the task that it runs.
    @exclusivity(unchecked) var tasks = ByID<RunningTask>()
    /// Tasks that have not ended, begun or not.
    @exclusivity(unchecked) var unfinished = 0

    /// Per id of an environment: its program, while it has one.
    @exclusivity(unchecked) var programs: [Int: Program] = [:]
    var programTexts = ProgramTexts()
    /// Those that sleep until their predicate is true, in the order in which they began to.
    @exclusivity(unchecked) var waiting: [Int] = []
    /// Who watches an environment, by its id.
    var bindings: [Int: [Binding]] = [:]
    /// Who may do what with environments, where that is not their own business alone; with pages; with the quantum.
    var accessOfEnvironments: [Int: AccessList] = [:]
    var accessOfPages: [Frame: AccessList] = [:]
    var accessOfQuantum = AccessList(owner: .root)
    /// Where pages are mapped that programs have mapped.
    var mappings: [Frame: Set<Mapping>] = [:]
    /// How long whoever is chosen has the processor, in nanoseconds.
    var quantum: UInt64

    /// In the order in which they are looked after.
    let processors: Table<Processor>
    /// Somebody could run and was never chosen: until the root's fragment is replaced, no fragment is asked.
    @exclusivity(unchecked) var isUnderDefault = false
    /// When to look next for such an environment.
    @exclusivity(unchecked) var nextStarvationCheck: UInt64 = 0

    /// Whether every task has ended, or there were too many steps.
    @exclusivity(unchecked) public private(set) var isStopped = false
    @exclusivity(unchecked) private var steps = 0

    /// Builds the machine, attaches the schedulers, and begins what begins at once.
    public init(
        scenario: Scenario, engine: EngineKind = .native, limits: Limits = Limits()
    ) throws(MachineError) {
        let parameters = scenario.machine
        guard parameters.tick > 0 else { throw .tickIsZero }
        guard parameters.quantum > 0 else { throw .quantumIsZero }
        guard Scenario.Machine.processorCounts.contains(parameters.processors) else {
            throw .processorCount(parameters.processors, allowed: Scenario.Machine.processorCounts)
        }
        self.scenario = scenario
        self.engine = engine
        self.limits = limits
        quantum = parameters.quantum
        clock = Clock(tick: parameters.tick)
        timeouts = Timeouts(tick: parameters.tick, processors: parameters.processors)
        processors = Table(repeatElement(Processor(), count: parameters.processors))
        pages = try PhysicalPages(count: parameters.memoryPages)
        // The root is not counted, and the idle one has an entry too.
        let size = try Self.size(of: scenario.root, depth: 1).total + 2
        guard size <= ScenarioLimits.ids else {
            throw .tooManyEnvironments(size - 1, limit: ScenarioLimits.ids - 1)
        }
        exposed = try ExposedState(pages: pages, environments: size)
        environments = EnvironmentTable(pages: pages, exposed: exposed)
        tree = SchedulerTree(pages: pages)
        recorder = TimelineRecorder(tick: parameters.tick, processors: parameters.processors)
        downloads = Downloads(budget: parameters.budget)
        exposed.setMachine(ExposedState.MachineField.tick, parameters.tick)
        exposed.setMachine(ExposedState.MachineField.quantum, parameters.quantum)
        exposed.setMachine(ExposedState.MachineField.seed, parameters.seed)
        exposed.setMachine(ExposedState.MachineField.processors, UInt32(processors.count))
        let quanta = min(parameters.duration / parameters.quantum, UInt64(Self.expectedDecisions))
        recorder.reserve(decisions: Int(quanta))
        try boot()
    }

    /// For so many decisions there is room at once. It takes no memory before it is used.
    private static let expectedDecisions = 1 << 21

    /// The simulated time, in nanoseconds.
    public var now: UInt64 { clock.now }

    /// Runs until every task has ended, or to the end of the scenario.
    public func run() -> Timeline {
        run(until: .max)
        return timeline
    }

    /// Runs until a moment at the latest. What is due at that moment has not happened yet.
    public func run(until time: UInt64) {
        let end = min(scenario.machine.duration, time)
        while !isStopped, clock.now < end {
            settle()
            countStep()
            if unfinished == 0 { isStopped = true }
            if isStopped { return }
            advance(to: min(end, timeouts.next ?? .max, nextStep))
        }
    }

    /// What has happened so far.
    public var timeline: Timeline { recorder.finished(at: clock.now) }

    /// Does everything that is to be done at this moment.
    private func settle() {
        expire(onlyPrecise: true)
        for processor in processors.indices {
            if !processors[processor].isAtWork, !processors[processor].isRevoked {
                startWork(on: processor)
            }
            continueRunning(on: processor)
        }
        expire(onlyPrecise: false)
        if !waiting.isEmpty { checkPredicates() }
        // Whoever is given one processor may at once do something about the others.
        var isSettled = false
        while !isSettled {
            isSettled = true
            for processor in processors.indices {
                while !isStopped, needsDecision(processor) {
                    guard giveUp(processor), needsDecision(processor) else { break }
                    // The others are to be looked at again, if there are any.
                    isSettled = processors.count == 1
                    processors[processor].isIdle = false
                    countStep()
                    decide(processor)
                    continueRunning(on: processor)
                }
                // Programs, which have waited until all that is due now was done.
                continueRunning(on: processor)
                if !isStopped, needsDecision(processor), giveUp(processor) { isSettled = false }
            }
        }
        guard !isStopped else { return }
        for processor in processors.indices where processors[processor].running == 0 {
            guard !processors[processor].isIdle, processors[processor].overhead.isEmpty else { continue }
            processors[processor].isIdle = true
            recorder.decision(
                Timeline.Decision(
                    time: clock.now, processor: UInt8(processor), chosen: nil, byDefault: false, budgetUsed: 0
                ))
        }
    }

    /// Whoever has the processor does what takes no time; it may hand the processor to another, who goes on.
    private func continueRunning(on processor: Int) {
        while !isStopped, !processors[processor].isRevoked {
            let running = processors[processor].running
            guard processors[processor].isAtWork, environments[running].burst == 0 else { return }
            continueTask(running)
            if processors[processor].running == running { return }
        }
    }

    /// Lets whoever is to lose a processor get ready for it.
    /// - Returns: whether it is.
    private func giveUp(_ processor: Int) -> Bool {
        let running = processors[processor].running
        guard running != 0, !programs.isEmpty, !isReadyToLoseProcessor(running) else { return true }
        startWork(on: processor)
        if environments[running].burst == 0 { continueTask(running) }
        return processors[processor].running != running || isReadyToLoseProcessor(running)
    }

    /// When the first of the processors will have done what it does; all are idle: never.
    private var nextStep: UInt64 {
        var least = UInt64.max
        for processor in processors.indices {
            if let time = timeToNextStep(of: processor) { least = min(least, time) }
        }
        return clock.now.adding(least)
    }

    /// Lets time pass in which nothing happens but timer interrupts, which count ticks.
    private func advance(to time: UInt64) {
        let passed = time - min(time, clock.now)
        let ticks = clock.advance(to: time)
        for processor in processors.indices { pass(passed, ticks: ticks, on: processor) }
    }

    private func expire(onlyPrecise: Bool) {
        guard timeouts.isDue(at: clock.now) else { return }
        while !isStopped, let timeout = timeouts.expire(at: clock.now, onlyPrecise: onlyPrecise) {
            countStep()
            switch timeout {
            case .create(let environment): beginTask(environment)
            case .wake(let environment): wakeSleeper(environment)
            case .endApplication(let application): endApplication(application)
            case .scenarioEvent(let index): perform(scenario.events[index])
            case .upcall(let environment, let timeout, let serial):
                expire(timeout, serial: serial, of: environment)
            case .poll: timeouts.endPoll()
            case .schedule(let processor):
                // Of an idle one there is nobody to lose it.
                processors[processor].isRevoked = processors[processor].running != 0
            }
        }
    }

    /// Counts one step of work. The simulation is over when there were too many.
    func countStep() {
        steps += 1
        if steps == limits.steps {
            isStopped = true
            recorder.incident(
                "the simulation was stopped after \(limits.steps) steps", node: nil, at: clock.now,
                always: true)
        }
    }

    /// Notes that something went wrong in an environment, or in a scheduler's fragment.
    /// - Parameters:
    ///   - always: kept even if there have been many different ones.
    ///   - registers: what the fragment's registers held.
    func report(_ message: String, _ environment: Int, always: Bool = false, registers: String? = nil) {
        recorder.incident(
            message, node: environments[environment].node, at: clock.now, always: always, registers: registers
        )
    }
}
