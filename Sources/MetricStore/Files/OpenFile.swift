internal import Glibc
internal import Runtime

/// An open file, closed when it is freed.
struct OpenFile: ~Copyable {
    let descriptor: Int32
    let path: String

    /// Opens `path` for reading and writing. With `create`, it must not exist.
    init(_ path: String, create: Bool) throws(StoreError) {
        let flags = O_RDWR | O_CLOEXEC | (create ? O_CREAT | O_EXCL : 0)
        descriptor = unsafe open(path, flags, 0o600)
        self.path = path
        guard descriptor >= 0 else { throw Self.failure(create ? "create" : "open", path) }
    }

    /// Opens `path` for reading.
    init(reading path: String) throws(StoreError) {
        descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        self.path = path
        guard descriptor >= 0 else { throw Self.failure("open", path) }
    }

    /// The error of a failed system call on `path`. A full disk is reported with the directory, because it does not
    /// matter which of the store's files was the first to fail.
    private static func failure(_ action: String, _ path: String, _ number: Int32 = errno) -> StoreError {
        let reason = SystemFailure.text(number)
        guard number == ENOSPC || number == EDQUOT else {
            return StoreError(.system, "cannot \(action) \(path): \(reason)")
        }
        let directory = path.lastIndex(of: "/").map { path[..<$0] } ?? "."
        return StoreError(.system, "no disk space for samples in \(directory.isEmpty ? "/" : directory): \(reason)")
    }

    /// Creates a file that becomes visible, and replaces an existing one, only after `fill` has succeeded.
    ///
    /// - Parameter synced: whether a power failure leaves the old file or the new one.
    static func make(
        _ path: String, synced: Bool = false, _ fill: (borrowing OpenFile) throws(StoreError) -> Void
    ) throws(StoreError) -> OpenFile {
        let temporary = path + ".new"
        unsafe unlink(temporary)
        let file = try OpenFile(temporary, create: true)
        do throws(StoreError) {
            try fill(file)
            if synced { try file.sync() }
            guard unsafe rename(temporary, path) == 0 else {
                throw Self.failure("rename", temporary)
            }
            if synced { try syncDirectory(of: path) }
        } catch {
            unsafe unlink(temporary)
            throw error
        }
        return file
    }

    /// Opens or creates `path` and locks it against other processes.
    init(locking path: String) throws(StoreError) {
        descriptor = unsafe open(path, O_RDWR | O_CLOEXEC | O_CREAT, 0o600)
        self.path = path
        guard descriptor >= 0 else { throw StoreError(.system, "cannot open \(path): \(SystemFailure.text())") }
        guard FileLock.take(descriptor) else {
            throw StoreError(.inUse, "\(path) is locked by another process")
        }
    }

    deinit {
        if descriptor >= 0 { FileLock.close(descriptor) }
    }

    /// The length in bytes.
    var size: Int {
        var status = stat()
        return unsafe fstat(descriptor, &status) == 0 ? Int(status.st_size) : 0
    }

    /// Waits until the disk has the content.
    func sync() throws(StoreError) {
        guard fdatasync(descriptor) == 0 else { throw Self.failure("sync", path) }
    }

    /// Waits until the disk has the names in the directory of `path`.
    private static func syncDirectory(of path: String) throws(StoreError) {
        let directory = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
        let descriptor = unsafe open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw failure("open", directory) }
        defer { Glibc.close(descriptor) }
        guard fsync(descriptor) == 0 else { throw failure("sync", directory) }
    }

    /// Allocates the bytes up to `size` on disk, so that writing them cannot fail later.
    func reserve(through size: Int) throws(StoreError) {
        let failure = posix_fallocate(descriptor, 0, size)
        guard failure == 0 else { throw Self.failure("reserve \(size) bytes for", path, failure) }
    }

    /// Writes all of `bytes` at `offset`. After a failure the content there is undefined.
    func write(_ bytes: ArraySlice<UInt8>, at offset: Int) throws(StoreError) {
        let result = unsafe bytes.withUnsafeBytes { buffer in
            Result { () throws(StoreError) in unsafe try write(buffer, at: offset) }
        }
        try result.get()
    }

    /// Writes all of `bytes` at `offset`. After a failure the content there is undefined.
    func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws(StoreError) {
        var done = 0
        while done < bytes.count {
            let written = unsafe pwrite(descriptor, bytes.baseAddress! + done, bytes.count - done, offset + done)
            if written < 0 && errno == EINTR { continue }
            guard written > 0 else { throw Self.failure("write", path) }
            done += written
        }
    }

    /// Appends all of `bytes`.
    func append(_ bytes: [UInt8]) throws(StoreError) {
        var done = 0
        while done < bytes.count {
            let written = unsafe bytes.withUnsafeBytes { buffer in
                unsafe Glibc.write(descriptor, buffer.baseAddress! + done, buffer.count - done)
            }
            if written < 0 && errno == EINTR { continue }
            guard written > 0 else { throw Self.failure("write", path) }
            done += written
        }
    }
}
