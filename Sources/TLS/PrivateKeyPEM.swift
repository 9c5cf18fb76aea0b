internal import COpenSSL

/// Private keys of any kind as the text of a PEM file. For the types of keys, which own what they read here.
enum PrivateKeyPEM {
    /// The key in `pem`, which the caller must free; `nil` if it cannot be read.
    static func read(_ pem: String) -> OpaquePointer? {
        var pem = pem
        return pem.withUTF8 { text in
            guard let reader = unsafe copenssl_reader(text.baseAddress, Int32(clamping: text.count)) else { return nil }
            defer { unsafe BIO_free(reader) }
            // An encrypted key must fail instead of prompting for its passphrase on the terminal.
            return unsafe PEM_read_bio_PrivateKey(reader, nil, { _, _, _, _ in -1 }, nil)
        }
    }

    /// `key` as an unencrypted text.
    static func text(of key: OpaquePointer) throws(TLSError) -> String {
        guard let writer = unsafe copenssl_writer() else { throw .last(.operationFailed, "cannot write the key") }
        defer { unsafe BIO_free(writer) }
        guard unsafe PEM_write_bio_PrivateKey(writer, key, nil, nil, 0, nil, nil) == 1 else {
            throw .last(.operationFailed, "cannot write the key")
        }
        var bytes: UnsafePointer<CChar>?
        let count = unsafe copenssl_written(writer, &bytes)
        return unsafe String(decoding: UnsafeRawBufferPointer(start: bytes, count: count), as: UTF8.self)
    }
}
