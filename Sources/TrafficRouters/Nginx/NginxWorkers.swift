internal import Rollback
internal import Runtime

/// The workers of an nginx on this machine, read from `/proc`.
///
/// After a reload the old workers accept connections until each has been scheduled to close its sockets. On a busy
/// machine the new workers may have responded to many probes before that. Only the absence of old workers proves that
/// the new file is in use.
struct NginxWorkers {
    private let master: Int

    /// The workers of the nginx whose worker has the process id `worker`; `nil` if there is no such nginx, for instance
    /// because it is in a container.
    init?(beside worker: Int) {
        guard let parent = Self.parent(of: worker), Self.title(of: parent).hasPrefix("nginx: master process") else {
            return nil
        }
        master = parent
    }

    /// The process ids of workers that accept connections.
    var accepting: Set<Int> {
        let children = Self.text("/proc/\(master)/task/\(master)/children").split(separator: " ").compactMap { Int($0) }
        return Set(
            children.filter { number in
                let title = Self.title(of: number)
                return title.hasPrefix("nginx: worker process") && !title.contains("shutting down")
            })
    }

    /// The fourth field of `stat`. The second, in parentheses, may contain any character.
    private static func parent(of process: Int) -> Int? {
        let text = text("/proc/\(process)/stat")
        guard let end = text.lastIndex(of: ")") else { return nil }
        let fields = text[text.index(after: end)...].split(separator: " ")
        return fields.count > 1 ? Int(fields[1]) : nil
    }

    private static func title(of process: Int) -> String { text("/proc/\(process)/cmdline") }

    private static func text(_ path: String) -> String { FileText.read(path) ?? "" }
}
