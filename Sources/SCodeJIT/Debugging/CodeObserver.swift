import CSCodeRuntime
import SCodeVerifier

/// Somebody who is shown the machine code that is made in this process: nobody, until `attach` is called.
///
/// All three are of the process, since what they write to is: perf looks for one file per process, and GDB for one
/// variable.
public enum CodeObserver: Sendable, Hashable {
    /// `/tmp/perf-PID.map`, from which `perf report` takes the names of fragments.
    case perfMap
    /// `jit-PID.dump` in a directory, for `perf inject --jit`: names, machine code and lines. The samples must be timed
    /// by the same clock: `perf record -k 1`.
    case jitDump(directory: String)
    /// GDB, by its interface for code that is made at run time: symbols, lines, and how to unwind frames.
    /// It costs most while a debugger is there, which then reads what it is shown at once.
    case debugger

    /// Why an observer cannot be attached.
    public enum Failure: Error, Sendable, Hashable {
        /// The file cannot be created; `error` is the system's `errno`.
        case cannotCreate(path: String, error: Int32)
    }

    /// Shows the observer code that is compiled from now on. Code that is freed is taken from debuggers; files keep it.
    /// May be called from any thread; what is attached already stays as it is.
    public func attach() throws(Failure) {
        switch self {
        case .perfMap:
            let error = scode_perf_map_open()
            if error != 0 {
                throw .cannotCreate(path: "/tmp/perf-\(scode_process_number()).map", error: error)
            }
        case .jitDump(let directory):
            let error = scode_jitdump_open(directory)
            if error != 0 {
                throw .cannotCreate(path: "\(directory)/jit-\(scode_process_number()).dump", error: error)
            }
        case .debugger: scode_debugger_attach()
        }
    }

    /// Shows the observer no more code. What it has been shown it keeps, debuggers until the code is freed.
    public func detach() {
        let observer =
            switch self {
            case .perfMap: SCODE_PERF_MAP
            case .jitDump: SCODE_JITDUMP
            case .debugger: SCODE_DEBUGGER
            }
        scode_observers_detach(observer.rawValue)
    }

    /// Whether anybody is shown code.
    static var areAttached: Bool { scode_code_observers() != 0 }

    /// Shows code to those who are attached.
    /// - Returns: what ends when the code goes, if a debugger was shown it.
    static func show(
        _ fragment: VerifiedFragment, _ machine: MachineCode, at address: UInt64
    ) -> DebuggerRegistration? {
        let observers = scode_code_observers()
        guard observers != 0, let notes = machine.notes else { return nil }
        let directory = workingDirectory()
        let code = CodeDescription(fragment, machine, notes, at: address, directory: directory)
        if observers & SCODE_PERF_MAP.rawValue != 0 {
            let line = ProfilerRecords.perfMapLine(code)
            scode_perf_map_write(line, line.count)
        }
        if observers & SCODE_JITDUMP.rawValue != 0 {
            let records = ProfilerRecords.jitDump(
                code, number: scode_next_code_number(), process: scode_process_number(),
                thread: scode_thread_number(), time: scode_jitdump_time())
            scode_jitdump_write(records, records.count)
        }
        guard observers & SCODE_DEBUGGER.rawValue != 0 else { return nil }
        return DebuggerRegistration(ObjectFile(code, directory: directory).bytes)
    }

    private static func workingDirectory() -> String {
        guard let directory = scode_working_directory() else { return "/" }
        defer { scode_string_release(directory) }
        return CodeDescription.printable(String(cString: directory))
    }
}

/// What debuggers know of a fragment's code. Whoever owns the code ends it, before the code goes.
struct DebuggerRegistration: @unchecked Sendable {
    private let entry: UnsafeMutablePointer<jit_code_entry>

    /// nil when there is no memory.
    init?(_ object: [UInt8]) {
        guard let entry = scode_debugger_register(object, object.count) else { return nil }
        self.entry = entry
    }

    func end() { scode_debugger_unregister(entry) }
}
