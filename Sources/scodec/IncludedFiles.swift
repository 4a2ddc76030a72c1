import Foundation
import SCode

/// What `include` means on the command line: a file beside the one that includes it or in a folder below or, as long
/// as it stays under the folder of the program's own file, in a folder above. A program may come from a stranger;
/// what it names elsewhere on the disk stays unread, and so do devices and pipes.
struct IncludedFiles {
    /// The folder of the program's own file, links followed.
    private let root: URL
    /// The program's own file, and what the user called it.
    private let own: (path: String, name: String)?

    init(of path: String) {
        let folder =
            path == "-"
            ? URL(fileURLWithPath: FileManager.default.currentDirectoryPath, isDirectory: true)
            : URL(fileURLWithPath: path).deletingLastPathComponent()
        root = folder.resolvingSymlinksInPath().standardizedFileURL
        own = path == "-" ? nil : (URL(fileURLWithPath: path).resolvingSymlinksInPath().path, path)
    }

    func resolve(_ path: String, _ fromFile: String) -> Result<IncludedFile, IncludeError> {
        guard !path.hasPrefix("/") else {
            return .failure(
                IncludeError(
                    "an included file is named by its path from the file that includes it, not by an absolute one"
                ))
        }
        // `<stdin>` stands for a file in the current folder.
        let folder = URL(fileURLWithPath: fromFile).deletingLastPathComponent()
        let file = folder.appendingPathComponent(path).standardizedFileURL.resolvingSymlinksInPath()
        guard file.path.hasPrefix(root.path == "/" ? "/" : root.path + "/") else {
            return .failure(
                IncludeError(
                    "'\(path)' lies outside the folder of the program",
                    suggestion:
                        "included files lie in the folder of the file that is read, or in folders below it"))
        }
        let attributes = try? FileManager.default.attributesOfItem(atPath: file.path)
        guard let attributes else { return .failure(IncludeError("there is no file '\(path)'")) }
        guard attributes[.type] as? FileAttributeType == .typeRegular else {
            return .failure(IncludeError("'\(path)' is not a regular file"))
        }
        guard (attributes[.size] as? NSNumber)?.intValue ?? 0 <= SyntaxLimits.textBytes else {
            return .failure(IncludeError("'\(path)' has more than \(SyntaxLimits.textBytes) bytes"))
        }
        guard let data = try? Data(contentsOf: file) else {
            return .failure(IncludeError("'\(path)' cannot be read"))
        }
        guard let text = String(validating: data, as: UTF8.self) else {
            return .failure(IncludeError("'\(path)' is not UTF-8 text"))
        }
        return .success(IncludedFile(name: shown(file), text: text))
    }

    /// What diagnostics call the file, one name for one file: the program's own as the user did, others by the way
    /// from the current folder if they lie below it.
    private func shown(_ file: URL) -> String {
        if let own, own.path == file.path { return own.name }
        let current = URL(fileURLWithPath: FileManager.default.currentDirectoryPath).resolvingSymlinksInPath()
            .path
        let prefix = current == "/" ? "/" : current + "/"
        return file.path.hasPrefix(prefix) ? String(file.path.dropFirst(prefix.count)) : file.path
    }
}
