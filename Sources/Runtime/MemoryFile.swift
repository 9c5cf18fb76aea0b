internal import CRuntime
internal import Glibc

/// A file in memory, for input and output of programs. It exists as long as its owner.
public struct MemoryFile: ~Copyable {
    private let descriptor: Int32

    /// An empty file; `nil` on failure, with `errno`.
    public init?() {
        descriptor = cruntime_memory_file()
        if descriptor < 0 { return nil }
    }

    deinit {
        if descriptor >= 0 { close(descriptor) }
    }

    /// A path with which this process and its children can open it.
    public var path: String { "/proc/\(getpid())/fd/\(descriptor)" }

    /// Its size.
    public var byteCount: Int { Int(lseek(descriptor, 0, SEEK_END)) }
}
