import CSCodeRuntime

/// Executable memory that holds one fragment's code: whole pages, written once, then executable and never
/// writable again.
final class CodeMemory: Sendable {
    nonisolated(unsafe) let base: UnsafeRawPointer
    let size: Int

    init(_ bytes: [UInt8]) throws(CompileFailure) {
        let page = Int(SCODE_PAGE_SIZE)
        size = (bytes.count + page - 1) / page * page
        guard let memory = scode_code_reserve(size) else { throw .outOfMemory }
        bytes.withUnsafeBytes {
            memory.copyMemory(from: $0.baseAddress ?? UnsafeRawPointer(memory), byteCount: $0.count)
        }
        // What the fragment does not fill traps.
        memory.advanced(by: bytes.count).initializeMemory(
            as: UInt8.self, repeating: 0xCC, count: size - bytes.count)
        guard scode_code_commit(memory, size) else {
            scode_code_release(memory, size)
            throw .outOfMemory
        }
        base = UnsafeRawPointer(memory)
    }

    deinit { scode_code_release(UnsafeMutableRawPointer(mutating: base), size) }
}
