internal import Glibc
internal import Runtime

/// The demo's own PostgreSQL server for the history, on a Unix socket in its own directory. ``stop()`` removes
/// everything.
///
/// PostgreSQL refuses to run as root, so a demo of root runs it as the user `postgres`.
final class DemoDatabase: Sendable {
    private let directory: String
    private let port: Int
    private let programs: String
    private let process: ChildProcess

    /// Creates an empty cluster and starts it.
    ///
    /// - Parameter port: a port of loopback on which it listens too; `nil` for none.
    init(port: Int? = nil) throws(CommandFailure) {
        guard let programs = Self.programDirectory() else {
            throw CommandFailure("PostgreSQL is not installed (./run installs it; --small does not need it)")
        }
        var template = Array("/tmp/tribune-demo-db-XXXXXX".utf8CString)
        guard unsafe mkdtemp(&template) != nil else { throw CommandFailure("/tmp: \(SystemError.current)") }
        let directory = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        if getuid() == 0, let user = unsafe getpwnam("postgres") {
            let (owner, group) = unsafe (user.pointee.pw_uid, user.pointee.pw_gid)
            guard unsafe chown(directory, owner, group) == 0 else {
                throw CommandFailure("\(directory): \(SystemError.current)")
            }
        }
        self.directory = directory
        self.port = port ?? 5432
        self.programs = programs
        var started: ChildProcess?
        do throws(CommandFailure) {
            let made = try Self.run(
                Self.asDatabaseUser([
                    "\(programs)/initdb", "-D", "\(directory)/data", "-U", "tribune", "-A", "trust", "-E", "UTF8",
                    "--no-sync",
                ]))
            guard made == .code(0) else { throw CommandFailure("initdb: \(made)") }
            let addresses = port == nil ? "" : "127.0.0.1"
            let server = try Self.start(
                Self.asDatabaseUser([
                    "\(programs)/postgres", "-D", "\(directory)/data", "-k", directory, "-p", "\(port ?? 5432)", "-c",
                    "listen_addresses=\(addresses)",
                ]))
            started = server
            var isUp = false
            for _ in 0..<600 where !isUp {
                usleep(50_000)
                isUp =
                    try Self.run(["\(programs)/pg_isready", "-q", "-h", directory, "-p", "\(port ?? 5432)"]) == .code(0)
            }
            guard isUp else { throw CommandFailure("PostgreSQL did not start within 30 s") }
            process = server
        } catch {
            started?.stop()
            Self.remove(directory)
            throw error
        }
    }

    /// Its address, for libpq.
    var address: String { "host=\(directory) port=\(port) user=tribune dbname=postgres" }

    /// The rows that `psql` prints for `sql`, one line each, with `|` between columns.
    func rows(of sql: String) throws(CommandFailure) -> [String] {
        let output = "/tmp/tribune-demo-sql-\(getpid())"
        defer { _ = unsafe unlink(output) }
        let arguments = ["psql", "-X", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", address, "-c", sql]
        let exit = try Self.run(arguments, output: .file(output))
        let text = FileText.read(output) ?? ""
        guard exit == .code(0) else { throw CommandFailure("psql: \(text)") }
        return text.split(separator: "\n").map(String.init)
    }

    /// Ends it and removes its files.
    func stop() {
        process.signal(SIGINT)
        if process.wait(milliseconds: 10_000) == nil { process.stop() }
        Self.remove(directory)
    }

    private static func programDirectory() -> String? {
        var found = unsafe glob_t()
        defer { unsafe globfree(&found) }
        guard unsafe glob("/usr/lib/postgresql/*/bin/postgres", 0, nil, &found) == 0,
            let last = unsafe found.gl_pathv[Int(found.gl_pathc) - 1]
        else { return nil }
        return unsafe String(String(cString: last).dropLast("/postgres".count))
    }

    private static func asDatabaseUser(_ arguments: [String]) -> [String] {
        let drop = ["setpriv", "--reuid", "postgres", "--regid", "postgres", "--clear-groups", "--"]
        return getuid() == 0 ? drop + arguments : arguments
    }

    private static func start(
        _ arguments: [String], output: ChildProcess.Output = .discarded
    ) throws(CommandFailure) -> ChildProcess {
        do throws(ChildProcess.StartError) {
            return try ChildProcess(arguments, output: output)
        } catch {
            throw CommandFailure("\(error.description) (needed by the demo; ./run installs it)")
        }
    }

    private static func run(
        _ arguments: [String], output: ChildProcess.Output = .discarded
    ) throws(CommandFailure) -> ChildProcess.Exit {
        try start(arguments, output: output).wait()
    }

    private static func remove(_ directory: String) {
        do throws(CommandFailure) { _ = try run(["rm", "-rf", directory]) } catch {
            Console.error("\(directory) was left behind: \(error.message)")
        }
    }
}
