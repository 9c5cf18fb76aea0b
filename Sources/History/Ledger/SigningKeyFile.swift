internal import Glibc
internal import Runtime
internal import TLS

/// The file of a signing key, readable by its owner only.
enum SigningKeyFile {
    /// Reads the key at `path`; `nil` if there is no file.
    static func read(_ path: String) throws(HistoryError) -> SigningKey? {
        guard let text = FileText.read(path) else {
            // A key that exists but cannot be read must not be replaced.
            guard unsafe access(path, F_OK) != 0 else { throw .file("read", path) }
            return nil
        }
        do throws(TLSError) {
            return try SigningKey(pem: text)
        } catch {
            throw HistoryError(.malformed, "\(path): \(error)")
        }
    }

    /// Writes a new key to `path`, where no file may exist.
    static func create(_ path: String) throws(HistoryError) -> SigningKey {
        let pem: String
        let key: SigningKey
        do throws(TLSError) {
            key = try SigningKey.generate()
            pem = try key.pem()
        } catch {
            throw HistoryError(.refused, "cannot create the signing key \(path): \(error)")
        }
        try HistoryFile.write(pem, to: path)
        return key
    }
}
