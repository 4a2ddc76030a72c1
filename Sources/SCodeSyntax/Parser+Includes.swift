import SCodeIR

/// A file that an `include` line names.
public struct IncludedFile: Sendable {
    /// What tells the file from every other, and diagnostics call it. A file that was read is not read again.
    public var name: String
    public var text: String
    public init(name: String, text: String) {
        self.name = name
        self.text = text
    }
}

/// Why a file cannot be included.
public struct IncludeError: Error, Sendable {
    /// The reason, a sentence without a full stop.
    public var message: String
    public var suggestion: String?
    public init(_ message: String, suggestion: String? = nil) {
        self.message = message
        self.suggestion = suggestion
    }
}

/// Finds and reads the file that `path` means in the file called `fromFile`. Paths come from whoever wrote the
/// text: a resolver decides what they may reach.
public typealias IncludeResolver = (_ path: String, _ fromFile: String) -> Result<IncludedFile, IncludeError>

/// What becomes of `include` lines.
enum IncludePolicy {
    case refused
    case read(IncludeResolver)
    /// They stay unread, so that nothing can be said about names that this text does not declare.
    case ignored
}

/// What has been included so far.
struct IncludeState {
    var policy: IncludePolicy
    /// Bytes of all files.
    var bytes: Int
    /// Included files inside one another at this place.
    var depth = 0
    /// Paths that have been asked for, and from where.
    var requests: Set<Request> = []
    /// Whether names may be declared in a file that was not read.
    var hasUnread = false

    struct Request: Hashable {
        var path: String
        var fromFile: UInt16
    }

    init(policy: IncludePolicy, bytes: Int) {
        self.policy = policy
        self.bytes = bytes
    }
}

extension Parser {
    /// `include "PATH"`: the declarations of the file stand in its place.
    mutating func include() -> Bool {
        position += 1
        guard let token = expect(.string, "the path of a file, in quotes, after 'include'") else {
            return false
        }
        let path = String(text(token).dropFirst().dropLast())
        guard !path.isEmpty else {
            sink.error(token.range, "the path is empty")
            return true
        }
        switch includes.policy {
        case .ignored:
            includes.hasUnread = true
        case .refused:
            cannotInclude(token, IncludeError("files cannot be included here"))
        case .read(let resolver):
            include(path, at: token, resolver)
        }
        return true
    }

    /// Says so, and nothing about the names that the file may declare.
    private mutating func cannotInclude(_ token: Token, _ error: IncludeError) {
        sink.error(token.range, error.message, suggestion: error.suggestion)
        includes.hasUnread = true
    }

    private mutating func include(_ path: String, at token: Token, _ resolver: IncludeResolver) {
        guard includes.requests.insert(.init(path: path, fromFile: token.file)).inserted else { return }
        let fault: String
        if includes.depth == SyntaxLimits.includeDepth {
            fault = "files include one another at most \(SyntaxLimits.includeDepth) deep"
        } else if files.count == ProgramLimits.sourceFiles || includes.requests.count > SyntaxLimits.includes
        {
            fault = "a program includes at most \(ProgramLimits.sourceFiles - 1) files"
        } else {
            switch resolver(path, files[Int(token.file)].name) {
            case .failure(let error): return cannotInclude(token, error)
            case .success(let file):
                if files.contains(where: { $0.name == file.name }) { return }
                includes.bytes += min(file.text.utf8.count, SyntaxLimits.textBytes + 1)
                if includes.bytes <= SyntaxLimits.textBytes {
                    return read(SourceFile(name: file.name, text: SourceText(file.text)))
                }
                fault = "a text and what it includes have at most \(SyntaxLimits.textBytes) bytes"
            }
        }
        cannotInclude(token, IncludeError(fault))
    }

    /// Reads the declarations of the file, and comes back to this one.
    private mutating func read(_ file: SourceFile) {
        let number = UInt16(truncatingIfNeeded: files.count)
        files.append(file)
        let start = tokens.count
        tokens += Lexer.tokens(
            of: file.text, file: number, names: &names, into: &sink,
            capacity: max(0, SyntaxLimits.tokens - start))
        let outer = (position, limit)
        (position, limit) = (start, tokens.count - 1)
        includes.depth += 1
        topLevel()
        includes.depth -= 1
        (position, limit) = outer
    }
}
