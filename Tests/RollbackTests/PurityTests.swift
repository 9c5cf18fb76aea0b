import Foundation
import Testing

/// Looks at the symbols that the object files of `Rollback` need: decisions read no clock, and do no IO.
struct PurityTests {
    /// Symbols by which C and Swift code reaches a clock, a file, a socket, a process or a thread.
    private static let forbidden: Set<String> = [
        "clock_gettime", "gettimeofday", "time", "nanosleep", "usleep", "sleep", "getenv",
        "open", "open64", "openat", "fopen", "read", "write", "pread", "pwrite", "fsync", "fdatasync", "rename",
        "unlink",
        "socket", "connect", "send", "sendto", "recv", "recvfrom", "poll", "epoll_wait", "select",
        "fork", "posix_spawn", "execve", "kill",
        "pthread_create", "pthread_mutex_lock", "pthread_cond_wait", "syscall", "arc4random", "getrandom",
    ]
    /// Prefixes of mangled names: modules that do IO, concurrency, synchronization, random numbers.
    private static let forbiddenPrefixes = [
        "$s7Runtime", "$s8CurlHTTP", "$s15Synchronization", "swift_task_", "swift_stdlib_random", "$s10Foundation",
    ]

    private static func isForbidden(_ symbol: String) -> Bool {
        forbidden.contains(symbol) || forbiddenPrefixes.contains { symbol.hasPrefix($0) }
    }

    @Test("the object files of Rollback need no clock, file, socket, process, thread or random number")
    func symbols() throws {
        let directory = try #require(Self.buildDirectory, "the build directory was not found")
        // Only those of sources that are there: a build directory keeps what earlier versions left behind.
        let objects = Self.sources.map { "\(directory)/\($0).o" }.filter { FileManager.default.fileExists(atPath: $0) }
        try #require(objects.count >= 20, "\(directory) holds \(objects.count) object files of Rollback")
        #expect(objects.count == Self.sources.count)
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/nm")
        process.arguments = ["-u"] + objects
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
        let symbols = Set(text.split(separator: "\n").compactMap { $0.split(separator: " ").last.map(String.init) })
        #expect(symbols.count > 100, "nm printed only \(symbols.count) symbols")
        #expect(symbols.filter(Self.isForbidden).sorted() == [])
    }

    /// The names of the files of the target.
    private static var sources: [String] {
        let root = "/" + #filePath.split(separator: "/").dropLast(3).joined(separator: "/") + "/Sources/Rollback"
        let paths = FileManager.default.enumerator(atPath: root)?.compactMap { $0 as? String } ?? []
        return paths.filter { $0.hasSuffix(".swift") }.map { URL(fileURLWithPath: $0).lastPathComponent }
    }

    /// The directory of the object files beside the running test bundle.
    private static var buildDirectory: String? {
        let bundle = ProcessInfo.processInfo.arguments.first.map { URL(fileURLWithPath: $0) }
        let candidates = [bundle?.deletingLastPathComponent().path, Bundle.main.bundlePath].compactMap { $0 }
        return candidates.map { "\($0)/Rollback.build" }.first { FileManager.default.fileExists(atPath: $0) }
    }
}
