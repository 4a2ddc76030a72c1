import Exokernel
import Foundation
import Testing

/// The files of `docs/writing-a-scheduler.md` do what the page says they print.
@Suite struct WritingASchedulerTests {
    /// A fenced block of the page.
    private struct Block {
        var language: String
        var text: String
    }

    private static func blocks() throws -> [Block] {
        let path = Examples.folder.appending(path: "../docs/writing-a-scheduler.md").standardizedFileURL
        var blocks: [Block] = []
        var open: Block?
        for line in try String(contentsOf: path, encoding: .utf8).components(separatedBy: "\n") {
            if line.hasPrefix("```") {
                if let block = open { blocks.append(block) }
                open = open == nil ? Block(language: String(line.dropFirst(3)), text: "") : nil
            } else {
                open?.text += line + "\n"
            }
        }
        return blocks
    }

    /// `// first.scode: …` and `# work.yaml: …` name the files.
    private static func files(_ blocks: [Block]) -> [String: String] {
        var files: [String: String] = [:]
        for block in blocks where block.language == "scode" || block.language == "yaml" {
            let words = block.text.prefix { $0 != ":" }.split(separator: " ")
            if let name = words.last { files[String(name)] = block.text }
        }
        return files
    }

    private struct NoSuchFile: Error {}

    @Test func everyOutputIsWhatItIs() throws {
        let blocks = try Self.blocks()
        let files = Self.files(blocks)
        #expect(files.count == 5)
        let (scenario, warnings) = try ScenarioReader.read(path: "work.yaml") { path in
            guard let text = files[path] else { throw NoSuchFile() }
            return text
        }
        #expect(warnings.isEmpty)
        var outputs = 0
        for block in blocks where block.language == "console" {
            let lines = block.text.components(separatedBy: "\n")
            let words = lines[0].components(separatedBy: " ")
            var rows = [Comparison.Row(name: "work.yaml", timeline: try scenario.run())]
            for (option, policy) in zip(words, words.dropFirst()) where option == "--policy" {
                var other = scenario
                other.root.source = Scenario.FragmentSource(path: policy, text: try #require(files[policy]))
                rows.append(Comparison.Row(name: policy, timeline: try other.run()))
            }
            let printed =
                rows.count > 1
                ? Comparison(rows).text(styled: false)
                : TableReport.text(rows[0].timeline, rows[0].statistics, styled: false)
            #expect("$ " + lines[0].dropFirst(2) + "\n" + printed == block.text, "\(lines[0])")
            outputs += 1
        }
        #expect(outputs == 3)
    }

    /// The last block: the incidents of the policy that goes wrong.
    @Test func theReportSaysWhatWentWrong() throws {
        let blocks = try Self.blocks()
        let files = Self.files(blocks)
        var (scenario, _) = try ScenarioReader.read(path: "work.yaml") { files[$0] ?? "" }
        scenario.root.source = Scenario.FragmentSource(
            path: "wrong.scode", text: try #require(files["wrong.scode"]))
        let timeline = try scenario.run()
        let report = TableReport.text(timeline, Statistics(timeline), styled: false)
        let told = try #require(blocks.first { $0.text.hasPrefix("Incidents\n") })
        #expect(report.hasSuffix(told.text))
    }
}
