internal import Glibc
internal import Runtime

/// `tribune demo`: a rollback on real traffic, in a minute.
enum DemoCommand {
    static let command = Command(
        "demo", "Show an automatic rollback on real traffic.",
        options: [
            .flag(
                "once",
                "Exit when done; exit code 0 only if the rollback was validated, recorded and sent to the pager."
            ),
            .flag("small", "Run without PostgreSQL and Prometheus."),
            .value("misbehave", "MODE", "hash, compliance, latency or errors.", default: "hash"),
            .value("web.listen-address", "HOST:PORT", "Address of Tribune.", default: "127.0.0.1:9190"),
            .value("keep", "DIR", "Keep configuration, logs and data in this directory."),
            .value("log.level", "LEVEL", "debug, info, warn or error.", default: "warn"),
            .value("log.format", "FORMAT", "logfmt or json.", default: "logfmt"),
        ],
        details: """
            Needs haproxy and prometheus-node-exporter on the PATH, and without --small also PostgreSQL, psql and prometheus;
            ./run installs them.
            """
    ) { (invocation) throws(CommandFailure) in
        guard let mode = invocation.value("misbehave").flatMap({ DemoService.Misbehaviour(rawValue: $0) }) else {
            throw invocation.misuse(of: "misbehave", "hash, compliance, latency or errors")
        }
        let stopping = [SIGINT, SIGTERM]
        Signals.block(stopping)
        let directory = try workspace(invocation.value("keep"))
        let scenario = DemoScenario(
            directory: directory, logger: try invocation.logger(),
            listenAddress: invocation.value("web.listen-address") ?? "", misbehaviour: mode,
            isSmall: invocation.flag("small"))
        let isValid = try scenario.play { service in
            guard !invocation.flag("once") else { return }
            Console.print(
                "Tribune keeps serving at http://127.0.0.1:\(service.port)/ with everything around it. Ctrl-C ends it.")
            _ = Signals.wait(for: stopping)
        }
        if invocation.value("keep") == nil { remove(directory) }
        return isValid ? 0 : CommandFailure.Code.failed.rawValue
    }

    /// The absolute path of `wanted`, or of a new directory.
    static func workspace(_ wanted: String?) throws(CommandFailure) -> String {
        if let wanted {
            // The files contain each other's paths, and their readers would treat a relative path as a host name.
            guard Paths.makeDirectory(wanted), let path = unsafe realpath(wanted, nil) else {
                throw CommandFailure("\(wanted): \(SystemError.current)")
            }
            defer { unsafe free(path) }
            return unsafe String(cString: path)
        }
        var template = Array("/tmp/tribune-demo-XXXXXX".utf8CString)
        guard unsafe mkdtemp(&template) != nil else { throw CommandFailure("/tmp: \(SystemError.current)") }
        return String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// Removes a directory with its files.
    static func remove(_ directory: String) {
        do throws(ChildProcess.StartError) {
            _ = try ChildProcess(["rm", "-rf", directory]).wait()
        } catch {
            Console.error("cannot remove \(directory): \(error.description)")
        }
    }
}
