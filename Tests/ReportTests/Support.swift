import Exokernel
import Foundation
import SCodeTestSupport
import Testing

/// Files that others wrote; they lie beside the package, or the tests that want them say so and stop.
enum Samples {
    static func text(_ name: String) -> String? {
        let package = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let file = package.appending(path: "../shared/data/rt-app/\(name)").standardizedFileURL
        guard let text = try? String(contentsOf: file, encoding: .utf8) else {
            print("skipped: no \(file.path())")
            return nil
        }
        return text
    }
}

enum Hostile {
    /// Hands over the text cut off at every byte, and with single bytes changed. The body must come back.
    static func check(_ text: String, rounds: Int = 2000, body: (String) -> Void) {
        let bytes = Array(text.utf8)
        for length in 0...bytes.count { body(String(decoding: bytes[..<length], as: UTF8.self)) }
        var random = SeededGenerator(seed: 42)
        let alphabet = Array("{}[]:,\"'*&?!|>-#%@\\ \n\t0919aez\u{0}\u{FF}/.".utf8)
        for _ in 0..<rounds {
            var mutant = bytes
            for _ in 0..<Int.random(in: 1...4, using: &random) where !mutant.isEmpty {
                let place = Int.random(in: 0..<mutant.count, using: &random)
                switch Int.random(in: 0..<3, using: &random) {
                case 0: mutant[place] = alphabet.randomElement(using: &random) ?? 0
                case 1: mutant.insert(alphabet.randomElement(using: &random) ?? 0, at: place)
                default: mutant.remove(at: place)
                }
            }
            body(String(decoding: mutant, as: UTF8.self))
        }
    }
}
