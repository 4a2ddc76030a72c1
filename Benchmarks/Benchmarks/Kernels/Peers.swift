import CPeers
import Foundation

/// A variable of the environment, if it is set and not empty.
private func environment(_ name: String) -> String? {
    ProcessInfo.processInfo.environment[name].flatMap { $0.isEmpty ? nil : $0 }
}

/// eBPF in user space: its JIT checks neither memory nor time.
struct UBPF: CompilingEngine {
    let name = "ubpf"
    let isMemorySafe = false
    let isBounded = false
    let note = "uBPF's JIT, eBPF from the same C: checks nothing; called through a pointer"
    let places: Places
    let library: OpaquePointer

    init(_ places: Places) throws {
        self.places = places
        let path = environment("UBPF_LIBRARY") ?? "libubpf.so"
        guard let library = peer_ubpf_open(path) else {
            throw EngineFailure(
                "\(EngineFailure.ofC); build https://github.com/iovisor/ubpf, set UBPF_LIBRARY")
        }
        self.library = library
    }

    func compiler(of kernel: Kernel) throws -> Compiler {
        let code = try places.object(kernel, "bpf.bin")
        return {
            var function: peer_kernel?
            guard let machine = peer_ubpf_load(library, code, code.count, &function), let function else {
                throw EngineFailure.ofC
            }
            return PointerKernel(
                kernel, function, codeSize: { peer_ubpf_size(library, machine) },
                unload: { peer_ubpf_unload(library, machine) })
        }
    }
}

/// WebAssembly from the same C.
struct Wasmtime: CompilingEngine {
    let name: String
    let isMemorySafe = true
    let isBounded: Bool
    let places: Places
    let library: OpaquePointer
    var note: String {
        let limit = isBounded ? "counts fuel" : "runs for ever if the code does"
        return "wasmtime, WebAssembly from the same C: memory safe by reserved addresses, \(limit); "
            + "wasmtime_func_call_unchecked"
    }

    init(_ places: Places, withFuel: Bool) throws {
        name = withFuel ? "wasmtime-fuel" : "wasmtime"
        isBounded = withFuel
        self.places = places
        let path = environment("WASMTIME_LIBRARY") ?? "libwasmtime.so"
        guard let library = peer_wasmtime_open(path, withFuel) else {
            throw EngineFailure(
                "\(EngineFailure.ofC); pip install wasmtime, WASMTIME_LIBRARY=…/_libwasmtime.so")
        }
        self.library = library
    }

    func compiler(of kernel: Kernel) throws -> Compiler {
        let module = try places.object(kernel, "wasm")
        return {
            guard let instance = peer_wasm_load(library, module, module.count) else {
                throw EngineFailure.ofC
            }
            return try WasmKernel(kernel, instance)
        }
    }
}

private final class WasmKernel: LoadedKernel {
    /// Behind the module's own data and stack, in the second half of its 128 KiB.
    private static let address: UInt32 = 80 << 10
    let memory: UnsafeMutableRawPointer
    private let instance: OpaquePointer
    private let length: UInt64

    init(_ kernel: Kernel, _ instance: OpaquePointer) throws {
        self.instance = instance
        length = kernel.length
        guard let base = peer_wasm_memory(instance) else {
            throw EngineFailure("\(kernel.name).wasm exports no memory")
        }
        memory = UnsafeMutableRawPointer(base) + Int(WasmKernel.address)
    }

    deinit { peer_wasm_unload(instance) }

    func call(_ count: UInt64) throws -> UInt64 {
        var result: UInt64 = 0
        guard peer_wasm_call(instance, WasmKernel.address, length, count, &result) else {
            throw EngineFailure.ofC
        }
        return result
    }
}

/// Lua's just-in-time compiler, with C's data types.
struct LuaJIT: Engine {
    let name = "luajit"
    let isMemorySafe = false
    let isBounded = false
    let note = "LuaJIT, loops over FFI pointers: checks nothing; lua_call"
    let places: Places

    init(_ places: Places) throws {
        self.places = places
        guard peer_symbol(LuaJIT.library, "luaL_newstate") != nil else {
            throw EngineFailure("\(EngineFailure.ofC); apt-get install libluajit-5.1-2")
        }
    }

    fileprivate static var library: String { environment("LUAJIT_LIBRARY") ?? "libluajit-5.1.so.2" }

    func load(_ kernel: Kernel) throws -> any LoadedKernel {
        try LuaKernel(kernel, [UInt8](places.source(kernel, "lua")))
    }
}

private final class LuaKernel: LoadedKernel {
    let memory: UnsafeMutableRawPointer
    private let state: OpaquePointer
    private let length: UInt64

    init(_ kernel: Kernel, _ source: [UInt8]) throws {
        let memory = UnsafeMutableRawPointer.allocate(byteCount: kernel.size, alignment: 64)
        let opened = source.withUnsafeBytes {
            peer_lua_open(
                LuaJIT.library, $0.bindMemory(to: CChar.self).baseAddress, $0.count,
                memory.assumingMemoryBound(to: UInt8.self))
        }
        guard let opened else {
            memory.deallocate()
            throw EngineFailure.ofC
        }
        self.memory = memory
        state = opened
        length = kernel.length
    }

    deinit {
        peer_lua_close(state)
        memory.deallocate()
    }

    func call(_ count: UInt64) throws -> UInt64 {
        var result: UInt64 = 0
        guard peer_lua_call(state, length, count, &result) else { throw EngineFailure.ofC }
        return result
    }
}
