internal import Glibc
internal import Runtime

/// Why the journal cannot be used.
public struct JournalError: Error, Equatable, Sendable, CustomStringConvertible {
    /// What kind of thing went wrong.
    public enum Code: Equatable, Sendable {
        /// Another process has it open.
        case locked
        /// The file was damaged. It has been set aside and must be looked at.
        case damaged
        case system
        case tooLong
    }

    /// What kind of thing went wrong.
    public var code: Code
    /// The file.
    public var path: String
    /// What is wrong.
    public var message: String

    /// The fault with its file.
    public var description: String { "\(path): \(message)" }
}

/// An append-only file of records, forced to disk one by one. One thread uses it; one process at a time can have it open.
///
/// After a failed write or a failed fsync it stays failed: what the disk holds is unknown then (the kernel may have dropped
/// the dirty pages), and only reading the file anew tells.
///
/// `@unchecked`: whoever opens it hands it over to the one thread that appends.
final class Journal: @unchecked Sendable {
    /// Payloads of the records found when it was opened, in order.
    let recovered: [[UInt8]]
    /// Bytes of an interrupted record that were cut off when it was opened.
    let truncatedBytes: Int
    private let path: String
    private let descriptor: Int32
    private let lock: Int32
    private var length: Int
    private var last: [UInt8]?
    private var nextSequence: UInt64
    private var failure: JournalError?

    /// Files longer than this are replaced by one that holds the last record only.
    private let compactionLength: Int

    /// Opens or creates the journal at `path`. A torn tail is cut off; a damaged file is renamed to `path.damaged-N`, and
    /// the error says so, so that nothing is decided on half a history. Opening again then begins an empty journal.
    init(path: String, compactionLength: Int = 8 << 20) throws(JournalError) {
        self.path = path
        self.compactionLength = compactionLength
        lock = unsafe open(path + ".lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard lock >= 0 else { throw Self.systemError(path, "cannot open the lock file") }
        guard FileLock.take(lock) else {
            close(lock)
            throw JournalError(code: .locked, path: path, message: "another process has the journal open")
        }
        do throws(JournalError) {
            let bytes = try Self.read(path)
            let scan = JournalFrame.scan(bytes)
            if case .damage(let what) = scan.rest {
                let aside = try Self.setAside(path)
                throw JournalError(code: .damaged, path: path, message: "\(what); set aside as \(aside)")
            }
            descriptor = unsafe open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_APPEND, 0o600)
            guard descriptor >= 0 else { throw Self.systemError(path, "cannot open") }
            recovered = scan.frames.map(\.payload)
            truncatedBytes = bytes.count - scan.goodLength
            length = scan.goodLength
            last = scan.frames.last?.payload
            nextSequence = (scan.frames.last?.sequence ?? 0) &+ 1
        } catch {
            FileLock.close(lock)
            throw error
        }
        guard truncatedBytes == 0 || ftruncate(descriptor, length) == 0, fsync(descriptor) == 0 else {
            throw Self.systemError(path, "cannot truncate")
        }
        try Self.syncDirectory(of: path)
    }

    deinit {
        close(descriptor)
        FileLock.close(lock)
    }

    /// Writes `payload` and returns when it is on disk.
    func append(_ payload: [UInt8]) throws(JournalError) {
        if let failure { throw failure }
        guard payload.count <= JournalFrame.payloadLimit else {
            throw JournalError(code: .tooLong, path: path, message: "a record of \(payload.count) bytes is too long")
        }
        let frame = JournalFrame.encode(payload, sequence: nextSequence)
        do throws(JournalError) {
            if length > compactionLength { try compact() }
            try Self.write(frame, to: descriptor, path)
            guard fdatasync(descriptor) == 0 else { throw Self.systemError(path, "cannot force to disk") }
        } catch {
            failure = error
            throw error
        }
        last = payload
        length += frame.count
        nextSequence &+= 1
    }

    /// Replaces the content by the last record alone, atomically.
    ///
    /// The new file is complete on disk before it takes the name, and `descriptor` then points to it.
    private func compact() throws(JournalError) {
        guard let last else { return }
        let temporary = path + ".new"
        let file = unsafe open(temporary, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_APPEND, 0o600)
        guard file >= 0 else { throw Self.systemError(path, "cannot create \(temporary)") }
        defer { close(file) }
        let frame = JournalFrame.encode(last, sequence: nextSequence &- 1)
        try Self.write(frame, to: file, path)
        guard fsync(file) == 0, unsafe rename(temporary, path) == 0, dup2(file, descriptor) >= 0 else {
            throw Self.systemError(path, "cannot compact")
        }
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        try Self.syncDirectory(of: path)
        length = frame.count
    }

    private static func write(_ bytes: [UInt8], to file: Int32, _ path: String) throws(JournalError) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = unsafe rest.withUnsafeBytes { unsafe Glibc.write(file, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw systemError(path, "cannot write") }
            rest = rest.dropFirst(count)
        }
    }

    private static func read(_ path: String) throws(JournalError) -> [UInt8] {
        if unsafe access(path, F_OK) != 0, errno == ENOENT { return [] }
        do throws(FileText.ReadError) {
            return try FileText.bytes(path)
        } catch {
            throw JournalError(code: .system, path: path, message: "cannot read: \(error.reason)")
        }
    }

    private static func setAside(_ path: String) throws(JournalError) -> String {
        for number in 1...1000 {
            let aside = "\(path).damaged-\(number)"
            if unsafe access(aside, F_OK) == 0 { continue }
            guard unsafe rename(path, aside) == 0 else { throw systemError(path, "cannot set aside") }
            try syncDirectory(of: path)
            return aside
        }
        throw JournalError(code: .damaged, path: path, message: "damaged, and there are 1000 damaged ones already")
    }

    /// A new or renamed file is safe only when its directory is.
    private static func syncDirectory(of path: String) throws(JournalError) {
        let parent = path.lastIndex(of: "/").map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
        let directory = unsafe open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard directory >= 0 else { throw systemError(path, "cannot open its directory") }
        defer { close(directory) }
        guard fsync(directory) == 0 else { throw systemError(path, "cannot force its directory to disk") }
    }

    private static func systemError(_ path: String, _ what: String) -> JournalError {
        JournalError(code: .system, path: path, message: "\(what): \(SystemError.current)")
    }
}
