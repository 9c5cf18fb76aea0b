/// How a server speaks TLS.
public struct TLSServerConfiguration: Equatable, Sendable {
    /// What is asked of clients, with the meanings of Go's `tls.ClientAuthType`.
    public enum ClientAuthentication: Sendable {
        case none
        /// A certificate is asked for and not checked.
        case request
        /// A certificate has to be sent and is not checked.
        case requireAny
        /// A certificate is checked where one is sent.
        case verifyIfGiven
        case requireAndVerify
    }

    /// Versions of the protocol.
    public enum Version: Int32, Comparable, Sendable {
        case tls10 = 0x0301
        case tls11 = 0x0302
        case tls12 = 0x0303
        case tls13 = 0x0304

        /// Older versions are less.
        public static func < (left: Version, right: Version) -> Bool { left.rawValue < right.rawValue }
    }

    /// The server's certificate and its chain, PEM.
    public var certificateChain: String
    /// The key of the certificate, PEM, without passphrase.
    public var privateKey: String
    /// What is asked of clients.
    public var clientAuthentication = ClientAuthentication.none
    /// The authorities that sign certificates of clients, PEM; empty for none.
    public var clientAuthorities = ""
    /// Alternative names of which a client's certificate must have one; empty for no such rule.
    public var allowedClientNames: [String] = []
    /// The oldest version that is spoken.
    public var minimumVersion = Version.tls12
    /// The newest version that is spoken.
    public var maximumVersion = Version.tls13
    /// Cipher suites up to TLS 1.2 in OpenSSL's notation; empty for OpenSSL's own choice.
    public var cipherSuites: [String] = []
    /// Key exchange groups in OpenSSL's notation, in order of preference; empty for OpenSSL's own choice.
    public var groups: [String] = []
    /// Whether the server's order of cipher suites counts.
    public var prefersServerCipherSuites = true
    /// Protocols offered by ALPN, in order of preference; empty for none.
    public var applicationProtocols: [String] = []

    /// A server with this certificate and key.
    public init(certificateChain: String, privateKey: String) {
        self.certificateChain = certificateChain
        self.privateKey = privateKey
    }
}

/// The certificate that a client has shown.
public struct TLSClientCertificate: Equatable, Sendable {
    /// The subject in RFC 2253's notation: `CN=node-1,O=Example`.
    public var subject: String
    /// Alternative names: host names, addresses, mail addresses and URIs.
    public var alternativeNames: [String]
    /// SHA-256 of the certificate, hexadecimal.
    public var fingerprint: String
    /// Whether one of the configured authorities has signed it.
    public var isVerified: Bool
}
