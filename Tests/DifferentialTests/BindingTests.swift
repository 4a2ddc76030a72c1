import Foundation
import Testing

@testable import SCode

/// What a fragment is bound to when it is installed: memory that it may touch, code that it may not, and stacks.
@Suite final class BindingTests {
    private let host = UnsafeMutableRawPointer.allocate(byteCount: 256, alignment: 16)
    deinit { host.deallocate() }

    private static func region(
        _ name: String, _ policy: MemoryPolicy = .physical, isWritable: Bool = true
    ) -> Region {
        Region(name: name, policy: policy, isWritable: isWritable, size: 64)
    }

    private func physical(_ base: UInt64, size: Int = 64, isWritable: Bool = true) -> RegionBinding {
        .physical(base: base, host: host, size: size, writable: isWritable)
    }

    /// Installs a fragment that declares the regions, on both engines.
    private func install(
        _ regions: [Region], _ bindings: [RegionBinding], space: AddressSpace? = nil
    ) throws {
        let fragment = try BothEngines.verified(FragmentCode([], [.accept(1)]), regions: regions)
        for engine in EngineKind.allCases {
            #expect(
                try Fragment(fragment, regions: bindings, space: space, engine: engine).invoke().exit
                    == .accept(1))
        }
    }

    // MARK: Regions

    @Test func memoryIsWhatWasDeclared() throws {
        let data = Self.region("data")
        try install([data], [physical(0x1000)])
        try install([data], [physical(0x1000, size: 200)])
        #expect(throws: InstallFailure.regionTooSmall("data")) {
            try install([data], [physical(0x1000, size: 63)])
        }
        #expect(throws: InstallFailure.regionReadOnly("data")) {
            try install([data], [physical(0x1000, isWritable: false)])
        }
        try install([Self.region("data", isWritable: false)], [physical(0x1000, isWritable: false)])
        #expect(throws: InstallFailure.regionCount(declared: 1, given: 0)) { try install([data], []) }
        #expect(throws: InstallFailure.regionKind("data")) {
            try install([data], [.virtual(base: 0x1000, size: 64)])
        }
        let space = AddressSpace(memory: PhysicalMemory(size: 4096), directory: 0)
        #expect(throws: InstallFailure.regionKind("data")) {
            try install([Self.region("data", .virtual)], [physical(1 << 32)], space: space)
        }
    }

    /// No address in a region wraps, or has the sign bit: the verifier counts on it.
    @Test func regionsEndBelowTheSignBit() throws {
        let data = Self.region("data")
        try install([data], [physical(1 << 63 - 64)])
        for base in [1 << 63 - 63, 1 << 63, .max - 64, .max] as [UInt64] {
            #expect(throws: InstallFailure.regionMisplaced("data")) { try install([data], [physical(base)]) }
        }
    }

    @Test(arguments: [MemoryPolicy.physical, .static]) func regionsDoNotOverlap(_ policy: MemoryPolicy) throws
    {
        let regions = [Self.region("first", policy), Self.region("second", policy)]
        for base in [0x1000 - 64, 0x1000 + 64] as [UInt64] {
            try install(regions, [physical(0x1000), physical(base)])
        }
        for base in [0x1000 - 63, 0x1000, 0x1000 + 63] as [UInt64] {
            #expect(throws: InstallFailure.regionMisplaced("second")) {
                try install(regions, [physical(0x1000), physical(base)])
            }
        }
    }

    /// Where there is a page table, addresses of 32 bits are its, and no others.
    @Test func addressesBelowFourGigabytesAreThePageTables() throws {
        let space = AddressSpace(memory: PhysicalMemory(size: 4096), directory: 0)
        let (data, heap) = (Self.region("data"), Self.region("heap", .virtual))
        try install([data], [physical(1 << 32)], space: space)
        #expect(throws: InstallFailure.regionMisplaced("data")) {
            try install([data], [physical(1 << 32 - 1)], space: space)
        }
        try install([heap], [.virtual(base: 1 << 32 - 64, size: 64)], space: space)
        #expect(throws: InstallFailure.regionMisplaced("heap")) {
            try install([heap], [.virtual(base: 1 << 32 - 63, size: 64)], space: space)
        }
        #expect(throws: InstallFailure.regionKind("heap")) {
            try install([heap], [.virtual(base: 0, size: 64)])
        }
    }

    // MARK: Pages

    /// What may be done with the page at an address, as the system says: `r-xp`. Nil: it is not there.
    private static func permissions(at address: UInt64) throws -> String? {
        let file = try #require(FileHandle(forReadingAtPath: "/proc/self/maps"))
        let maps = String(decoding: try #require(try file.readToEnd()), as: UTF8.self)
        for line in maps.split(separator: "\n") {
            let words = line.split(separator: " ")
            let ends = words[0].split(separator: "-").compactMap { UInt64($0, radix: 16) }
            if ends.count == 2, ends[0] <= address, address < ends[1] { return String(words[1]) }
        }
        return nil
    }

    @Test func codeIsNotWritable() throws {
        let fragment = try Fragment(BothEngines.verified(FragmentCode([], [.accept(1)])))
        let code = try #require(fragment.native)
        #expect(try Self.permissions(at: code.address) == "r-xp")
        #expect(fragment.invoke().exit == .accept(1))
        #expect(try Self.permissions(at: code.address) == "r-xp")
    }

    @Test(arguments: EngineKind.allCases) func aPageThatFaultsIsBelowAStack(_ engine: EngineKind) throws {
        let stack = try #require(NativeStack(for: engine, size: 1 << 17))
        let end = UInt64(UInt(bitPattern: stack.top)) - 1 << 17
        #expect(try Self.permissions(at: end) == "rw-p")
        #expect(try Self.permissions(at: end - 1) == "---p")
        #expect(try Self.permissions(at: end - 4096) == "---p")
    }
}
