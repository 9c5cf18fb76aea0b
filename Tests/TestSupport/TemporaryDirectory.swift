import Glibc
import Runtime

/// A fresh directory that is removed with everything in it when the value goes away.
public final class TemporaryDirectory: Sendable {
    /// The absolute path.
    public let path: String

    /// Makes the directory, readable by every user so that servers which drop their rights can use it.
    public init() {
        let base = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
        var template = Array("\(base)/tribune-test-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { fatalError("mkdtemp: \(SystemError.current)") }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        chmod(path, 0o777)
    }

    deinit {
        _ = try? ChildProcess(["rm", "-rf", path]).wait()
    }

    /// The path of `name` inside.
    public func file(_ name: String) -> String { "\(path)/\(name)" }

    /// Writes `text` into the file `name` and returns its path.
    @discardableResult
    public func write(_ text: String, to name: String) -> String {
        let path = file(name)
        guard let stream = fopen(path, "w") else { fatalError("\(path): \(SystemError.current)") }
        defer { fclose(stream) }
        fputs(text, stream)
        return path
    }
}
