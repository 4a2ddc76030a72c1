import Foundation

/// A picture of the kernels: a group of bars for each and one for their mean, a bar for each system. What is longer than
/// the picture is cut off, with its number.
struct Chart {
    private let results: Results
    private let names: [String]

    private static let margin = (left: 44.0, right: 12.0, top: 74.0, bottom: 44.0)
    private static let height = 260.0
    private static let barWidth = 9.0
    private static let gap = 22.0
    /// The ratio at the upper edge.
    private static let limit = 3.0
    /// Our own columns in one hue; of the others, each pair in one.
    private static let colours = [
        "c": "#9e9e9e", "gcc": "#bdbdbd", "c-checked": "#757575", "scode": "#c62828",
        "scode-virtual": "#ef6c6c", "scode-host": "#8e0000", "scode-ebpf": "#f4a5a5",
        "ubpf": "#2e7d32", "wasmtime": "#1565c0", "wasmtime-fuel": "#64a5e8", "luajit": "#f9a825",
    ]

    init(_ results: Results) {
        self.results = results
        names = results.engines.map(\.name)
    }

    private struct Group {
        var title: String
        var ratios: [Double?]
    }

    private var groups: [Group] {
        results.kernels.map { kernel in
            Group(title: kernel.kernel, ratios: names.map { results.timing(kernel.kernel, $0)?.ratio })
        } + [Group(title: "geometric mean", ratios: names.map { results.geometricMean($0) })]
    }

    private var groupWidth: Double { Double(names.count) * Chart.barWidth + Chart.gap }

    var text: String {
        let width = Chart.margin.left + Double(groups.count) * groupWidth + Chart.margin.right
        let height = Chart.margin.top + Chart.height + Chart.margin.bottom
        return """
            <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \(number(width)) \(number(height))" \
            font-family="sans-serif" font-size="11">
            <rect width="100%" height="100%" fill="white"/>
            <text x="\(number(Chart.margin.left))" y="18" font-size="14">Time as a multiple of C's; less is better</text>
            \(legend)
            \(axis(to: width - Chart.margin.right))
            \(groups.enumerated().map { draw($1, at: Chart.margin.left + Double($0) * groupWidth) }.joined(separator: "\n"))
            <text x="\(number(Chart.margin.left))" y="\(number(height - 8))" fill="#555">\(heading)</text>
            </svg>

            """
    }

    private var heading: String {
        (results.date + "; " + results.machine).replacing("&", with: "&amp;").replacing("<", with: "&lt;")
    }

    private var legend: String {
        let columns = 6
        return names.enumerated().map { index, name in
            let x = Chart.margin.left + Double(index % columns) * 118
            let y = 28.0 + Double(index / columns) * 16
            return """
                <rect x="\(number(x))" y="\(number(y))" width="10" height="10" fill="\(colour(name))"/>\
                <text x="\(number(x + 14))" y="\(number(y + 9))">\(name)</text>
                """
        }.joined(separator: "\n")
    }

    private func axis(to right: Double) -> String {
        stride(from: 0.0, through: Chart.limit, by: 0.5).map { ratio in
            let y = self.y(ratio)
            return """
                <line x1="\(number(Chart.margin.left))" x2="\(number(right))" y1="\(number(y))" y2="\(number(y))" \
                stroke="\(ratio == 1 ? "#000" : "#ddd")"/>\
                <text x="\(number(Chart.margin.left - 6))" y="\(number(y + 4))" text-anchor="end">\(number(ratio))</text>
                """
        }.joined(separator: "\n")
    }

    private func draw(_ group: Group, at left: Double) -> String {
        var parts: [String] = []
        for (index, ratio) in group.ratios.enumerated() {
            guard let ratio else { continue }
            let x = left + Chart.gap / 2 + Double(index) * Chart.barWidth
            let top = y(min(ratio, Chart.limit))
            parts.append(
                """
                <rect x="\(number(x))" y="\(number(top))" width="\(number(Chart.barWidth - 1))" \
                height="\(number(y(0) - top))" fill="\(colour(names[index]))">\
                <title>\(names[index]), \(group.title): \(short(ratio))</title></rect>
                """)
            if ratio > Chart.limit {
                let centre = number(x + Chart.barWidth - 2)
                parts.append(
                    """
                    <text x="\(centre)" y="\(number(top + 4))" fill="white" font-size="9" text-anchor="end" \
                    transform="rotate(-90 \(centre) \(number(top + 4)))">\(short(ratio, digits: 1))</text>
                    """)
            }
        }
        parts.append(
            """
            <text x="\(number(left + groupWidth / 2))" y="\(number(y(0) + 16))" text-anchor="middle">\(group.title)</text>
            """)
        return parts.joined(separator: "\n")
    }

    private func y(_ ratio: Double) -> Double {
        Chart.margin.top + Chart.height * (1 - ratio / Chart.limit)
    }

    private func colour(_ name: String) -> String { Chart.colours[name] ?? "#000" }

    private func number(_ value: Double) -> String {
        value == value.rounded() ? String(Int(value)) : String(format: "%.1f", value)
    }
}
