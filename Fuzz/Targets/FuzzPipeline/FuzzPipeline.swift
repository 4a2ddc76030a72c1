import CLibFuzzer
import SCodeFuzzing

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafeRawPointer?, _ count: Int) -> CInt {
    FuzzTarget.pipeline.check(UnsafeRawBufferPointer(start: start, count: count))
    return 0
}

/// Half of the time a change that leaves a program, else libFuzzer's.
@_cdecl("LLVMFuzzerCustomMutator")
public func mutate(_ data: UnsafeMutablePointer<UInt8>, _ count: Int, _ limit: Int, _ seed: CUnsignedInt)
    -> Int
{
    let buffer = UnsafeMutableRawBufferPointer(start: data, count: limit)
    if seed % 2 == 0, let count = mutateModule(buffer, count: count, seed: seed) { return count }
    return LLVMFuzzerMutate(data, count, limit)
}
