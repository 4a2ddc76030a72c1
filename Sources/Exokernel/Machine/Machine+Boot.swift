import SCode

/// An application while it runs.
struct Application {
    let workload: Workload
    /// Ids of its environments, in the order of its tasks.
    var environments: [Int] = []
    var synchronisation: Synchronisation
}

/// A task while it runs.
final class RunningTask {
    let application: Int
    var cursor: TaskCursor
    /// Steps since time last passed for the task.
    var stepsAtInstant = 0
    var instant: UInt64 = 0

    init(application: Int, cursor: TaskCursor) {
        self.application = application
        self.cursor = cursor
    }
}

extension Machine {
    /// Jump tables have at least so many slots.
    static let slots: Int = 16

    /// Makes the tree of the scenario. Ids are given in the order of the text, a scheduler before its
    /// children, from 1.
    func boot() throws(MachineError) {
        try attach(scenario.root, below: 0)
        for id in programs.keys { grantCapabilities(to: id) }
        try downloadAll(scenario.root)
        for id in schedulers.values.sorted() { relink(id) }
        for (index, event) in scenario.events.enumerated() {
            guard schedulers[event.node] != nil || event.action.isMove else {
                throw .unknownScheduler(event.node)
            }
            // Code that is wrong is reported now, not in the middle of the simulation.
            switch event.action {
            case .remove, .detach, .move: break
            case .install(let source, _), .replace(let source, _): _ = try downloads.code(source)
            }
            timeouts.add(.scenarioEvent(index), at: event.time)
        }
    }

    /// How much there is below a scheduler.
    struct Size {
        var schedulers = 0
        var total = 0
    }

    static func size(of scheduler: Scenario.Scheduler, depth: Int) throws(MachineError) -> Size {
        guard depth <= ScenarioLimits.depth else {
            throw .tooManySchedulersAboveOneAnother(limit: ScenarioLimits.depth)
        }
        var size = Size()
        for child in scheduler.children {
            switch child {
            case .application(let application): size.total += application.workload.tasks.count
            case .scheduler(let inner):
                let below = try Self.size(of: inner, depth: depth + 1)
                size.schedulers += below.schedulers + 1
                size.total += below.total + 1
            }
        }
        return size
    }

    private func attach(_ scheduler: Scenario.Scheduler, below parent: Int) throws(MachineError) {
        let id = add(
            scheduler.name, isScheduler: true, below: parent, entitlement: scheduler.entitlement, created: 0)
        guard schedulers.updateValue(id, forKey: scheduler.name) == nil else {
            throw .twoSchedulers(scheduler.name)
        }
        try environments.begin(id, at: clock.now)
        let size = try Self.size(of: scheduler, depth: 1)
        try tree.attach(
            environments[id], slots: max(Self.slots, size.schedulers), entries: max(1, size.total))
        for child in scheduler.children {
            switch child {
            case .scheduler(let inner): try attach(inner, below: id)
            case .application(let application): try start(application, below: id)
            }
        }
        environments.exposePages(id)
    }

    private func start(_ application: Scenario.Application, below parent: Int) throws(MachineError) {
        let index = applications.count
        let workload = application.workload
        applications.append(
            Application(
                workload: workload,
                synchronisation: Synchronisation(workload, first: environments.all.count)))
        if let duration = workload.duration { timeouts.add(.endApplication(index), at: duration) }
        for (number, task) in workload.tasks.enumerated() {
            let id = add(
                application.environmentName(number), isScheduler: false, below: parent,
                entitlement: application.environmentEntitlement, priority: task.priority, created: task.start)
            applications[index].environments.append(id)
            tasks[id] = RunningTask(application: index, cursor: TaskCursor(task))
            unfinished += 1
            if task.start == 0 {
                try begin(id)
            } else {
                timeouts.add(.create(environment: id), at: task.start)
            }
        }
    }

    private func add(
        _ name: String, isScheduler: Bool, below parent: Int, entitlement: Double?, priority: Int = 0,
        created: UInt64
    ) -> Int {
        // Out of range, as only a scenario that was not read from a file can be: as much as fits.
        let thousandths = ((entitlement ?? 0) * 1000).rounded()
        let weight = thousandths > 0 ? UInt32(min(thousandths, 1_000_000)) : 0
        recorder.add(
            Timeline.Node(
                name: name, parent: parent == 0 ? nil : environments[parent].node, isScheduler: isScheduler,
                entitlement: entitlement, created: created))
        return environments.add(
            name: name, isScheduler: isScheduler, parent: parent, priority: priority, weight: weight)
    }

    private func downloadAll(_ scheduler: Scenario.Scheduler) throws(MachineError) {
        if let id = schedulers[scheduler.name] {
            if let source = scheduler.source {
                try download(source, data: scheduler.data, for: id)
            } else if let data = scheduler.data.first {
                throw .unknownRegion(path: scheduler.name, region: data.region)
            }
        }
        for case .scheduler(let inner) in scheduler.children { try downloadAll(inner) }
    }
}
