import CSCodeRuntime

/// Machine code that was emitted in place, in executable memory. Freed with the last reference.
///
/// *Unsafe*: nobody has verified it.
public final class UnsafeFunction: Sendable {
    nonisolated(unsafe) private let memory: UnsafeMutableRawPointer
    private let entryOffset: Int
    /// Bytes of machine code.
    public let size: Int

    init?(_ code: UnsafeRawBufferPointer, entry: Int) {
        guard let bytes = code.baseAddress, let memory = scode_code_install(bytes, code.count) else {
            return nil
        }
        self.memory = memory
        entryOffset = entry
        size = code.count
    }

    deinit { scode_code_release(memory, size) }

    /// The machine code, valid as long as the function.
    public var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: memory, count: size) }

    /// Calls `body` with the function as a C function of type `Function`; it must not outlive the call.
    ///
    ///     function.with((@convention(c) (Int32) -> Int32).self) { $0(41) }
    ///
    /// *Requires* that the parameters are those that it was begun with, and the result of the type that `ret` had.
    public func with<Function, Result>(_ type: Function.Type, _ body: (Function) throws -> Result) rethrows
        -> Result
    {
        try withExtendedLifetime(self) {
            try body(unsafeBitCast(UnsafeRawPointer(memory) + entryOffset, to: type))
        }
    }
}
