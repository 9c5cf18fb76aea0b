internal import Glibc
internal import Runtime

/// A file that a proxy reads.
enum DiscoveryFile {
    /// Gives the file at `path` the content `text`: forced to disk aside and renamed, so that the proxy sees either the old file
    /// or the whole new one, also after a power failure.
    static func replace(_ path: String, with text: String) throws(RouterError) {
        let temporary = path + ".tribune"
        guard FileText.write(text, to: temporary), force(temporary), unsafe rename(temporary, path) == 0 else {
            throw RouterError("cannot write \(path): \(SystemError.current)")
        }
    }

    private static func force(_ path: String) -> Bool {
        let descriptor = unsafe open(path, O_WRONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        return fsync(descriptor) == 0
    }
}
