/// The spans of one row as few shapes: what is too thin to be seen is merged into marks that show how much of
/// the time in them the environment ran.
struct GanttMarks {
    /// How a stretch of the row looks.
    private enum Look: Hashable {
        case pure(Timeline.State)
        /// So many quarters of the time running, the rest mostly `under`; nil: mostly nothing at all.
        case mixed(under: Timeline.State?, quarters: Int)
    }

    private let thinnest: Double
    private var paths: [Look: String] = [:]
    private var current: (look: Look, from: Double, to: Double)?
    /// Thin spans that wait to be merged: how many pixels of each state.
    private var pending: (from: Double, to: Double, widths: [Double])?

    init(thinnest: Double) { self.thinnest = thinnest }

    /// Spans come from left to right.
    mutating func add(_ state: Timeline.State, from: Double, to: Double) {
        guard to > from else { return }
        if to - from >= thinnest, pending == nil || pending.map({ $0.to - $0.from < thinnest / 4 }) == true {
            flushPending()
            extend(.pure(state), from: from, to: to)
            return
        }
        if let waiting = pending, from - waiting.to > thinnest { flushPending() }
        var waiting = pending ?? (from, from, Array(repeating: 0, count: Timeline.State.allCases.count))
        let share = min(to, max(from, waiting.from + thinnest)) - from
        waiting.widths[Int(state.rawValue)] += max(share, 0)
        waiting.to = from + max(share, 0)
        pending = waiting
        guard waiting.to - waiting.from >= thinnest * 0.999 else { return }
        flushPending()
        if to > waiting.to { add(state, from: waiting.to, to: to) }
    }

    private mutating func flushPending() {
        guard let waiting = pending else { return }
        pending = nil
        let total = waiting.to - waiting.from
        guard total > 0 else { return }
        func width(_ state: Timeline.State) -> Double { waiting.widths[Int(state.rawValue)] }
        let others: [Timeline.State] = [.runnable, .sleeping, .blocked]
        let most = others.max { width($0) < width($1) } ?? .runnable
        let nothing = total - waiting.widths.reduce(0, +)
        let running = width(.running) / total
        // What ran at all is seen, and so is what did not.
        let quarters = Int((running * 4).rounded(running < 0.5 ? .up : .down))
        let look: Look =
            if running >= 0.999 {
                .pure(.running)
            } else if quarters > 0 {
                .mixed(under: nothing > width(most) ? nil : most, quarters: min(quarters, 3))
            } else {
                .pure(most)
            }
        extend(look, from: waiting.from, to: waiting.to)
    }

    private mutating func extend(_ look: Look, from: Double, to: Double) {
        if let last = current, last.look == look, from - last.to < 0.05 {
            current = (look, last.from, to)
        } else {
            commit()
            current = (look, from, to)
        }
    }

    private mutating func commit() {
        guard let last = current else { return }
        let width = max(last.to - last.from, min(thinnest, 0.8))
        paths[last.look, default: ""] += "M\(px(last.from)) 0h\(px(width))v1h-\(px(width))z"
        current = nil
    }

    func finished() -> GanttMarks {
        var copy = self
        copy.flushPending()
        copy.commit()
        return copy
    }

    /// The shapes, in a row of the given place. Paths are one unit high and stretched.
    func elements(y: Double, height: Double, colour: String) -> [String] {
        var result: [String] = []
        func element(_ path: String, _ top: Double, _ tall: Double, _ fill: String) {
            result.append(
                "<path transform=\"translate(0 \(px(y + top))) scale(1 \(px(tall)))\" d=\"\(path)\" \(fill)/>"
            )
        }
        for state in Timeline.State.allCases.reversed() {
            var path = paths[.pure(state)] ?? ""
            for quarters in 1...3 { path += paths[.mixed(under: state, quarters: quarters)] ?? "" }
            guard !path.isEmpty else { continue }
            switch state {
            case .running: element(path, 0, height, "fill=\"\(colour)\"")
            case .runnable: element(path, 0, height, "fill=\"\(colour)\" fill-opacity=\"0.22\"")
            case .blocked:
                // The hatching is upright, so that stretching the path does not show in it.
                element(path, height * 0.25, height * 0.5, "fill=\"url(#blocked)\"")
            case .sleeping: element(path, height / 2 - 1, 2, "fill=\"\(GanttChart.Colours.sleeping)\"")
            }
        }
        for quarters in 1...3 {
            var path = ""
            for state in Timeline.State.allCases + [nil] {
                path += paths[.mixed(under: state, quarters: quarters)] ?? ""
            }
            guard !path.isEmpty else { continue }
            element(
                path, 0, height, "fill=\"\(colour)\" fill-opacity=\"\(px(Double(quarters) * 0.25 + 0.05))\"")
        }
        return result
    }
}
