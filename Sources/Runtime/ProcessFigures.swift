internal import Glibc

/// Resource usage of this process, read from `/proc/self`. A value.
public struct ProcessFigures: Sendable {
    /// Seconds of processor time used so far.
    public var cpuSeconds = 0.0
    /// Bytes of memory in use.
    public var residentBytes = 0
    /// Bytes of address space.
    public var virtualBytes = 0
    /// Number of threads.
    public var threads = 0
    /// Number of open files and sockets.
    public var openFiles = 0
    /// Limit of open files.
    public var maximumFiles = 0.0
    /// Start of the process, in seconds since the epoch.
    public var startSeconds = 0.0

    /// The current values; 0 for a value that cannot be read.
    public static func read() -> ProcessFigures {
        var figures = ProcessFigures()
        // The fields after the command's closing parenthesis, counted from the third of proc(5).
        let status = text("/proc/self/stat")
        let fields = status[(status.lastIndex(of: ")") ?? status.startIndex)...].split(separator: " ")
        func field(_ number: Int) -> Double { fields.count > number - 2 ? Double(fields[number - 2]) ?? 0 : 0 }
        let ticks = Double(max(sysconf(Int32(_SC_CLK_TCK)), 1))
        figures.cpuSeconds = (field(14) + field(15)) / ticks
        figures.threads = Int(field(20))
        figures.virtualBytes = Int(field(23))
        figures.residentBytes = Int(field(24)) * max(sysconf(Int32(_SC_PAGESIZE)), 1)
        let boot = text("/proc/stat").split(separator: "\n").first { $0.hasPrefix("btime ") }
        figures.startSeconds = (boot.flatMap { Double($0.dropFirst(6)) } ?? 0) + field(22) / ticks
        figures.openFiles = entries("/proc/self/fd")
        var limit = rlimit()
        if unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 {
            figures.maximumFiles = Double(limit.rlim_cur)
        }
        return figures
    }

    private static func text(_ path: String) -> String {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return "" }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 16 << 10)
        while true {
            let count = unsafe Glibc.read(descriptor, &piece, piece.count)
            guard count > 0, bytes.count < 1 << 20 else { return String(decoding: bytes, as: UTF8.self) }
            bytes += piece[..<count]
        }
    }

    private static func entries(_ path: String) -> Int {
        guard let directory = unsafe opendir(path) else { return 0 }
        defer { unsafe closedir(directory) }
        var count = 0
        while unsafe readdir(directory) != nil { count += 1 }
        // Without "." and "..", and without the directory being read.
        return max(count - 3, 0)
    }
}
