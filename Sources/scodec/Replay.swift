import ArgumentParser
import Exokernel
import SCode

/// Runs again what a trace was made from, and holds the trace that comes of it against the first one.
struct Replay {
    let path: String
    let engine: EngineKind

    func run() throws {
        let bytes = try Terminal.read(path)
        guard let recorded = String(validating: bytes, as: UTF8.self) else {
            Terminal.message("\(path): error: this is not UTF-8 text")
            throw ExitCode.diagnostics
        }
        let old = try origin(of: recorded)
        let loader = ScenarioLoader(engine: engine, seed: old.seed)
        let scenario = old.inputs[0].path
        let machine: Machine
        do { machine = try loader.machine(loader.read(scenario), scenario) } catch {
            // Maybe because a file is another one now. What was not read any more says nothing.
            let read = Set(loader.inputs.map(\.path))
            report(loader.inputs + old.inputs.filter { !read.contains($0.path) }, since: old)
            throw error
        }
        let new = TraceOrigin(seed: old.seed, inputs: loader.inputs)
        let changes = report(loader.inputs, since: old)

        let made = ChromeTrace.text(Simulate.run(machine), origin: changes.isEmpty ? new : old)
        guard let difference = TraceDifference.first(recorded: recorded, made: made) else {
            guard changes.isEmpty else {
                Terminal.write("the same events, of other files\n")
                throw ExitCode.diagnostics
            }
            Terminal.write("identical: \(bytes.count) bytes\n")
            return
        }
        Terminal.write("\(difference)\n")
        throw ExitCode.diagnostics
    }

    @discardableResult
    private func report(_ inputs: [TraceOrigin.Input], since old: TraceOrigin) -> [String] {
        let changes = TraceOrigin(seed: old.seed, inputs: inputs).changes(since: old)
        for change in changes { Terminal.message("since the trace was written: \(change)") }
        return changes
    }

    private func origin(of trace: String) throws -> TraceOrigin {
        do { return try TraceOrigin(trace: trace) } catch {
            Terminal.message("\(path): error: \(error)")
            throw ExitCode.diagnostics
        }
    }
}
