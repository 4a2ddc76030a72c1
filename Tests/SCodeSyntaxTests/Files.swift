import Foundation
import SCodeSyntax

/// The files that tests read: they lie in the package, two folders above this one.
enum Files {
    static let package = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    /// Names of the files in a folder of the package, in order.
    static func names(in folder: String) -> [String] {
        let url = package.appending(path: folder)
        let names = (try? FileManager.default.contentsOfDirectory(atPath: url.path)) ?? []
        return names.filter { $0.hasSuffix(".scode") }.sorted()
    }

    static func text(_ path: String) throws -> String {
        try String(contentsOf: package.appending(path: path), encoding: .utf8)
    }

    /// Parses a file of the package; what it includes lies beside it or in folders below.
    static func parse(_ text: String, path: String) -> ParseResult {
        let folder = (path as NSString).deletingLastPathComponent
        return SCodeSyntax.parse(text, fileName: (path as NSString).lastPathComponent) { included, fromFile in
            let name = ((fromFile as NSString).deletingLastPathComponent as NSString).appendingPathComponent(
                included)
            guard let text = try? Files.text("\(folder)/\(name)") else {
                return .failure(IncludeError("there is no file '\(included)'"))
            }
            return .success(IncludedFile(name: name, text: text))
        }
    }

    /// Every `.scode` file of the package.
    static func allSources() throws -> [(path: String, text: String)] {
        var sources: [(path: String, text: String)] = []
        for folder in ["filetests", "scode-examples", "docs"] {
            let root = package.appending(path: folder)
            let files = FileManager.default.enumerator(atPath: root.path)
            while let name = files?.nextObject() as? String {
                guard name.hasSuffix(".scode") else { continue }
                sources.append(("\(folder)/\(name)", try text("\(folder)/\(name)")))
            }
        }
        return sources.sorted { $0.path < $1.path }
    }
}
