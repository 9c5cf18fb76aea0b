internal import Durable
internal import Glibc
internal import Rollback
internal import Runtime

/// A file that a proxy reads.
enum DiscoveryFile {
    /// Replaces the content of the file at `path` with `text`. A temporary file is synced and renamed, so that the
    /// proxy reads either the old file or the complete new one, even after a power failure.
    ///
    /// - Parameter check: called just before the rename. If it throws, the old file stays in place.
    static func replace(
        _ path: String, with text: String, after check: () throws(RouterError) -> Void
    ) throws(RouterError) {
        let temporary = path + ".tribune"
        do throws(DurableError) {
            try DurableFile.write(Array(text.utf8), to: temporary, permissions: 0o644)
        } catch {
            throw RouterError("cannot write \(path): \(error.reason)")
        }
        do throws(RouterError) { try check() } catch {
            unsafe unlink(temporary)
            throw error
        }
        do throws(DurableError) {
            try DurableFile.rename(temporary, to: path)
        } catch {
            throw RouterError("cannot write \(path): \(error.reason)")
        }
    }

    /// Restores `old` if the file still is what this process wrote. Another process may have written it since.
    static func restore(_ path: String, to old: String, from written: String) throws(RouterError) {
        guard FileText.read(path) == written else { return }
        try replace(path, with: old) {}
    }
}
