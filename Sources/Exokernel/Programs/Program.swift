import SCode
import SCodeAcceptors

/// The program of an environment while it runs: its fragments, the activations on its native stack, its capabilities.
final class Program {
    /// Fragments that the kernel calls, by name: upcalls. All but `main` and `predicate` are optional handlers.
    enum Entry: String, CaseIterable {
        /// The program itself.
        case main
        /// The processor is to be taken: save what there is to save, and yield.
        case epilogue
        /// The processor is back.
        case prologue
        /// An access to a page that is not there; accepts when the access is to be tried again.
        case fault
        /// A timeout has expired.
        case timeout
        /// Something has happened to an environment that it watches.
        case event
        /// The kernel wants pages back.
        case reclaim
        /// Whether to wake from `sys_wait`. Makes no system calls.
        case predicate
    }

    /// An upcall that waits for the program to have the processor.
    struct Upcall: Hashable {
        var entry: Entry
        var subject: UInt64 = 0
        var detail: UInt64 = 0
    }

    /// An activation on the stack, and how it goes on.
    struct Running {
        let activation: Activation
        let entry: Entry
        /// What it is answered when it is resumed.
        var answer: UInt64 = 0
        /// Why it stopped, when the time that it took until then has not passed yet.
        var event: Activation.Event?
        /// Whether it stopped for want of budget, and its registers are known.
        private(set) var isInterrupted = false
        /// Nanoseconds that the one below still needs, while this one runs.
        var burstBelow: UInt64 = 0

        init(activation: Activation, entry: Entry, burstBelow: UInt64) {
            self.activation = activation
            self.entry = entry
            self.burstBelow = burstBelow
        }

        mutating func stop(at event: Activation.Event) {
            self.event = event
            answer = 0
            if case .interrupted = event { isInterrupted = true } else { isInterrupted = false }
        }
    }

    /// Upcalls of one program that may wait.
    static let upcallLimit = 64
    static let slotCount = 16
    static let timeoutLimit = 32

    let fragments: [Entry: Fragment]
    let regions: [RegionStorage]
    private let stack: NativeStack
    /// The innermost last.
    var running: [Running] = []
    private var upcalls: [Upcall] = []
    var slots: [Capability?]
    /// Guarded by these, by id; nil: free.
    var timeouts: [AccessList?] = Array(repeating: nil, count: timeoutLimit)
    /// Counts the timeouts that an id has stood for, so that one that was cancelled is not taken for its successor.
    var timeoutSerials: [UInt32] = Array(repeating: 0, count: timeoutLimit)
    /// Pages that it has allocated and not given back, oldest first.
    var pages: [Frame] = []
    /// When the sleep that it is in is over.
    var wakeTime: UInt64?
    /// Whether it sleeps until its predicate is true.
    var waits = false
    var isCritical = false
    /// Since when the processor is to be taken from it.
    var revokedSince: UInt64?
    /// Whether its epilogue has been called for that. Should it return without having yielded, the program goes on for
    /// as long as it may.
    var isTold = false
    /// Whether it gives the processor up.
    var hasYielded = false
    /// Whether it has lost the processor since it last ran.
    var hasLostProcessor = false
    /// Pages that the kernel has asked for and not been given.
    var pagesWanted = 0
    /// How many it had when they were asked for.
    var pagesBefore = 0

    /// - Parameter own: the capability of its environment.
    init?(
        _ code: [Entry: VerifiedFragment], regions: [RegionStorage], memory: PhysicalMemory,
        space: AddressSpace, environment: Int, engine: EngineKind, codes: CodeCache, own: Capability
    ) throws(InstallFailure) {
        guard let stack = NativeStack(for: engine) else { return nil }
        self.stack = stack
        self.regions = regions
        slots = Array(repeating: nil, count: Self.slotCount)
        slots[0] = own
        var fragments: [Entry: Fragment] = [:]
        for (entry, fragment) in code {
            let bindings = zip(regions, fragment.regions).map { storage, region in
                storage.binding(of: region, memory: memory)
            }
            let installed = try Fragment(
                fragment, regions: bindings, space: space, engine: engine, sharing: codes,
                keepsCode: true)
            installed.owner = environment
            installed.setEntryRegister(EntryRegister.environment, UInt64(environment))
            fragments[entry] = installed
        }
        self.fragments = fragments
        guard push(Upcall(entry: .main), burst: 0) else { return nil }
    }

    /// Activations end before the stack that they are on.
    deinit { while !running.isEmpty { running.removeLast() } }

    /// The acceptor's entry registers, by index.
    private enum EntryRegister {
        static let environment = 0
        static let subject = 1
        static let detail = 2
    }

    // MARK: Upcalls

    func handles(_ entry: Entry) -> Bool { fragments[entry] != nil }
    func isIn(_ entry: Entry) -> Bool { running.contains { $0.entry == entry } }

    /// Notes an upcall for when the program next runs.
    /// - Returns: whether it has a handler, and room.
    @discardableResult
    func post(_ upcall: Upcall) -> Bool {
        guard handles(upcall.entry), upcalls.count < Self.upcallLimit else { return false }
        upcalls.append(upcall)
        return true
    }

    /// The oldest upcall whose handler is not active.
    func takeUpcall() -> Upcall? {
        guard !isCritical, let index = upcalls.firstIndex(where: { !isIn($0.entry) }) else { return nil }
        return upcalls.remove(at: index)
    }

    /// Begins a handler above whatever is active.
    /// - Parameter burst: nanoseconds that what is active still needs.
    /// - Returns: whether there is such a handler, it is not active, and the stack has room.
    func push(_ upcall: Upcall, burst: UInt64) -> Bool {
        guard let fragment = fragments[upcall.entry], !isIn(upcall.entry) else { return false }
        fragment.setEntryRegister(EntryRegister.subject, upcall.subject)
        fragment.setEntryRegister(EntryRegister.detail, upcall.detail)
        let activation = Activation(fragment, on: stack, above: running.last?.activation)
        guard let activation else { return false }
        running.append(Running(activation: activation, entry: upcall.entry, burstBelow: burst))
        return true
    }

    /// The slice is over, however it ended.
    func endSlice() {
        revokedSince = nil
        isTold = false
        hasYielded = false
    }

    func loseProcessor() {
        endSlice()
        hasLostProcessor = true
    }

    func slot(_ index: UInt64) -> Capability? {
        Int(exactly: index).flatMap { slots.indices.contains($0) ? slots[$0] : nil }
    }
}

/// Reads and verifies the programs of applications, each text once.
struct ProgramTexts {
    private var modules: [String: Module] = [:]

    mutating func code(_ source: Scenario.FragmentSource) throws(MachineError) -> [Program.Entry:
        VerifiedFragment]
    {
        let module: Module
        if let known = modules[source.text] {
            module = known
        } else {
            do {
                module = try Module(text: source.text, acceptor: .application, fileName: source.textFile)
            } catch {
                throw .fragment(path: source.path, error.diagnostics)
            }
            modules[source.text] = module
        }
        var code: [Program.Entry: VerifiedFragment] = [:]
        for entry in Program.Entry.allCases { code[entry] = module.fragment(named: entry.rawValue) }
        guard code[.main] != nil else {
            throw .noSuchFragment(path: source.path, name: Program.Entry.main.rawValue)
        }
        return code
    }
}
