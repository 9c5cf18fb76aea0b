internal import Rollback
internal import Runtime

/// The workers of an nginx on this machine, as `/proc` shows them.
///
/// After a reload the old workers go on accepting connections until each has got its turn to close its sockets, which
/// on a busy machine is after the new ones have answered many probes. Only the absence of old workers proves that the
/// new file counts.
struct NginxWorkers {
    private let master: Int

    /// The workers beside the one that has the process number `worker`; `nil` where no nginx of that number is to be
    /// seen, such as one in a container of its own.
    init?(beside worker: Int) {
        guard let parent = Self.parent(of: worker), Self.title(of: parent).hasPrefix("nginx: master process") else {
            return nil
        }
        master = parent
    }

    /// Process numbers of those that accept connections.
    var accepting: Set<Int> {
        let children = Self.text("/proc/\(master)/task/\(master)/children").split(separator: " ").compactMap { Int($0) }
        return Set(
            children.filter { number in
                let title = Self.title(of: number)
                return title.hasPrefix("nginx: worker process") && !title.contains("shutting down")
            })
    }

    /// The fourth field of `stat`; the second, in parentheses, may hold anything.
    private static func parent(of process: Int) -> Int? {
        let text = text("/proc/\(process)/stat")
        guard let end = text.lastIndex(of: ")") else { return nil }
        let fields = text[text.index(after: end)...].split(separator: " ")
        return fields.count > 1 ? Int(fields[1]) : nil
    }

    private static func title(of process: Int) -> String { text("/proc/\(process)/cmdline") }

    private static func text(_ path: String) -> String { FileText.read(path) ?? "" }
}
