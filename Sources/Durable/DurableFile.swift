internal import Glibc
internal import Runtime

/// Small files that contain either the old or the new content at any time, even after a power failure.
public enum DurableFile {
    /// Replaces the content of the file at `path`; creates it if it is missing.
    ///
    /// The bytes are written to `path.new`, synced and renamed, and the directory is synced. When this returns, the new
    /// content survives a power failure. If it throws, the old content is in place. Two calls for the same path must
    /// not run at the same time.
    public static func replace(
        _ path: String, by bytes: [UInt8], permissions: UInt32 = 0o600
    ) throws(DurableError) {
        let temporary = path + ".new"
        do throws(DurableError) {
            try write(bytes, to: temporary, permissions: permissions)
            try rename(temporary, to: path)
        } catch {
            unsafe unlink(temporary)
            throw error
        }
    }

    /// Replaces the content of the file at `path` with `text` in UTF-8.
    public static func replace(_ path: String, by text: String) throws(DurableError) {
        try replace(path, by: Array(text.utf8))
    }

    /// Syncs the directory of `path`. Only then is a new or renamed file safe.
    public static func syncDirectory(of path: String) throws(DurableError) {
        let directory = Paths.directory(of: path)
        let descriptor = unsafe open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .system(directory, "cannot open the directory") }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw .system(directory, "cannot sync the directory") }
    }

    /// Renames the file at `path` to `path.LABEL-N`, with the first free number, and returns the new name.
    public static func setAside(_ path: String, as label: String = "damaged") throws(DurableError) -> String {
        for number in 1...1000 {
            let aside = "\(path).\(label)-\(number)"
            if Paths.exists(aside) { continue }
            guard Paths.move(path, to: aside) else { throw .system(path, "cannot rename to \(aside)") }
            try syncDirectory(of: path)
            return aside
        }
        throw DurableError(.system, path, "cannot rename: 1000 files called .\(label)-N exist; remove those not needed")
    }

    /// Writes a file and syncs its content. Its name is safe only when its directory is synced: see
    /// ``rename(_:to:)``.
    ///
    /// - Parameter permissions: of a new file, before the process's umask.
    public static func write(_ bytes: [UInt8], to path: String, permissions: UInt32) throws(DurableError) {
        let descriptor = unsafe open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, permissions)
        guard descriptor >= 0 else { throw .system(path, "cannot create") }
        defer { close(descriptor) }
        try append(bytes, to: descriptor, path)
        guard fsync(descriptor) == 0 else { throw .system(path, "cannot sync") }
    }

    /// Renames the file at `temporary` to `path`, replacing an existing file, and syncs the directory.
    public static func rename(_ temporary: String, to path: String) throws(DurableError) {
        guard Paths.move(temporary, to: path) else { throw .system(path, "cannot rename \(temporary)") }
        try syncDirectory(of: path)
    }

    /// Writes all of `bytes` at the current position of `descriptor`.
    static func append(
        _ bytes: [UInt8], to descriptor: Int32, _ path: String, _ device: RecordLog.Device = .system
    ) throws(DurableError) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = unsafe rest.withUnsafeBytes { unsafe device.write(descriptor, $0) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw .system(path, "cannot write") }
            rest = rest.dropFirst(count)
        }
    }
}
