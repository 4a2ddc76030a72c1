import ArgumentParser
import Foundation
import SCode

/// Who else sees the machine code of a command that runs some: see docs/debugging.md.
struct ObserverOptions: ParsableArguments {
    @Flag(help: "Name fragments for 'perf report': write /tmp/perf-PID.map.") var perfMap = false
    @Option(
        help: ArgumentHelp(
            "Show code and source lines to 'perf inject --jit': write jit-PID.dump into this folder. Record with 'perf record -k 1'.",
            valueName: "folder"))
    var jitdump: String?
    @Flag(help: "Show symbols, source lines and frames of fragments to GDB.")
    var gdb = false

    /// To be called before anything is compiled.
    func attach() throws {
        var observers: [CodeObserver] = []
        if perfMap { observers.append(.perfMap) }
        if let jitdump { observers.append(.jitDump(directory: jitdump)) }
        if gdb { observers.append(.debugger) }
        for observer in observers {
            do throws(CodeObserver.Failure) { try observer.attach() } catch {
                switch error {
                case .cannotCreate(let path, let number):
                    Terminal.message("scodec: cannot write '\(path)': \(String(cString: strerror(number)))")
                }
                throw ExitCode.inputOutput
            }
        }
    }
}
