internal import Glibc
internal import Runtime

/// An append-only file of records, each synced before `append` returns. One thread uses it at a time, and one process
/// at a time can open it.
///
/// After a failed write or sync it stays failed: the content on disk is then unknown (the kernel may have dropped the
/// dirty pages, and reports that once), so nothing is written to that file any more. ``beginAgain(with:)`` continues in
/// a new file.
///
/// `@unchecked`: the thread that opens it passes it to the one thread that appends.
public final class RecordLog: @unchecked Sendable {
    /// How bytes are written; tests replace it with a full or failing device.
    @safe package struct Device: Sendable {
        /// Like `write`.
        package var write: @Sendable (_ descriptor: Int32, _ bytes: UnsafeRawBufferPointer) -> Int
        /// Like `fdatasync`.
        package var sync: @Sendable (_ descriptor: Int32) -> Int32

        /// The system calls.
        package static let system = unsafe Device(
            write: { unsafe Glibc.write($0, $1.baseAddress, $1.count) }, sync: { fdatasync($0) })
    }

    /// The records found when it was opened, in order.
    public let recovered: [RecordFrame.Record]
    /// Bytes of an incomplete record that were cut off when it was opened.
    public let truncatedBytes: Int
    /// The size of the file in bytes.
    public private(set) var byteCount: Int
    private let path: String
    private let device: Device
    private let descriptor: Int32
    private let lock: Int32
    private var nextSequence: UInt64
    private var failure: DurableError?

    /// Opens the log at `path`, or creates it. `path.lock` locks it against other processes.
    ///
    /// A torn tail is cut off. A damaged file is renamed to `path.damaged-N` and an error is thrown, so that no
    /// decision is based on a part of the records. Opening again then starts an empty log.
    public convenience init(path: String) throws(DurableError) {
        try self.init(path: path, device: .system)
    }

    /// With another device, for tests.
    package init(path: String, device: Device) throws(DurableError) {
        self.path = path
        self.device = device
        lock = unsafe open(path + ".lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard lock >= 0 else { throw .system(path, "cannot open the lock file") }
        guard FileLock.take(lock) else {
            close(lock)
            throw DurableError(.locked, path, "another process has the file open")
        }
        do throws(DurableError) {
            let bytes = try Self.read(path)
            let scan = RecordScan(bytes)
            if case .damage(let what) = scan.rest {
                let aside = try DurableFile.setAside(path)
                var error = DurableError(.damaged, path, "\(what); renamed to \(aside)")
                error.aside = aside
                throw error
            }
            descriptor = unsafe open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_APPEND, 0o600)
            guard descriptor >= 0 else { throw .system(path, "cannot open") }
            recovered = scan.records
            truncatedBytes = bytes.count - scan.goodByteCount
            byteCount = scan.goodByteCount
            nextSequence = (scan.records.last?.sequence ?? 0) &+ 1
        } catch {
            FileLock.close(lock)
            throw error
        }
        guard truncatedBytes == 0 || ftruncate(descriptor, byteCount) == 0, fsync(descriptor) == 0 else {
            throw .system(path, "cannot cut off an incomplete record")
        }
        try DurableFile.syncDirectory(of: path)
    }

    deinit {
        close(descriptor)
        FileLock.close(lock)
    }

    /// Writes `payload` and returns when it is on disk.
    public func append(_ payload: [UInt8]) throws(DurableError) {
        try check(payload)
        let bytes = RecordFrame.encode(payload, sequence: nextSequence)
        try keepingFailure { () throws(DurableError) in
            try DurableFile.append(bytes, to: descriptor, path, device)
            guard device.sync(descriptor) == 0 else { throw .system(path, "cannot sync") }
        }
        byteCount += bytes.count
        nextSequence &+= 1
    }

    /// Replaces all records with `payload`, atomically.
    ///
    /// The new file is complete on disk before it gets the name, and `descriptor` then refers to it.
    public func replaceAll(by payload: [UInt8]) throws(DurableError) {
        try check(payload)
        try replaceFile(by: payload)
    }

    /// Continues after a failure, in a new file that has only `payload` and takes the place of the failed one. If that
    /// fails too, the log stays failed, and the next attempt begins another file.
    public func beginAgain(with payload: [UInt8]) throws(DurableError) {
        try checkLength(payload)
        try replaceFile(by: payload)
        failure = nil
    }

    private func replaceFile(by payload: [UInt8]) throws(DurableError) {
        let bytes = RecordFrame.encode(payload, sequence: nextSequence)
        try keepingFailure { () throws(DurableError) in
            let temporary = path + ".new"
            // A file whose write or sync failed must not be used again.
            guard unsafe unlink(temporary) == 0 || errno == ENOENT else {
                throw .system(path, "cannot remove \(temporary)")
            }
            let file = unsafe open(temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_APPEND, 0o600)
            guard file >= 0 else { throw .system(path, "cannot create \(temporary)") }
            defer { close(file) }
            try DurableFile.append(bytes, to: file, path, device)
            guard device.sync(file) == 0, unsafe rename(temporary, path) == 0, dup2(file, descriptor) >= 0 else {
                throw .system(path, "cannot replace")
            }
            _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
            try DurableFile.syncDirectory(of: path)
        }
        byteCount = bytes.count
        nextSequence &+= 1
    }

    private func check(_ payload: [UInt8]) throws(DurableError) {
        if let failure { throw failure }
        try checkLength(payload)
    }

    private func checkLength(_ payload: [UInt8]) throws(DurableError) {
        guard payload.count <= RecordFrame.payloadLimit else {
            throw DurableError(
                .tooLong, path, "a record of \(payload.count) bytes is longer than \(RecordFrame.payloadLimit)")
        }
    }

    private func keepingFailure(_ body: () throws(DurableError) -> Void) throws(DurableError) {
        do throws(DurableError) { try body() } catch {
            failure = error
            throw error
        }
    }

    private static func read(_ path: String) throws(DurableError) -> [UInt8] {
        if !Paths.exists(path), errno == ENOENT { return [] }
        do throws(FileText.ReadError) {
            return try FileText.bytes(path)
        } catch {
            throw DurableError(.system, path, "cannot read: \(error.reason)")
        }
    }
}
