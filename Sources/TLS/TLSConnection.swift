internal import COpenSSL

/// A server's side of one TLS connection on a non-blocking socket, which it does not own.
///
/// `@unchecked`: its owner ensures that one thread uses it at a time.
@safe public final class TLSConnection: @unchecked Sendable {
    /// The result of an attempt.
    public enum Progress: Equatable, Sendable {
        case bytes(Int)
        /// The socket must become readable first.
        case needsReading
        /// The socket must become writable first.
        case needsWriting
        /// The client has closed the connection.
        case ended
        case failed(Failure)
    }

    /// Why a connection failed.
    public enum Failure: Equatable, Sendable {
        /// The client spoke HTTP without TLS.
        case plainHTTP
        /// The client's certificate contains none of the allowed names.
        case nameNotAllowed
        case other
    }

    private let connection: OpaquePointer
    private let context: TLSServerContext

    /// A connection on `descriptor`; `nil` without memory.
    public init?(_ context: TLSServerContext, descriptor: Int32) {
        guard let connection = unsafe copenssl_accept(context.context, descriptor) else { return nil }
        unsafe self.connection = unsafe connection
        self.context = context
    }

    deinit {
        unsafe SSL_free(connection)
    }

    /// Continues the handshake. `.bytes(0)` when it is done.
    public func handshake() -> Progress {
        ERR_clear_error()
        let code = unsafe SSL_do_handshake(connection)
        guard code == 1 else { return progress(code) }
        return isClientAllowed ? .bytes(0) : .failed(.nameNotAllowed)
    }

    private var isClientAllowed: Bool {
        guard !context.allowedClientNames.isEmpty else { return true }
        guard let certificate = clientCertificate else { return false }
        return certificate.alternativeNames.contains { context.allowedClientNames.contains($0) }
    }

    /// Reads data from the client.
    public func read(into buffer: UnsafeMutableRawBufferPointer) -> Progress {
        ERR_clear_error()
        let count = unsafe SSL_read(connection, buffer.baseAddress, Int32(clamping: buffer.count))
        return count > 0 ? .bytes(Int(count)) : progress(count)
    }

    /// Writes as much of `buffer` as the socket accepts. After any result except `.bytes`, pass the same bytes again.
    public func write(_ buffer: UnsafeRawBufferPointer) -> Progress {
        ERR_clear_error()
        let count = unsafe SSL_write(connection, buffer.baseAddress, Int32(clamping: buffer.count))
        return count > 0 ? .bytes(Int(count)) : progress(count)
    }

    /// Notifies the client that no more data follow. Does not wait for its reply.
    public func close() {
        ERR_clear_error()
        if unsafe SSL_is_init_finished(connection) == 1 { _ = unsafe SSL_shutdown(connection) }
    }

    /// Whether there are decrypted bytes to read, for which the socket does not become readable.
    public var hasBuffered: Bool { unsafe SSL_has_pending(connection) == 1 }

    /// The protocol agreed by ALPN; empty for none.
    public var applicationProtocol: String {
        var bytes: UnsafePointer<UInt8>?
        var count: UInt32 = 0
        unsafe SSL_get0_alpn_selected(connection, &bytes, &count)
        return unsafe String(decoding: UnsafeBufferPointer(start: bytes, count: Int(count)), as: UTF8.self)
    }

    /// The client's certificate.
    public var clientCertificate: TLSClientCertificate? {
        guard let certificate = unsafe SSL_get1_peer_certificate(connection) else { return nil }
        defer { unsafe X509_free(certificate) }
        var digest = [UInt8](repeating: 0, count: 32)
        var count: UInt32 = 0
        let hasDigest = unsafe X509_digest(certificate, EVP_sha256(), &digest, &count) == 1 && count == 32
        let names = unsafe Self.names(of: certificate)
        let subject = unsafe Self.text { unsafe copenssl_subject(certificate, $0, $1) }
        return TLSClientCertificate(
            subject: subject, alternativeNames: names, fingerprint: hasDigest ? Self.hexadecimal(digest) : "",
            isVerified: unsafe context.verifiesClients && SSL_get_verify_result(connection) == Int(X509_V_OK))
    }

    private static func names(of certificate: OpaquePointer) -> [String] {
        var names: [String] = []
        var index: Int32 = 0
        var isThere = true
        while isThere {
            let name = unsafe text { isThere = unsafe copenssl_alternative_name(certificate, index, $0, $1) }
            if isThere, !name.isEmpty { names.append(name) }
            index += 1
        }
        return names
    }

    private static func text(_ write: (UnsafeMutablePointer<CChar>, Int) -> Void) -> String {
        var text = [CChar](repeating: 0, count: 1024)
        unsafe text.withUnsafeMutableBufferPointer { buffer in
            if let start = buffer.baseAddress { unsafe write(start, buffer.count) }
        }
        return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    private static func hexadecimal(_ bytes: [UInt8]) -> String {
        let digits = Array("0123456789abcdef".utf8)
        return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }

    private func progress(_ code: Int32) -> Progress {
        switch unsafe SSL_get_error(connection, code) {
        case SSL_ERROR_WANT_READ: return .needsReading
        case SSL_ERROR_WANT_WRITE: return .needsWriting
        case SSL_ERROR_ZERO_RETURN: return .ended
        default:
            let isPlain = copenssl_failed_by_plain_http()
            ERR_clear_error()
            return .failed(isPlain ? .plainHTTP : .other)
        }
    }
}
