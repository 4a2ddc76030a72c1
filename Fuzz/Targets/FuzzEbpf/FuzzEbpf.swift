import SCodeFuzzing

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafeRawPointer?, _ count: Int) -> CInt {
    FuzzTarget.ebpf.check(UnsafeRawBufferPointer(start: start, count: count))
    return 0
}
