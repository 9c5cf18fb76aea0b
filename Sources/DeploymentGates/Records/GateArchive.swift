internal import Durable
internal import Glibc
internal import JSON
internal import Rollback
internal import Runtime
internal import Synchronization

/// Records of one kind, each in a file of a directory. They survive restarts and power failures. The number is limited;
/// the oldest are removed. May be called from any thread. Writers wait for the disk, one after the other.
final class GateArchive: Sendable {
    private struct Content {
        /// By id. Ids sort by time.
        var records: [String: JSON] = [:]
    }

    private let directory: String
    private let limit: Int
    private let content = Mutex(Content())
    /// Files without a valid record. They were renamed to `….damaged`.
    let damaged: [String]

    /// Opens the directory, or creates it if it is missing, and reads its records.
    init(directory: String, limit: Int) throws(GateArchiveError) {
        self.directory = directory
        self.limit = limit
        guard Paths.makeDirectory(directory, isPrivate: true) else { throw GateArchiveError(path: directory) }
        var records: [String: JSON] = [:]
        var damaged: [String] = []
        for path in Paths.matching("\(directory)/*.json") {
            // Whatever is wrong with it, it is not a record. It is kept for inspection.
            if let bytes = try? FileText.bytes(path, limit: 4 << 20), let json = try? JSON(parsing: bytes),
                let id = json["id"]?.text
            {
                records[id] = json
            } else {
                damaged.append(path)
                unsafe rename(path, path + ".damaged")
            }
        }
        self.damaged = damaged
        content.withLock { $0.records = records }
    }

    /// The record `id`.
    func record(_ id: String) -> JSON? { content.withLock { $0.records[id] } }

    /// The newest records, at most `limit`, newest first.
    func newest(_ limit: Int) -> [JSON] {
        content.withLock { content in
            content.records.keys.sorted(by: >).prefix(limit).compactMap { content.records[$0] }
        }
    }

    /// Writes or replaces a record. Returns when it is on disk.
    func put(_ id: String, _ json: JSON) throws(GateArchiveError) {
        let failed = content.withLock { content -> GateArchiveError? in
            let path = file(id)
            do throws(DurableError) {
                try DurableFile.replace(path, by: Array(json.encoded.utf8))
            } catch {
                return GateArchiveError(path: path, reason: error.reason)
            }
            content.records[id] = json
            let surplus = content.records.count - limit
            for old in content.records.keys.sorted().prefix(max(0, surplus)) {
                content.records[old] = nil
                unsafe unlink(file(old))
            }
            return nil
        }
        if let failed { throw failed }
    }

    private func file(_ id: String) -> String { "\(directory)/\(id).json" }
}

/// Why a record could not be stored.
public struct GateArchiveError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The file or directory.
    public var path: String
    /// The text of the system's error.
    public var reason: String

    /// An error with the text of the last system error.
    init(path: String) { self.init(path: path, reason: SystemError.current) }

    init(path: String, reason: String) {
        self.path = path
        self.reason = reason
    }

    /// The path and the reason.
    public var description: String { "\(path): \(reason)" }
}
