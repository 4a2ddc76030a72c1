import Exokernel
import Foundation
import Testing

/// Several timelines in one table, one list and one picture.
@Suite struct ComparisonTests {
    private static var all: Comparison {
        Comparison([
            Comparison.Row(name: "small.yaml", timeline: Timelines.small),
            Comparison.Row(name: "<&\"\u{1B}[31m>", timeline: Timelines.hostile),
            Comparison.Row(name: "nonsense", timeline: Timelines.nonsense),
        ])
    }

    @Test func oneRowEach() throws {
        let lines = Self.all.text(styled: false).split(separator: "\n")
        #expect(lines.count == 4)
        #expect(lines[1].hasPrefix("small.yaml"))
        #expect(!lines.contains { $0.contains("\u{1B}") })
        let objects = try #require(
            try JSONSerialization.jsonObject(with: Data(Self.all.json.utf8)) as? [[String: Any]])
        #expect(objects.map { $0["name"] as? String } == Self.all.rows.map(\.name))
        #expect(objects[0]["length"] as? UInt64 == Timelines.small.end)
    }

    @Test func thePictureIsWellFormed() {
        let shape = Shape(ComparisonChart.svg(Self.all, title: "a < b"))
        #expect(shape.isWellFormed)
        #expect(shape.texts.contains("small.yaml") && shape.texts.contains("a < b"))
        #expect(Shape(ComparisonChart.svg(Comparison([]))).isWellFormed)
    }
}
