import ArgumentParser
import Foundation

/// Data goes to standard output, messages to standard error.
enum Terminal {
    static func write(_ text: String) { FileHandle.standardOutput.write(Data(text.utf8)) }
    static func message(_ text: String) {
        FileHandle.standardError.write(Data((text.hasSuffix("\n") ? text : text + "\n").utf8))
    }

    /// A line of standard error that the next one takes the place of.
    static func status(_ text: String) {
        FileHandle.standardError.write(Data("\r\u{1B}[K\(text)".utf8))
    }

    /// Colour only on a terminal, and not where NO_COLOR is set (https://no-color.org).
    static func usesColour(_ descriptor: Int32) -> Bool {
        let disabled = ProcessInfo.processInfo.environment["NO_COLOR"].map { !$0.isEmpty } ?? false
        return !disabled && isatty(descriptor) == 1
    }

    /// Why a file could not be read.
    struct Unreadable: Error, CustomStringConvertible { var description: String }

    /// The whole of a file, or of standard input for `-`. Says why when that cannot be had.
    static func read(_ path: String) throws -> [UInt8] {
        do { return try contents(path) } catch {
            message("scodec: cannot read '\(path)': \(error)")
            throw ExitCode.noInput
        }
    }

    /// The same, for those who have something to add to the reason.
    static func contents(_ path: String) throws(Unreadable) -> [UInt8] {
        if path == "-" { return [UInt8](FileHandle.standardInput.readDataToEndOfFile()) }
        do {
            return [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
        } catch {
            let isThere = FileManager.default.fileExists(atPath: path)
            throw Unreadable(description: isThere ? reason(error) : "there is no such file")
        }
    }

    static func write(_ bytes: [UInt8], to path: String) throws {
        if path == "-" {
            FileHandle.standardOutput.write(Data(bytes))
            return
        }
        do {
            try Data(bytes).write(to: URL(fileURLWithPath: path))
        } catch {
            message("scodec: cannot write '\(path)': \(reason(error))")
            throw ExitCode.inputOutput
        }
    }

    private static func reason(_ error: any Error) -> String {
        let error = error as NSError
        let code = (error.userInfo[NSUnderlyingErrorKey] as? NSError)?.code ?? 0
        return code == 0
            ? error.localizedDescription : String(cString: strerror(Int32(truncatingIfNeeded: code)))
    }
}
