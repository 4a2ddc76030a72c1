import SCode
import SCodeAcceptors

/// Code that was downloaded for a scheduler, or the kernel's own in its place.
final class SchedulerFragment {
    /// Why a fragment was aborted.
    struct Failure {
        var reason: AbortReason
        /// `abort budget-exhausted at line 12`
        var message: String
        /// What the registers held that were still of use, as people call them.
        var registers: String

        init(reason: AbortReason, message: String, registers: String) {
            self.reason = reason
            self.message = message
            self.registers = registers
        }

        init(_ abort: Abort, in fragment: Fragment) {
            reason = abort.reason
            message = "abort \(abort.reason.name)" + (abort.line > 0 ? " at line \(abort.line)" : "")
            registers = abort.registers.valid.registers.map {
                "\(fragment.code?.code.name(of: $0) ?? "") = \(abort.registers.values[Int($0.number)])"
            }.joined(separator: ", ")
        }
    }

    /// How a chain of fragments ended.
    struct Answer {
        var way: Departure.Way
        /// What was accepted.
        var value: UInt64
        /// The id of the scheduler whose fragment accepted or was aborted; else of the one that was asked.
        var scheduler: Int
        var budgetUsed: UInt64
    }

    /// The acceptor's entry registers, by index.
    private enum EntryRegister {
        static let tick = 0
        static let slots = 1
        static let environment = 2
        static let subject = 3
        static let listed = 4
    }

    private let fragment: Fragment
    /// Whether it reads the number of timer interrupts.
    let readsTick: Bool

    /// - Parameters:
    ///   - regions: memory for each region of the code, in order.
    ///   - scheduler: the id of the environment whose code it is.
    init(
        _ code: VerifiedFragment, regions: [RegionStorage], memory: PhysicalMemory, space: AddressSpace?,
        scheduler: Int, slots: Int, engine: EngineKind, codes: CodeCache
    ) throws(InstallFailure) {
        let bindings = zip(regions, code.regions).map { storage, region in
            storage.binding(of: region, memory: memory)
        }
        fragment = try Fragment(
            code, regions: bindings, space: space, slotCount: slots, engine: engine, sharing: codes,
            keepsCode: true)
        fragment.owner = scheduler
        let tick = code.acceptor.entryRegisters[EntryRegister.tick].register
        readsTick = code.facts.first?.liveBefore.contains(tick) ?? false
        fragment.setEntryRegister(EntryRegister.slots, UInt64(slots))
        fragment.setEntryRegister(EntryRegister.environment, UInt64(scheduler))
    }

    func setSlot(_ slot: Int, _ other: SchedulerFragment?) { fragment.setSlot(slot, other?.fragment) }
    /// The environment that an event is about, while its handler runs; else 0.
    func setSubject(_ id: Int) { fragment.setEntryRegister(EntryRegister.subject, UInt64(id)) }
    /// How many places of the list of children are in use, with empty ones between them.
    func setListed(_ places: Int) { fragment.setEntryRegister(EntryRegister.listed, UInt64(places)) }
    func setTick(_ tick: UInt64) { fragment.setEntryRegister(EntryRegister.tick, tick) }

    /// Runs the fragment and what it calls, with one budget for all of it.
    func invoke(budget: UInt64) -> Answer {
        let departure = fragment.enter(budget: budget)
        return Answer(
            way: departure.way, value: departure.value, scheduler: departure.owner,
            budgetUsed: budget - min(budget, departure.remainingBudget))
    }

    /// Why the last chain that was aborted was.
    func takeFailure() -> Failure {
        guard let invocation = fragment.takeAbort(), case .abort(let abort) = invocation.exit else {
            return Failure(reason: .outOfBounds, message: "abort", registers: "")
        }
        return Failure(abort, in: invocation.leftIn)
    }
}

extension RegionStorage {
    /// Physical memory is shown to fragments above the 32-bit virtual addresses.
    static let directMap: UInt64 = 1 << 32

    func binding(of region: Region, memory: PhysicalMemory) -> RegionBinding {
        switch place {
        case .virtual(let page):
            .virtual(base: UInt64(page) * UInt64(PhysicalMemory.pageSize), size: size)
        case .physical:
            .physical(
                base: Self.directMap + frame.physicalAddress,
                host: memory.base + frame * PhysicalMemory.pageSize, size: size, writable: region.isWritable)
        }
    }
}

/// What a scheduler downloads: the fragment that decides, and its handlers of events.
struct DownloadedCode {
    let schedule: VerifiedFragment
    let handlers: [EventPoint: VerifiedFragment]
}

/// Reads and verifies downloaded code, each text once.
struct Downloads {
    private let acceptor: Acceptor
    private var modules: [String: Module] = [:]

    /// - Parameter budget: what a chain of fragments may use.
    init(budget: UInt64) {
        var acceptor = Acceptor.scheduler
        acceptor.budget = budget
        acceptor.depth = UInt64(ScenarioLimits.depth)
        self.acceptor = acceptor
    }

    mutating func code(_ source: Scenario.FragmentSource) throws(MachineError) -> DownloadedCode {
        let module: Module
        if let known = modules[source.text] {
            module = known
        } else {
            do {
                module = try Module(text: source.text, acceptor: acceptor, fileName: source.textFile)
            } catch {
                throw .fragment(path: source.path, error.diagnostics)
            }
            modules[source.text] = module
        }
        guard let fragment = module.fragment(named: source.fragment) else {
            throw .noSuchFragment(path: source.path, name: source.fragment)
        }
        var handlers: [EventPoint: VerifiedFragment] = [:]
        for point in EventPoint.allCases {
            let handler = module.fragment(named: point.rawValue)
            if let handler, handler !== fragment { handlers[point] = handler }
        }
        return DownloadedCode(schedule: fragment, handlers: handlers)
    }
}
