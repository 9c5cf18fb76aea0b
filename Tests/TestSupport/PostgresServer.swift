import Glibc
import Runtime

/// A real PostgreSQL server of a test's own, on a Unix socket in a temporary directory; stopped when it goes away.
///
/// PostgreSQL refuses to run as root, so that tests of root run it as the user `postgres`.
public final class PostgresServer {
    /// Why there is no server.
    public struct Unavailable: Error, CustomStringConvertible {
        /// The reason.
        public var description: String
    }

    private let directory = TemporaryDirectory()
    private let programs: String
    private var process: ChildProcess?

    /// The directory with the newest PostgreSQL programs, or `nil` where none are installed.
    public static let programDirectory: String? = {
        var found = glob_t()
        defer { globfree(&found) }
        guard glob("/usr/lib/postgresql/*/bin/postgres", 0, nil, &found) == 0,
            let last = found.gl_pathv[Int(found.gl_pathc) - 1]
        else { return nil }
        return String(String(cString: last).dropLast("/postgres".count))
    }()

    /// Makes an empty cluster and starts it.
    public init() throws {
        guard let programs = Self.programDirectory else {
            throw Unavailable(description: "PostgreSQL is not installed")
        }
        self.programs = programs
        let made = try ChildProcess(
            asDatabaseUser([
                "\(programs)/initdb", "-D", data, "-U", "tribune", "-A", "trust", "-E", "UTF8", "--no-sync",
            ]),
            output: .file(log)
        ).wait()
        guard made == .code(0) else { throw Unavailable(description: "initdb: \(made)\n\(FileText.read(log) ?? "")") }
        try start()
    }

    deinit {
        kill()
    }

    /// Its address, for libpq.
    public var address: String { "host=\(directory.path) user=tribune dbname=postgres" }

    private var data: String { directory.file("data") }
    private var log: String { directory.file("log") }

    /// Starts it and waits until it accepts connections.
    public func start() throws {
        let arguments = [
            "\(programs)/postgres", "-D", data, "-k", directory.path, "-c", "listen_addresses=", "-c", "fsync=off",
        ]
        let process = try ChildProcess(asDatabaseUser(arguments), output: .file(log))
        self.process = process
        let isUp = try Loopback.eventually {
            try ChildProcess(["\(programs)/pg_isready", "-q", "-h", directory.path]).wait() == .code(0)
        }
        guard isUp else { throw Unavailable(description: "PostgreSQL did not start\n\(FileText.read(log) ?? "")") }
    }

    /// Ends it, cutting its connections.
    public func stop() {
        process?.signal(SIGINT)
        if process?.wait(milliseconds: 20_000) == nil { kill() }
        process = nil
    }

    /// Ends it as a crash would: no shutdown, no last checkpoint.
    public func kill() {
        process?.signal(SIGQUIT)
        if process?.wait(milliseconds: 10_000) == nil { process?.stop(graceMilliseconds: 0) }
        process = nil
    }

    /// Stops answering without ending, as a machine in trouble does; connections stay open.
    public func freeze() { signalAll(SIGSTOP) }

    /// Continues after ``freeze()``.
    public func thaw() { signalAll(SIGCONT) }

    private func signalAll(_ number: Int32) {
        guard let process else { return }
        let children = FileText.read("/proc/\(process.processID)/task/\(process.processID)/children") ?? ""
        process.signal(number)
        for child in children.split(separator: " ") { pid_t(child).map { _ = Glibc.kill($0, number) } }
    }

    private func asDatabaseUser(_ arguments: [String]) -> [String] {
        let drop = ["setpriv", "--reuid", "postgres", "--regid", "postgres", "--clear-groups", "--"]
        return getuid() == 0 ? drop + arguments : arguments
    }
}
