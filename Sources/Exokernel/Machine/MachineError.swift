import SCode

/// Every reason for which a machine cannot be built, or something cannot be attached to it.
public enum MachineError: Error, Sendable, Hashable {
    case tickIsZero
    case quantumIsZero
    case processorCount(Int, allowed: ClosedRange<Int>)
    case memorySize(pages: Int, allowed: ClosedRange<Int>)
    case tooManyEnvironments(Int, limit: Int)
    case tooManySchedulersAboveOneAnother(limit: Int)
    /// Physical memory has no `pages` free pages next to one another; `free` are free in all.
    case outOfMemory(pages: Int, free: Int)
    case unknownScheduler(String)
    case twoSchedulers(String)
    /// `install` for a scheduler whose fragment is still there.
    case hasFragment(String)
    /// `replace` or `remove` for a scheduler that has none.
    case hasNoFragment(String)
    case rootCannotBeDetached(String)
    case unknownEnvironment(String)
    /// The root, or below itself.
    case cannotBeMoved(String, below: String)
    /// The jump table of a scheduler has no slot left.
    case slotsExhausted(String)
    /// A fragment does not parse, or breaks a rule of the verifier.
    case fragment(path: String, [Diagnostic])
    case noSuchFragment(path: String, name: String?)
    /// A region is declared larger than what there is to show, or than a region may be.
    case regionTooLarge(path: String, region: String, size: UInt64, limit: UInt64)
    /// A region shows state of the kernel, which fragments may only read.
    case regionReadOnly(path: String, region: String)
    /// The scenario has data for a region that the fragment does not declare.
    case unknownRegion(path: String, region: String)
    /// The scenario has more data for a region than it holds.
    case regionDataTooLarge(path: String, region: String, bytes: Int, size: UInt64)
    case installation(path: String, InstallFailure)
}

extension MachineError: CustomStringConvertible {
    /// A sentence without a full stop.
    public var description: String {
        switch self {
        case .tickIsZero: "the tick is zero"
        case .quantumIsZero: "the quantum is zero"
        case .processorCount(let count, let allowed):
            "\(count) processors: \(allowed.lowerBound) to \(allowed.upperBound) are possible"
        case .memorySize(let pages, let allowed):
            "memory of \(pages) pages: \(allowed.lowerBound) to \(allowed.upperBound) are possible"
        case .tooManyEnvironments(let count, let limit):
            "\(count) environments and schedulers; the machine has room for \(limit)"
        case .tooManySchedulersAboveOneAnother(let limit): "more than \(limit) schedulers above one another"
        case .outOfMemory(let pages, let free):
            pages == 1
                ? "out of physical memory"
                : "out of physical memory: \(pages) pages in one piece are wanted, \(free) are free in all"
        case .unknownScheduler(let name): "no scheduler is called '\(name)'"
        case .twoSchedulers(let name): "two schedulers are called '\(name)'"
        case .hasFragment(let name): "scheduler '\(name)' already has a fragment"
        case .hasNoFragment(let name): "scheduler '\(name)' has no fragment"
        case .rootCannotBeDetached(let name): "scheduler '\(name)' is the root, which stays"
        case .unknownEnvironment(let name): "there is no scheduler or environment '\(name)'"
        case .cannotBeMoved(let name, let target): "'\(name)' cannot be below '\(target)'"
        case .slotsExhausted(let name): "scheduler '\(name)' has no slot left for another scheduler below it"
        case .fragment(let path, let diagnostics):
            "\(path): \(diagnostics.first?.message ?? "not accepted")"
                + (diagnostics.count > 1 ? " (and \(diagnostics.count - 1) more)" : "")
        case .noSuchFragment(let path, let name):
            "\(path): " + (name.map { "no fragment is called '\($0)'" } ?? "there is no fragment")
        case .regionTooLarge(let path, let region, let size, let limit):
            "\(path): region '\(region)' is declared with \(size) bytes; there are \(limit)"
        case .regionReadOnly(let path, let region):
            "\(path): region '\(region)' is the kernel's; it can only be declared 'ro'"
        case .unknownRegion(let path, let region): "\(path): there is no region '\(region)' for the data"
        case .regionDataTooLarge(let path, let region, let bytes, let size):
            "\(path): \(bytes) bytes of data for region '\(region)', which holds \(size)"
        case .installation(let path, let failure): "\(path): cannot be installed: \(failure)"
        }
    }
}
