internal import Durable
internal import Glibc
internal import Rollback
internal import Runtime

/// A file that a proxy reads.
enum DiscoveryFile {
    /// Gives the file at `path` the content `text`: forced to disk aside and renamed, so that the proxy sees either the
    /// old file or the whole new one, also after a power failure.
    ///
    /// - Parameter check: called right before the file is renamed; what it throws leaves the old file in place.
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

    /// Puts `old` back where the file still is what this process wrote; another one may have written since.
    static func restore(_ path: String, to old: String, from written: String) throws(RouterError) {
        guard FileText.read(path) == written else { return }
        try replace(path, with: old) {}
    }
}
