internal import CRuntime
internal import Glibc

/// A file that exists only in memory, gone when its owner is. For what programs read and write.
public struct MemoryFile: ~Copyable {
    private let descriptor: Int32

    /// An empty file; `nil` where the system refuses, with `errno`.
    public init?() {
        descriptor = cruntime_memory_file()
        if descriptor < 0 { return nil }
    }

    deinit {
        if descriptor >= 0 { close(descriptor) }
    }

    /// A path by which this process and its children can open it.
    public var path: String { "/proc/\(getpid())/fd/\(descriptor)" }
}
