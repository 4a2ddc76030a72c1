import SCode

/// Read-only state of the kernel, kept in physical memory where fragments read it without asking: the
/// `machine` and the `environments` region. (`children` is each scheduler's own: see `ChildTable`.)
///
/// All numbers are little-endian. Layouts only ever grow at the end.
final class ExposedState {
    /// Names under which fragments declare the regions.
    enum RegionName {
        static let machine = "machine"
        static let environments = "environments"
        static let usage = "usage"
        static let children = "children"
        static let all: Set<String> = [machine, environments, usage, children]
    }

    /// `struct machine { time: ul, tick: ul, quantum: ul, seed: ul, environments: u, running: u, processor: u,
    /// processors: u, runs: u[64] }`, times in nanoseconds.
    enum MachineField {
        static let time = 0
        static let tick = 8
        static let quantum = 16
        static let seed = 24
        /// One more than the highest id of an environment.
        static let environments = 32
        /// The environment that has `processor`; 0: none.
        static let running = 36
        /// The processor that the fragment is called for, from 0.
        static let processor = 40
        /// How many there are.
        static let processors = 44
        /// Per processor: the environment that has it.
        static let runs = 48
    }

    /// `struct environment { id: u, status: u, ticks: ul, page_faults: u, pages: u, owner: u, priority: i }`;
    /// the entry of an environment is at its id. Entry 0 counts the ticks for which the processor was idle.
    enum EnvironmentField {
        static let id = 0
        /// A `Environment.Status`, or `runsElsewhere`.
        static let status = 4
        /// Timer interrupts that found it running; of a scheduler: it, or anything below it.
        static let ticks = 8
        static let pageFaults = 16
        /// Pages of physical memory that it owns.
        static let pages = 20
        /// The scheduler above, by id; 0: none.
        static let owner = 24
        /// Nice value: -20 to 19, smaller is more important.
        static let priority = 28
        static let size = 32
    }

    /// `struct usage { ran: ul, waited: ul, since: ul, deadline: ul }`, in nanoseconds; the entry of an environment is
    /// at its id.
    enum UsageField {
        /// Processor time received; of a scheduler: by everything below it. Entry 0: time in which nobody ran.
        static let ran = 0
        /// Time spent sleeping or blocked, up to the last wake-up.
        static let waited = 8
        /// When its status last changed.
        static let since = 16
        /// When the period of its timer ends; 0: it has none.
        static let deadline = 24
        static let size = 32
    }

    /// The status that is shown of an environment which has a processor other than `machine.processor`; also of a
    /// scheduler below which all who could run have one.
    static let runsElsewhere: UInt32 = 4

    /// The tables have room for so many environments and schedulers whatever the scenario, so that a fragment may declare
    /// them that large.
    static let leastCapacity = 8192
    /// For how many there is room.
    let capacity: Int

    let machine: Frame
    let environments: Frame
    let usage: Frame
    private let memory: PhysicalMemory
    // Where the tables lie.
    private let machineBase: UnsafeMutableRawPointer
    private let environmentsBase: UnsafeMutableRawPointer
    private let usageBase: UnsafeMutableRawPointer

    /// - Parameter environments: how many there will be at most, schedulers and the idle one included.
    init(pages: PhysicalPages, environments count: Int) throws(MachineError) {
        let perPage = PhysicalMemory.pageSize / EnvironmentField.size
        capacity = max(Self.leastCapacity, (count + perPage - 1) / perPage * perPage)
        machine = try pages.allocate(owner: 0)
        environments = try pages.allocate(
            Frame.pages(holding: capacity * EnvironmentField.size), owner: 0)
        usage = try pages.allocate(Frame.pages(holding: capacity * UsageField.size), owner: 0)
        memory = pages.memory
        machineBase = pages.address(machine)
        environmentsBase = pages.address(environments)
        usageBase = pages.address(usage)
    }

    func setMachine<Value: FixedWidthInteger & BitwiseCopyable>(_ field: Int, _ value: Value) {
        machineBase.storeBytes(of: value.littleEndian, toByteOffset: field, as: Value.self)
    }

    func setRunning(on processor: Int, _ environment: UInt32) {
        setMachine(MachineField.runs + processor * MemoryLayout<UInt32>.size, environment)
    }

    func set<Value: FixedWidthInteger & BitwiseCopyable>(_ environment: Int, _ field: Int, _ value: Value) {
        store(value, environmentsBase, environment, EnvironmentField.size, field)
    }

    func setUsage(_ environment: Int, _ field: Int, _ nanoseconds: UInt64) {
        store(nanoseconds, usageBase, environment, UsageField.size, field)
    }

    /// Writes a field of an environment's entry in a table.
    private func store<Value: FixedWidthInteger & BitwiseCopyable>(
        _ value: Value, _ table: UnsafeMutableRawPointer, _ environment: Int, _ size: Int, _ field: Int
    ) {
        guard environment >= 0, environment < capacity else { return }
        table.storeBytes(of: value.littleEndian, toByteOffset: environment * size + field, as: Value.self)
    }

    /// What fragments see under a region's name: pages of all schedulers, and their size in bytes.
    func shown(_ region: String) -> (frame: Frame, bytes: Int)? {
        switch region {
        case RegionName.machine: (machine, PhysicalMemory.pageSize)
        case RegionName.environments: (environments, capacity * EnvironmentField.size)
        case RegionName.usage: (usage, capacity * UsageField.size)
        default: nil
        }
    }
}
