// Code of docs/embedding.md; a test holds the two against each other.
import SCode

// [pages]
/// Adds up words of a memory that the processor guards, from an offset on that the caller says, whatever it is.
func sum(from offset: UInt64) throws -> Exit {
    let program = """
        region words: host rw, 4096

        fragment sum(at: p) {
            setul   total, 0
            setul   i, 0
        next:
            ldul    word, at, i         // one instruction more than if it were proved
            addul   total, total, word
            addul   i, i, 8
            bltul   i, 64, next
            accept  total
        }
        """
    var acceptor = Acceptor.plain
    acceptor.policies = [.static, .host]
    guard let code = try Module(text: program, acceptor: acceptor).fragment(), let memory = HostMemory(),
        memory.map(at: 0x1_0000, size: 4096, writable: true),
        memory.map(at: 0x2_0000, size: 8192, writable: false, contents: Array(repeating: 1, count: 8192))
    else { return .refuse }
    let fragment = try Fragment(code, regions: [.host(memory, at: 0x1_0000, size: 4096)])
    return fragment.invoke(arguments: [offset]).exit
}
// [/pages]
