import Foundation
import SCode
import SCodeAcceptors
import SCodeFuzzing
import Testing

/// What fuzzers were fed and what they found is fed to the same targets again.
@Suite struct FuzzReplayTests {
    private static let package = URL(filePath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent()
        .deletingLastPathComponent()
    private static let modules = "Fuzz/corpus/module"

    /// Every file below a folder of the package, by its path there.
    private static func files(in folder: String, ending suffix: String = "") -> [String] {
        let names =
            FileManager.default.enumerator(atPath: package.appending(path: folder).path)?.allObjects ?? []
        return names.compactMap { $0 as? String }.map { "\(folder)/\($0)" }.filter { path in
            var isFolder: ObjCBool = false
            let isThere = FileManager.default.fileExists(
                atPath: package.appending(path: path).path, isDirectory: &isFolder)
            return isThere && !isFolder.boolValue && path.hasSuffix(suffix)
        }.sorted()
    }

    private static let sources =
        files(in: "scode-examples", ending: ".scode") + files(in: "filetests", ending: ".scode")

    private func feed(_ path: String, to target: FuzzTarget) throws {
        let bytes = try Data(contentsOf: Self.package.appending(path: path))
        let finding = bytes.withUnsafeBytes { target.finding($0) }
        #expect(finding == nil, "\(path): \(finding?.property ?? "")")
    }

    @Test(arguments: FuzzTarget.allCases)
    func crashersAreMended(_ target: FuzzTarget) throws {
        for path in Self.files(in: "Fuzz/crashers/\(target.rawValue)") { try feed(path, to: target) }
    }

    @Test(arguments: [FuzzTarget.module, .verifier, .pipeline])
    func modulesKeepTheProperties(_ target: FuzzTarget) throws {
        for path in Self.files(in: Self.modules) { try feed(path, to: target) }
    }

    @Test func objectsKeepTheProperties() throws {
        let objects = Self.files(in: "Fuzz/corpus/ebpf")
        #expect(objects.count >= 5)
        for path in objects {
            try feed(path, to: .ebpf)
            let bytes = try [UInt8](Data(contentsOf: Self.package.appending(path: path)))
            #expect(throws: Never.self, "\(path)") { try Program(ebpf: bytes, for: Acceptor.standard) }
        }
    }

    @Test(arguments: [FuzzTarget.text, .pipeline])
    func textsKeepTheProperties(_ target: FuzzTarget) throws {
        for path in Self.sources { try feed(path, to: target) }
    }

    /// What is no module is nothing to begin with. `SCODE_UPDATE=1` makes the seeds anew, from every program of the
    /// package that parses: after a change of the module format they all have to be.
    @Test func seedsAreModules() throws {
        if ProcessInfo.processInfo.environment["SCODE_UPDATE"] != nil { try Self.writeSeeds() }
        let seeds = Self.files(in: Self.modules)
        #expect(seeds.count > 20)
        for path in seeds {
            let bytes = try [UInt8](Data(contentsOf: Self.package.appending(path: path)))
            #expect(throws: Never.self, "\(path)") { try Program(decoding: bytes) }
        }
    }

    private static func writeSeeds() throws {
        let folder = package.appending(path: modules)
        try? FileManager.default.removeItem(at: folder)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        for path in sources {
            let result = parse(try String(contentsOf: package.appending(path: path), encoding: .utf8))
            guard !result.diagnostics.contains(where: { $0.severity == .error }) else { continue }
            let name = path.replacing("/", with: "-").replacing(".scode", with: "")
            try Data(result.program.encoded()).write(to: folder.appending(path: "\(name).sco"))
            try Data(result.program.stripped().encoded()).write(
                to: folder.appending(path: "\(name).stripped.sco"))
        }
    }
}
