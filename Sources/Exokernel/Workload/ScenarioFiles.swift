/// The files that a scenario names, each read once.
final class ScenarioFiles {
    private let directory: Substring
    private let file: (String) throws -> String
    private var texts: [String: String] = [:]
    private var workloads: [String: Result<(workload: Workload, warnings: [ReadIssue]), ReadFailure>] = [:]

    init(besides path: String, file: @escaping (String) throws -> String) {
        directory = path.lastIndex(of: "/").map { path[...$0] } ?? ""
        self.file = file
    }

    /// The path of what the scenario calls `name`.
    func path(_ name: String) -> String {
        name.hasPrefix("/") ? name : directory + name
    }

    func text(_ path: String) throws -> String {
        if let text = texts[path] { return text }
        let text = try file(path)
        guard text.utf8.count <= ScenarioLimits.fileSize else {
            throw ReadIssue(
                path: path, line: 0, column: 0, problem: .fileTooLarge(limit: ScenarioLimits.fileSize))
        }
        texts[path] = text
        return text
    }

    /// Warnings are handed out with the first use only.
    func workload(_ path: String, text: String) throws(ReadFailure) -> (Workload, warnings: [ReadIssue]) {
        if let known = workloads[path] { return (try known.get().workload, []) }
        let result = Result { () throws(ReadFailure) in try RTAppReader.read(text, path: path) }
        workloads[path] = result
        let read = try result.get()
        return (read.workload, read.warnings)
    }
}
