internal import Glibc
internal import Runtime

/// A file that a proxy reads.
enum DiscoveryFile {
    /// Gives the file at `path` the content `text`: forced to disk aside and renamed, so that the proxy sees either the old file
    /// or the whole new one, also after a power failure.
    ///
    /// - Parameter check: called right before the file is renamed; what it throws leaves the old file in place.
    static func replace(
        _ path: String, with text: String, after check: () throws(RouterError) -> Void
    ) throws(RouterError) {
        let temporary = path + ".tribune"
        guard FileText.write(text, to: temporary), force(temporary) else {
            throw RouterError("cannot write \(path): \(SystemError.current)")
        }
        do throws(RouterError) { try check() } catch {
            unsafe unlink(temporary)
            throw error
        }
        guard unsafe rename(temporary, path) == 0 else {
            throw RouterError("cannot write \(path): \(SystemError.current)")
        }
    }

    /// Puts `old` back where the file still is what this process wrote; another one may have written since.
    static func restore(_ path: String, to old: String, from written: String) throws(RouterError) {
        guard FileText.read(path) == written else { return }
        try replace(path, with: old) {}
    }

    private static func force(_ path: String) -> Bool {
        let descriptor = unsafe open(path, O_WRONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        return fsync(descriptor) == 0
    }
}
