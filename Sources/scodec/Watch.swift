import ArgumentParser
import Exokernel
import Foundation

/// How fast simulated time passes for whoever watches.
enum WatchSpeed: ExpressibleByArgument {
    /// Nanoseconds of simulated time in a second.
    case aSecond(UInt64)
    /// As fast as the simulation goes.
    case unlimited

    /// `500ms`, `2s`, `max`
    init?(argument: String) {
        if argument == "max" {
            self = .unlimited
        } else if let time = SimulatedTime(argument: argument) {
            self = .aSecond(time.nanoseconds)
        } else {
            return nil
        }
    }
}

/// Shows a simulation while it runs: on a terminal in place, as often as the eye wants it; elsewhere ten snapshots,
/// one after another, as fast as they come.
struct Watch {
    private static let framesPerSecond: UInt64 = 10
    private static let snapshots: UInt64 = 10
    /// What most people look at without getting impatient.
    private static let usualSeconds: UInt64 = 10
    /// Frames over which the latest shares are taken.
    private static let window = 10

    let machine: Machine
    let title: String
    let speed: WatchSpeed?

    private var duration: UInt64 { machine.scenario.machine.duration }
    private var isOver: Bool { machine.isStopped || machine.now >= duration }

    /// Runs the machine to its end.
    func run() {
        let isDumb = ProcessInfo.processInfo.environment["TERM"] == "dumb"
        if isatty(STDOUT_FILENO) == 1, !isDumb { runOnTerminal() } else { runInPrint() }
    }

    // MARK: In print

    private func runInPrint() {
        var earlier: Snapshot?
        var time: UInt64 = 0
        while !isOver {
            time = Self.sum(time, max(1, duration / Self.snapshots))
            machine.run(until: time)
            let now = machine.snapshot
            let lines = WatchView.lines(
                now, since: earlier, title: title, size: WatchView.Size(columns: 120))
            Terminal.write(lines.joined(separator: "\n") + "\n\n")
            earlier = now
        }
    }

    // MARK: On a terminal

    private func runOnTerminal() {
        let styled = Terminal.usesColour(STDOUT_FILENO)
        let step: UInt64 =
            switch speed {
            case .aSecond(let time): time / Self.framesPerSecond
            case .unlimited: duration / 100
            case nil: duration / Self.usualSeconds / Self.framesPerSecond
            }
        let frame = Duration.seconds(1) / Int(Self.framesPerSecond)
        var history: [Snapshot] = []
        var next = ContinuousClock.now
        var time: UInt64 = 0
        FullScreen.enter()
        defer { FullScreen.leave() }
        while !isOver {
            time = Self.sum(time, max(1, step))
            machine.run(until: time)
            let now = machine.snapshot
            let lines = WatchView.lines(
                now, since: history.first, title: title, size: FullScreen.size, styled: styled)
            FullScreen.draw(lines)
            history = history.suffix(Self.window - 1) + [now]
            if case .unlimited = speed { continue }
            // A simulation that is slower than it should be does not try to make up for it.
            next = max(next + frame, ContinuousClock.now)
            Thread.sleep(forTimeInterval: (next - ContinuousClock.now) / .seconds(1))
        }
    }

    private static func sum(_ time: UInt64, _ step: UInt64) -> UInt64 {
        let (sum, overflow) = time.addingReportingOverflow(step)
        return overflow ? .max : sum
    }
}

/// The whole of the terminal, on a screen of its own: what was there before comes back, also after Ctrl-C.
enum FullScreen {
    static func enter() {
        show()
        var ours = sigset_t()
        sigemptyset(&ours)
        for number in [SIGINT, SIGTERM, SIGHUP, SIGTSTP] {
            signal(number, giveBack)
            sigaddset(&ours, number)
        }
        // Whoever started this program may have blocked them, as threads of a dispatch queue do.
        sigprocmask(SIG_UNBLOCK, &ours, nil)
        signal(SIGCONT) { _ in
            FullScreen.show()
            signal(SIGTSTP, FullScreen.giveBack)
        }
    }

    static func leave() {
        hide()
        for number in [SIGINT, SIGTERM, SIGHUP, SIGTSTP, SIGCONT] { signal(number, SIG_DFL) }
    }

    /// Draws over what is there, line by line, so that nothing flickers.
    static func draw(_ lines: [String]) {
        Terminal.write("\u{1B}[H" + lines.joined(separator: "\u{1B}[K\n") + "\u{1B}[J")
    }

    static var size: WatchView.Size {
        var size = winsize()
        guard ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0, size.ws_row > 0 else {
            return WatchView.Size(columns: 80, rows: 24)
        }
        return WatchView.Size(columns: Int(size.ws_col), rows: Int(size.ws_row))
    }

    /// Does what the signal does to everybody, on a terminal that is whole. It calls nothing that a handler must not.
    private static let giveBack: @convention(c) (Int32) -> Void = { number in
        FullScreen.hide()
        signal(number, SIG_DFL)
        raise(number)
    }

    /// A second screen, without a cursor and without wrapping.
    private static func show() { write("\u{1B}[?1049h\u{1B}[?25l\u{1B}[?7l") }
    private static func hide() { write("\u{1B}[?7h\u{1B}[?25h\u{1B}[?1049l") }

    private static func write(_ text: StaticString) {
        _ = Foundation.write(STDOUT_FILENO, text.utf8Start, text.utf8CodeUnitCount)
    }
}
