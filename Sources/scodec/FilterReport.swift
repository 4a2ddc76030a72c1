import SCode
import SCodeFilter

/// A name as it may reach a terminal.
func shown(_ text: String) -> String { DiagnosticRenderer.escaped(text == "-" ? "<stdin>" : text) }

/// A filter, and what the user calls it.
struct NamedFilter {
    var name: String
    var program: ClassicProgram
}

/// What is said of a capture that was filtered.
struct FilterReport {
    var capture: CaptureFile
    var path: String
    var filters: [NamedFilter]
    /// Per packet: the place of the filter that takes it.
    var verdicts: [Int?]
    var explains: Bool

    private var matched: Int { verdicts.reduce(0) { $0 + ($1 == nil ? 0 : 1) } }

    private func count(of filter: Int) -> Int { verdicts.reduce(0) { $0 + ($1 == filter ? 1 : 0) } }

    /// One number a line.
    var numbers: String { filters.indices.map { "\(count(of: $0))\n" }.joined() }

    var text: String {
        var text = explains ? explanations.map { "packet \($0.packet): \($0.text)\n" }.joined() : ""
        let packets = "\(verdicts.count) packet\(verdicts.count == 1 ? "" : "s")"
        text += "\(shown(path)): \(matched) of \(packets) match\n"
        if filters.count > 1 {
            let width = filters.indices.map { "\(count(of: $0))".count }.max() ?? 0
            for (index, filter) in filters.enumerated() {
                let number = "\(count(of: index))"
                text +=
                    "  \(String(repeating: " ", count: width - number.count))\(number)  \(shown(filter.name))\n"
            }
        }
        return text
    }

    private struct Line {
        var packet: Int
        var filter: Int
        var reasons: [FilterReason]
        var text: String
    }

    /// A line for each packet and filter that does not take it.
    private var explanations: [Line] {
        let explained = filters.map { FilterExplanation($0.program) }
        var lines: [Line] = []
        for (index, packet) in capture.packets.enumerated() {
            if let taker = verdicts[index] {
                let name = filters.count > 1 ? ": \(shown(filters[taker].name))" : ""
                lines.append(Line(packet: index + 1, filter: taker, reasons: [], text: "match\(name)"))
                continue
            }
            for (place, filter) in filters.enumerated() {
                let reasons = capture.withBytes(of: packet) {
                    explained[place]?.reasons(
                        $0, wireLength: packet.wireLength, linkType: capture.linkType)
                }
                let name = filters.count > 1 ? " \(shown(filter.name)):" : ""
                let text =
                    reasons?.map(\.text).joined(separator: "; ") ?? "the filter is too large to explain"
                lines.append(
                    Line(
                        packet: index + 1, filter: place, reasons: reasons ?? [],
                        text: "no match:\(name) \(text)"))
            }
        }
        return lines
    }

    var json: String {
        let counts = filters.enumerated().map {
            "{\"filter\":\(JSONText.quoted($1.name)),\"count\":\(count(of: $0))}"
        }
        var fields = [
            "\"capture\":\(JSONText.quoted(path))", "\"linkType\":\(capture.linkType)",
            "\"packets\":\(verdicts.count)", "\"matched\":\(matched)",
            "\"filters\":[\(counts.joined(separator: ","))]",
            "\"verdicts\":[\(verdicts.map { $0.map { "\($0)" } ?? "null" }.joined(separator: ","))]",
        ]
        if explains {
            let lines = explanations.map {
                "{\"packet\":\($0.packet),\"filter\":\($0.filter),\"reasons\":[\($0.reasons.map(\.json).joined(separator: ","))]}"
            }
            fields.append("\"explanations\":[\(lines.joined(separator: ","))]")
        }
        if let failure = capture.failure { fields.append("\"failure\":\(JSONText.quoted("\(failure)"))") }
        return "{\(fields.joined(separator: ","))}\n"
    }
}

extension FilterReason {
    var json: String {
        var fields: [String] = []
        if let offset, let size { fields += ["\"offset\":\(offset)", "\"size\":\(size)"] }
        let wish =
            switch wanted {
            case .oneOf(let values): "\"oneOf\":\(values)"
            case .noneOf(let values): "\"noneOf\":\(values)"
            case .atLeast(let bound): "\"atLeast\":\(bound)"
            case .below(let bound): "\"below\":\(bound)"
            }
        fields += ["\"value\":\(value)", "\"wanted\":{\(wish)}", "\"text\":\(JSONText.quoted(text))"]
        return "{\(fields.joined(separator: ","))}"
    }
}
