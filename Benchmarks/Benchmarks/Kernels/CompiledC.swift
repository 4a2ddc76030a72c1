import CPeers
import Foundation

/// The kernels in C, compiled ahead of time; a shared object for each.
struct CompiledC: Engine {
    let name: String
    let isMemorySafe: Bool
    let isBounded: Bool
    let note: String
    /// Ends the names of its shared objects.
    let suffix: String
    let built: URL

    /// The one that all ratios are of.
    static let reference = "c"

    static func all(_ places: Places) -> [CompiledC] {
        [
            CompiledC(
                name: reference, isMemorySafe: false, isBounded: false,
                note: "clang-14 -O2 without vector code, unrolling or calls of libc: 1.00; checks nothing",
                suffix: "c.so", built: places.built),
            CompiledC(
                name: "gcc", isMemorySafe: false, isBounded: false,
                note: "gcc -O2 as it comes: vector code, memset of libc; checks nothing",
                suffix: "gcc.so", built: places.built),
            CompiledC(
                name: "c-checked", isMemorySafe: true, isBounded: true,
                note:
                    "the first with a comparison before each access and a count of each round, in the source",
                suffix: "checked.so", built: places.built),
        ]
    }

    func load(_ kernel: Kernel) throws -> any LoadedKernel {
        let library = built.appending(path: "\(kernel.name).\(suffix)").path
        guard let symbol = peer_symbol(library, "kernel") else { throw EngineFailure.ofC }
        return PointerKernel(kernel, unsafeBitCast(symbol, to: peer_kernel.self))
    }
}

/// A kernel that is called through a pointer, as C calls it.
final class PointerKernel: LoadedKernel {
    let memory: UnsafeMutableRawPointer
    var codeSize: Int? { size() }
    private let size: () -> Int?
    private let kernel: peer_kernel
    private let length: UInt64
    private let unload: () -> Void

    /// - Parameter unload: called when it is not needed any more.
    init(
        _ kernel: Kernel, _ function: @escaping peer_kernel, codeSize: @escaping () -> Int? = { nil },
        unload: @escaping () -> Void = {}
    ) {
        memory = .allocate(byteCount: kernel.size, alignment: 64)
        self.kernel = function
        size = codeSize
        length = kernel.length
        self.unload = unload
    }

    deinit {
        unload()
        memory.deallocate()
    }

    func call(_ count: UInt64) -> UInt64 {
        peer_call(kernel, memory.assumingMemoryBound(to: UInt8.self), length, count)
    }
}
