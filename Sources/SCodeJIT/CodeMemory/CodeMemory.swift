import CSCodeRuntime

/// A piece of the code heap, which all fragments of the process share (`code_heap.c`): executable, and in no mapping
/// writable. It is written once, begins with a cache line of its own, and is given back with its owner.
public struct CodeMemory: ~Copyable, @unchecked Sendable {
    let base: UnsafeRawPointer
    let size: Int

    init(_ bytes: [UInt8]) throws(CompileFailure) {
        guard let place = scode_code_install(bytes, bytes.count) else { throw .outOfMemory }
        base = UnsafeRawPointer(place)
        size = bytes.count
    }

    deinit { scode_code_release(UnsafeMutableRawPointer(mutating: base), size) }

    /// Bytes of the heap that hold code, and bytes of memory that it takes up: whole pages, of which it keeps a few that
    /// are empty.
    public static var usage: (used: Int, resident: Int) {
        let usage = scode_code_heap_usage()
        return (usage.used, usage.resident)
    }
}
