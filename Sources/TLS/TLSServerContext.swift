internal import COpenSSL

/// The shared state of a server's TLS connections: certificate, key and settings. Immutable; a server with a new
/// certificate creates a new context. May be shared between threads.
///
/// `@unchecked`: OpenSSL counts references and reads a context from several threads at once.
@safe public final class TLSServerContext: @unchecked Sendable {
    let context: OpaquePointer
    let allowedClientNames: [String]
    let verifiesClients: Bool

    /// Checks the configuration: certificate and key must match, and OpenSSL must know every name.
    public init(_ configuration: TLSServerConfiguration) throws(TLSError) {
        guard let context = unsafe copenssl_server_context() else {
            throw .last(.operationFailed, "cannot prepare TLS")
        }
        unsafe self.context = unsafe context
        allowedClientNames = configuration.allowedClientNames
        verifiesClients =
            configuration.clientAuthentication == .verifyIfGiven
            || configuration.clientAuthentication == .requireAndVerify
        try setIdentity(configuration)
        try setProtocol(configuration)
        try setClients(configuration)
    }

    deinit {
        unsafe SSL_CTX_free(context)
    }

    private func setIdentity(_ configuration: TLSServerConfiguration) throws(TLSError) {
        let hasChain = unsafe Self.reading(configuration.certificateChain) {
            unsafe copenssl_use_certificate_chain(context, $0) == 1
        }
        guard hasChain else { throw .last(.badCertificate, "cannot read the certificate") }
        let hasKey = unsafe Self.reading(configuration.privateKey) { reader in
            // An encrypted key must fail instead of prompting for its passphrase on the terminal.
            guard let key = unsafe PEM_read_bio_PrivateKey(reader, nil, { _, _, _, _ in -1 }, nil) else { return false }
            defer { unsafe EVP_PKEY_free(key) }
            return unsafe SSL_CTX_use_PrivateKey(context, key) == 1
        }
        guard hasKey else { throw .last(.badKey, "cannot use the private key") }
        guard unsafe SSL_CTX_check_private_key(context) == 1 else {
            throw .last(.badKey, "the private key does not match the certificate")
        }
    }

    private func setProtocol(_ configuration: TLSServerConfiguration) throws(TLSError) {
        guard configuration.minimumVersion <= configuration.maximumVersion,
            unsafe copenssl_set_versions(
                context, configuration.minimumVersion.rawValue, configuration.maximumVersion.rawValue)
        else { throw .last(.badConfiguration, "no TLS version is left between minimum and maximum") }
        let suites = configuration.cipherSuites.joined(separator: ":")
        if !suites.isEmpty, unsafe SSL_CTX_set_cipher_list(context, suites) != 1 {
            throw .last(.badConfiguration, "unusable cipher suites '\(suites)'")
        }
        let groups = configuration.groups.joined(separator: ":")
        if !groups.isEmpty, unsafe !copenssl_set_groups(context, groups) {
            throw .last(.badConfiguration, "unusable curves '\(groups)'")
        }
        unsafe copenssl_prefer_server_ciphers(context, configuration.prefersServerCipherSuites)
        let protocols = configuration.applicationProtocols.flatMap { [UInt8(clamping: $0.utf8.count)] + Array($0.utf8) }
        if !protocols.isEmpty { unsafe copenssl_set_protocols(context, protocols, protocols.count) }
    }

    private func setClients(_ configuration: TLSServerConfiguration) throws(TLSError) {
        if !configuration.clientAuthorities.isEmpty {
            let count = unsafe Self.reading(configuration.clientAuthorities) {
                unsafe copenssl_add_client_authorities(context, $0)
            }
            guard count > 0 else { throw .last(.badCertificate, "cannot read the client authorities") }
        }
        switch configuration.clientAuthentication {
        case .none: unsafe SSL_CTX_set_verify(context, SSL_VERIFY_NONE, nil)
        case .request: unsafe copenssl_accept_any_certificate(context, SSL_VERIFY_PEER)
        case .requireAny:
            unsafe copenssl_accept_any_certificate(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT)
        case .verifyIfGiven: unsafe SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nil)
        case .requireAndVerify:
            unsafe SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nil)
        }
    }

    /// Runs `body` with a BIO that reads `text`; false or 0 without memory.
    private static func reading<Result: ExpressibleByIntegerLiteral>(
        _ text: String, _ body: (OpaquePointer) -> Result
    ) -> Result {
        unsafe reading(text, body) ?? 0
    }

    private static func reading(_ text: String, _ body: (OpaquePointer) -> Bool) -> Bool {
        unsafe reading(text, body) ?? false
    }

    private static func reading<Result>(_ text: String, _ body: (OpaquePointer) -> Result) -> Result? {
        var text = text
        return text.withUTF8 { bytes in
            guard let reader = unsafe copenssl_reader(bytes.baseAddress, Int32(clamping: bytes.count)) else {
                return nil
            }
            defer { unsafe BIO_free(reader) }
            return unsafe body(reader)
        }
    }
}
