internal import Durable
internal import Glibc
internal import Runtime
internal import Synchronization
internal import TLS

/// The calls to write to a disk; tests replace them by those of a full or failing one.
@safe struct SpoolDevice: Sendable {
    /// Like `pwrite`: bytes written, or -1 with `errno`.
    var write: @Sendable (_ descriptor: Int32, _ bytes: UnsafeRawBufferPointer, _ offset: Int) -> Int
    /// Like `fdatasync`.
    var sync: @Sendable (_ descriptor: Int32) -> Int32

    static let system = unsafe SpoolDevice(
        write: { unsafe pwrite($0, $1.baseAddress, $1.count, off_t($2)) }, sync: { fdatasync($0) })
}

/// The directory of a spool: locked by one process at a time, with an identity that is known to the database.
@safe final class SpoolDirectory: Sendable {
    let path: String
    /// 32 hexadecimal digits, chosen when the directory was created.
    let identity: String
    /// The last record in a database that is known to this process or the previous one.
    let delivered: Atomic<UInt64>
    private let lock: Int32

    /// Creates the directory if it is missing, and locks it.
    init(path: String) throws(HistoryError) {
        self.path = path
        guard unsafe mkdir(path, 0o700) == 0 || errno == EEXIST else { throw .file("create the directory", path) }
        lock = unsafe open(path + "/lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard lock >= 0 else { throw .file("open", path + "/lock") }
        guard FileLock.take(lock) else {
            close(lock)
            throw HistoryError(.file, "\(path): another process uses this spool")
        }
        do {
            identity = try SpoolDirectory.identity(in: path)
            let text = FileText.read(path + "/delivered") ?? ""
            delivered = Atomic(UInt64(text.prefix { $0 != "\n" }) ?? 0)
        } catch {
            FileLock.close(lock)
            throw error
        }
    }

    deinit {
        FileLock.close(lock)
    }

    /// Releases the lock.
    func unlock() {
        flock(lock, LOCK_UN)
    }

    private static func identity(in path: String) throws(HistoryError) -> String {
        if let text = FileText.read(path + "/identity") {
            guard text.utf8.count == 33, Hexadecimal.bytes(text.dropLast()) != nil else {
                throw HistoryError(.malformed, "\(path)/identity: not the identity of a spool")
            }
            return String(text.dropLast())
        }
        // OpenSSL has no other reason.
        guard case .some(let bytes) = try? SecureRandom.bytes(16) else {
            throw HistoryError(.refused, "no random bytes available")
        }
        let text = Hexadecimal.text(bytes)
        try HistoryFile.write(text + "\n", to: path + "/identity")
        return text
    }

    /// First sequences of the segments, ascending.
    func segments() throws(HistoryError) -> [UInt64] {
        try HistoryFile.names(in: path).compactMap { SpoolSegment.first(ofName: $0) }.sorted()
    }

    /// Stores ``delivered`` for the next start. Without it a database that is new to the spool gets some records again.
    func keepDelivered() {
        let text = "\(delivered.load(ordering: .relaxed))\n"
        _ = FileText.write(text, to: path + "/delivered")
    }

    /// Stores an unreadable record in a separate file for a person to examine; returns the file's name.
    func setAside(_ record: RecordFrame.Record) -> String? {
        let name = "damaged-\(record.sequence).record"
        let file = path + "/" + name
        let descriptor = unsafe open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        let written = unsafe record.payload.withUnsafeBytes { unsafe write(descriptor, $0.baseAddress, $0.count) }
        return written == record.payload.count ? name : nil
    }

    func path(ofSegment first: UInt64) -> String { "\(path)/\(SpoolSegment.name(first: first))" }
}

/// Small files that are written atomically.
enum HistoryFile {
    /// Replaces the file at `path`, readable by its owner only.
    static func write(_ text: String, to path: String) throws(HistoryError) {
        do throws(DurableError) {
            try DurableFile.replace(path, by: text)
        } catch {
            throw HistoryError(.file, error.description)
        }
    }

    /// The names in the directory at `path`, sorted.
    static func names(in path: String) throws(HistoryError) -> [String] {
        guard let directory = unsafe opendir(path) else { throw .file("read the directory", path) }
        defer { unsafe closedir(directory) }
        var found: [String] = []
        while let entry = unsafe readdir(directory) {
            let name = unsafe withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != ".", name != ".." { found.append(name) }
        }
        return found.sorted()
    }

    /// Removes the directory at `path` with everything in it, if there is one. Links are removed, not followed.
    static func removeDirectory(_ path: String) throws(HistoryError) {
        guard unsafe access(path, F_OK) == 0 else { return }
        for name in try names(in: path) {
            let entry = "\(path)/\(name)"
            if unsafe unlink(entry) == 0 { continue }
            guard errno == EISDIR else { throw .file("remove", entry) }
            try removeDirectory(entry)
        }
        guard unsafe rmdir(path) == 0 else { throw .file("remove", path) }
    }

    /// Makes the entries of the directory that holds `path` durable.
    static func syncDirectory(of path: String) throws(HistoryError) {
        do throws(DurableError) {
            try DurableFile.syncDirectory(of: path)
        } catch {
            throw HistoryError(.file, error.description)
        }
    }
}

extension HistoryError {
    /// The failure of `what` with `path`, according to `errno`.
    static func file(_ what: String, _ path: String) -> HistoryError {
        HistoryError(.file, "cannot \(what) \(path): \(SystemError.current)")
    }
}
