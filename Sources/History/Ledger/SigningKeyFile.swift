internal import Glibc
internal import Runtime
internal import TLS

/// The file that holds the ledger's signing key, readable by its owner only.
enum SigningKeyFile {
    /// Reads the key at `path`; makes one where there is none.
    static func load(_ path: String) throws(HistoryError) -> SigningKey {
        let (key, fresh) = try open(path)
        if let fresh { try DurableFile.write(fresh, to: path) }
        return key
    }

    private static func open(_ path: String) throws(HistoryError) -> (key: SigningKey, fresh: String?) {
        let text = FileText.read(path)
        // A key that is there but cannot be read must not be replaced.
        guard unsafe text != nil || access(path, F_OK) != 0 else { throw .file("read", path) }
        do throws(TLSError) {
            if let text { return (try SigningKey(pem: text), nil) }
            let key = try SigningKey.generate()
            return (key, try key.pem())
        } catch {
            throw HistoryError(.malformed, "\(path): \(error)")
        }
    }
}
