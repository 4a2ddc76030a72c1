import CSCodeRuntime
import Foundation
import SCode
import Testing

/// The heap that machine code lies in. Each test is a process of its own, since the heap is one per process.
@Suite struct CodeHeapTests {
    private struct Piece {
        var code: UnsafeMutableRawPointer
        var bytes: [UInt8]
        /// With what follows it, up to where other code may begin.
        var isWhole: Bool {
            let memory = UnsafeRawBufferPointer(start: code, count: (bytes.count / 64 + 1) * 64)
            return memory.prefix(bytes.count).elementsEqual(bytes)
                && memory.dropFirst(bytes.count).allSatisfy { $0 == 0xCC }
        }
    }

    private static func install(_ size: Int, _ filling: UInt8) throws -> Piece {
        let bytes = [UInt8](repeating: filling, count: size)
        return Piece(code: try #require(scode_code_install(bytes, size)), bytes: bytes)
    }

    private static func areWhole(_ pieces: [Piece]) -> Bool { pieces.allSatisfy { $0.isWhole } }

    @Test func piecesComeAndGo() async {
        await #expect(processExitsWith: .success) {
            var random = SystemRandomNumberGenerator()
            var pieces: [Piece] = []
            for round in 0..<30_000 {
                // Grows, stays, shrinks; sizes up to several pages.
                if pieces.isEmpty
                    || Int.random(in: 0..<30_000, using: &random) > (round < 10_000 ? 5_000 : 16_000)
                {
                    let size = Int.random(in: 0..<(round % 100 == 0 ? 20_000 : 700), using: &random)
                    let piece = try CodeHeapTests.install(size, .random(in: 0...0x7f, using: &random))
                    #expect(UInt(bitPattern: piece.code) % 64 == 0)
                    pieces.append(piece)
                } else {
                    let index = Int.random(in: 0..<pieces.count, using: &random)
                    pieces.swapAt(index, pieces.count - 1)
                    let piece = pieces.removeLast()
                    #expect(piece.isWhole)
                    scode_code_release(piece.code, piece.bytes.count)
                }
                if round % 5_000 == 0 {
                    #expect(CodeHeapTests.areWhole(pieces))
                    let granules = pieces.reduce(0) { $0 + ($1.bytes.count / 64 + 1) * 64 }
                    #expect(scode_code_heap_usage().used == granules)
                }
            }
            #expect(CodeHeapTests.areWhole(pieces))
            for piece in pieces { scode_code_release(piece.code, piece.bytes.count) }
            #expect(scode_code_heap_usage().used == 0)
            #expect(scode_code_heap_usage().resident <= 16 * 4096)
        }
    }

    @Test func whatIsTakenOutTraps() async {
        await #expect(processExitsWith: .success) {
            let stays = try CodeHeapTests.install(100, 0x90)
            let goes = try CodeHeapTests.install(100, 0x90)
            scode_code_release(goes.code, 100)
            let memory = UnsafeRawBufferPointer(start: goes.code, count: 128)
            #expect(memory.allSatisfy { $0 == 0xCC })
            #expect(stays.isWhole)
            // Its place is found again before more memory is taken.
            let before = scode_code_heap_usage().resident
            for _ in 0..<100_000 {
                let piece = try CodeHeapTests.install(100, 0x90)
                scode_code_release(piece.code, 100)
            }
            #expect(scode_code_heap_usage().resident <= before + 16 * 4096)
        }
    }

    /// The heap is as large as files may be.
    @Test func moreThanThereIsRoomFor() async {
        await #expect(processExitsWith: .success) {
            var limit = rlimit(rlim_cur: 1 << 20, rlim_max: 1 << 20)
            #expect(setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit) == 0)
            let bytes = [UInt8](repeating: 0x90, count: 100 << 10)
            var pieces: [UnsafeMutableRawPointer] = []
            while pieces.count < 20, let piece = scode_code_install(bytes, bytes.count) {
                pieces.append(piece)
            }
            #expect(pieces.count == 10)
            #expect(scode_code_install(bytes, 1 << 20) == nil)
            for piece in pieces { scode_code_release(piece, bytes.count) }
            #expect(scode_code_heap_usage().resident <= 16 * 4096)
            #expect(scode_code_install(bytes, bytes.count) != nil)
        }
    }

    /// A child process changes nothing in its parent's code, and goes on with the same in its own heap.
    @Test func aChildHasAHeapOfItsOwn() async {
        await #expect(processExitsWith: .success) {
            let pieces = try (0..<100).map { try CodeHeapTests.install(300, UInt8($0)) }
            let succeeded = try CodeHeapTests.childSucceeds {
                guard CodeHeapTests.areWhole(pieces) else { return false }
                for piece in pieces.prefix(50) { scode_code_release(piece.code, 300) }
                let new = (0..<100).compactMap { _ in try? CodeHeapTests.install(300, 0x77) }
                return new.count == 100 && CodeHeapTests.areWhole(new + pieces.suffix(50))
            }
            #expect(succeeded)
            #expect(CodeHeapTests.areWhole(pieces))
        }
    }

    /// perf(1) looks names up in its map when the code that it has seen lies in memory without a file.
    @Test func namesAreForAnonymousMemory() async {
        await #expect(processExitsWith: .success) {
            try CodeObserver.perfMap.attach()
            let piece = try CodeHeapTests.install(300, 0x77)
            let maps = try String(contentsOfFile: "/proc/self/maps", encoding: .utf8).split(separator: "\n")
            let mapping = maps.first { line in
                let ends = line.prefix { $0 != " " }.split(separator: "-").compactMap { UInt($0, radix: 16) }
                return ends.count == 2 && (ends[0]..<ends[1]).contains(UInt(bitPattern: piece.code))
            }
            let words = try #require(mapping).split(separator: " ")
            #expect(words.count == 5, "no file is named")
            #expect(words[1] == "r-xp")
            let succeeded = try CodeHeapTests.childSucceeds {
                guard piece.isWhole, let other = try? CodeHeapTests.install(300, 0x66) else { return false }
                scode_code_release(piece.code, 300)
                return other.isWhole
            }
            #expect(succeeded)
            #expect(piece.isWhole)
            let others = try (0..<1000).map { try CodeHeapTests.install(300, UInt8($0 & 0x7f)) }
            #expect(CodeHeapTests.areWhole(others))
            for other in others { scode_code_release(other.code, 300) }
            #expect(piece.isWhole)
            #expect(scode_code_heap_usage().resident <= 17 * 4096)
            try? FileManager.default.removeItem(atPath: "/tmp/perf-\(getpid()).map")
        }
    }

    /// Swift does not let anybody call fork(2) by its name.
    private static func childSucceeds(_ body: () -> Bool) throws -> Bool {
        let symbol = try #require(dlsym(nil, "fork"))
        let fork = unsafeBitCast(symbol, to: (@convention(c) () -> pid_t).self)
        let child = fork()
        if child == 0 { _exit(body() ? 0 : 1) }
        var status: Int32 = 1
        #expect(waitpid(child, &status, 0) == child)
        return status == 0
    }
}
